//! The figures of a run, as `--report` writes them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

/// All figures; what was not reached or not measured is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Name of the scenario.
    pub scenario: String,
    /// Whether it ended as it should.
    pub passed: bool,
    /// Why, in one sentence.
    pub why: String,
    /// How long things took.
    pub seconds: Seconds,
    /// Share of right answers over the facts that changed.
    pub exact_match: ExactMatch,
    /// Share of right answers over the others.
    pub retained_skill: RetainedSkill,
    /// Names of the ModelVersions, oldest first.
    pub versions: Vec<String>,
    /// Names of the RetrainingRuns, oldest first.
    pub retraining_runs: Vec<String>,
    /// Names of the alerts that were received after the onset, in order.
    pub alerts: Vec<String>,
    /// Largest resident size by process, in MiB.
    pub rss_mib: BTreeMap<String, f64>,
}

/// Seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Seconds {
    /// Training of the first model; 0 when it was kept from an earlier run.
    pub base_training: Option<f64>,
    /// From the change of the world to the first alert at the webhook.
    pub onset_to_alert: Option<f64>,
    /// From there to the promotion.
    pub alert_to_promoted: Option<f64>,
    /// Both.
    pub onset_to_promoted: Option<f64>,
    /// From the start of the demo to its end.
    pub total: f64,
}

/// Over the facts that changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ExactMatch {
    /// The first model against the references of its time.
    pub baseline: Option<f64>,
    /// The first model against the references of now.
    pub decayed: Option<f64>,
    /// What serves at the end, against the references of now.
    #[serde(rename = "final")]
    pub recovered: Option<f64>,
}

/// Over the facts that did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RetainedSkill {
    /// Before the onset.
    pub before: Option<f64>,
    /// At the end.
    pub after: Option<f64>,
}

impl ExactMatch {
    /// Share of what was lost that came back.
    pub(crate) fn recovery(&self) -> Option<f64> {
        let (baseline, decayed, recovered) = (self.baseline?, self.decayed?, self.recovered?);
        (baseline > decayed).then(|| (recovered - decayed) / (baseline - decayed))
    }
}

impl Report {
    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| format!("--report: {} cannot be written", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_has_the_documented_names() {
        let exact_match = ExactMatch { baseline: Some(0.96), decayed: Some(0.0), recovered: Some(0.95) };
        let report = Report { scenario: "decay".into(), exact_match, ..Report::default() };
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["exact_match"], serde_json::json!({"baseline": 0.96, "decayed": 0.0, "final": 0.95}));
        let seconds = ["base_training", "onset_to_alert", "alert_to_promoted", "onset_to_promoted", "total"];
        assert!(seconds.iter().all(|name| json["seconds"].get(name).is_some()), "{json}");
        assert!((report.exact_match.recovery().unwrap() - 0.95 / 0.96).abs() < 1e-9);
        assert_eq!(ExactMatch::default().recovery(), None);
    }
}
