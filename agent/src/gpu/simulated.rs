use std::sync::{Arc, Mutex, PoisonError};

use homeostat_clock::UtcMillis;
use homeostat_protocol::{Gpu, Hardware, Xid};

use super::host;

/// GPUs that do not exist, labelled "simulated" wherever they show.
#[derive(Clone, Debug, Default)]
pub struct SimulatedGpus {
    /// How many.
    pub gpus: u32,
    /// What goes wrong with them.
    pub faults: SimulatedFaults,
}

/// A handle to make simulated GPUs fail; clones share it.
#[derive(Clone, Debug, Default)]
pub struct SimulatedFaults(Arc<Mutex<Vec<(u32, Xid)>>>);

impl SimulatedFaults {
    /// Lets GPU `gpu` report an XID error at `at`.
    pub fn inject_xid(&self, gpu: u32, code: u32, at: UtcMillis, message: &str) {
        let xid = Xid { code, at_ms: at.0, message: message.to_string() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((gpu, xid));
    }

    /// Takes all faults back.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl SimulatedGpus {
    /// What a node with these GPUs reports.
    #[must_use]
    pub fn read(&self, node: &str, busy: bool) -> Hardware {
        let faults = self.faults.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let gpus = (0..self.gpus)
            .map(|index| Gpu {
                index,
                uuid: format!("GPU-simulated-{node}-{index}"),
                name: "Simulated GPU".to_string(),
                memory_total_bytes: 80 << 30,
                memory_used_bytes: if busy { 20 << 30 } else { 1 << 30 },
                utilization_percent: Some(if busy { 35 } else { 0 }),
                temperature_celsius: Some(if busy { 55 } else { 35 }),
                power_watts: Some(if busy { 310.0 } else { 70.0 }),
                power_limit_watts: Some(700.0),
                sm_clock_mhz: Some(1_755),
                ecc_uncorrected: Some(0),
                xids: faults.iter().filter(|(gpu, _)| *gpu == index).map(|(_, xid)| xid.clone()).collect(),
            })
            .collect();
        Hardware {
            backend: "simulated".to_string(),
            message: "these GPUs are simulated; no figure was measured".to_string(),
            gpus,
            ..host()
        }
    }
}
