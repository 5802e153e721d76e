//! ModelVersion: is its artifact what was declared, where does it run, does it answer?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use homeostat_crds::conditions::{reason, version as condition};
use homeostat_crds::model_version::{Adapter, Assignment, ModelVersionStatus};
use homeostat_crds::{GpuNode, Model, ModelVersion};
use homeostat_protocol::{EnginePhase, EngineStatus};
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;

use super::{ReconcileError, gpu_node};
use crate::agents::NodeState;
use crate::placement::{Candidate, Placement, place};
use crate::status::{self, ConditionUpdate};
use crate::{Context, artifacts};

/// Verifies, places and observes one version.
///
/// # Errors
/// When the API or the records do not answer.
pub async fn reconcile(version: Arc<ModelVersion>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    let namespace = version.namespace().ok_or(ReconcileError::Incomplete("namespace"))?;
    let world = fetch(&version, &namespace, &ctx).await?;
    let new = plan(&version, &world, &ctx);
    status::write("model_version", &ctx.api(&namespace), &*version, version.status.as_ref(), &new).await?;
    let settled = new.phase.as_deref().is_some_and(|phase| phase == "Serving" || phase == "Retired");
    Ok(Action::requeue(if settled { Duration::from_secs(300) } else { Duration::from_secs(10) }))
}

struct World {
    model: Option<Arc<Model>>,
    artifact: Result<(), artifacts::ArtifactError>,
    nodes: BTreeMap<String, NodeState>,
    objects: Vec<Arc<GpuNode>>,
    /// Copies of all versions per node.
    load: BTreeMap<String, usize>,
}

async fn fetch(version: &ModelVersion, namespace: &str, ctx: &Context) -> Result<World, ReconcileError> {
    let artifact = match &version.spec.artifact {
        // Verified once: blobs are content-addressed and never change.
        _ if status::is_true(conditions(version), condition::ARTIFACT_VERIFIED) => Ok(()),
        Some(artifact) => artifacts::import(&ctx.records, artifact).await,
        None => Ok(()),
    };
    let mut load = BTreeMap::new();
    for other in ctx.stores.versions.state() {
        for assignment in other.status.iter().flat_map(|status| &status.assignments) {
            *load.entry(assignment.node.clone()).or_default() += 1;
        }
    }
    Ok(World {
        model: ctx.stores.models.get(&ObjectRef::new(&version.spec.model).within(namespace)),
        artifact,
        nodes: ctx.fleet.nodes(),
        objects: ctx.stores.nodes.state(),
        load,
    })
}

fn plan(version: &ModelVersion, world: &World, ctx: &Context) -> ModelVersionStatus {
    let mut new = version.status.clone().unwrap_or_default();
    let generation = version.metadata.generation;
    new.observed_generation = generation;
    let set = |new: &mut ModelVersionStatus, type_, status, reason, message| {
        status::set_condition(
            &mut new.conditions,
            generation,
            ctx.now(),
            ConditionUpdate { type_, status, reason, message },
        );
    };

    let verified = world.artifact.is_ok();
    match &world.artifact {
        Ok(()) if version.spec.artifact.is_some() => {
            set(
                &mut new,
                condition::ARTIFACT_VERIFIED,
                "True",
                reason::OK,
                "every file matches its digest".to_string(),
            );
        }
        Ok(()) => {}
        Err(error) => set(&mut new, condition::ARTIFACT_VERIFIED, "False", error.reason(), error.to_string()),
    }

    let wanted = if verified { wanted_copies(&version.name_any(), world.model.as_deref()) } else { 0 };
    let held: Vec<Placement> = new
        .assignments
        .iter()
        .map(|held| Placement { replica: held.replica.clone(), node: held.node.clone() })
        .collect();
    let full_name = format!("{}.{}", version.namespace().unwrap_or_default(), version.name_any());
    let placements = place(&full_name, wanted, &held, &eligible(version, world, ctx));
    new.assignments = placements.iter().map(|placement| observe(version, placement, world)).collect();

    if wanted == 0 {
        set(&mut new, condition::PLACED, "False", reason::NOT_SERVING, "no copy is wanted".to_string());
    } else if new.assignments.len() < wanted {
        let message = format!(
            "{} of {wanted} copies have a node: no other node is connected, ready and not cordoned",
            new.assignments.len()
        );
        set(&mut new, condition::PLACED, "False", reason::NO_NODE, message);
    } else {
        let names: Vec<&str> = new.assignments.iter().map(|assignment| assignment.node.as_str()).collect();
        let message = format!("{wanted} on {}", names.join(", "));
        set(&mut new, condition::PLACED, "True", reason::OK, message);
    }

    let serving = new.assignments.iter().filter(|assignment| assignment.phase == "Serving").count();
    if serving > 0 {
        set(&mut new, condition::SERVING, "True", reason::OK, format!("{serving} of {wanted} copies answer"));
    } else if wanted == 0 {
        set(&mut new, condition::SERVING, "False", reason::NOT_SERVING, "no copy is wanted".to_string());
    } else {
        let why = new.assignments.iter().find_map(|assignment| assignment.message.clone());
        let message = why.unwrap_or_else(|| format!("none of {wanted} copies answers yet"));
        set(&mut new, condition::SERVING, "False", reason::NOT_SERVING, message);
    }
    new.phase = Some(phase(&new, verified, wanted, serving).to_string());
    new
}

