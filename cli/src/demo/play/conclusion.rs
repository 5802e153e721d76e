//! The end: whether quality is back, the figures, and what is printed of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use kube::ResourceExt as _;

use super::{Stage, shown};
use crate::demo::report::Report;

/// Share of what was lost that must come back.
const RECOVERED: f64 = 0.95;
/// At most so much may be lost on the facts that did not change.
const RETAINED: f64 = 0.02;

impl Stage {
    /// Whether enough came back and little was lost; the figures either way.
    pub(super) fn recovery(&self) -> Result<String, String> {
        let Report { exact_match, retained_skill, .. } = &self.report;
        let Some(recovered) = exact_match.recovery() else {
            return Err(
                "exact match on the changed facts could not be compared: nothing was lost, or nothing was answered"
                    .to_owned(),
            );
        };
        let (Some(before), Some(after)) = (retained_skill.before, retained_skill.after) else {
            return Err("the retained skill could not be measured".to_owned());
        };
        let figures = format!(
            "{:.0} % of what was lost is back, and the other facts went from {before:.3} to {after:.3}",
            recovered * 100.0
        );
        if recovered < RECOVERED {
            return Err(format!("{figures}: {:.0} % are asked for", RECOVERED * 100.0));
        }
        if before - after > RETAINED + 1e-9 {
            return Err(format!("{figures}: at most {:.0} points may be lost", RETAINED * 100.0));
        }
        Ok(figures)
    }

    /// Fills the report and prints how it ended.
    pub(super) async fn conclude(&mut self, passed: bool, why: &str) {
        let since =
            |from: Option<Instant>, to: Option<Instant>| Some(to?.saturating_duration_since(from?).as_secs_f64());
        let report = &mut self.report;
        (report.passed, report.why) = (passed, why.to_owned());
        report.seconds.onset_to_alert = since(self.onset, self.alert);
        report.seconds.alert_to_promoted = since(self.alert, self.promoted);
        report.seconds.onset_to_promoted = since(self.onset, self.promoted);
        report.seconds.total = self.timeline.elapsed().as_secs_f64();
        report.versions = self.scene.versions.iter().map(|version| version.name_any()).collect();
        report.retraining_runs = self.scene.runs.iter().map(|run| run.name_any()).collect();
        report.alerts.clone_from(&self.alerts);
        report.rss_mib.clone_from(self.memory.peaks());
        let counts = self.users.counts();
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (answered, failed) = (load(&counts.answered), load(&counts.failed));
        let (feedback, personal) = (load(&counts.feedback), load(&counts.personal));
        let timeline = &self.timeline;
        timeline.print("");
        timeline.print(&format!("{}: {why}", if passed { "PASSED" } else { "FAILED" }));
        let seconds = &self.report.seconds;
        let took = |name: &str, value: Option<f64>| value.map(|value| format!("{name} {value:.1} s"));
        let times = [
            took("first model", seconds.base_training),
            took("onset to alert", seconds.onset_to_alert),
            took("alert to promoted", seconds.alert_to_promoted),
            took("onset to promoted", seconds.onset_to_promoted),
        ];
        timeline.print(&format!("  times       {}", times.into_iter().flatten().collect::<Vec<_>>().join(", ")));
        let figures = &self.report.exact_match;
        timeline.print(&format!(
            "  changed     baseline {}, decayed {}, final {}",
            shown(figures.baseline),
            shown(figures.decayed),
            shown(figures.recovered)
        ));
        let skill = &self.report.retained_skill;
        timeline.print(&format!("  others      before {}, after {}", shown(skill.before), shown(skill.after)));
        timeline.print(&format!(
            "  users       {answered} answers, {failed} failures, {feedback} feedbacks, {personal} questions with personal data"
        ));
        if let Ok(Some((entries, head))) = self.host.records.ledger_head().await {
            timeline.print(&format!("  ledger      {entries} entries, head {}", head.get(..12).unwrap_or(&head)));
        }
        let memory: Vec<String> =
            self.report.rss_mib.iter().map(|(name, mib)| format!("{name} {mib:.0} MiB")).collect();
        timeline.print(&format!("  memory      {}", memory.join(", ")));
    }
}
