//! The alerts of a model, with all that a tired person needs: what, how bad, since when, why, what is being done about it.

use std::collections::BTreeMap;

use homeostat_clock::UtcMillis;
use homeostat_crds::Model;
use homeostat_crds::conditions::{reason, run as run_condition, version as version_condition};
use homeostat_decay::{Action as FollowUp, Cause, MixDrift, Outcome, Severity, Verdict};
use homeostat_records::AlertRow;
use homeostat_rollout::{Action, Mode, Plan};
use kube::ResourceExt;

use super::fetch::Facts;
use super::judge::Judged;
use crate::alerting::{Alert, AlertText};
use crate::reconcile::gpu_node;
use crate::{Context, status};

/// All alerts that fire for the model now. Mode Observe alerts nobody.
///
/// `firing` are those that fire already: one that the data neither confirms nor clears keeps firing.
pub(super) fn alerts(
    model: &Model,
    facts: &Facts,
    judged: &Judged,
    plan: &Plan,
    firing: &[AlertRow],
    ctx: &Context,
) -> Vec<Alert> {
    if facts.parsed.mode == Mode::Observe {
        return Vec::new();
    }
    let story = Story { model, facts, judged, plan, firing, ctx };
    let mut alerts: Vec<Alert> =
        judged.analysis.verdicts.iter().filter_map(|verdict| story.of_verdict(verdict)).collect();
    alerts.extend(story.no_data());
    alerts.extend(story.input_drift());
    alerts.extend(story.nodes());
    alerts.extend(story.failed_run());
    alerts.extend(story.rolled_back());
    alerts.extend(story.trained_on_erased());
    alerts.extend(story.help());
    alerts
}

struct Story<'a> {
    model: &'a Model,
    facts: &'a Facts,
    judged: &'a Judged,
    plan: &'a Plan,
    firing: &'a [AlertRow],
    ctx: &'a Context,
}

