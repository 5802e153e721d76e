//! Everything on one machine: embedded API, records, controller, dashboard and agent, as `dev` and `demo` run them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use homeostat_agent::{AgentConfig, NodeConfig, Timing};
use homeostat_apiserver::{ApiServer, Audit, AuditedWrite, User, serve as api_serve};
use homeostat_clock::{Clock, SystemClock, UtcMillis};
use homeostat_controller::Pace;
use homeostat_controller::alerting::Receiver;
use homeostat_records::{Entry, Records};
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::args::ConnectArgs;
use crate::keys::Keys;

/// The identity under which the controller writes.
pub(crate) const CONTROLLER: &str = "system:homeostat:controller";

/// How the parts are started.
pub struct HostConfig {
    /// Folder of everything that is kept.
    pub data: PathBuf,
    /// Port of the Kubernetes-style API.
    pub api_listen: SocketAddr,
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
    /// Client of the embedded API, with the controller's identity.
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
    api: ApiServer,
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
        let records = open_records(&config.data, None).await?;
        let mut tasks = JoinSet::new();

        let (audit, writes) = mpsc::unbounded_channel();
        let api = open_api(&config.data, &clock, audit).await?;
        tasks.spawn(keep_audit(writes, records.clone(), shutdown.clone()));
        let kubeconfig = serve_api(&api, config.api_listen, &config.data, &keys, &mut tasks, &shutdown).await?;

        let web = listen("--web-listen", "the dashboard", config.web_listen).await?;
        let web_url = format!("http://{}", web.local_addr()?);
        let web_token = keys.token("web-token")?;
        let dashboard_link = homeostat_web::sign_in_link(&web_url, &web_token);

        let client = Client::new(api.in_process(User::new(CONTROLLER)), "default");
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
            clients: clients(api.clone()),
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
        Ok(Self { client, records, clock, dashboard_link, kubeconfig, gateway, api, tasks, shutdown })
    }

    /// Waits for the shutdown (then for all parts to end), or for a part that ends by itself.
    ///
    /// # Errors
    /// When a part failed.
    pub async fn join(self) -> anyhow::Result<()> {
        let result = join(self.tasks, &self.shutdown).await;
        self.api.close().await;
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

/// Opens the embedded API with our kinds.
pub(crate) async fn open_api(
    data: &Path,
    clock: &Arc<dyn Clock>,
    audit: mpsc::UnboundedSender<AuditedWrite>,
) -> anyhow::Result<ApiServer> {
    let now = clock.clone();
    let config = homeostat_apiserver::Config {
        database: data.join("objects.db"),
        crds: homeostat_crds::all(),
        audit: Some(Arc::new(Forward(audit))),
        now: Arc::new(move || now.now().0),
    };
    Ok(ApiServer::open(config).await?)
}

/// Serves the API to kubectl and writes the kubeconfig; gives its path.
pub(crate) async fn serve_api(
    api: &ApiServer,
    listen: SocketAddr,
    data: &Path,
    keys: &Keys,
    tasks: &mut JoinSet<anyhow::Result<&'static str>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<PathBuf> {
    let token = keys.token("api-token")?;
    let admin = User {
        name: "admin".to_string(),
        groups: vec!["system:masters".to_string(), "system:authenticated".to_string()],
    };
    let tokens = vec![api_serve::Token { token: token.clone(), user: admin }];
    let listener = api_serve::Listener::bind(api, listen, &data.join("api-tls"), tokens)
        .await
        .with_context(|| format!("--api-listen {listen}: the Kubernetes-style API cannot listen there"))?;
    let kubeconfig = data.join("kubeconfig");
    api_serve::write_kubeconfig(&kubeconfig, &listener.url(), listener.ca_pem(), &token)?;
    let stop = shutdown.clone();
    tasks.spawn(async move { listener.serve(stop).await.map(|()| "api").map_err(Into::into) });
    Ok(kubeconfig)
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

/// Clients of the embedded API, for the dashboard's users.
pub(crate) fn clients(api: ApiServer) -> Arc<dyn homeostat_web::Clients> {
    Arc::new(EmbeddedClients(api))
}

struct EmbeddedClients(ApiServer);

impl homeostat_web::Clients for EmbeddedClients {
    fn client_for(&self, user: &str) -> Client {
        Client::new(self.0.in_process(User::new(user)), "default")
    }
}

struct Forward(mpsc::UnboundedSender<AuditedWrite>);

impl Audit for Forward {
    fn record(&self, write: AuditedWrite) {
        // The receiver ends after the API only.
        let _ = self.0.send(write);
    }
}

/// Puts writes of desired state into the ledger. Left out: Events and Leases, and the status that our own controllers write,
/// whose decisions have entries of their own.
pub(crate) async fn keep_audit(
    mut writes: mpsc::UnboundedReceiver<AuditedWrite>,
    records: Records,
    shutdown: CancellationToken,
) -> anyhow::Result<&'static str> {
    loop {
        let next = tokio::select! {
            biased;
            write = writes.recv() => write,
            () = shutdown.cancelled() => None,
        };
        let Some(write) = next else { return Ok("audit") };
        let own = write.user.name == CONTROLLER || write.user.name.starts_with("system:apiserver");
        if matches!(write.resource.as_str(), "events" | "leases") || (own && write.subresource == "status") {
            continue;
        }
        if let Err(error) = records.append_ledger(entry(&write)).await {
            bail!("a write of {} could not be put into the ledger: {error}", write.user.name);
        }
    }
}

fn entry(write: &AuditedWrite) -> Entry {
    let place =
        if write.namespace.is_empty() { write.name.clone() } else { format!("{}/{}", write.namespace, write.name) };
    let part = if write.subresource.is_empty() { String::new() } else { format!("/{}", write.subresource) };
    let model = (write.resource == "models").then(|| place.clone());
    Entry {
        at: UtcMillis(write.at),
        actor: write.user.name.clone(),
        kind: "write".to_string(),
        model,
        object: Some(format!("{}{part}/{place}", write.resource)),
        summary: format!("{} {}{part} {place}", write.verb, write.resource),
        detail: serde_json::json!({
            "verb": write.verb, "group": write.group, "version": write.version, "uid": write.uid,
            "resourceVersion": write.resource_version.to_string(), "fieldManager": write.field_manager,
        }),
        evidence: None,
    }
}
