//! Decay: is a served model still as good as it was declared to be, and if not, why?
//!
//! [`analyse`] holds windows against a frozen [`Baseline`] by a [`Policy`] and gives one [`Verdict`] a metric, with one of
//! five [`Outcome`]s. [`diagnose`] takes all verdicts and the rest of the evidence and names one [`Cause`].
//! Missing data is an outcome of its own: never healthy, never a reason to act on the model.
//!
//! A breach is believed when it cannot be chance: [`Calibration`] turns the number of false alerts that a model may give in a month
//! into the level of each test. [`two_sample`] holds the tests and distances themselves, [`sequential`] the detectors for
//! single observations, both equal to their reference implementations.
//!
//! It deliberately fetches nothing and decides no action: `core/rollout` does the second, the controller the first.
//!
//! Values are compared *at fixed mix*: per-slice values weighted as in the baseline, so that a shift of what people ask is
//! not mistaken for decay.

mod analyse;
mod baseline;
mod calibration;
mod comparison;
mod confirm;
mod diagnose;
mod explain;
mod fixed_mix;
mod judge;
mod mix;
mod outcome;
mod policy;
mod reference;
pub mod sequential;
mod special;
pub mod two_sample;

pub use analyse::{Analysis, PolicyWindow, SeriesState, Verdict, analyse, analyse_calibrated};
pub use baseline::{Baseline, BaselineError, BaselineSeries, MetricBaseline, SliceBaseline};
pub use calibration::{
    Calibration, FalseAlarmBudget, Plan, bernoulli_cusum_run_length, cusum_run_length, dispersion, plan,
};
pub use diagnose::{Cause, Diagnosis, Evidence, NodeTrouble, ReplicaVerdict, diagnose};
pub use mix::{MixDrift, mix_drift};
pub use outcome::{DecayedCondition, Outcome};
pub use policy::{Action, Breach, Condition, Margin, MetricRule, MetricSource, Policy, PolicyError, Severity};
pub use reference::{Reference, SeasonalBaseline, hour_of_week};
