//! Everything on one machine: API, records, controller, dashboard and agent, as `dev` and `demo` run them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use homeostat_agent::{AgentConfig, NodeConfig, Timing};
use homeostat_apiserver::ApiServer;
use homeostat_clock::{Clock, SystemClock};
use homeostat_controller::Pace;
use homeostat_controller::alerting::Receiver;
use homeostat_records::Records;
use kube::Client;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{ApiConfig, KubernetesApi};
use crate::args::ConnectArgs;
use crate::keys::Keys;

/// How the parts are started.
pub struct HostConfig {
    /// Folder of everything that is kept.
    pub data: PathBuf,
    /// The Kubernetes API.
    pub api: ApiConfig,
    /// URL of the records; SQLite in `data` without one.
    pub records: Option<String>,
    /// Port of the dashboard.
    pub web_listen: SocketAddr,
    /// Port of the gateway.
    pub gateway_listen: SocketAddr,
    /// Port for agents.
    pub agents_listen: SocketAddr,
    /// The nodes this process stands for.
    pub nodes: Vec<NodeConfig>,
    /// Where alerts go.
    pub receivers: Vec<Receiver>,
    /// How often firing alerts are sent again.
    pub resend: Duration,
    /// Base URL of Prometheus.
    pub prometheus: Option<String>,
    /// How fast things go.
    pub pace: Pace,
    /// Intervals of the agent.
    pub timing: Timing,
    /// One line on every page of the dashboard.
    pub notice: Option<String>,
    /// Leave engines running at the end, to be found again.
    pub keep_engines: bool,
}

/// All parts, running.
pub struct Host {
    /// Client of the API, with the controller's rights.
    pub client: Client,
    /// The records.
    pub records: Records,
    /// The real clock.
    pub clock: Arc<dyn Clock>,
    /// Link that signs in to the dashboard.
    pub dashboard_link: String,
    /// For kubectl.
    pub kubeconfig: PathBuf,
    /// Where users of models connect.
    pub gateway: SocketAddr,
    embedded: Option<ApiServer>,
    tasks: JoinSet<anyhow::Result<&'static str>>,
    shutdown: CancellationToken,
}

impl Host {
    /// Starts everything; returns once all ports are open.
    ///
    /// # Errors
    /// One line: what could not be had, and what to do.
    pub async fn start(config: HostConfig, shutdown: CancellationToken) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.data)
            .with_context(|| format!("--data: {} cannot be made", config.data.display()))?;
        let keys = Keys::open(&config.data)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let seed = keys.seed()?;
        let records = open_records(&config.data, config.records.as_deref()).await?;
        let mut tasks = JoinSet::new();

        let api = KubernetesApi::open(config.api, &config.data, &keys, &clock, &records, &mut tasks, &shutdown).await?;
        let (client, kubeconfig) = (api.client.clone(), api.kubeconfig.clone());

        let web = listen("--web-listen", "the dashboard", config.web_listen).await?;
        let web_url = format!("http://{}", web.local_addr()?);
        let web_token = keys.token("web-token")?;
        let dashboard_link = homeostat_web::sign_in_link(&web_url, &web_token);

        let controller = homeostat_controller::start(
            homeostat_controller::Config {
                client: client.clone(),
                records: records.clone(),
                clock: clock.clone(),
                seed: seed.clone(),
                agents_listen: config.agents_listen,
                agents_names: vec!["localhost".to_string(), "127.0.0.1".to_string()],
                tls_folder: config.data.join("agents-tls"),
                join_token: keys.token("join-token")?,
                receivers: config.receivers,
                resend: config.resend,
                prometheus: config.prometheus,
                dashboard: Some(web_url),
                pace: config.pace,
            },
            shutdown.clone(),
        )
        .await?;
        let (agents_address, agents_ca) = (controller.agents_address, controller.agents_ca.clone());
        tasks.spawn(async move { controller.join().await.map(|()| "controller").map_err(Into::into) });

        let pages = homeostat_web::router(homeostat_web::WebConfig {
            clients: api.clients.clone(),
            records: records.clone(),
            clock: clock.clone(),
            token: web_token,
            session_key: keys.bytes("web-session")?,
            notice: config.notice,
        });
        tasks.spawn(serve_pages(web, pages, shutdown.clone()));

        let gateway = reserve("--gateway-listen", "the gateway", config.gateway_listen).await?;
        let agent = AgentConfig {
            nodes: config.nodes,
            controller: format!("https://localhost:{}", agents_address.port()),
            controller_ca_pem: agents_ca,
            join_token: Some(keys.token("join-token")?),
            data: config.data.join("agent"),
            gateway_listen: gateway,
            metrics_listen: None,
            engine_program: std::env::current_exe().context("the path of this program is not known")?,
            trainers: std::collections::BTreeMap::default(),
            keep_engines: config.keep_engines,
            version: env!("CARGO_PKG_VERSION").to_string(),
            spool_bytes: 64 << 20,
            timing: config.timing,
        };
        let (agent_clock, agent_seed, stop) = (clock.clone(), seed.child("agent"), shutdown.clone());
        tasks.spawn(async move {
            homeostat_agent::run(agent, agent_clock, agent_seed, stop).await.map(|()| "agent").map_err(Into::into)
        });
        let embedded = api.into_embedded();
        Ok(Self { client, records, clock, dashboard_link, kubeconfig, gateway, embedded, tasks, shutdown })
    }

    /// Waits for the shutdown (then for all parts to end), or for a part that ends by itself.
    ///
    /// # Errors
    /// When a part failed.
    pub async fn join(self) -> anyhow::Result<()> {
        let result = join(self.tasks, &self.shutdown).await;
        if let Some(api) = self.embedded {
            api.close().await;
        }
        self.records.close().await;
        result
    }
}

