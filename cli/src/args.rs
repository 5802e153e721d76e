//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use homeostat_engine::{ServeArgs, TrainArgs};
use homeostat_protocol::ports;

use crate::demo::DemoArgs;
use crate::evaluate::EvaluateArgs;
use crate::scan::ScanArgs;
use crate::simulate::SimulateArgs;

/// Keeps self-hosted language models at the quality that was declared for them.
#[derive(Debug, Parser)]
#[command(name = "homeostat", version, about, propagate_version = true)]
pub struct Cli {
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "HOMEOSTAT_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything on this machine: API, controller, dashboard, agent; keeps its data
    Dev(DevArgs),
    /// Show the whole loop on a model that is trained and served here, in a temporary folder
    Demo(DemoArgs),
    /// Run the controller: against a cluster's Kubernetes API, or with an embedded one
    Controller(Box<ControllerArgs>),
    /// Run the agent of a GPU node
    Agent(AgentArgs),
    /// The embedded engine; agents start these by themselves
    #[command(subcommand)]
    Engine(EngineCommand),
    /// Print the custom resource definitions as YAML
    Crds(CrdsArgs),
    /// Tell what was decided about a model, and on what evidence
    Why(WhyArgs),
    /// Look after the ledger
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Receipts and exports of persons' requests (ErasureRequest)
    #[command(subcommand)]
    Erasure(ErasureCommand),
    /// Score a file of answers against references, by the whole evaluation matrix
    Evaluate(EvaluateArgs),
    /// Replay a history of metrics through a DecayPolicy: when would it have fired?
    SimulatePolicy(SimulateArgs),
    /// Find personal data in files: exit code 0 if there is none, 1 if there is, 2 if something could not be read
    Scan(ScanArgs),
}

/// Commands of the embedded engine.
#[derive(Debug, Subcommand)]
pub enum EngineCommand {
    /// Serve an artifact behind the OpenAI HTTP API
    Serve(ServeArgs),
    /// Train by the training contract
    Train(TrainArgs),
}

/// Commands of the ledger.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check the ledger's chain, and its head against an expected one
    Verify(VerifyArgs),
}

/// Commands of persons' requests.
#[derive(Debug, Subcommand)]
pub enum ErasureCommand {
    /// Check the signature of a request's receipt, and print it as JSON
    Receipt(RequestArgs),
    /// Write the data of a person who asked for them (kind Access) to a file
    Export(ExportArgs),
}

/// Where alerts go, and where further metrics come from.
#[derive(Clone, Debug, Default, Args)]
pub struct ConnectArgs {
    /// Webhook that gets alerts, in the shape of Alertmanager's webhook (may be repeated)
    #[arg(long = "alert-webhook", value_name = "URL", env = "HOMEOSTAT_ALERT_WEBHOOK")]
    pub alert_webhooks: Vec<String>,
    /// Alertmanager that gets alerts (may be repeated)
    #[arg(long = "alertmanager", value_name = "URL", env = "HOMEOSTAT_ALERTMANAGER")]
    pub alertmanagers: Vec<String>,
    /// Prometheus that PromQL metrics are read from
    #[arg(long, value_name = "URL", env = "HOMEOSTAT_PROMETHEUS")]
    pub prometheus: Option<String>,
}

