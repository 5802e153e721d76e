//! GpuNode: what an agent reports of its machine, and whether it is well.

use std::sync::Arc;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_crds::GpuNode;
use homeostat_crds::conditions::{self, reason};
use homeostat_crds::gpu_node::{DrainStatus, GpuNodeSpec, GpuNodeStatus, GpuStatus};
use homeostat_protocol::{Gpu, Hardware};
use kube::api::PostParams;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};

use super::ReconcileError;
use crate::Context;
use crate::agents::NodeState;
use crate::status::{self, ConditionUpdate};

/// XIDs after which a GPU is not to be trusted until somebody has acted, by NVIDIA's catalogue: contained ECC errors, those
/// that ask for a reset, for a restart of the node, and the workflow ones. Application faults (13, 31, 43, 45, 68) are not.
const SERIOUS_XIDS: &[u32] =
    &[46, 48, 54, 62, 64, 74, 79, 94, 95, 109, 110, 119, 120, 136, 140, 143, 154, 155, 156, 158];

/// How long a serious XID is held against a GPU.
const XID_MEMORY: Duration = Duration::from_secs(3600);

/// Observes one node.
///
/// # Errors
/// When the API does not answer.
pub async fn reconcile(node: Arc<GpuNode>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    let state = ctx.fleet.nodes().remove(&node.name_any());
    let old = node.status.clone().unwrap_or_default();
    let new = plan(&node, &old, state.as_ref(), &ctx);
    let api: Api<GpuNode> = Api::all(ctx.client.clone());
    if status::write("gpu_node", &api, &*node, node.status.as_ref(), &new).await?.is_some() {
        tell(&node, &old, &new, &ctx).await;
    }
    Ok(Action::requeue(ctx.pace.node_silent_after / 2))
}

