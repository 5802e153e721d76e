use std::sync::Arc;

use anyhow::Context;
use homeostat_agent::{AgentConfig, NodeConfig, Timing};
use homeostat_clock::{Seed, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::args::AgentArgs;
use crate::dev::{gpu, stop_on_signal};

/// Runs the agent of one node until it is told to stop. Its engines go on and are found again.
pub(crate) async fn run(args: AgentArgs) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone())?;
    let ca = std::fs::read_to_string(&args.controller_ca)
        .with_context(|| format!("--controller-ca: {} cannot be read", args.controller_ca.display()))?;
    let trainers = args.trainers.iter().map(|text| trainer(text)).collect::<anyhow::Result<_>>()?;
    let config = AgentConfig {
        nodes: vec![NodeConfig { name: args.node, gpu: gpu(args.gpu) }],
        controller: args.controller,
        controller_ca_pem: ca,
        join_token: args.join_token,
        data: args.data,
        gateway_listen: args.gateway_listen,
        metrics_listen: Some(args.metrics_listen),
        engine_program: std::env::current_exe().context("the path of this program is not known")?,
        trainers,
        keep_engines: true,
        version: env!("CARGO_PKG_VERSION").to_string(),
        spool_bytes: 256 << 20,
        timing: Timing::default(),
    };
    let seed = Seed::from_os().context("the operating system has no randomness to give")?;
    Ok(homeostat_agent::run(config, Arc::new(SystemClock), seed, shutdown).await?)
}

/// `NAME=COMMAND ARG...`, split at spaces.
fn trainer(text: &str) -> anyhow::Result<(String, Vec<String>)> {
    let fail = || anyhow::anyhow!("--trainer {text:?}: write NAME=COMMAND, such as axolotl=/opt/train.sh");
    let (name, command) = text.split_once('=').ok_or_else(fail)?;
    let command: Vec<String> = command.split_whitespace().map(str::to_string).collect();
    if name.is_empty() || command.is_empty() { Err(fail()) } else { Ok((name.to_string(), command)) }
}
