use std::time::Duration;

use homeostat_quality::{
    Source,
    registry::{Direction, Metric},
};
use serde::{Deserialize, Serialize};

use crate::FalseAlarmBudget;

/// A parsed decay policy: valid by construction (the controller parses a `DecayPolicy` into it once).
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Length of one analysed window; windows are aligned to the epoch.
    pub window: Duration,
    /// Below this many samples a window says nothing.
    pub minimum_samples: u64,
    /// How many windows must be beyond the threshold.
    pub breach: Breach,
    /// Silence for longer than this is NoData.
    pub no_data_after: Duration,
    /// How many false alerts chance may cost a model, all rules together.
    pub false_alarms: FalseAlarmBudget,
    /// The rules, in the policy's order.
    pub metrics: Vec<MetricRule>,
}

/// Why a policy was refused. Each names the field, the value and the remedy.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// A duration of zero.
    #[error("{field} is zero: give a duration such as {example}")]
    Zero {
        /// Field of the policy.
        field: &'static str,
        /// A good value.
        example: &'static str,
    },
    /// M of N that cannot be.
    #[error("breach asks for {windows} of {of} windows: give 1 <= windows <= of <= 100")]
    Breach {
        /// M.
        windows: u32,
        /// N.
        of: u32,
    },
    /// A budget that cannot be kept or spent.
    #[error(
        "falseAlarms: {alerts} alerts in no time or never: give a number above 0, such as 0.1, and a duration, such as 30d"
    )]
    FalseAlarms {
        /// What was given.
        alerts: String,
    },
    /// Two rules of one name.
    #[error("metrics: {name:?} is named twice: give one of them another name")]
    Twice {
        /// The name.
        name: String,
    },
    /// A threshold that cannot be meant.
    #[error("metrics[{name}]: {problem}")]
    Threshold {
        /// Name of the rule.
        name: String,
        /// What is wrong and the remedy.
        problem: String,
    },
}

impl Policy {
    /// The policy itself, when all its parts fit together.
    ///
    /// # Errors
    /// Names the first field that does not: zero durations, M > N, a rule named twice, a threshold that is no number, is
    /// outside the metric's range, or needs a baseline that a query cannot have.
    pub fn checked(self) -> Result<Self, PolicyError> {
        if self.window.as_millis() == 0 {
            return Err(PolicyError::Zero { field: "window", example: "15m" });
        }
        if self.no_data_after.as_millis() == 0 {
            return Err(PolicyError::Zero { field: "noDataAfter", example: "1h" });
        }
        let FalseAlarmBudget { alerts, per } = self.false_alarms;
        if !(alerts > 0.0 && alerts.is_finite()) || per.is_zero() {
            return Err(PolicyError::FalseAlarms { alerts: alerts.to_string() });
        }
        let Breach { windows, of } = self.breach;
        if windows == 0 || windows > of || of > 100 {
            return Err(PolicyError::Breach { windows, of });
        }
        for (index, rule) in self.metrics.iter().enumerate() {
            if self.metrics[..index].iter().any(|other| other.name == rule.name) {
                return Err(PolicyError::Twice { name: rule.name.clone() });
            }
            rule.check().map_err(|problem| PolicyError::Threshold { name: rule.name.clone(), problem })?;
        }
        Ok(self)
    }
}

impl MetricRule {
    fn check(&self) -> Result<(), String> {
        let figure = match self.condition {
            Condition::BelowAbsolute(value) | Condition::AboveAbsolute(value) => value,
            Condition::BelowBaseline(margin) | Condition::AboveBaseline(margin) => {
                let (Margin::Absolute(value) | Margin::Relative(value)) = margin;
                if value < 0.0 {
                    return Err(format!("the margin {value} is negative: give the distance from the baseline"));
                }
                if matches!(self.source, MetricSource::PromQl(_)) {
                    return Err("a query has no frozen baseline: give an absolute threshold".to_string());
                }
                value
            }
        };
        if !figure.is_finite() {
            return Err(format!("the threshold {figure} is no number"));
        }
        let MetricSource::Agents(metric, _) = self.source else { return Ok(()) };
        let absolute = matches!(self.condition, Condition::BelowAbsolute(_) | Condition::AboveAbsolute(_));
        if absolute && !(metric.range.0..=metric.range.1).contains(&figure) {
            let (low, high) = metric.range;
            return Err(format!("the threshold {figure} is outside {low} to {high}, the range of {}", metric.name));
        }
        let below = matches!(self.condition, Condition::BelowAbsolute(_) | Condition::BelowBaseline(_));
        if below != (metric.direction == Direction::Up) {
            let (is, word) = if below { ("less", "above") } else { ("more", "below") };
            return Err(format!("{is} of {} is better: use {word}", metric.name));
        }
        Ok(())
    }
}

/// M of the last N windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    /// M: so many must be beyond the threshold, 1 <= M <= N.
    pub windows: u32,
    /// N: so many are looked at.
    pub of: u32,
}

/// One metric, its threshold and what follows from crossing it.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricRule {
    /// Unique name within the policy: the metric's name, or the one given to a query.
    pub name: String,
    /// Where its values come from.
    pub source: MetricSource,
    /// When it is degraded.
    pub condition: Condition,
    /// What follows.
    pub action: Action,
    /// How loudly.
    pub severity: Severity,
}

/// Where a rule's values come from.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricSource {
    /// A metric of the registry, reported by agents.
    Agents(&'static Metric, Source),
    /// A PromQL query that yields one value a window.
    PromQl(String),
}