/// Creates the object of every agent that has joined and has none yet.
///
/// # Errors
/// When the API does not answer.
pub async fn ensure_objects(ctx: &Context) -> Result<(), ReconcileError> {
    let api: Api<GpuNode> = Api::all(ctx.client.clone());
    let known: Vec<String> = ctx.stores.nodes.state().iter().map(|node| node.name_any()).collect();
    for name in ctx.fleet.nodes().into_keys().filter(|name| !known.contains(name)) {
        match api.create(&PostParams::default(), &GpuNode::new(&name, GpuNodeSpec::default())).await {
            Ok(_) => tracing::info!(node.name = name, "a new agent joined"),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Until when what happened on a node no longer counts, because a person has said that it is mended.
#[must_use]
pub fn mended_at(node: &GpuNode, now: UtcMillis) -> UtcMillis {
    let said = node.spec.mended_at.as_ref().map(status::millis);
    said.filter(|at| *at <= now).unwrap_or(UtcMillis(0))
}

/// The drains in force: those decided since the node was mended.
pub fn drains(node: &GpuNode, now: UtcMillis) -> impl Iterator<Item = &DrainStatus> {
    let mended = mended_at(node, now);
    let all = node.status.iter().flat_map(|status| &status.drained_for);
    all.filter(move |drain| status::millis(&drain.since) > mended)
}

/// What is wrong with a GPU, if anything; what happened before it was `mended` is not.
#[must_use]
pub fn gpu_problem(gpu: &Gpu, mended: UtcMillis, now: UtcMillis) -> Option<String> {
    let counts = |at: UtcMillis| at > mended && now.since(at) < XID_MEMORY;
    let serious = gpu.xids.iter().filter(|xid| SERIOUS_XIDS.contains(&xid.code) && counts(UtcMillis(xid.at_ms)));
    serious.max_by_key(|xid| xid.at_ms).map(|xid| {
        let text = if xid.message.is_empty() { String::new() } else { format!(": {}", xid.message) };
        format!("XID {} on GPU {}{text}", xid.code, gpu.index)
    })
}

/// All that is wrong with a machine's GPUs.
#[must_use]
pub fn problems(hardware: Option<&Hardware>, mended: UtcMillis, now: UtcMillis) -> Vec<String> {
    hardware.iter().flat_map(|hardware| &hardware.gpus).filter_map(|gpu| gpu_problem(gpu, mended, now)).collect()
}

fn plan(node: &GpuNode, old: &GpuNodeStatus, state: Option<&NodeState>, ctx: &Context) -> GpuNodeStatus {
    let now = ctx.now();
    let mended = mended_at(node, now);
    let mut new = old.clone();
    let generation = node.metadata.generation;
    new.observed_generation = generation;
    let hardware = state.and_then(|state| {
        state.status.as_ref().and_then(|status| status.hardware.as_ref()).or(state.hardware.as_ref())
    });
    if let Some(hardware) = hardware {
        new.backend = Some(hardware.backend.clone());
        new.message = Some(hardware.message.clone()).filter(|message| !message.is_empty());
        new.driver = Some(hardware.driver.clone()).filter(|driver| !driver.is_empty());
        new.gpu_count = u32::try_from(hardware.gpus.len()).unwrap_or(u32::MAX);
        new.gpus = hardware.gpus.iter().map(|gpu| gpu_status(gpu, mended, now)).collect();
    }
    if let Some(state) = state {
        new.agent_version = Some(state.version.clone()).filter(|version| !version.is_empty());
        new.gateway =
            state.status.as_ref().map(|status| status.gateway_address.clone()).filter(|address| !address.is_empty());
        if let Some(last) = state.last_report {
            let due =
                old.last_report.as_ref().is_none_or(|held| last.since(status::millis(held)) >= ctx.pace.status_refresh);
            if due {
                new.last_report = Some(status::time(last));
            }
        }
    }
    let (ready, why, message) = readiness(state, old, ctx);
    let mut set = |type_, status, reason, message| {
        status::set_condition(&mut new.conditions, generation, now, ConditionUpdate { type_, status, reason, message });
    };
    set(conditions::READY, ready, why, message);
    let problems = problems(hardware, mended, now);
    match hardware {
        None => set(
            conditions::HEALTHY,
            "Unknown",
            reason::AGENT_SILENT,
            "its hardware has not been reported yet".to_string(),
        ),
        Some(_) if problems.is_empty() => {
            set(conditions::HEALTHY, "True", reason::OK, "no GPU reports an error".to_string())
        }
        Some(_) => set(conditions::HEALTHY, "False", reason::GPU_ERROR, problems.join("; ")),
    }
    new
}

fn readiness(state: Option<&NodeState>, old: &GpuNodeStatus, ctx: &Context) -> (&'static str, &'static str, String) {
    // After a restart of the controller the fleet knows only who has come back; the status knows when the others were heard.
    let last_heard = old.last_report.as_ref().map(status::millis);
    match state {
        Some(state) if state.connected => ("True", reason::OK, "the agent is connected".to_string()),
        Some(NodeState { last_report: Some(last), .. }) => {
            let silent = ctx.now().since(*last);
            let message = format!("the agent has not been connected for {} s", silent.as_secs());
            if silent < ctx.pace.node_silent_after {
                ("Unknown", reason::AGENT_SILENT, "the agent has just lost its connection".to_string())
            } else {
                ("False", reason::AGENT_SILENT, message)
            }
        }
        _ if last_heard.is_some_and(|last| ctx.now().since(last) >= ctx.pace.node_silent_after) => {
            let silent = last_heard.map_or(0, |last| ctx.now().since(last).as_secs());
            ("False", reason::AGENT_SILENT, format!("the agent has not been connected for {silent} s"))
        }
        _ => ("Unknown", reason::AGENT_SILENT, "the agent has not connected since the controller started".to_string()),
    }
}

fn gpu_status(gpu: &Gpu, mended: UtcMillis, now: UtcMillis) -> GpuStatus {
    GpuStatus {
        index: gpu.index,
        uuid: gpu.uuid.clone(),
        name: gpu.name.clone(),
        memory_bytes: gpu.memory_total_bytes,
        health: gpu_problem(gpu, mended, now).unwrap_or_else(|| "Healthy".to_string()),
    }
}

async fn tell(node: &GpuNode, old: &GpuNodeStatus, new: &GpuNodeStatus, ctx: &Context) {
    for type_ in [conditions::READY, conditions::HEALTHY] {
        let before = status::condition(&old.conditions, type_).map(|condition| condition.status.as_str());
        let Some(after) = status::condition(&new.conditions, type_) else { continue };
        match (before, after.status.as_str()) {
            (before, "False") if before != Some("False") => {
                ctx.events.warning(node, &after.reason, "Observe", &after.message).await;
            }
            (Some("False"), "True") => ctx.events.normal(node, "Recovered", "Observe", &after.message).await,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use homeostat_protocol::Xid;

    use super::*;

    #[test]
    fn only_serious_and_recent_xids_count() {
        let now = UtcMillis(10_000_000);
        let gpu = |code, at_ms| Gpu {
            index: 1,
            xids: vec![Xid { code, at_ms, message: "fallen off the bus".into() }],
            ..Gpu::default()
        };
        let problem = |code, at_ms| gpu_problem(&gpu(code, at_ms), UtcMillis(9_000_000), now);
        assert_eq!(problem(79, 9_999_000).as_deref(), Some("XID 79 on GPU 1: fallen off the bus"));
        assert_eq!(problem(31, 9_999_000), None, "an application's fault");
        assert_eq!(problem(79, 0), None, "long ago");
        assert_eq!(problem(79, 8_999_000), None, "before it was mended");
    }

    #[test]
    fn a_drain_is_lifted_by_a_later_word_that_is_not_yet_to_come() {
        let now = UtcMillis(10_000_000);
        let since = status::time(UtcMillis(9_000_000));
        let mut node = GpuNode::new("node-1", GpuNodeSpec::default());
        let drain = DrainStatus { model: "ml/atlas".into(), reason: "XID 79".into(), since };
        node.status = Some(GpuNodeStatus { drained_for: vec![drain], ..GpuNodeStatus::default() });
        for (mended, in_force) in [(None, 1), (Some(8_999_000), 1), (Some(9_000_000), 0), (Some(10_000_001), 1)] {
            node.spec.mended_at = mended.map(|at| status::time(UtcMillis(at)));
            assert_eq!(drains(&node, now).count(), in_force, "{mended:?}");
        }
    }
}