fn phase(status: &ModelVersionStatus, verified: bool, wanted: usize, serving: usize) -> &'static str {
    if !verified {
        return "Failed";
    }
    if wanted == 0 {
        return if status::condition(&status.conditions, condition::PROMOTED).is_some() {
            "Retired"
        } else {
            "Pending"
        };
    }
    if serving > 0 {
        return "Serving";
    }
    let all = |phase: &str| !status.assignments.is_empty() && status.assignments.iter().all(|held| held.phase == phase);
    if all("Failed") {
        "Failed"
    } else if all("Fetching") {
        "Fetching"
    } else if status.assignments.is_empty() {
        "Pending"
    } else {
        "Starting"
    }
}

/// How many copies of this version its model wants now.
fn wanted_copies(version: &str, model: Option<&Model>) -> usize {
    let Some(model) = model else { return 0 };
    let replicas = model.spec.serving.replicas as usize;
    let status = model.status.clone().unwrap_or_default();
    let pinned = model.spec.steering.as_ref().and_then(|steering| steering.pin.as_deref()) == Some(version);
    let is = |name: &Option<String>| name.as_deref() == Some(version);
    if pinned || is(&status.stable) || (status.stable.is_none() && model.spec.initial_version == version) {
        return replicas;
    }
    let soaking = status.rollout.as_ref().is_some_and(|rollout| rollout.phase == "Soaking");
    if is(&status.candidate) && status.rollout.is_some() {
        return if status.rollout.as_ref().is_some_and(|rollout| rollout.weight > 50) { replicas } else { 1 };
    }
    if is(&status.last_known_good) && soaking { 1 } else { 0 }
}

fn eligible(version: &ModelVersion, world: &World, ctx: &Context) -> Vec<Candidate> {
    let selector = version.spec.placement.as_ref().map(|placement| &placement.node_selector);
    let fits = |object: &&Arc<GpuNode>| {
        let name = object.name_any();
        let held =
            version.status.iter().flat_map(|status| &status.assignments).any(|assignment| assignment.node == name);
        let drained = object.spec.drain || gpu_node::drains(object, ctx.now()).next().is_some();
        let labels = object.labels();
        let selected = selector.is_none_or(|wanted| wanted.iter().all(|(key, value)| labels.get(key) == Some(value)));
        // What stands on a node stays while it may come back: its engines outlive the session, and the controller, which knows
        // no node when it has just started.
        let node = world.nodes.get(&name);
        let reachable = (held || node.is_some()) && !ctx.is_lost(node);
        !drained && (held || !object.spec.cordon) && selected && reachable
    };
    let candidate = |object: &Arc<GpuNode>| {
        let node = object.name_any();
        Candidate { load: world.load.get(&node).copied().unwrap_or(0), node }
    };
    world.objects.iter().filter(fits).map(candidate).collect()
}

fn observe(version: &ModelVersion, placement: &Placement, world: &World) -> Assignment {
    let node = world.nodes.get(&placement.node);
    let reported = node.and_then(|node| node.status.as_ref()).and_then(|status| {
        status.engines.iter().find(|engine| engine.replica == placement.replica && engine.version == version.name_any())
    });
    let connected = node.is_some_and(|node| node.connected);
    let (phase, message) = match reported {
        Some(engine) if connected => judge(version, engine),
        Some(_) => ("Unknown".to_string(), Some(format!("node {} is not connected", placement.node))),
        None if !connected => ("Unknown".to_string(), Some(format!("node {} is not connected yet", placement.node))),
        None => ("Pending".to_string(), None),
    };
    Assignment {
        replica: placement.replica.clone(),
        node: placement.node.clone(),
        phase,
        message,
        endpoint: reported.map(|engine| engine.address.clone()).filter(|address| !address.is_empty()),
    }
}

/// The agent's word, except that an engine serving other bytes than the declared ones does not serve this version.
fn judge(version: &ModelVersion, engine: &EngineStatus) -> (String, Option<String>) {
    let declared = version.spec.artifact.as_ref().map(|artifact| artifact.sha256.as_str());
    let external = version.spec.engine.adapter == Adapter::External;
    if !external && engine.phase() == EnginePhase::Serving && declared != Some(engine.artifact_digest.as_str()) {
        return ("Unhealthy".to_string(), Some("it serves other bytes than the declared artifact".to_string()));
    }
    let phase = match engine.phase() {
        EnginePhase::Fetching => "Fetching",
        EnginePhase::Starting => "Starting",
        EnginePhase::Serving => "Serving",
        EnginePhase::Unhealthy => "Unhealthy",
        EnginePhase::Backoff => "Backoff",
        EnginePhase::Failed => "Failed",
        EnginePhase::Stopping => "Stopping",
        EnginePhase::Unspecified => "Unknown",
    };
    (phase.to_string(), Some(engine.message.clone()).filter(|message| !message.is_empty()))
}

fn conditions(version: &ModelVersion) -> &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition] {
    version.status.as_ref().map_or(&[], |status| &status.conditions)
}
