//! GPU figures: through NVML where there is one, simulated where that was asked for, and otherwise the reason for none.
//!
//! NVML runs on threads of its own, since a call into a sick driver may never come back; a reading that is overdue is
//! reported as such, with the figures it had. What a device does not support is absent, never zero. It suggests nothing
//! and resets nothing.

mod nvml;
mod simulated;

use std::time::Duration;

use homeostat_protocol::Hardware;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use simulated::{SimulatedFaults, SimulatedGpus};

use crate::board::Engines;
use crate::{GpuBackend, NodeConfig};

/// A reading is overdue after so many intervals.
const OVERDUE: u32 = 5;

/// Reads the node's GPUs into `hardware` until `shutdown`.
pub(crate) async fn run(
    node: NodeConfig,
    every: Duration,
    hardware: watch::Sender<Hardware>,
    engines: watch::Receiver<Engines>,
    clock: std::sync::Arc<dyn homeostat_clock::Clock>,
    shutdown: CancellationToken,
) {
    let mut readings = match &node.gpu {
        GpuBackend::Auto => Some(nvml::start(every, clock, shutdown.clone())),
        GpuBackend::None | GpuBackend::Simulated(_) => None,
    };
    if matches!(node.gpu, GpuBackend::None) {
        hardware.send_replace(without("GPUs are switched off for this node"));
    }
    loop {
        let mut closed = false;
        if let GpuBackend::Simulated(gpus) = &node.gpu {
            let busy = engines.borrow().values().any(|engine| engine.serving().is_some());
            publish(&hardware, gpus.read(&node.name, busy));
        }
        if let Some(readings) = &mut readings {
            let patience = every * OVERDUE + Duration::from_secs(5);
            tokio::select! {
                changed = tokio::time::timeout(patience, readings.changed()) => match changed {
                    Ok(Ok(())) => publish(&hardware, readings.borrow_and_update().clone()),
                    Ok(Err(_)) => closed = true,
                    Err(_) => {
                        hardware.send_if_modified(|held| {
                            let message = format!("NVML has not answered for {} s: these figures are old", patience.as_secs());
                            let changed = held.message != message;
                            held.message = message;
                            changed
                        });
                    }
                },
                () = shutdown.cancelled() => return,
            }
        }
        if closed || readings.is_none() {
            // Without NVML the thread has said why and ended; simulated figures may change at any time.
            tokio::select! {
                () = tokio::time::sleep(if closed { Duration::from_secs(3600) } else { every }) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }
}

/// No GPUs, and why.
pub(crate) fn without(reason: &str) -> Hardware {
    Hardware { backend: "none".to_string(), message: reason.to_string(), ..host() }
}

/// What the machine has besides GPUs.
pub(crate) fn host() -> Hardware {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<i64>().ok());
    Hardware {
        cpu_cores: u32::try_from(cores).unwrap_or(u32::MAX),
        memory_bytes: kib.unwrap_or(0) * 1024,
        ..Hardware::default()
    }
}

fn publish(hardware: &watch::Sender<Hardware>, reading: Hardware) {
    hardware.send_if_modified(|held| {
        let changed = *held != reading;
        *held = reading;
        changed
    });
}

#[cfg(test)]
mod tests {
    use homeostat_clock::UtcMillis;

    use super::*;

    #[test]
    fn simulated_gpus_say_so_and_fail_on_request() {
        let gpus = SimulatedGpus { gpus: 2, faults: SimulatedFaults::default() };
        gpus.faults.inject_xid(1, 79, UtcMillis(5), "GPU has fallen off the bus");
        let hardware = gpus.read("node-a", true);
        assert_eq!(hardware.backend, "simulated");
        assert!(hardware.gpus[0].xids.is_empty());
        assert_eq!((hardware.gpus[1].xids[0].code, hardware.gpus[1].xids[0].at_ms), (79, 5));
        gpus.faults.clear();
        assert!(gpus.read("node-a", false).gpus[1].xids.is_empty());
    }

    #[test]
    fn without_gpus_the_reason_is_there_and_the_host_is_real() {
        let hardware = without("because");
        assert_eq!((hardware.backend.as_str(), hardware.message.as_str()), ("none", "because"));
        assert!(hardware.cpu_cores > 0 && hardware.memory_bytes > 0);
    }
}
