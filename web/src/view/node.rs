//! A node: whether it is well, its GPUs, and how old its newest report is.

use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_crds::conditions::{HEALTHY, READY};
use homeostat_crds::{GpuNode, ModelVersion};
use kube::ResourceExt;

use super::{ConditionLine, Tone, condition, condition_lines, has};
use crate::words::{Moment, bytes, millis};

/// A report older than this is said to be old; agents report several times within it.
const OLD: Duration = Duration::from_secs(60);

/// A node with its agent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NodeView {
    pub(crate) name: String,
    pub(crate) tone: Tone,
    /// `well`, or what is wrong.
    pub(crate) state: String,
    /// `simulated GPUs`, `no GPU: …`
    pub(crate) backend: String,
    pub(crate) driver: Option<String>,
    pub(crate) agent: Option<String>,
    pub(crate) gateway: Option<String>,
    pub(crate) chips: Vec<String>,
    pub(crate) drained_for: Vec<String>,
    pub(crate) gpus: Vec<GpuView>,
    pub(crate) report: Option<Moment>,
    pub(crate) report_old: bool,
    /// Replicas on it: version, phase, message.
    pub(crate) replicas: Vec<ReplicaView>,
    pub(crate) conditions: Vec<ConditionLine>,
}

/// One GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GpuView {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) memory: String,
    pub(crate) health: String,
    pub(crate) tone: Tone,
}

/// One copy of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplicaView {
    pub(crate) version: String,
    pub(crate) replica: String,
    pub(crate) phase: String,
    pub(crate) tone: Tone,
    pub(crate) message: Option<String>,
}

/// A node, with what runs on it.
pub(crate) fn node<'a>(
    node: &GpuNode,
    versions: impl IntoIterator<Item = &'a ModelVersion>,
    now: UtcMillis,
) -> NodeView {
    let name = node.name_any();
    let status = node.status.clone().unwrap_or_default();
    let report = status.last_report.as_ref().map(millis);
    let report_old = report.is_none_or(|time| now.since(time) > OLD);
    let gpus: Vec<_> = status
        .gpus
        .iter()
        .map(|gpu| GpuView {
            index: gpu.index,
            name: gpu.name.clone(),
            memory: bytes(gpu.memory_bytes),
            health: gpu.health.clone(),
            tone: match gpu.health.as_str() {
                "Healthy" if report_old => Tone::Unknown,
                "Healthy" => Tone::Ok,
                _ => Tone::Bad,
            },
        })
        .collect();
    let mut chips = Vec::new();
    for (set, word) in
        [(node.spec.cordon, "cordoned"), (node.spec.drain, "draining"), (!status.drained_for.is_empty(), "drained")]
    {
        if set {
            chips.push(word.to_string());
        }
    }
    let (tone, state) = state(node, &gpus, report, now);
    NodeView {
        tone,
        state,
        backend: match (status.backend.as_deref(), status.message.as_deref()) {
            (Some("nvml"), _) => "GPUs read through NVML".to_string(),
            (Some("simulated"), _) => "simulated GPUs".to_string(),
            (Some("none"), Some(why)) => format!("no GPU: {why}"),
            (Some("none"), None) => "no GPU".to_string(),
            _ => "not known yet".to_string(),
        },
        driver: status.driver,
        agent: status.agent_version,
        gateway: status.gateway,
        chips,
        drained_for: status.drained_for.into_iter().map(|drain| format!("{}: {}", drain.model, drain.reason)).collect(),
        gpus,
        report: report.map(|time| Moment::new(time, now)),
        report_old,
        replicas: replicas(&name, versions, report_old),
        conditions: condition_lines(&status.conditions, now),
        name,
    }
}

fn state(node: &GpuNode, gpus: &[GpuView], report: Option<UtcMillis>, now: UtcMillis) -> (Tone, String) {
    let conditions = node.status.as_ref().map_or(&[][..], |status| &status.conditions[..]);
    let says = |kind| {
        condition(conditions, kind)
            .filter(|condition| condition.status == "False")
            .map(|condition| condition.message.clone())
    };
    if let Some(gpu) = gpus.iter().find(|gpu| gpu.tone == Tone::Bad) {
        return (Tone::Bad, format!("GPU {}: {}", gpu.index, gpu.health));
    }
    if let Some(message) = says(HEALTHY).or_else(|| says(READY)) {
        return (Tone::Bad, if message.is_empty() { "not well".to_string() } else { message });
    }
    match report {
        None => (Tone::Unknown, "no report yet".to_string()),
        Some(time) if now.since(time) > OLD => {
            (Tone::Unknown, format!("no report since {}", crate::words::clock_time(time, now)))
        }
        Some(_) if has(conditions, READY, "True") => (Tone::Ok, "well".to_string()),
        Some(_) => (Tone::Unknown, "reports, and was not judged yet".to_string()),
    }
}

fn replicas<'a>(node: &str, versions: impl IntoIterator<Item = &'a ModelVersion>, old: bool) -> Vec<ReplicaView> {
    let mut replicas: Vec<_> = versions
        .into_iter()
        .flat_map(|version| {
            let assignments = version.status.as_ref().map_or(&[][..], |status| &status.assignments[..]);
            assignments.iter().filter(|assignment| assignment.node == node).map(|assignment| ReplicaView {
                version: version.name_any(),
                replica: assignment.replica.clone(),
                phase: match (assignment.phase.as_str(), old) {
                    ("", _) => "Unknown".to_string(),
                    (phase, true) => format!("{phase} when last heard of"),
                    (phase, false) => phase.to_string(),
                },
                tone: if old { Tone::Unknown } else { Tone::of(&assignment.phase) },
                message: assignment.message.clone(),
            })
        })
        .collect();
    replicas.sort_by(|left, right| (&left.version, &left.replica).cmp(&(&right.version, &right.replica)));
    replicas
}

#[cfg(test)]
mod tests {
    use homeostat_crds::gpu_node::{GpuNodeSpec, GpuNodeStatus, GpuStatus};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn at(time: UtcMillis) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_millisecond(time.0).expect("a time"))
    }

    #[test]
    fn a_silent_node_is_not_well_but_unknown() {
        let now = UtcMillis(1_779_000_000_000);
        let mut silent = GpuNode::new("node-a", GpuNodeSpec::default());
        assert_eq!(node(&silent, [], now).state, "no report yet");
        silent.status =
            Some(GpuNodeStatus { last_report: Some(at(now.minus(Duration::from_secs(600)))), ..Default::default() });
        let view = node(&silent, [], now);
        assert_eq!((view.tone, view.state.as_str()), (Tone::Unknown, "no report since 06:30"));
    }

    #[test]
    fn a_gpu_in_trouble_is_named() {
        let now = UtcMillis(1_779_000_000_000);
        let gpu = GpuStatus {
            index: 1,
            uuid: "GPU-1".into(),
            name: "H100".into(),
            memory_bytes: 80 << 30,
            health: "XID 79: fell off the bus".into(),
        };
        let mut sick = GpuNode::new("node-a", GpuNodeSpec::default());
        sick.status = Some(GpuNodeStatus { last_report: Some(at(now)), gpus: vec![gpu], ..Default::default() });
        let view = node(&sick, [], now);
        assert_eq!((view.tone, view.state.as_str()), (Tone::Bad, "GPU 1: XID 79: fell off the bus"));
        assert_eq!(view.gpus[0].memory, "80 GiB");
    }
}
