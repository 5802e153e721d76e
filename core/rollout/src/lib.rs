//! Rollout: what to do next about a model, as a pure function of what is recorded.
//!
//! [`plan`] takes the [`World`] and gives [`Action`]s that leave no choice to whoever carries them out. The same world
//! always gives the same plan, and a plan carried out twice changes nothing: names are derived from cause and parent.
//!
//! It deliberately knows no API, no clock and no randomness; the gates' bootstrap takes a seed.

pub mod canary;
mod evidence_process;
pub mod gates;
mod plan;
mod retraining;
mod staging;
mod steering;
mod world;

pub use plan::{Action, Decision, Plan, plan};
pub use world::{
    CanaryState, Candidate, CandidatePhase, Mode, Promotion, RetrainingPlan, RolloutPlan, RolloutStep, RunHistory,
    RunOutcome, Steering, World,
};
