//! `homeostat demo`: everything in a temporary folder, and a world to watch.
//!
//! The world is 150 facts about countries (`world`). A first model learns them as of 2010 and serves; then the demo's years
//! go by. What happens is a scenario, written as data (`scenario`); the demo only does what users, curators of golden sets
//! and broken hardware do, and watches through the Kubernetes API and the alerts what Homeostat does about it.
//!
//! ```text
//! plan ─▶ what the host must start      base training (kept) ─▶ objects applied ─▶ Ready, baseline frozen
//! run  ─▶ onset (the scenario) ─▶ timeline of what is seen ─▶ expectations met, or not ─▶ Outcome, report
//! ```
//! It deliberately reaches into no part of the product: quality is measured by asking the gateway, alerts are what the
//! demo's own webhook received. The exceptions are faults, which nobody waits for: they are injected into simulated GPUs
//! and into engines that were started with `--allow-faults`.

mod base;
mod faults;
mod inbox;
mod manifests;
mod memory;
#[cfg(test)]
mod own_data;
mod play;
mod quiz;
mod report;
mod scenario;
mod scene;
mod settings;
mod timeline;
mod users;
mod world;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use homeostat_agent::{GpuBackend, NodeConfig, SimulatedFaults, SimulatedGpus, Timing};
use homeostat_clock::Clock;
use homeostat_controller::Pace;
use homeostat_controller::alerting::Receiver;
use homeostat_records::Records;
use tokio_util::sync::CancellationToken;

pub use inbox::Inbox;
pub(crate) use manifests::NAMESPACE;
pub use report::{Report, Seconds};
pub use scenario::Scenario;

/// Arguments of `demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// What goes wrong
    #[arg(long, value_enum, value_name = "NAME", default_value_t = Scenario::Decay)]
    pub scenario: Scenario,
    /// End when the scenario has; exit with 0 only if it ended as it should
    #[arg(long)]
    pub once: bool,
    /// Write figures as JSON into this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Where the first model is kept, so that it is trained once only
    #[arg(long, value_name = "DIR", env = "HOMEOSTAT_CACHE", default_value_os_t = default_cache())]
    pub cache: PathBuf,
    /// Folder of everything else; a temporary one by default
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Use the cluster of KUBECONFIG instead of the embedded API; applies the definitions, and leaves its objects there
    #[arg(long)]
    pub cluster: bool,
    /// Records: postgres://user:password@host/database, or sqlite:///path; records.db in --data by default
    // No variable of the environment: a demo must not write into an installation's records by accident.
    #[arg(long, value_name = "URL")]
    pub records: Option<String>,
}

/// What must be running before [`run`].
pub struct HostPlan {
    /// The nodes, with simulated GPUs.
    pub nodes: Vec<NodeConfig>,
    /// Handles on the simulated GPUs, by name of the node.
    pub gpu_faults: Vec<(String, SimulatedFaults)>,
    /// Where alerts go: the demo's own webhook.
    pub receivers: Vec<Receiver>,
    /// How often firing alerts are sent again.
    pub resend: Duration,
    /// How fast the controller goes.
    pub pace: Pace,
    /// How fast the agents go.
    pub timing: Timing,
    /// One line on every page of the dashboard.
    pub notice: String,
    /// The running webhook.
    pub inbox: Inbox,
}

/// What runs: the parts of the product that the demo talks to.
pub struct Host {
    /// Client of the Kubernetes-style API.
    pub client: kube::Client,
    /// The records: only their ledger is read.
    pub records: Records,
    /// The gateway: `http://127.0.0.1:PORT`.
    pub gateway: String,
    /// Link that signs in to the dashboard.
    pub dashboard_link: String,
    /// For kubectl.
    pub kubeconfig: PathBuf,
    /// Folder for the demo's data sets.
    pub data: PathBuf,
    /// The `homeostat` program.
    pub engine_program: PathBuf,
    /// From [`HostPlan::gpu_faults`].
    pub gpu_faults: Vec<(String, SimulatedFaults)>,
    /// From [`HostPlan::inbox`].
    pub inbox: Inbox,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Ends the demo early.
    pub shutdown: CancellationToken,
}

/// How the scenario ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether it ended as it should.
    pub passed: bool,
    /// Why, in one sentence.
    pub why: String,
    /// The figures.
    pub report: Report,
}

/// What must be started for a scenario. Opens the demo's webhook, so it needs a running Tokio.
///
/// # Errors
/// When no port is free on the loopback interface.
pub async fn plan(args: &DemoArgs) -> anyhow::Result<HostPlan> {
    let script = args.scenario.script();
    let inbox = Inbox::open().await?;
    let faults: Vec<(String, SimulatedFaults)> =
        (1..=script.nodes).map(|number| (format!("node-{number}"), SimulatedFaults::default())).collect();
    let node = |(name, faults): &(String, SimulatedFaults)| NodeConfig {
        name: name.clone(),
        gpu: GpuBackend::Simulated(SimulatedGpus { gpus: 1, faults: faults.clone() }),
    };
    Ok(HostPlan {
        nodes: faults.iter().map(node).collect(),
        gpu_faults: faults,
        receivers: vec![Receiver::Webhook { name: "demo".to_owned(), url: inbox.url() }],
        resend: Duration::from_secs(60),
        pace: Pace {
            status_refresh: Duration::from_secs(1),
            node_silent_after: Duration::from_secs(10),
            settle: Duration::from_millis(1500),
            debounce: Duration::from_millis(250),
        },
        timing: Timing {
            report_every: Duration::from_millis(500),
            status_min: Duration::from_millis(500),
            status_max: Duration::from_secs(2),
            health_every: Duration::from_secs(2),
            drain: Duration::from_secs(2),
            gpu_every: Duration::from_secs(1),
            ..Timing::default()
        },
        notice: format!(
            "Demo, scenario {}: the facts are real, the users, their years and the GPUs are simulated.",
            script.name
        ),
        inbox,
    })
}

/// Plays the scenario. Without `--once` it stays until the shutdown, with users still asking.
///
/// # Errors
/// When a part of the demo itself failed: the base training, the API, the report file. A scenario that did not end as it
/// should is an [`Outcome`], not an error.
pub async fn run(args: DemoArgs, host: Host) -> anyhow::Result<Outcome> {
    play::play(args, host).await
}

/// Where the first model is kept without `--cache`: `$XDG_CACHE_HOME/homeostat`, or `~/.cache/homeostat`.
#[must_use]
pub fn default_cache() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from).or_else(home);
    base.unwrap_or_else(std::env::temp_dir).join("homeostat")
}
