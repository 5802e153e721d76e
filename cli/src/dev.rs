use std::time::Duration;

use anyhow::Context;
use homeostat_agent::{GpuBackend, NodeConfig, SimulatedGpus, Timing};
use homeostat_controller::Pace;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::api::ApiConfig;
use crate::args::{DevArgs, Gpu};
use crate::host::{Host, HostConfig, receivers};

/// Runs everything on this machine until it is told to stop.
pub(crate) async fn run(mut args: DevArgs) -> anyhow::Result<()> {
    // What is printed is typed elsewhere, too.
    args.data = std::path::absolute(&args.data).context("--data is no path")?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone())?;
    let config = HostConfig {
        data: args.data.clone(),
        api: ApiConfig::Embedded(args.api_listen),
        records: None,
        web_listen: args.web_listen,
        gateway_listen: args.gateway_listen,
        agents_listen: ([127, 0, 0, 1], 0).into(),
        nodes: vec![NodeConfig { name: args.node.clone(), gpu: gpu(args.gpu) }],
        receivers: receivers(&args.connect),
        resend: Duration::from_secs(60),
        prometheus: args.connect.prometheus.clone(),
        pace: Pace::default(),
        timing: Timing::default(),
        notice: None,
        keep_engines: false,
    };
    let host = Host::start(config, shutdown).await?;
    println!("Dashboard:  {}", host.dashboard_link);
    println!("Gateway:    http://{}/v1", host.gateway);
    println!("kubectl:    export KUBECONFIG={}", host.kubeconfig.display());
    println!("Data:       {} (Ctrl-C ends it, the same command continues)", args.data.display());
    host.join().await
}

/// The agent's view of a `--gpu` flag.
pub(crate) fn gpu(gpu: Gpu) -> GpuBackend {
    match gpu {
        Gpu::Auto => GpuBackend::Auto,
        Gpu::None => GpuBackend::None,
        Gpu::Simulated => GpuBackend::Simulated(SimulatedGpus { gpus: 1, ..SimulatedGpus::default() }),
    }
}

/// Cancels the token on SIGINT and SIGTERM. A second signal is told what is waited for, a third ends the process at once, which
/// leaves engines running.
pub(crate) fn stop_on_signal(shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        for signals in 1_u32.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            match signals {
                1 => shutdown.cancel(),
                2 => eprintln!(
                    "homeostat: ending; engines finish what they answer. Once more to leave at once, engines running"
                ),
                _ => std::process::exit(130),
            }
        }
    });
    Ok(())
}
