//! From a stated number of false alerts to the level of a single test.
//!
//! Fixed cut-offs (p < .05, PSI > .1) alarm as often as there are metrics and windows to look at. Here it is the other way round: a
//! model may give [`FalseAlarmBudget::alerts`] false alerts in [`FalseAlarmBudget::per`], all its metrics together, and every look at
//! every metric gets its share of that.
//!
//! It measures nothing itself: `examples/calibration.rs` does, beside a detector that always and one that never fires.

mod planning;
mod run_length;
mod tail;

use std::collections::BTreeMap;
use std::time::Duration;

pub use planning::{Plan, plan};
pub(crate) use run_length::{bernoulli_cusum_limit, cusum_limit};
pub use run_length::{bernoulli_cusum_run_length, cusum_run_length};
pub(crate) use tail::{Part, chance};

use crate::Policy;

/// How many false alerts a model may give, over all its metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FalseAlarmBudget {
    /// So many, above zero; parts of one are usual.
    pub alerts: f64,
    /// In this time.
    pub per: Duration,
}

impl Default for FalseAlarmBudget {
    /// One false alert of a model in 300 days.
    fn default() -> Self {
        Self { alerts: 0.1, per: Duration::from_secs(30 * 24 * 3600) }
    }
}

/// How sure [`crate::analyse_calibrated`] has to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    /// What chance alone may cost.
    pub budget: FalseAlarmBudget,
    /// By rule: how many times wider the windows' values scatter than their samples being independent would have it, measured on
    /// the baseline's windows by [`dispersion`]. Rules that are not named count as 1.
    pub dispersion: BTreeMap<String, f64>,
}

/// No level is laxer than the one-sided level of a 95 % interval.
const LAXEST: f64 = 0.025;

impl Calibration {
    /// The chance of a false alarm that one look at one metric of `policy` may have: the budget over the number of windows that
    /// close in its time and the number of metrics (Bonferroni: it holds however the metrics hang together), at most .025.
    #[must_use]
    pub fn alpha(&self, policy: &Policy) -> f64 {
        let looks = self.budget.per.as_secs_f64() / policy.window.as_secs_f64().max(0.001);
        let share = self.budget.alerts / (looks.max(1.0) * policy.metrics.len().max(1) as f64);
        if share.is_finite() && share > 0.0 { share.min(LAXEST) } else { f64::MIN_POSITIVE }
    }

    pub(crate) fn dispersion(&self, rule: &str) -> f64 {
        self.dispersion.get(rule).copied().filter(|factor| factor.is_finite()).map_or(1.0, |factor| factor.max(1.0))
    }
}

/// How many times wider `values` of windows scatter than their own sampling `variances` explain: Pearson's chi-square over its
/// degrees of freedom, at least 1. Daily rhythm, correlated requests and retries all show here. `None` with fewer than 8 windows.
#[must_use]
pub fn dispersion(windows: &[(f64, f64)]) -> Option<f64> {
    let sound: Vec<(f64, f64)> = windows
        .iter()
        .copied()
        .filter(|(value, variance)| value.is_finite() && variance.is_finite() && *variance > 0.0)
        .collect();
    if sound.len() < 8 {
        return None;
    }
    let weight: f64 = sound.iter().map(|(_, variance)| 1.0 / variance).sum();
    let centre = sound.iter().map(|(value, variance)| value / variance).sum::<f64>() / weight;
    let statistic: f64 = sound.iter().map(|(value, variance)| (value - centre).powi(2) / variance).sum();
    Some((statistic / (sound.len() - 1) as f64).max(1.0))
}
