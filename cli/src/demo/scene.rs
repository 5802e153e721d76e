//! The objects as they are, and what is new since the last look, in sentences.

use homeostat_crds::conditions::{model as model_condition, run as run_condition, version as version_condition};
use homeostat_crds::{ComplianceCheck, GpuNode, Model, ModelVersion, RetrainingRun};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::manifests::{MODEL, NAMESPACE};

/// All objects of interest, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scene {
    /// The model.
    pub(crate) model: Option<Model>,
    /// Its versions.
    pub(crate) versions: Vec<ModelVersion>,
    /// Its retraining runs.
    pub(crate) runs: Vec<RetrainingRun>,
    /// Its compliance checks.
    pub(crate) checks: Vec<ComplianceCheck>,
    /// The nodes.
    pub(crate) nodes: Vec<GpuNode>,
}

/// One thing that happened, and where to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    /// A sentence.
    pub(crate) what: String,
    /// A command.
    pub(crate) see: String,
}

impl Scene {
    /// Looks.
    ///
    /// # Errors
    /// When the API does not answer.
    pub(crate) async fn look(client: &Client) -> Result<Self, kube::Error> {
        let models: Api<Model> = Api::namespaced(client.clone(), NAMESPACE);
        let nodes: Api<GpuNode> = Api::all(client.clone());
        Ok(Self {
            model: models.get_opt(MODEL).await?,
            versions: list(client).await?,
            runs: list(client).await?,
            checks: list(client).await?,
            nodes: nodes.list(&ListParams::default()).await?.items,
        })
    }

    /// A condition of the model.
    pub(crate) fn model_condition(&self, type_: &str) -> Option<&Condition> {
        condition(&self.model.as_ref()?.status.as_ref()?.conditions, type_)
    }

    /// Name of the stable version.
    pub(crate) fn stable(&self) -> Option<&str> {
        self.model.as_ref()?.status.as_ref()?.stable.as_deref()
    }