/// Arguments of `dev`.
#[derive(Clone, Debug, Args)]
pub struct DevArgs {
    /// Folder of everything that is kept
    #[arg(long, value_name = "DIR", env = "HOMEOSTAT_DATA", default_value_os_t = default_data())]
    pub data: PathBuf,
    /// Port of the Kubernetes-style API
    #[arg(long, value_name = "ADDRESS", env = "HOMEOSTAT_API_LISTEN", default_value_t = loopback(ports::API))]
    pub api_listen: SocketAddr,
    /// Port of the dashboard
    #[arg(long, value_name = "ADDRESS", env = "HOMEOSTAT_WEB_LISTEN", default_value_t = loopback(ports::WEB))]
    pub web_listen: SocketAddr,
    /// Port of the gateway that users of models talk to
    #[arg(long, value_name = "ADDRESS", env = "HOMEOSTAT_GATEWAY_LISTEN", default_value_t = loopback(ports::GATEWAY))]
    pub gateway_listen: SocketAddr,
    /// Name of this machine's GpuNode
    #[arg(long, value_name = "NAME", default_value = "local")]
    pub node: String,
    /// Where GPU figures come from
    #[arg(long, value_enum, default_value_t = Gpu::Auto)]
    pub gpu: Gpu,
    /// Alerts and metrics
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Where GPU figures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Gpu {
    /// NVML when it is there
    Auto,
    /// None
    None,
    /// Made up, and labelled so
    Simulated,
}

/// Arguments of `controller`.
#[derive(Clone, Debug, Args)]
pub struct ControllerArgs {
    /// Serve the Kubernetes-style API from here instead of using a cluster's
    #[arg(long)]
    pub embedded_api: bool,
    /// Port of the embedded API
    #[arg(long, value_name = "ADDRESS", default_value_t = loopback(ports::API), requires = "embedded_api")]
    pub api_listen: SocketAddr,
    /// Folder of keys, blobs, and (without --records) the records
    #[arg(long, value_name = "DIR", env = "HOMEOSTAT_DATA", default_value_os_t = default_data())]
    pub data: PathBuf,
    /// Records: postgres://user:password@host/database, or sqlite:///path; records.db in --data by default
    #[arg(long, value_name = "URL", env = "HOMEOSTAT_RECORDS")]
    pub records: Option<String>,
    /// Port that agents connect to
    #[arg(long, value_name = "ADDRESS", default_value_t = loopback(ports::AGENTS))]
    pub agents_listen: SocketAddr,
    /// Name or address by which agents reach that port, for its certificate (may be repeated)
    #[arg(long = "agents-name", value_name = "NAME")]
    pub agents_names: Vec<String>,
    /// What agents exchange for a credential; made and kept in --data by default
    #[arg(long, value_name = "TOKEN", env = "HOMEOSTAT_JOIN_TOKEN", hide_env_values = true)]
    pub join_token: Option<String>,
    /// Port of the dashboard
    #[arg(long, value_name = "ADDRESS", default_value_t = loopback(ports::WEB))]
    pub web_listen: SocketAddr,
    /// Address of the dashboard as people reach it, for links in alerts
    #[arg(long, value_name = "URL")]
    pub web_url: Option<String>,
    /// What signs in to the dashboard; made and kept in --data by default
    #[arg(long, value_name = "TOKEN", env = "HOMEOSTAT_WEB_TOKEN", hide_env_values = true)]
    pub web_token: Option<String>,
    /// Alerts and metrics
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Arguments of `agent`.
#[derive(Clone, Debug, Args)]
pub struct AgentArgs {
    /// Where the controller listens for agents: https://host:port
    #[arg(long, value_name = "URL", env = "HOMEOSTAT_CONTROLLER")]
    pub controller: String,
    /// Certificate authority of the controller (agents-ca.pem in its --data)
    #[arg(long, value_name = "FILE", env = "HOMEOSTAT_CONTROLLER_CA")]
    pub controller_ca: PathBuf,
    /// Exchanged for a credential at the first start
    #[arg(long, value_name = "TOKEN", env = "HOMEOSTAT_JOIN_TOKEN", hide_env_values = true)]
    pub join_token: Option<String>,
    /// Name of the GpuNode
    #[arg(long, value_name = "NAME", env = "HOMEOSTAT_NODE")]
    pub node: String,
    /// Folder of everything that is kept
    #[arg(long, value_name = "DIR", env = "HOMEOSTAT_DATA", default_value_os_t = default_data().join("agent"))]
    pub data: PathBuf,
    /// Port of the gateway that users of models talk to
    #[arg(long, value_name = "ADDRESS", default_value_t = loopback(ports::GATEWAY))]
    pub gateway_listen: SocketAddr,
    /// Port that Prometheus reads
    #[arg(long, value_name = "ADDRESS", default_value_t = loopback(ports::AGENT_METRICS))]
    pub metrics_listen: SocketAddr,
    /// Where GPU figures come from
    #[arg(long, value_enum, default_value_t = Gpu::Auto)]
    pub gpu: Gpu,
    /// A further trainer, as NAME=COMMAND (may be repeated); the spec's path is in HOMEOSTAT_SPEC
    #[arg(long = "trainer", value_name = "NAME=COMMAND")]
    pub trainers: Vec<String>,
}

/// Arguments of `crds`.
#[derive(Clone, Debug, Args)]
pub struct CrdsArgs {
    /// Write one file a kind into this folder instead of printing
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// Where the records are.
#[derive(Clone, Debug, Args)]
pub struct RecordsArgs {
    /// Folder given to `dev` or `controller`
    #[arg(long, value_name = "DIR", env = "HOMEOSTAT_DATA", default_value_os_t = default_data())]
    pub data: PathBuf,
    /// Records, when they are not in --data
    #[arg(long, value_name = "URL", env = "HOMEOSTAT_RECORDS")]
    pub records: Option<String>,
}

/// Arguments of `why`.
#[derive(Clone, Debug, Args)]
pub struct WhyArgs {
    /// The model: NAME, or NAMESPACE/NAME
    pub model: String,
    /// As of this time (RFC 3339) instead of now
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// How many decisions
    #[arg(long, default_value_t = 5)]
    pub last: u32,
    /// Where the records are
    #[command(flatten)]
    pub records: RecordsArgs,
}

/// Which request.
#[derive(Clone, Debug, Args)]
pub struct RequestArgs {
    /// The ErasureRequest: NAME (namespace default), or NAMESPACE/NAME
    pub request: String,
    /// Where the records are
    #[command(flatten)]
    pub records: RecordsArgs,
}

/// Arguments of `erasure export`.
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// Which request
    #[command(flatten)]
    pub request: RequestArgs,
    /// The file to write, readable by you only; it must not exist
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
}

/// Arguments of `audit verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// A head that was published earlier: the chain must hold it, else its tail was cut
    #[arg(long, value_name = "HASH")]
    pub head: Option<String>,
    /// Where the records are
    #[command(flatten)]
    pub records: RecordsArgs,
}

/// Where data is kept without `--data`: `$XDG_DATA_HOME/homeostat`, or `~/.local/share/homeostat`.
#[must_use]
pub fn default_data() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let base = std::env::var_os("XDG_DATA_HOME").filter(|path| !path.is_empty()).map(PathBuf::from).or_else(home);
    base.unwrap_or_else(|| PathBuf::from(".")).join("homeostat")
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
