//! One metric of a model: its value against its threshold, how sure that is, and its course.

use homeostat_clock::UtcMillis;
use homeostat_crds::DecayPolicy;
use homeostat_crds::model::QualityStatus;
use homeostat_crds::policy::MetricRuleSpec;
use homeostat_quality::registry::{self, Direction};

use super::Tone;
use super::chart::{Spark, spark};
use super::series::Series;
use super::standing::no_data;
use crate::words::{grouped, value};

/// One metric of a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MetricView {
    /// Name of the rule.
    pub(crate) name: String,
    /// What the metric means.
    pub(crate) help: String,
    pub(crate) tone: Tone,
    /// `healthy`, `degraded`, `no data since 14:02`.
    pub(crate) word: String,
    /// In its unit; absent without data.
    pub(crate) value: Option<String>,
    /// How sure that is: `95 %: 0.881–0.942, n 1 204 · baseline 0.942 · beyond in 3 of 4 windows`
    pub(crate) sure: String,
    /// `must be at least 0.900`
    pub(crate) bound: Option<String>,
    pub(crate) spark: Spark,
}

/// Name in the registry of the metric that a rule is about.
pub(crate) fn registry_name<'a>(policy: Option<&'a DecayPolicy>, rule: &'a str) -> &'a str {
    rule_of(policy, rule).and_then(|rule| rule.metric.as_deref()).unwrap_or(rule)
}

/// The rule called `name`.
pub(crate) fn rule_of<'a>(policy: Option<&'a DecayPolicy>, name: &str) -> Option<&'a MetricRuleSpec> {
    policy?.spec.metrics.iter().find(|rule| rule.name == name)
}

/// One metric, from its entry in the status.
pub(crate) fn metric(
    entry: &QualityStatus,
    policy: Option<&DecayPolicy>,
    series: &Series,
    now: UtcMillis,
) -> MetricView {
    let metric = registry_name(policy, &entry.name);
    let missing = entry.outcome == "NoData";
    let show = |number: f64| value(metric, number);
    MetricView {
        name: entry.name.clone(),
        help: registry::metric(metric)
            .map_or_else(|| "A query to Prometheus.".to_string(), |metric| metric.help.to_string()),
        tone: Tone::of(&entry.outcome),
        word: match entry.outcome.as_str() {
            "Healthy" => "healthy".to_string(),
            "Degraded" => "degraded".to_string(),
            "Inconclusive" => "too little data to say".to_string(),
            "NoData" => no_data(series.newest(), now).to_lowercase(),
            "SourceError" => "its source fails".to_string(),
            other => other.to_lowercase(),
        },
        // A value that is no longer fed is history, not the state.
        value: entry.value.filter(|_| !missing).map(show),
        sure: sure(entry, missing, show),
        bound: entry.threshold.map(|threshold| format!("{} {}", side(entry, policy), show(threshold))),
        spark: spark(series, &entry.name),
    }
}

fn sure(entry: &QualityStatus, missing: bool, show: impl Fn(f64) -> String) -> String {
    let mut parts = Vec::new();
    if !missing {
        match entry.interval.as_deref() {
            Some([low, high]) => parts.push(format!("95 %: {}–{}, n {}", show(*low), show(*high), grouped(entry.n))),
            _ => parts.push(format!("n {}", grouped(entry.n))),
        }
    }
    parts.extend(entry.baseline.map(|baseline| format!("baseline {}", show(baseline))));
    if let Some(breached) = entry.breached.as_ref().filter(|breached| !missing && !breached.starts_with("0/")) {
        parts.push(format!("beyond in {} windows", breached.replace('/', " of ")));
    }
    parts.join(" · ")
}

fn side(entry: &QualityStatus, policy: Option<&DecayPolicy>) -> &'static str {
    let up = match rule_of(policy, &entry.name) {
        Some(rule) => Some(rule.below.is_some()),
        None => registry::metric(&entry.name).map(|metric| metric.direction == Direction::Up),
    };
    match up {
        Some(true) => "at least",
        Some(false) => "at most",
        None => "bound",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(outcome: &str) -> QualityStatus {
        QualityStatus {
            name: "exact_match".into(),
            outcome: outcome.into(),
            value: Some(0.712),
            interval: Some(vec![0.66, 0.76]),
            n: 1_204,
            baseline: Some(0.94),
            threshold: Some(0.91),
            breached: Some("3/4".into()),
            evidence: None,
        }
    }

    #[test]
    fn a_degraded_metric_says_by_how_much_and_how_sure() {
        let view = metric(&entry("Degraded"), None, &Series::default(), UtcMillis(0));
        assert_eq!(view.value.as_deref(), Some("0.712"));
        assert_eq!(view.sure, "95 %: 0.660–0.760, n 1\u{202f}204 · baseline 0.940 · beyond in 3 of 4 windows");
        assert_eq!(view.bound.as_deref(), Some("at least 0.910"));
        assert_eq!(view.tone, Tone::Bad);
    }

    #[test]
    fn missing_data_shows_no_value_and_no_health() {
        let view = metric(&entry("NoData"), None, &Series::default(), UtcMillis(0));
        assert_eq!((view.value, view.sure.as_str(), view.tone), (None, "baseline 0.940", Tone::Unknown));
        assert_eq!(view.word, "no data yet");
    }
}
