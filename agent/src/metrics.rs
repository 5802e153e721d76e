//! `/metrics` for Prometheus: GPUs under the names of DCGM, and the agent's own figures.
//!
//! What a device does not support has no line.

use std::fmt::Write as _;

use homeostat_gateway::Counters;
use homeostat_protocol::{EnginePhase, Hardware};

use crate::board::Engines;

/// What is known of one node.
pub(crate) struct NodeFigures {
    pub(crate) node: String,
    pub(crate) hardware: Hardware,
    pub(crate) engines: Engines,
    pub(crate) connected: bool,
    pub(crate) spooled: u64,
    pub(crate) lost: u64,
}

/// The text of `/metrics`.
pub(crate) fn render(nodes: &[NodeFigures], counters: &Counters) -> String {
    let mut page = Page::default();
    for node in nodes {
        gpus(&mut page, node);
    }
    for node in nodes {
        let labels = [("node", node.node.as_str())];
        page.line(
            "homeostat_agent_session_connected",
            GAUGE,
            "Whether the controller is connected.",
            &labels,
            f64::from(u8::from(node.connected)),
        );
        page.line(
            "homeostat_agent_spool_reports",
            GAUGE,
            "Reports that are not acknowledged.",
            &labels,
            figure(node.spooled),
        );
        page.line(
            "homeostat_agent_spool_lost_total",
            COUNTER,
            "Reports and observations lost for want of space.",
            &labels,
            figure(node.lost),
        );
        for (replica, engine) in &node.engines {
            let status = &engine.status;
            let phase = EnginePhase::try_from(status.phase).unwrap_or_default().as_str_name();
            let phase = phase.trim_start_matches("ENGINE_PHASE_").to_ascii_lowercase();
            let labels = [
                ("node", node.node.as_str()),
                ("replica", replica),
                ("model", &status.model),
                ("version", &status.version),
                ("phase", &phase),
            ];
            page.line("homeostat_agent_engine_phase", GAUGE, "1 for the phase an engine is in.", &labels, 1.0);
            page.line(
                "homeostat_agent_engine_restarts_total",
                COUNTER,
                "Restarts of an engine.",
                &labels[..4],
                f64::from(status.restarts),
            );
            if status.resident_bytes > 0 {
                let bytes = u64::try_from(status.resident_bytes).unwrap_or(0);
                page.line(
                    "homeostat_agent_engine_resident_bytes",
                    GAUGE,
                    "Resident memory of an engine.",
                    &labels[..4],
                    figure(bytes),
                );
            }
        }
    }
    for (request, count) in &counters.requests {
        let labels = [
            ("model", request.model.as_str()),
            ("version", &request.version),
            ("replica", &request.replica),
            ("outcome", request.outcome),
        ];
        page.line("homeostat_agent_gateway_requests_total", COUNTER, "Requests by outcome.", &labels, figure(*count));
    }
    for (count, times) in &counters.guarded {
        let labels = [("model", count.model.as_str()), ("side", count.side), ("entity", count.entity.as_str())];
        let help = "Personal data that the guard saw.";
        page.line("homeostat_agent_gateway_guard_findings_total", COUNTER, help, &labels, figure(*times));
    }
    page.line("homeostat_agent_gateway_feedback_total", COUNTER, "Feedback taken.", &[], figure(counters.feedback));
    page.line("homeostat_agent_gateway_samples_total", COUNTER, "Samples kept.", &[], figure(counters.samples));
    page.line(
        "homeostat_agent_gateway_left_out_total",
        COUNTER,
        "Observations without a place.",
        &[],
        figure(counters.left_out),
    );
    page.text()
}

fn gpus(page: &mut Page, node: &NodeFigures) {
    for gpu in &node.hardware.gpus {
        let index = gpu.index.to_string();
        let device = format!("nvidia{index}");
        let labels = [
            ("gpu", index.as_str()),
            ("UUID", &gpu.uuid),
            ("device", &device),
            ("modelName", &gpu.name),
            ("hostname", &node.node),
            ("backend", &node.hardware.backend),
        ];
        let mut line = |name: &'static str, help: &'static str, value: Option<f64>| {
            if let Some(value) = value {
                page.line(name, GAUGE, help, &labels, value);
            }
        };
        // DCGM counts the frame buffer in MiB.
        let mib = |bytes: i64| figure(u64::try_from(bytes).unwrap_or(0) / (1024 * 1024));
        let has_memory = gpu.memory_total_bytes > 0;
        line("DCGM_FI_DEV_FB_USED", "Used frame buffer in MiB.", has_memory.then(|| mib(gpu.memory_used_bytes)));
        let free = gpu.memory_total_bytes.saturating_sub(gpu.memory_used_bytes);
        line("DCGM_FI_DEV_FB_FREE", "Free frame buffer in MiB.", has_memory.then(|| mib(free)));
        line("DCGM_FI_DEV_GPU_UTIL", "Utilization in percent.", gpu.utilization_percent.map(f64::from));
        line("DCGM_FI_DEV_GPU_TEMP", "Temperature in degrees Celsius.", gpu.temperature_celsius.map(f64::from));
        line("DCGM_FI_DEV_POWER_USAGE", "Power draw in watts.", gpu.power_watts);
        line("DCGM_FI_DEV_SM_CLOCK", "SM clock in MHz.", gpu.sm_clock_mhz.map(f64::from));
        line(
            "DCGM_FI_DEV_XID_ERRORS",
            "The last XID error.",
            Some(gpu.xids.last().map_or(0.0, |xid| f64::from(xid.code))),
        );
    }
}

const GAUGE: &str = "gauge";
const COUNTER: &str = "counter";

/// Families in the order of their first line; all lines of one stand together, as the format asks.
#[derive(Default)]
struct Page(Vec<(&'static str, String)>);

impl Page {
    fn line(&mut self, name: &'static str, kind: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        let at = self.0.iter().position(|(held, _)| *held == name).unwrap_or_else(|| {
            self.0.push((name, format!("# HELP {name} {help}\n# TYPE {name} {kind}\n")));
            self.0.len() - 1
        });
        let Some((_, text)) = self.0.get_mut(at) else { return };
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let braces = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name}{braces} {value}");
    }

    fn text(self) -> String {
        self.0.into_iter().map(|(_, text)| text).collect()
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn figure(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{SimulatedFaults, SimulatedGpus};

    #[test]
    fn families_stand_together_and_missing_values_have_no_line() {
        let gpus = SimulatedGpus { gpus: 2, faults: SimulatedFaults::default() };
        let mut hardware = gpus.read("node-a", true);
        hardware.gpus[0].power_watts = None;
        hardware.gpus[1].name = "a \"quoted\" name".into();
        let node = NodeFigures {
            node: "node-a".into(),
            hardware,
            engines: Engines::new(),
            connected: true,
            spooled: 3,
            lost: 0,
        };
        let text = render(&[node], &Counters::default());
        assert_eq!(text.matches("# TYPE DCGM_FI_DEV_GPU_TEMP gauge").count(), 1);
        assert_eq!(text.matches("\nDCGM_FI_DEV_GPU_TEMP{").count(), 2);
        assert_eq!(text.matches("\nDCGM_FI_DEV_POWER_USAGE{").count(), 1);
        assert!(text.contains("modelName=\"a \\\"quoted\\\" name\""));
        assert!(text.contains("backend=\"simulated\""));
        assert!(text.contains("homeostat_agent_spool_reports{node=\"node-a\"} 3\n"));
    }
}