    /// The cause named by the last decision.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.model.as_ref()?.status.as_ref()?.last_decision.as_ref()?.cause.as_deref()
    }

    /// The candidate, while it gets a part of the traffic.
    pub(crate) fn candidate_in_canary(&self) -> Option<&ModelVersion> {
        let status = self.model.as_ref()?.status.as_ref()?;
        status.rollout.as_ref().filter(|rollout| rollout.phase == "Canary")?;
        self.version(status.candidate.as_deref()?)
    }

    /// A version by its name.
    pub(crate) fn version(&self, name: &str) -> Option<&ModelVersion> {
        self.versions.iter().find(|version| version.name_any() == name)
    }

    /// Addresses of the engines of a version, all or those on one node.
    pub(crate) fn endpoints(&self, version: &str, node: Option<&str>) -> Vec<String> {
        let status = self.version(version).and_then(|version| version.status.as_ref());
        let assignments = status.map(|status| status.assignments.as_slice()).unwrap_or_default();
        let wanted = assignments.iter().filter(|assignment| node.is_none_or(|node| assignment.node == node));
        wanted.filter_map(|assignment| assignment.endpoint.clone()).collect()
    }

    /// The running training: (run, step, steps, note).
    pub(crate) fn training(&self) -> Option<(String, u64, u64, String)> {
        let run = self
            .runs
            .iter()
            .rev()
            .find(|run| run.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Training")))?;
        let progress = run.status.as_ref()?.progress.as_ref()?;
        let loss = progress.loss.map(|loss| format!("loss {loss:.3}")).unwrap_or_default();
        Some((run.name_any(), progress.step, progress.total_steps, loss))
    }

    /// What is new since `before`.
    pub(crate) fn news(&self, before: &Self) -> Vec<News> {
        let mut news = Vec::new();
        self.news_of_model(before, &mut news);
        self.news_of_runs(before, &mut news);
        self.news_of_checks(before, &mut news);
        self.news_of_versions(before, &mut news);
        self.news_of_nodes(before, &mut news);
        news
    }

    fn news_of_model(&self, before: &Self, news: &mut Vec<News>) {
        let Some(status) = self.model.as_ref().and_then(|model| model.status.as_ref()) else { return };
        let held = before.model.as_ref().and_then(|model| model.status.clone()).unwrap_or_default();
        let see = format!("kubectl -n {NAMESPACE} describe model {MODEL}");
        for quality in &status.quality {
            let old = held.quality.iter().find(|other| other.name == quality.name);
            let same = old.map(|old| old.outcome.as_str()) == Some(quality.outcome.as_str());
            if same || (old.is_none() && quality.outcome != "Degraded") || quality.outcome == "Inconclusive" {
                continue;
            }
            let show = |value: Option<f64>| value.map_or_else(|| "no value".to_owned(), |value| format!("{value:.3}"));
            let interval = match quality.interval.as_deref() {
                Some([low, high]) => format!(" ({low:.3} to {high:.3})"),
                _ => String::new(),
            };
            let what = format!(
                "{} is {}: {}{interval}, n={}, baseline {}, threshold {}, windows beyond it {}",
                quality.name,
                quality.outcome,
                show(quality.value),
                quality.n,
                show(quality.baseline),
                show(quality.threshold),
                quality.breached.as_deref().unwrap_or("none")
            );
            news.push(News { what, see: see.clone() });
        }
        if let Some(decision) = &status.last_decision {
            let old = held.last_decision.as_ref();
            if old.is_none_or(|old| old.cause != decision.cause)
                && decision.cause.as_deref().is_some_and(|cause| cause != "None")
            {
                let cause = decision.cause.as_deref().unwrap_or_default();
                let what = format!("diagnosis: {cause}; {}: {}", decision.what, decision.why);
                news.push(News { what, see: format!("homeostat why {NAMESPACE}/{MODEL}") });
            }
        }
        if status.traffic != held.traffic && !status.traffic.is_empty() {
            let shares: Vec<String> =
                status.traffic.iter().map(|share| format!("{} % to {}", share.weight, share.version)).collect();
            let what = format!("traffic: {}", shares.join(", "));
            news.push(News { what, see: format!("kubectl -n {NAMESPACE} get model {MODEL} -o wide") });
        }
        for type_ in [model_condition::READY, model_condition::DECAYED] {
            let now = self.model_condition(type_).map(|held| (held.status.clone(), held.reason.clone()));
            let then = before.model_condition(type_).map(|held| (held.status.clone(), held.reason.clone()));
            if let Some((state, reason)) = now.filter(|now| Some(now) != then.as_ref()) {
                news.push(News { what: format!("{MODEL}: {type_}={state} ({reason})"), see: see.clone() });
            }
        }
    }

    fn news_of_runs(&self, before: &Self, news: &mut Vec<News>) {
        for run in &self.runs {
            let name = run.name_any();
            let see = format!("kubectl -n {NAMESPACE} describe hrr {name}");
            let old = before.runs.iter().find(|other| other.name_any() == name);
            if old.is_none() {
                let what = format!("retraining {name} of {} begins: {}", run.spec.parent, run.spec.cause);
                news.push(News { what, see: format!("kubectl -n {NAMESPACE} get hrr -w") });
            }
            let held = old.and_then(|old| old.status.clone()).unwrap_or_default();
            let Some(status) = &run.status else { continue };
            if let (Some(snapshot), None) = (&status.snapshot, &held.snapshot) {
                let what = format!(
                    "curated: {} fresh and {} replayed records; {} old answers superseded, {} pieces of personal data redacted",
                    snapshot.fresh_records, snapshot.replay_records, snapshot.superseded, snapshot.redacted
                );
                news.push(News { what, see: see.clone() });
            }
            for gate in status.gates.iter().filter(|gate| !held.gates.contains(gate)) {
                news.push(News {
                    what: format!("gate {}: {}. {}", gate.name, gate.outcome, gate.explanation),
                    see: String::new(),
                });
            }
            let complete = |conditions| {
                condition(conditions, run_condition::COMPLETE).filter(|held| held.status == "True").cloned()
            };
            if let (Some(end), None) = (complete(&status.conditions), complete(&held.conditions)) {
                news.push(News { what: format!("retraining {name} ended: {}. {}", end.reason, end.message), see });
            }
        }
    }

    fn news_of_checks(&self, before: &Self, news: &mut Vec<News>) {
        for check in &self.checks {
            let name = check.name_any();
            let Some(verdict) = check.status.as_ref().and_then(|status| status.verdict.as_deref()) else { continue };
            let old = before.checks.iter().find(|other| other.name_any() == name);
            if old.and_then(|old| old.status.as_ref()?.verdict.as_deref()) == Some(verdict) {
                continue;
            }
            let findings = check.status.as_ref().map(|status| status.findings.as_slice()).unwrap_or_default();
            let figures: Vec<String> = findings
                .iter()
                .map(|finding| {
                    format!("{} {} of {} (allowed {})", finding.entity, finding.count, finding.of, finding.maximum)
                })
                .collect();
            let what = format!("compliance check of {}: {verdict}; {}", check.spec.version, figures.join(", "));
            news.push(News { what, see: format!("kubectl -n {NAMESPACE} describe hcc {name}") });
        }
    }

    fn news_of_versions(&self, before: &Self, news: &mut Vec<News>) {
        for version in &self.versions {
            let name = version.name_any();
            let see = format!("kubectl -n {NAMESPACE} describe hmv {name}");
            let old = before.versions.iter().find(|other| other.name_any() == name);
            let held = old.and_then(|old| old.status.clone()).unwrap_or_default();
            let Some(status) = &version.status else { continue };
            for type_ in [version_condition::SERVING, version_condition::PROMOTED] {
                let told =
                    |conditions| condition(conditions, type_).map(|held| (held.status.clone(), held.reason.clone()));
                let (now, then) = (told(&status.conditions), told(&held.conditions));
                let message = condition(&status.conditions, type_).map(|held| held.message.clone()).unwrap_or_default();
                // That something does not serve yet is no news.
                let begins = then.is_none()
                    && type_ == version_condition::SERVING
                    && now.as_ref().is_some_and(|now| now.0 != "True");
                if let Some((state, reason)) = now.filter(|now| Some(now) != then.as_ref() && !begins) {
                    news.push(News {
                        what: format!("{name}: {type_}={state} ({reason}). {message}"),
                        see: see.clone(),
                    });
                }
            }
            if let (Some(baseline), None) = (&status.baseline, &held.baseline) {
                let what = format!("{name}: baseline frozen from {} observations", baseline.n);
                news.push(News { what, see });
            }
        }
    }

    fn news_of_nodes(&self, before: &Self, news: &mut Vec<News>) {
        for node in &self.nodes {
            let name = node.name_any();
            let drained = node.status.as_ref().map(|status| status.drained_for.clone()).unwrap_or_default();
            let old = before.nodes.iter().find(|other| other.name_any() == name);
            let held =
                old.and_then(|old| old.status.as_ref()).map(|status| status.drained_for.clone()).unwrap_or_default();
            for drain in drained.iter().filter(|drain| !held.contains(drain)) {
                news.push(News {
                    what: format!("node {name} is drained for {}: {}", drain.model, drain.reason),
                    see: format!("kubectl describe hgn {name}"),
                });
            }
        }
    }
}