/// Waits for the shutdown (then for all tasks to end), or for one that ends by itself, which is an error.
pub(crate) async fn join(
    mut tasks: JoinSet<anyhow::Result<&'static str>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut failure = None;
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.map_err(anyhow::Error::from).and_then(|result| result);
        if !shutdown.is_cancelled() {
            failure = Some(match ended {
                Ok(name) => anyhow::anyhow!("{name} ended unexpectedly"),
                Err(error) => error,
            });
            shutdown.cancel();
        } else if let Err(error) = ended {
            failure.get_or_insert(error);
        }
    }
    failure.map_or(Ok(()), Err)
}

/// The SQLite file of the records.
pub(crate) fn records_file(data: &Path) -> PathBuf {
    data.join("records.db")
}

/// Opens the records of an installation.
pub(crate) async fn open_records(data: &Path, url: Option<&str>) -> anyhow::Result<Records> {
    let url = url.map_or_else(|| Records::sqlite_url(&records_file(data)), str::to_string);
    Ok(Records::open(&url, data.join("blobs")).await?)
}

/// Receivers of alerts from the command line.
pub(crate) fn receivers(connect: &ConnectArgs) -> Vec<Receiver> {
    let webhooks = connect.alert_webhooks.iter().enumerate();
    let alertmanagers = connect.alertmanagers.iter().enumerate();
    let webhook =
        |(index, url): (usize, &String)| Receiver::Webhook { name: format!("webhook-{index}"), url: url.clone() };
    let alertmanager = |(index, url): (usize, &String)| Receiver::Alertmanager {
        name: format!("alertmanager-{index}"),
        url: url.clone(),
    };
    webhooks.map(webhook).chain(alertmanagers.map(alertmanager)).collect()
}

/// Opens a port, or says which flag chooses another.
pub(crate) async fn listen(flag: &str, what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("{flag} {address}: {what} cannot listen there; stop what uses the port, or choose another with {flag}")
    })
}

/// Checks that a port is free, and chooses one for port 0. The port itself is opened by whoever uses it.
async fn reserve(flag: &str, what: &str, address: SocketAddr) -> anyhow::Result<SocketAddr> {
    Ok(listen(flag, what, address).await?.local_addr()?)
}

/// Serves the dashboard. Event streams last as long as their browsers do, so that the end does not wait for them.
pub(crate) async fn serve_pages(
    listener: TcpListener,
    pages: axum::Router,
    shutdown: CancellationToken,
) -> anyhow::Result<&'static str> {
    tokio::select! {
        result = axum::serve(listener, pages).into_future() => result.context("the dashboard failed")?,
        () = shutdown.cancelled() => {}
    }
    Ok("dashboard")
}
