//! NVML, loaded at run time, on threads of its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use homeostat_clock::Clock;
use homeostat_protocol::{Gpu, Hardware, Xid};
use nvml_wrapper::bitmasks::event::EventTypes;
use nvml_wrapper::enum_wrappers::device::{Clock as ClockDomain, EccCounter, MemoryError, TemperatureSensor};
use nvml_wrapper::enums::event::XidError;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{host, without};
use crate::reporter::lock;

/// Most XID errors that are kept, over all GPUs.
const MOST_XIDS: usize = 64;

type Xids = Arc<Mutex<Vec<(String, Xid)>>>;

/// Starts reading every `every`; the first reading says at least whether there is an NVML.
///
/// The threads are not waited for: a call that hangs in the driver cannot be ended by anybody.
pub(super) fn start(every: Duration, clock: Arc<dyn Clock>, shutdown: CancellationToken) -> watch::Receiver<Hardware> {
    let (sender, receiver) = watch::channel(without("NVML is being loaded"));
    std::thread::spawn(move || match Nvml::init() {
        Ok(nvml) => {
            let (nvml, xids) = (Arc::new(nvml), Xids::default());
            let listener = (Arc::clone(&nvml), Arc::clone(&xids), clock, shutdown.clone());
            std::thread::spawn(move || listen(&listener.0, &listener.1, listener.2.as_ref(), &listener.3));
            while !shutdown.is_cancelled() && !sender.is_closed() {
                sender.send_replace(read(&nvml, &xids));
                std::thread::sleep(every);
            }
        }
        Err(error) => {
            sender.send_replace(without(&format!("there is no usable NVIDIA driver here ({error})")));
        }
    });
    receiver
}

fn read(nvml: &Nvml, xids: &Xids) -> Hardware {
    let count = match nvml.device_count() {
        Ok(count) => count,
        Err(error) => return without(&format!("NVML cannot count the GPUs ({error})")),
    };
    let mut unreadable = Vec::new();
    let mut gpus = Vec::new();
    for index in 0..count {
        match nvml.device_by_index(index).and_then(|device| gpu(&device, index, xids)) {
            Ok(gpu) => gpus.push(gpu),
            Err(error) => unreadable.push(format!("GPU {index} cannot be read ({error})")),
        }
    }
    Hardware {
        backend: "nvml".to_string(),
        message: if count == 0 { "the driver sees no GPU".to_string() } else { unreadable.join("; ") },
        gpus,
        driver: nvml.sys_driver_version().unwrap_or_default(),
        ..host()
    }
}

fn gpu(device: &Device<'_>, index: u32, xids: &Xids) -> Result<Gpu, NvmlError> {
    let uuid = device.uuid()?;
    // Devices with unified memory answer NotSupported: the host's memory is theirs.
    let (total, used) = device.memory_info().map_or((0, 0), |memory| (memory.total, memory.used));
    let watts = |milliwatts: u32| f64::from(milliwatts) / 1000.0;
    let held = lock(xids);
    Ok(Gpu {
        index,
        name: device.name().unwrap_or_default(),
        memory_total_bytes: i64::try_from(total).unwrap_or(i64::MAX),
        memory_used_bytes: i64::try_from(used).unwrap_or(i64::MAX),
        utilization_percent: device.utilization_rates().ok().map(|rates| rates.gpu),
        temperature_celsius: device.temperature(TemperatureSensor::Gpu).ok(),
        power_watts: device.power_usage().ok().map(watts),
        power_limit_watts: device.power_management_limit().ok().map(watts),
        sm_clock_mhz: device.clock_info(ClockDomain::SM).ok(),
        ecc_uncorrected: device.total_ecc_errors(MemoryError::Uncorrected, EccCounter::Volatile).ok(),
        xids: held.iter().filter(|(of, _)| *of == uuid).map(|(_, xid)| xid.clone()).collect(),
        uuid,
    })
}

/// Waits for critical XID errors; ends at once where the device has no such events.
fn listen(nvml: &Nvml, xids: &Xids, clock: &dyn Clock, shutdown: &CancellationToken) {
    let Ok(mut events) = nvml.create_event_set() else { return };
    for index in 0..nvml.device_count().unwrap_or(0) {
        let Ok(device) = nvml.device_by_index(index) else { continue };
        events = match device.register_events(EventTypes::CRITICAL_XID_ERROR, events) {
            Ok(events) => events,
            Err(error) => {
                tracing::info!("XID events cannot be listened for on this machine: {error}");
                return;
            }
        };
    }
    while !shutdown.is_cancelled() {
        match events.wait(1000) {
            Ok(event) => {
                let Some(XidError::Value(code)) = event.event_data else { continue };
                let Ok(uuid) = event.device.uuid() else { continue };
                let code = u32::try_from(code).unwrap_or(u32::MAX);
                let xid = Xid { code, at_ms: clock.now().0, message: format!("NVML reported XID {code}") };
                let mut held = lock(xids);
                if held.len() >= MOST_XIDS {
                    held.remove(0);
                }
                held.push((uuid, xid));
            }
            Err(NvmlError::Timeout) => {}
            // A GPU that is lost shows in the readings; asking without a pause would only burn the processor.
            Err(_) => std::thread::sleep(Duration::from_secs(5)),
        }
    }
}

#[cfg(test)]
mod tests {
    use homeostat_clock::SystemClock;

    use super::*;

    /// On a machine with GPUs it reads them, on any other it says why not; `--nocapture` shows what it read.
    #[tokio::test]
    async fn the_first_reading_says_what_there_is_or_why_there_is_nothing() {
        let shutdown = CancellationToken::new();
        let mut readings = start(Duration::from_millis(500), Arc::new(SystemClock), shutdown.clone());
        let first = tokio::time::timeout(Duration::from_secs(15), readings.changed()).await;
        assert!(first.is_ok_and(|changed| changed.is_ok()), "NVML neither loads nor fails");
        let hardware = readings.borrow().clone();
        println!("{hardware:#?}");
        shutdown.cancel();
        match hardware.backend.as_str() {
            "nvml" => assert!(hardware.gpus.iter().all(|gpu| gpu.uuid.starts_with("GPU-")), "{}", hardware.message),
            "none" => assert!(hardware.message.contains("driver") || hardware.message.contains("NVML")),
            other => panic!("no such backend: {other}"),
        }
    }
}