impl Story<'_> {
    fn alert(
        &self,
        name: &str,
        severity: Severity,
        labels: &[(&str, &str)],
        starts_at: UtcMillis,
        text: AlertText,
    ) -> Alert {
        let labels: BTreeMap<String, String> =
            labels.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect();
        Alert {
            model: self.facts.key.clone(),
            name: name.to_string(),
            severity,
            labels,
            annotations: self.common(text),
            starts_at,
        }
    }

    /// What every alert says: what is done now, when it ends, how to stop it, where to look.
    fn common(&self, text: AlertText) -> AlertText {
        let key = &self.facts.key;
        let decision = &self.plan.decision;
        let mut links =
            vec![("kubectl".to_string(), format!("kubectl describe model {} -n {}", key.name, key.namespace))];
        links.push(("why".to_string(), format!("homeostat why {key}")));
        if let Some(dashboard) = &self.ctx.dashboard {
            links.push(("dashboard".to_string(), format!("{dashboard}/models/{}/{}", key.namespace, key.name)));
        }
        let ends = match (&decision.next, decision.due) {
            (Some(next), Some(due)) => format!("{next} At {due} at the earliest."),
            (Some(next), None) => next.clone(),
            (None, _) => "When the metric is within its threshold again, or a person acts.".to_string(),
        };
        AlertText {
            doing_now: format!("{}: {}", decision.what, decision.why),
            ends_when: ends,
            how_to_stop: format!(
                "kubectl patch model {} -n {} --type merge -p '{{\"spec\":{{\"steering\":{{\"hold\":true,\"reason\":\"...\"}}}}}}'",
                key.name, key.namespace
            ),
            affected_traffic: self.affected(),
            reasons: self.judged.diagnosis.reasons.clone(),
            links,
            ..text
        }
    }

    fn affected(&self) -> String {
        let traffic = self.model.status.as_ref().map(|status| status.traffic.clone()).unwrap_or_default();
        if traffic.is_empty() {
            return format!("requests to {}", self.facts.parsed.served_name);
        }
        let shares: Vec<String> =
            traffic.iter().map(|share| format!("{} % on {}", share.weight, share.version)).collect();
        format!("all requests to {} ({})", self.facts.parsed.served_name, shares.join(", "))
    }

    fn cause(&self) -> String {
        self.judged.diagnosis.cause.as_str().to_string()
    }

    fn of_verdict(&self, verdict: &Verdict) -> Option<Alert> {
        let (name, since) = match verdict.outcome {
            Outcome::Degraded if verdict.action >= FollowUp::Alert => ("QualityDegraded", verdict.since),
            Outcome::SourceError => ("MetricSourceFailed", None),
            Outcome::Inconclusive | Outcome::NoData => {
                ("QualityDegraded", Some(self.fires_since("QualityDegraded", &verdict.name)?))
            }
            _ => return None,
        };
        let text = AlertText {
            summary: format!("{} of {}: {}", verdict.name, self.facts.key, describe(verdict)),
            what: verdict.explanation.clone(),
            cause: self.cause(),
            ..AlertText::default()
        };
        let started = since.unwrap_or(self.facts.now);
        Some(self.alert(name, verdict.severity, &[("metric", verdict.name.as_str())], started, text))
    }

    /// Since when an alert about a metric fires, if it does.
    fn fires_since(&self, name: &str, metric: &str) -> Option<UtcMillis> {
        let is_it = |row: &&AlertRow| {
            row.name == name
                && row.model.as_ref() == Some(&self.facts.key)
                && row.labels.get("metric").is_some_and(|held| held == metric)
        };
        self.firing.iter().find(is_it).map(|row| row.starts_at)
    }

    fn no_data(&self) -> Option<Alert> {
        let silent: Vec<&Verdict> =
            self.judged.analysis.verdicts.iter().filter(|verdict| verdict.outcome == Outcome::NoData).collect();
        let first = silent.first()?;
        let names: Vec<&str> = silent.iter().map(|verdict| verdict.name.as_str()).collect();
        let text = AlertText {
            summary: format!("No data of {} for {}", self.facts.key, names.join(", ")),
            what: first.explanation.clone(),
            cause: self.cause(),
            ..AlertText::default()
        };
        Some(self.alert("NoData", Severity::Warning, &[], self.facts.now, text))
    }

    /// Once it fires, only a mix that is clearly the baseline's again ends it: neither a moment between the two nor another
    /// cause that is found beside it.
    fn input_drift(&self) -> Option<Alert> {
        let mix = self.judged.mix.as_ref();
        let is_it = |row: &&AlertRow| row.name == "InputDrift" && row.model.as_ref() == Some(&self.facts.key);
        let held = self.firing.iter().find(is_it).filter(|_| !mix.is_some_and(MixDrift::is_over));
        if self.judged.diagnosis.cause != Cause::InputDrift && held.is_none() {
            return None;
        }
        let what = match mix {
            Some(mix) => format!("What people ask is compared with the baseline's {}.", mix.describe()),
            None => "There are too few requests to tell whether people ask again what they did before.".to_string(),
        };
        let text = AlertText {
            summary: format!("What people ask {} has shifted", self.facts.key),
            what,
            cause: self.cause(),
            ..AlertText::default()
        };
        let started = held.map_or(self.facts.now, |row| row.starts_at);
        Some(self.alert("InputDrift", Severity::Info, &[], started, text))
    }

    fn nodes(&self) -> Vec<Alert> {
        let alert = |trouble: &homeostat_decay::NodeTrouble| {
            let text = AlertText {
                summary: format!("{} on node {}, which serves {}", trouble.problem, trouble.node, self.facts.key),
                what: trouble.problem.clone(),
                cause: self.cause(),
                ..AlertText::default()
            };
            self.alert("NodeTrouble", Severity::Critical, &[("node", trouble.node.as_str())], self.facts.now, text)
        };
        // A drained node no longer serves the model, but stays in trouble until somebody has acted.
        self.judged.nodes.iter().map(alert).chain(self.drained()).collect()
    }

    fn drained(&self) -> Vec<Alert> {
        let key = self.facts.key.to_string();
        let mut alerts = Vec::new();
        for node in self.ctx.stores.nodes.state() {
            let Some(drain) = gpu_node::drains(&node, self.facts.now).find(|drain| drain.model == key) else {
                continue;
            };
            if self.judged.nodes.iter().any(|trouble| trouble.node == node.name_any()) {
                continue;
            }
            let text = AlertText {
                summary: format!("Node {} was drained for {key}", node.name_any()),
                what: format!(
                    "{} When it is mended: kubectl patch gpunode {} --type merge -p '{{\"spec\":{{\"mendedAt\":\"TIME\"}}}}'",
                    drain.reason,
                    node.name_any()
                ),
                cause: "Infrastructure".to_string(),
                ..AlertText::default()
            };
            let since = status::millis(&drain.since);
            alerts.push(self.alert("NodeTrouble", Severity::Critical, &[("node", &node.name_any())], since, text));
        }
        alerts
    }

    /// The newest run of the stable version failed, and nothing has come after it.
    fn failed_run(&self) -> Option<Alert> {
        let run = self.facts.runs.last()?;
        let stable = self.model.status.as_ref()?.stable.as_ref()?;
        let conditions = run.status.as_ref().map_or(&[][..], |status| &status.conditions);
        let complete = status::condition(conditions, run_condition::COMPLETE).filter(|held| held.status == "True")?;
        if run.spec.parent != *stable || complete.reason == reason::SUCCEEDED {
            return None;
        }
        let text = AlertText {
            summary: format!("Retraining {} of {} failed: {}", run.name_any(), self.facts.key, complete.reason),
            what: complete.message.clone(),
            cause: self.cause(),
            ..AlertText::default()
        };
        let at = status::millis(&complete.last_transition_time);
        Some(self.alert("RetrainingFailed", Severity::Warning, &[("run", &run.name_any())], at, text))
    }

    /// The newest child of the stable version was taken back or never got traffic.
    fn rolled_back(&self) -> Option<Alert> {
        let stable = self.model.status.as_ref()?.stable.as_ref()?;
        let child = self.facts.versions.iter().rev().find(|version| {
            version.spec.lineage.as_ref().is_some_and(|lineage| lineage.parent.as_ref() == Some(stable))
        })?;
        let conditions = child.status.as_ref().map_or(&[][..], |status| &status.conditions);
        let decided =
            status::condition(conditions, version_condition::PROMOTED).filter(|held| held.status == "False")?;
        let name = if decided.reason == reason::ROLLED_BACK { "CanaryRolledBack" } else { "CandidateRejected" };
        let text = AlertText {
            summary: format!("{} of {}: {}", child.name_any(), self.facts.key, decided.reason),
            what: decided.message.clone(),
            cause: self.cause(),
            ..AlertText::default()
        };
        let at = status::millis(&decided.last_transition_time);
        Some(self.alert(name, Severity::Warning, &[("version", &child.name_any())], at, text))
    }

    /// The stable version's training saw a person who was erased since.
    fn trained_on_erased(&self) -> Option<Alert> {
        let stable = self.model.status.as_ref()?.stable.as_ref()?;
        let held = self.facts.trained_on_erased(self.model)?;
        let text = AlertText {
            summary: format!("{stable} of {} was trained on records of an erased person", self.facts.key),
            what: held.message.clone(),
            cause: "a person's request".to_string(),
            ends_when: "A version that was trained without them is stable.".to_string(),
            ..AlertText::default()
        };
        let at = status::millis(&held.last_transition_time);
        Some(self.alert("TrainedOnErased", Severity::Warning, &[("version", stable)], at, text))
    }

    fn help(&self) -> Option<Alert> {
        let (reason, message) = self.plan.actions.iter().find_map(|action| match action {
            Action::AskForHelp { reason, message } => Some((reason, message)),
            _ => None,
        })?;
        let last = self.model.status.as_ref().and_then(|status| status.last_decision.as_ref());
        let asked = last.filter(|last| last.what == self.plan.decision.what).map(|last| &last.time);
        let started = asked.map_or(self.facts.now, status::millis);
        // The next windows often tell what these could not.
        if reason == "CauseUnclear" && self.facts.now.since(started) < self.facts.policy.window * 2 {
            return None;
        }
        let text = AlertText {
            summary: format!("{} needs a person: {reason}", self.facts.key),
            what: message.clone(),
            cause: self.cause(),
            ..AlertText::default()
        };
        Some(self.alert("HelpNeeded", Severity::Critical, &[("reason", reason.as_str())], started, text))
    }
}

fn describe(verdict: &Verdict) -> String {
    match (verdict.current, verdict.baseline) {
        (Some(current), Some(baseline)) => {
            format!("{} against {} when it was found good", verdict.show(current.value), verdict.show(baseline.value))
        }
        (Some(current), None) => verdict.show(current.value),
        _ => verdict.outcome.as_str().to_string(),
    }
}
