use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::gpu::SimulatedGpus;

/// What an agent process is told at its start. Everything else comes from the controller.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The nodes this process stands for: one normally; several are simulated agents, each with its own session.
    pub nodes: Vec<NodeConfig>,
    /// Where the controller listens for agents: `https://host:port`.
    pub controller: String,
    /// The certificate authority that the controller's certificate is checked against, in PEM.
    pub controller_ca_pem: String,
    /// Exchanged for a credential of the agent's own; needed until one is on disk.
    pub join_token: Option<String>,
    /// Everything the agent keeps: credentials, spool, blobs, artifacts, logs, work.
    pub data: PathBuf,
    /// Where users of models connect; port 0 takes a free one (it is in the status).
    pub gateway_listen: SocketAddr,
    /// Where Prometheus reads; `None` serves no metrics.
    pub metrics_listen: Option<SocketAddr>,
    /// The `homeostat` program; its children are `homeostat engine serve` and `homeostat engine train`.
    pub engine_program: PathBuf,
    /// Trainers besides "embedded": name to command line. The spec's path is in `HOMEOSTAT_SPEC`.
    pub trainers: BTreeMap<String, Vec<String>>,
    /// Leave engines and trainers running when the agent ends, to be found again by the next.
    pub keep_engines: bool,
    /// Version of the program, told to the controller.
    pub version: String,
    /// Largest size of each node's spool in bytes; beyond it the oldest reports are dropped and counted.
    pub spool_bytes: u64,
    /// Intervals and deadlines.
    pub timing: Timing,
}

/// One node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Name of the `GpuNode`: a DNS label.
    pub name: String,
    /// Where its GPU figures come from.
    pub gpu: GpuBackend,
}

/// Where GPU figures come from.
#[derive(Clone, Debug, Default)]
pub enum GpuBackend {
    /// NVML when it can be loaded, otherwise none, with the reason in the status.
    #[default]
    Auto,
    /// None, by choice.
    None,
    /// Made up, and labelled so.
    Simulated(SimulatedGpus),
}

/// Intervals and deadlines; the defaults are for production, tests shorten them.
#[derive(Clone, Debug)]
pub struct Timing {
    /// First wait after a failure; doubles up to `backoff_max`, with jitter.
    pub backoff_initial: Duration,
    /// Longest wait after a failure.
    pub backoff_max: Duration,
    /// An engine that ran this long without a fault starts again at `backoff_initial`.
    pub backoff_reset: Duration,
    /// Windows and samples go into a report at most this often.
    pub report_every: Duration,
    /// Status is sent on change, at most this often.
    pub status_min: Duration,
    /// Status is sent at least this often.
    pub status_max: Duration,
    /// How often a serving engine's `/health` and a canary generation are checked.
    pub health_every: Duration,
    /// How long `/health` or a canary may take.
    pub health_deadline: Duration,
    /// How long an engine may take from its start to its first canary.
    pub ready_within: Duration,
    /// How long requests in flight may go on before an engine is told to stop.
    pub drain: Duration,
    /// Between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// How long a probe, an evaluation item or a leak probe may take.
    pub answer_deadline: Duration,
    /// How often GPUs are read.
    pub gpu_every: Duration,
    /// How long blob transfers of a piece of work are tried again before the work fails.
    pub transfer_patience: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            backoff_initial: seconds(1),
            backoff_max: seconds(60),
            backoff_reset: seconds(600),
            report_every: seconds(1),
            status_min: seconds(1),
            status_max: seconds(5),
            health_every: seconds(5),
            health_deadline: seconds(10),
            ready_within: seconds(600),
            drain: seconds(5),
            grace: seconds(10),
            answer_deadline: seconds(15),
            gpu_every: seconds(2),
            transfer_patience: seconds(600),
        }
    }
}
