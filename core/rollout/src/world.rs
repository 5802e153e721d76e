use std::collections::BTreeSet;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_decay::{Analysis, Diagnosis};
use serde::{Deserialize, Serialize};

use crate::canary::{CanaryEvidence, CanaryPolicy};

/// Everything the plan for one model depends on, as it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// `namespace/name`.
    pub model: String,
    /// The time for which the plan is made.
    pub now: UtcMillis,
    /// How much the controller may do by itself.
    pub mode: Mode,
    /// What a person asked for; obeyed before anything else.
    pub steering: Steering,
    /// The version that serves and is trusted, once there is one.
    pub stable: Option<String>,
    /// Since when it is stable.
    pub stable_since: Option<UtcMillis>,
    /// Whether it has a frozen baseline.
    pub stable_baseline: bool,
    /// The one before it, if it was good and its artifact still loads.
    pub last_known_good: Option<String>,
    /// Names of the `GpuNode`s on which the stable version serves and is routed to now, those in trouble included.
    pub serving_nodes: BTreeSet<String>,
    /// What the analysis of the stable version says.
    pub analysis: Analysis,
    /// Why.
    pub diagnosis: Diagnosis,
    /// Digest of the evidence blob that holds analysis and diagnosis.
    pub evidence: String,
    /// How the model may be retrained; `None`: it may not.
    pub retraining: Option<RetrainingPlan>,
    /// How a candidate is rolled out.
    pub rollout: RolloutPlan,
    /// All runs of this lineage, oldest first.
    pub runs: Vec<RunHistory>,
    /// The version on its way, if any.
    pub candidate: Option<Candidate>,
    /// Digest of the data that a retraining started now would use, if there is any; the same data, configuration and
    /// parent are never tried twice.
    pub fresh_data: Option<String>,
    /// Number of usable fresh records behind `fresh_data`.
    pub fresh_records: u64,
    /// Why the stable version is to be retrained although it has not decayed: a person was erased whom its training saw, and
    /// the policy asks for it. A full sentence.
    pub erasure: Option<String>,
}

/// How much the controller may do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Watch and record what it would have done.
    Observe,
    /// Alert as well.
    Alert,
    /// Everything.
    Act,
}

/// What a person asked for, from the Model's spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steering {
    /// Serve this version and nothing else.
    pub pin: Option<String>,
    /// Do nothing by yourself until resumed; only a pin and an abort are still carried out.
    pub hold: bool,
    /// A person's word for this candidate, once it is evaluated, compliant and serving. With [`Promotion::Automatic`]: promote
    /// it now, skipping what is left of the canary. With [`Promotion::Manual`]: begin the canary, which then goes by itself.
    pub promote: Option<String>,
    /// Abort this candidate.
    pub abort: Option<String>,
    /// Start a retraining now; the token makes it happen once.
    pub retrain: Option<String>,
    /// Freeze the baseline anew; the token makes it happen once.
    pub rebaseline: Option<String>,
    /// The last tokens of `retrain` and `rebaseline` that were carried out.
    pub done: Vec<String>,
}

/// How a model may be retrained.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrainingPlan {
    /// Digest of trainer, hyperparameters, gates and curation settings.
    pub configuration: String,
    /// No new run sooner than this after the last one started.
    pub cooldown: Duration,
    /// After so many failed runs for one parent a person must look.
    pub attempts: u32,
    /// GPU-seconds that may be spent within `budget_period`.
    pub budget: Duration,
    /// The period of the budget.
    pub budget_period: Duration,
    /// Fewer usable fresh records than this is not worth a run.
    pub minimum_fresh: u64,
    /// Whether the golden probes must be degraded too (the default), or labelled traffic alone may trigger.
    pub golden_must_agree: bool,
}

/// How a candidate is rolled out.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutPlan {
    /// By itself, or after a person's word.
    pub promotion: Promotion,
    /// In order; weights between 1 and 100.
    pub steps: Vec<RolloutStep>,
    /// How long after promotion the old version is kept loaded and the baseline is frozen.
    pub soak: Duration,
    /// A step that is still not decided after this multiple of its length is held, and a person is asked: inconclusive data
    /// neither promotes nor rolls back.
    pub patience: u32,
    /// What the sequential test asks of a candidate.
    pub canary: CanaryPolicy,
}

/// Who promotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Promotion {
    /// The controller, once all steps have passed.
    Automatic,
    /// A person; the controller waits before the first step.
    Manual,
}

/// One canary step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutStep {
    /// Per cent of the traffic that goes to the candidate.
    pub weight: u8,
    /// At least so long.
    pub duration: Duration,
}

/// A finished or running retraining.
#[derive(Clone, Debug, PartialEq)]
pub struct RunHistory {
    /// Name of the `RetrainingRun`.
    pub name: String,
    /// Its parent version.
    pub parent: String,
    /// When it was created.
    pub started: UtcMillis,
    /// GPU-seconds (device-seconds on the CPU) it has used.
    pub spent: Duration,
    /// Digest of its data, as in [`World::fresh_data`].
    pub data: String,
    /// As in [`RetrainingPlan::configuration`].
    pub configuration: String,
    /// How it stands.
    pub outcome: RunOutcome,
}

/// How a retraining stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunOutcome {
    /// Still going.
    Running,
    /// Produced a version that passed its gates.
    Succeeded {
        /// Name of the `ModelVersion`.
        version: String,
    },
    /// Ended without one.
    Failed {
        /// Condition reason.
        reason: String,
    },
}

/// The version on its way to becoming stable.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Name of the `ModelVersion`.
    pub version: String,
    /// Gates passed (condition Evaluated); `None` while that is not known. An initial version needs none.
    pub evaluated: Option<bool>,
    /// Compliance passed (condition Compliant); `None` while that is not known. `Some(true)` also where no compliance policy is
    /// configured. An initial version needs none.
    pub compliant: Option<bool>,
    /// Its gates or its check have ended and say neither yes nor no; the sentence says why. They do not run again by themselves.
    pub undecided: Option<String>,
    /// It runs and answers (condition Serving).
    pub serving: bool,
    /// Where it is in the rollout.
    pub phase: CandidatePhase,
}

/// Where a candidate is.
#[derive(Clone, Debug, PartialEq)]
pub enum CandidatePhase {
    /// Not routed to yet.
    Waiting,
    /// In a canary step.
    Canary(CanaryState),
    /// Promoted ([`World::stable`] is this version now), old version kept, baseline not frozen yet.
    Soaking {
        /// Since when it has all the traffic.
        since: UtcMillis,
    },
}

/// One canary step in progress.
#[derive(Clone, Debug, PartialEq)]
pub struct CanaryState {
    /// Index into the rollout's steps.
    pub step: usize,
    /// Since when its weight is in force.
    pub since: UtcMillis,
    /// What has been seen in this rollout so far, candidate beside stable.
    pub evidence: CanaryEvidence,
}