/// When a metric counts as beyond its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// Below this value.
    BelowAbsolute(f64),
    /// Above this value.
    AboveAbsolute(f64),
    /// Below the frozen baseline by more than the margin.
    BelowBaseline(Margin),
    /// Above the frozen baseline by more than the margin.
    AboveBaseline(Margin),
}

impl Condition {
    /// Whether it refers to the frozen baseline.
    #[must_use]
    pub fn needs_baseline(self) -> bool {
        matches!(self, Self::BelowBaseline(_) | Self::AboveBaseline(_))
    }

    /// The threshold in the metric's unit, given the baseline's value; `None` when that is needed and missing.
    #[must_use]
    pub fn threshold(self, baseline: Option<f64>) -> Option<f64> {
        let distance = |margin: Margin, from: f64| match margin {
            Margin::Absolute(by) => by,
            Margin::Relative(share) => share * from.abs(),
        };
        match self {
            Self::BelowAbsolute(value) | Self::AboveAbsolute(value) => Some(value),
            Self::BelowBaseline(margin) => baseline.map(|from| from - distance(margin, from)),
            Self::AboveBaseline(margin) => baseline.map(|from| from + distance(margin, from)),
        }
    }

    /// Whether `value` is beyond `threshold`, on the bad side; exactly on it is not beyond (within rounding).
    #[must_use]
    pub fn beyond(self, value: f64, threshold: f64) -> bool {
        let slack = 1e-12 * (1.0 + threshold.abs());
        match self {
            Self::BelowAbsolute(_) | Self::BelowBaseline(_) => value < threshold - slack,
            Self::AboveAbsolute(_) | Self::AboveBaseline(_) => value > threshold + slack,
        }
    }

    /// Whether being below the threshold is what is bad.
    #[must_use]
    pub fn is_below(self) -> bool {
        matches!(self, Self::BelowAbsolute(_) | Self::BelowBaseline(_))
    }

    /// Whether the whole interval `low` to `high` is beyond `threshold`.
    #[must_use]
    pub fn wholly_beyond(self, low: f64, high: f64, threshold: f64) -> bool {
        match self {
            Self::BelowAbsolute(_) | Self::BelowBaseline(_) => self.beyond(high, threshold),
            Self::AboveAbsolute(_) | Self::AboveBaseline(_) => self.beyond(low, threshold),
        }
    }
}

/// A distance from the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Margin {
    /// In the metric's own unit (`3points` of a ratio is 0.03).
    Absolute(f64),
    /// As a share of the baseline's value (`10%` is 0.1).
    Relative(f64),
}

/// What follows when a metric is degraded, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Shown, nobody is called.
    Warn,
    /// Receivers are alerted.
    Alert,
    /// Alerted, and the last known good version is brought back.
    Rollback,
    /// Alerted, and, when the diagnosis is that the model decayed, retrained.
    Retrain,
}

/// How loudly receivers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record.
    Info,
    /// Within working hours.
    Warning,
    /// Now.
    Critical,
}

impl Severity {
    /// The label value of an alert.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

#[cfg(test)]
mod tests {
    use homeostat_quality::registry::metric;

    use super::*;

    fn policy(name: &str, condition: Condition) -> Policy {
        let rule = MetricRule {
            name: name.to_string(),
            source: MetricSource::Agents(metric(name).unwrap(), Source::Golden),
            condition,
            action: Action::Alert,
            severity: Severity::Warning,
        };
        Policy {
            window: Duration::from_secs(60),
            minimum_samples: 10,
            breach: Breach { windows: 3, of: 4 },
            no_data_after: Duration::from_secs(600),
            false_alarms: FalseAlarmBudget::default(),
            metrics: vec![rule],
        }
    }

    #[test]
    fn a_policy_that_cannot_be_meant_is_refused_with_a_remedy() {
        let good = policy("exact_match", Condition::BelowBaseline(Margin::Absolute(0.03)));
        assert_eq!(good.clone().checked(), Ok(good.clone()));
        let problem = |policy: Policy| policy.checked().unwrap_err().to_string();
        assert!(problem(Policy { window: Duration::ZERO, ..good.clone() }).contains("15m"));
        assert!(problem(Policy { breach: Breach { windows: 5, of: 4 }, ..good.clone() }).contains("5 of 4"));
        let twice = Policy { metrics: [good.metrics.clone(), good.metrics.clone()].concat(), ..good };
        assert!(problem(twice).contains("named twice"));
        assert!(problem(policy("exact_match", Condition::BelowAbsolute(90.0))).contains("range of exact_match"));
        assert!(problem(policy("exact_match", Condition::AboveAbsolute(0.9))).contains("use below"));
        assert!(problem(policy("ttft_p99", Condition::BelowAbsolute(0.8))).contains("use above"));
        assert!(problem(policy("exact_match", Condition::BelowBaseline(Margin::Relative(-0.1)))).contains("negative"));
    }

    #[test]
    fn thresholds_follow_the_baseline() {
        let below = Condition::BelowBaseline(Margin::Absolute(0.03));
        assert_eq!(below.threshold(None), None);
        assert!(!below.beyond(0.87, below.threshold(Some(0.9)).unwrap()));
        assert!(below.beyond(0.86, below.threshold(Some(0.9)).unwrap()));
        let above = Condition::AboveBaseline(Margin::Relative(0.1));
        assert!((above.threshold(Some(2.0)).unwrap() - 2.2).abs() < 1e-12);
        assert!(above.wholly_beyond(2.3, 2.5, 2.2) && !above.wholly_beyond(2.1, 2.5, 2.2));
    }
}
