use std::collections::BTreeMap;

use homeostat_clock::UtcMillis;
use homeostat_quality::{Estimate, Sketch, Slice, Source, registry};
use serde::{Deserialize, Serialize};

use crate::judge::judge;
use crate::{Action, Baseline, Calibration, Outcome, Policy, Reference, Severity};

/// All observations of one rule in one policy window, replicas merged.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyWindow {
    /// Start of the window.
    pub start: UtcMillis,
    /// Per slice.
    pub slices: BTreeMap<Slice, Sketch>,
}

/// What is known of one rule's series.
#[derive(Clone, Debug, PartialEq)]
pub enum SeriesState {
    /// Closed windows, oldest first; windows without data are simply absent.
    Windows {
        /// At least the last N of the policy.
        windows: Vec<PolicyWindow>,
        /// When the newest observation of this series came in, if ever.
        newest: Option<UtcMillis>,
    },
    /// One value a window from a query, oldest first; `None` where the query had no answer.
    Values {
        /// (start of the window, value)
        values: Vec<(UtcMillis, Option<f64>)>,
    },
    /// The source failed.
    Failed {
        /// In one sentence, without any sampled text.
        reason: String,
    },
}

/// What was found for one rule. This is what status shows, alerts carry and evidence keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Name of the rule.
    pub name: String,
    /// Name of the registry's metric; `None` for a PromQL query.
    #[serde(default)]
    pub metric: Option<String>,
    /// Where the metric's observations come from; `None` for a PromQL query.
    #[serde(default)]
    pub source: Option<Source>,
    /// One of five.
    pub outcome: Outcome,
    /// The value over the windows looked at, at fixed mix: the last N, or the run that proved a breach; `None` without data.
    pub current: Option<Estimate>,
    /// The baseline's value, where the condition refers to it.
    pub baseline: Option<Estimate>,
    /// The threshold in the metric's unit, once it is known.
    pub threshold: Option<f64>,
    /// How many of the looked-at windows were beyond the threshold.
    pub breached: u32,
    /// How many windows had enough samples.
    pub judged: u32,
    /// Start of the oldest window of the current run of breaches, if degraded.
    pub since: Option<UtcMillis>,
    /// What the policy asks for when degraded.
    pub action: Action,
    /// How loudly.
    pub severity: Severity,
    /// Per-slice values behind `current`: (slice, baseline value, current value, n), worst loss first.
    pub slices: Vec<(Slice, Option<f64>, f64, u64)>,
    /// What was compared with what, in one or two full sentences with figures.
    pub explanation: String,
}

impl Verdict {
    /// Whether the rule watches the model's own ability, as opposed to how it is being served. A query is not known to.
    #[must_use]
    pub fn is_quality(&self) -> bool {
        self.metric.as_deref().and_then(registry::metric).is_some_and(|metric| metric.quality)
    }

    /// A value of this rule as people read it.
    #[must_use]
    pub fn show(&self, value: f64) -> String {
        match self.metric.as_deref().and_then(registry::metric) {
            Some(metric) => metric.unit.show(value),
            None => crate::explain::plain(value),
        }
    }
}

/// All verdicts of a model at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    /// When.
    pub at: UtcMillis,
    /// One a rule, in the policy's order.
    pub verdicts: Vec<Verdict>,
}

/// Holds every rule of `policy` against its series, with the frozen baseline as reference and the policy's false-alarm budget. See
/// [`analyse_calibrated`].
#[must_use]
pub fn analyse(
    policy: &Policy,
    baseline: Option<&Baseline>,
    series: &BTreeMap<String, SeriesState>,
    since: UtcMillis,
    now: UtcMillis,
) -> Analysis {
    let reference = baseline.map_or(Reference::None, Reference::Frozen);
    let calibration = Calibration { budget: policy.false_alarms, ..Calibration::default() };
    analyse_calibrated(policy, reference, &calibration, series, since, now)
}

/// Holds every rule of `policy` against its series. `series` is keyed by the rule's name; a missing entry is NoData.
///
/// A rule is Degraded when all of this holds:
/// - at least M of the last N windows with enough samples are beyond the threshold,
/// - the 95 % interval of their merged value excludes it,
/// - the merged observations differ from the reference by more than the share of the false-alarm budget that this look at this metric
///   has ([`Calibration::alpha`]), so that noise alone does not alarm however many metrics and windows there are.
///
/// The last two are asked of the last N windows together, of longer runs of windows (as many as are given and recent: a small
/// drop takes more samples than N windows have), and of the last M. When the windows say so but none of these do, the rule is
/// Inconclusive. Absolute bounds on quantiles go by the windows alone: a single slow hour is real, however few requests it had.
/// A rule with an absolute bound and no reference on its good side is held against the bound itself. Queries give no samples, so
/// they go by M of N alone and are outside the budget.
///
/// Windows that are still open at `now` are left out, as are those older than `no_data_after` and N windows together.
///
/// `since` is when the version began to serve: before `no_data_after` has passed since then, silence is Inconclusive.
#[must_use]
pub fn analyse_calibrated(
    policy: &Policy,
    reference: Reference<'_>,
    calibration: &Calibration,
    series: &BTreeMap<String, SeriesState>,
    since: UtcMillis,
    now: UtcMillis,
) -> Analysis {
    let verdicts = policy
        .metrics
        .iter()
        .map(|rule| judge(policy, rule, reference, calibration, series.get(&rule.name), since, now))
        .collect();
    Analysis { at: now, verdicts }
}
