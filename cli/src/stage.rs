//! `homeostat demo`: starts what the scenario needs, plays it, and ends it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use homeostat_protocol::ports;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use tokio_util::sync::CancellationToken;

use crate::api::{ApiConfig, cluster};
use crate::demo::{self, DemoArgs};
use crate::dev::stop_on_signal;
use crate::host::{Host, HostConfig};

/// Plays a scenario; an error when it did not end as it should.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone())?;
    let kept = args.data.clone();
    let folder =
        tempfile::Builder::new().prefix("homeostat-demo-").tempdir().context("no temporary folder is to be had")?;
    let data = kept.unwrap_or_else(|| folder.path().to_path_buf());
    let api = if args.cluster { clean_cluster().await? } else { ApiConfig::Embedded(free_or(ports::API)) };
    let plan = demo::plan(&args).await?;
    let config = HostConfig {
        data: data.clone(),
        api,
        records: args.records.clone(),
        web_listen: free_or(ports::WEB),
        gateway_listen: free_or(ports::GATEWAY),
        agents_listen: ([127, 0, 0, 1], 0).into(),
        nodes: plan.nodes,
        receivers: plan.receivers,
        resend: plan.resend,
        prometheus: None,
        pace: plan.pace,
        timing: plan.timing,
        notice: Some(plan.notice),
        keep_engines: false,
    };
    let host = Host::start(config, shutdown.clone()).await?;
    let scene = demo::Host {
        client: host.client.clone(),
        records: host.records.clone(),
        gateway: format!("http://{}", host.gateway),
        dashboard_link: host.dashboard_link.clone(),
        kubeconfig: host.kubeconfig.clone(),
        data: data.join("world"),
        engine_program: std::env::current_exe().context("the path of this program is not known")?,
        gpu_faults: plan.gpu_faults,
        inbox: plan.inbox,
        clock: host.clock.clone(),
        shutdown: shutdown.clone(),
    };
    let parts = tokio::spawn(host.join());
    let played = demo::run(args, scene).await;
    shutdown.cancel();
    // Engines are told to stop and waited for; a part that hangs does not keep the demo.
    match tokio::time::timeout(Duration::from_secs(30), parts).await {
        Ok(joined) => joined.context("a part panicked")??,
        Err(_) => tracing::warn!("a part did not end within 30 s"),
    }
    let outcome = played?;
    if !outcome.passed {
        bail!("the scenario did not end as it should: {}", outcome.why);
    }
    Ok(())
}

/// The cluster that KUBECONFIG names, knowing our kinds, and without what an earlier demo has left there.
async fn clean_cluster() -> anyhow::Result<ApiConfig> {
    let config = cluster::config("leave out --cluster").await?;
    let client = cluster::connect(&config).await?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    if namespaces.get_opt(demo::NAMESPACE).await.context("--cluster: namespaces cannot be read")?.is_some() {
        bail!(
            "--cluster: {} has a namespace {name} already: `kubectl delete namespace {name}`, if it is an earlier demo's",
            config.cluster_url,
            name = demo::NAMESPACE
        );
    }
    cluster::apply_definitions(&client).await?;
    cluster::apply_rights(&client).await?;
    Ok(ApiConfig::Cluster(config))
}

/// The well-known port when it is free, else any: two demos, or a demo beside `dev`, do not hinder each other.
fn free_or(port: u16) -> SocketAddr {
    let wanted = SocketAddr::from(([127, 0, 0, 1], port));
    match std::net::TcpListener::bind(wanted) {
        Ok(_) => wanted,
        Err(_) => SocketAddr::from(([127, 0, 0, 1], 0)),
    }
}
