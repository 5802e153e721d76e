//! Step two: what the windows say, and why.

use homeostat_clock::UtcMillis;
use homeostat_crds::Model;
use homeostat_decay::{
    Analysis, Diagnosis, Evidence, MixDrift, NodeTrouble, ReplicaVerdict, analyse, diagnose, mix_drift,
};
use kube::runtime::reflector::ObjectRef;
use serde::{Deserialize, Serialize};

use super::fetch::Facts;
use super::validate;
use crate::Context;
use crate::reconcile::gpu_node;

/// What was found, as it is kept as evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Judged {
    /// The version that was looked at.
    pub version: Option<String>,
    /// One verdict a rule.
    pub analysis: Analysis,
    /// The cause.
    pub diagnosis: Diagnosis,
    /// Verdicts per replica.
    pub replicas: Vec<ReplicaVerdict>,
    /// Nodes in trouble that serve it.
    pub nodes: Vec<NodeTrouble>,
    /// How what people ask has shifted.
    pub mix: Option<MixDrift>,
    /// Evaluation blob that was in force.
    pub evaluation: Option<String>,
}

/// Judges the stable version.
pub(super) fn judge(model: &Model, facts: &Facts, ctx: &Context) -> Judged {
    let settled = facts.now.minus(ctx.pace.settle);
    let held = model.status.clone().unwrap_or_default();
    let since = validate::at(held.stable_since.as_ref());
    let Some(observed) = &facts.stable else { return nothing(facts) };
    let baseline = facts.baseline.as_ref();
    let analysis = analyse(&facts.policy, baseline, &observed.series(None), since, settled);
    let names = observed.replicas();
    let replicas = if names.len() < 2 { Vec::new() } else { per_replica(facts, observed, &names, since, settled) };
    let version = held.stable.clone();
    let nodes = version.as_deref().map(|version| troubles(version, facts, ctx)).unwrap_or_default();
    let mix = baseline.and_then(|baseline| mix_drift(&baseline.traffic_counts(), &observed.traffic_counts(settled)));
    let digests =
        facts.evaluation.as_ref().map(|evaluation| (&evaluation.set.prompts_digest, &evaluation.set.references_digest));
    let (probe_changed, world_changed) = match (baseline, digests) {
        (Some(baseline), Some((prompts, references))) => {
            let probe = baseline.prompts_digest != *prompts;
            (probe, !probe && baseline.references_digest != *references)
        }
        _ => (false, false),
    };
    let evidence = Evidence {
        analysis: &analysis,
        replicas: replicas.clone(),
        nodes: nodes.clone(),
        mix: mix.clone(),
        probe_changed,
        world_changed,
    };
    let diagnosis = diagnose(&evidence);
    let evaluation = facts.evaluation.as_ref().map(|evaluation| evaluation.digest.clone());
    Judged { version, analysis, diagnosis, replicas, nodes, mix, evaluation }
}

fn per_replica(
    facts: &Facts,
    observed: &super::series::Observations,
    names: &[String],
    since: UtcMillis,
    now: UtcMillis,
) -> Vec<ReplicaVerdict> {
    let mut verdicts = Vec::new();
    for replica in names {
        let analysis = analyse(&facts.policy, facts.baseline.as_ref(), &observed.series(Some(replica)), since, now);
        verdicts.extend(analysis.verdicts.into_iter().filter(|verdict| verdict.is_quality()).map(|verdict| {
            ReplicaVerdict {
                replica: replica.clone(),
                rule: verdict.name,
                outcome: verdict.outcome,
                value: verdict.current.map(|current| current.value),
            }
        }));
    }
    verdicts
}

/// Nodes that hold a copy of the version and report an error of their GPUs.
fn troubles(version: &str, facts: &Facts, ctx: &Context) -> Vec<NodeTrouble> {
    let states = ctx.fleet.nodes();
    let mended = |node: &str| {
        let object = ctx.stores.nodes.get(&ObjectRef::new(node));
        object.map_or(UtcMillis(0), |object| gpu_node::mended_at(&object, facts.now))
    };
    let assignments =
        facts.version(version).and_then(|version| version.status.as_ref()).map(|status| status.assignments.clone());
    let mut troubles = Vec::new();
    for node in assignments.unwrap_or_default().into_iter().map(|held| held.node) {
        let hardware = states.get(&node).and_then(|state| state.status.as_ref()?.hardware.as_ref());
        troubles.extend(
            gpu_node::problems(hardware, mended(&node), facts.now)
                .into_iter()
                .map(|problem| NodeTrouble { node: node.clone(), problem }),
        );
    }
    troubles
}

fn nothing(facts: &Facts) -> Judged {
    let analysis = Analysis { at: facts.now, verdicts: Vec::new() };
    let diagnosis = Diagnosis { cause: homeostat_decay::Cause::None, reasons: Vec::new(), golden_agrees: false };
    Judged { version: None, analysis, diagnosis, replicas: Vec::new(), nodes: Vec::new(), mix: None, evaluation: None }
}