/// A condition by its type.
pub(crate) fn condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

async fn list<K>(client: &Client) -> Result<Vec<K>, kube::Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), NAMESPACE);
    let mut items = api.list(&ListParams::default()).await?.items;
    items.sort_by_key(|item| (item.creation_timestamp(), item.name_any()));
    Ok(items)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn scene(status: Value, run: Option<Value>) -> Scene {
        let model = json!({
            "apiVersion": "homeostat.dev/v1alpha1", "kind": "Model", "metadata": {"name": MODEL},
            "spec": {"initialVersion": "atlas-v1", "decayPolicyRef": {"name": "atlas"}}, "status": status,
        });
        let run = run.map(|status| {
            serde_json::from_value(json!({
                "apiVersion": "homeostat.dev/v1alpha1", "kind": "RetrainingRun", "metadata": {"name": "atlas-r1"},
                "spec": {"model": MODEL, "parent": "atlas-v1", "cause": "ModelDecay"}, "status": status,
            }))
            .unwrap()
        });
        Scene { model: serde_json::from_value(model).unwrap(), runs: run.into_iter().collect(), ..Scene::default() }
    }

    #[test]
    fn what_changed_is_told_once() {
        let quality = |outcome: &str, value: f64| {
            json!({"quality": [{"name": "exact_match", "outcome": outcome, "value": value, "interval": [0.6, 0.8], "n": 120,
                "baseline": 0.95, "threshold": 0.92, "breached": "3/4"}],
                "traffic": [{"version": "atlas-v1", "weight": 100}]})
        };
        let (before, after) =
            (scene(quality("Healthy", 0.94), None), scene(quality("Degraded", 0.71), Some(json!({}))));
        let told: Vec<String> = after.news(&before).into_iter().map(|news| news.what).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("exact_match is Degraded: 0.710 (0.600 to 0.800), n=120, baseline 0.950"), "{told:?}");
        assert!(told[1].contains("retraining atlas-r1 of atlas-v1 begins: ModelDecay"), "{told:?}");
        assert_eq!(after.news(&after), []);
        // Figures alone are no news.
        assert_eq!(scene(quality("Degraded", 0.70), Some(json!({}))).news(&after), []);
    }

    #[test]
    fn a_run_tells_its_gates_and_its_end() {
        let gate = json!({"name": "fresh-recovery", "outcome": "Passed", "threshold": 0.8, "n": 132, "explanation": "Closed."});
        let end = json!({"type": "Complete", "status": "True", "reason": "Succeeded", "message": "made atlas-r1",
            "lastTransitionTime": "2026-06-01T00:00:00Z"});
        let before = scene(json!({}), Some(json!({"phase": "Evaluating"})));
        let after = scene(json!({}), Some(json!({"phase": "Succeeded", "gates": [gate], "conditions": [end]})));
        let told: Vec<String> = after.news(&before).into_iter().map(|news| news.what).collect();
        assert_eq!(
            told,
            ["gate fresh-recovery: Passed. Closed.", "retraining atlas-r1 ended: Succeeded. made atlas-r1"]
        );
    }
}
