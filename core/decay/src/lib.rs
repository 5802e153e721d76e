//! Decay: is a served model still as good as it was declared to be, and if not, why?
//!
//! [`analyse`] holds windows against a frozen [`Baseline`] by a [`Policy`] and gives one [`Verdict`] a metric, with one of
//! five [`Outcome`]s. [`diagnose`] takes all verdicts and the rest of the evidence and names one [`Cause`].
//! Missing data is an outcome of its own: never healthy, never a reason to act on the model.
//!
//! It deliberately fetches nothing and decides no action: `core/rollout` does the second, the controller the first.
//!
//! Values are compared *at fixed mix*: per-slice values weighted as in the baseline, so that a shift of what people ask is
//! not mistaken for decay.

mod analyse;
mod baseline;
mod diagnose;
mod explain;
mod fixed_mix;
mod judge;
mod mix;
mod outcome;
mod policy;

pub use analyse::{Analysis, PolicyWindow, SeriesState, Verdict, analyse};
pub use baseline::{Baseline, BaselineError, BaselineSeries, MetricBaseline, SliceBaseline};
pub use diagnose::{Cause, Diagnosis, Evidence, NodeTrouble, ReplicaVerdict, diagnose};
pub use mix::{MixDrift, mix_drift};
pub use outcome::{DecayedCondition, Outcome};
pub use policy::{Action, Breach, Condition, Margin, MetricRule, MetricSource, Policy, PolicyError, Severity};
