//! Wires the controller: its reconcilers, the agents' sessions, alerts. All long tasks are joined; the first that ends
//! unexpectedly ends the process.

use std::fmt::Debug;
use std::hash::Hash;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use homeostat_clock::{Clock, Seed};
use homeostat_crds::{
    ComplianceCheck, CompliancePolicy, Dataset, DecayPolicy, ErasureRequest, GpuNode, Model, ModelVersion,
    RetrainingRun,
};
use homeostat_records::Records;
use kube::runtime::controller::{Action, Config as ControllerConfig, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agents::{Fleet, Server, ServerConfig, tls};
use crate::alerting::{Alerting, Receiver};
use crate::events::Events;
use crate::prometheus::PromQl;
use crate::reconcile::{
    self, ReconcileError, compliance_check, compliance_policy, dataset, decay_policy, erasure_request, gpu_node, model,
    model_version, retraining_run,
};
use crate::triggers::{changes, model_of, ticks, versions_of};
use crate::{Context, Pace, Stores, desired, retention};

/// What the controller is started with.
pub struct Config {
    /// Desired state.
    pub client: Client,
    /// Time series, work, ledger, blobs.
    pub records: Records,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Root of all randomness and derived keys; keep it, since subject HMACs hang on it.
    pub seed: Seed,
    /// Where agents connect; port 0 takes a free one.
    pub agents_listen: SocketAddr,
    /// Names (and addresses) for the certificate of that port.
    pub agents_names: Vec<String>,
    /// Folder of its keys.
    pub tls_folder: PathBuf,
    /// What agents exchange for a credential.
    pub join_token: String,
    /// Where alerts go.
    pub receivers: Vec<Receiver>,
    /// How often firing alerts are sent again.
    pub resend: Duration,
    /// Base URL of Prometheus.
    pub prometheus: Option<String>,
    /// Base URL of the dashboard, for links.
    pub dashboard: Option<String>,
    /// How fast things go.
    pub pace: Pace,
}

/// Why the controller ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The agents' port.
    #[error("the port for agents could not be opened")]
    Agents(#[from] crate::agents::ServeError),
    /// The certificate for it.
    #[error("the certificate for agents could not be made")]
    Tls(#[from] crate::agents::tls::TlsError),
    /// The address of Prometheus.
    #[error("--prometheus")]
    Prometheus(#[from] crate::prometheus::SourceError),
    /// The receivers of alerts.
    #[error("the receivers of alerts")]
    Alerting(#[from] crate::alerting::AlertingError),
    /// A task ended that should not.
    #[error("the task {0} ended unexpectedly")]
    Ended(&'static str),
    /// A task panicked.
    #[error("a task panicked")]
    Panicked(#[from] tokio::task::JoinError),
}

/// A controller whose agents' port is open.
pub struct Running {
    /// Where agents connect.
    pub agents_address: SocketAddr,
    /// The CA that they check the port's certificate against.
    pub agents_ca: String,
    /// What agents report.
    pub fleet: Fleet,
    tasks: JoinSet<&'static str>,
    shutdown: CancellationToken,
}

/// Opens the agents' port and starts all tasks.
///
/// # Errors
/// When the port, the keys or an address are not to be had.
pub async fn start(config: Config, shutdown: CancellationToken) -> Result<Running, RunError> {
    let identity = tls::ensure(&config.tls_folder, &config.agents_names, &*config.clock)?;
    let agents_ca = identity.ca_pem.clone();
    let fleet = Fleet::new(config.records.clone(), config.clock.clone());
    let server_config = ServerConfig { listen: config.agents_listen, identity, join_token: config.join_token.clone() };
    let server = Server::bind(server_config, fleet.clone(), config.records.clone(), config.clock.clone()).await?;
    let agents_address = server.local_address();
    let alerting =
        Alerting::with_interval(config.records.clone(), config.clock.clone(), config.receivers.clone(), config.resend)?;
    let prometheus = config.prometheus.as_deref().map(PromQl::new).transpose()?;

    let mut tasks = JoinSet::new();
    let stop = shutdown.clone();
    tasks.spawn(async move {
        if let Err(error) = server.run(stop).await {
            tracing::error!(error = &error as &dyn std::error::Error, "the agents' port failed");
        }
        "agents"
    });
    let delivery = alerting.clone();
    let stop = shutdown.clone();
    tasks.spawn(async move {
        if let Err(error) = delivery.run(stop).await {
            tracing::error!(error = &error as &dyn std::error::Error, "alerts are not delivered any more");
        }
        "alerting"
    });
    spawn_reconcilers(&config, &fleet, alerting, prometheus, &mut tasks, &shutdown);
    Ok(Running { agents_address, agents_ca, fleet, tasks, shutdown })
}

impl Running {
    /// Waits until the shutdown is asked for and all tasks have ended, or one ends by itself.
    ///
    /// # Errors
    /// When a task ended that should not.
    pub async fn join(mut self) -> Result<(), RunError> {
        while let Some(ended) = self.tasks.join_next().await {
            let name = ended?;
            if !self.shutdown.is_cancelled() {
                self.shutdown.cancel();
                return Err(RunError::Ended(name));
            }
        }
        Ok(())
    }
}

fn spawn_reconcilers(
    config: &Config,
    fleet: &Fleet,
    alerting: Alerting,
    prometheus: Option<PromQl>,
    tasks: &mut JoinSet<&'static str>,
    shutdown: &CancellationToken,
) {
    let client = config.client.clone();
    let models = controller::<Model>(&client, config);
    let versions = controller::<ModelVersion>(&client, config);
    let runs = controller::<RetrainingRun>(&client, config);
    let checks = controller::<ComplianceCheck>(&client, config);
    let datasets = controller::<Dataset>(&client, config);
    let decay_policies = controller::<DecayPolicy>(&client, config);
    let compliance_policies = controller::<CompliancePolicy>(&client, config);
    let nodes = controller::<GpuNode>(&client, config);
    let erasures = controller::<ErasureRequest>(&client, config);
    let (fill, filled) = watch::channel(false);
    let stores = Stores {
        models: models.store(),
        versions: versions.store(),
        datasets: datasets.store(),
        decay_policies: decay_policies.store(),
        compliance_policies: compliance_policies.store(),
        runs: runs.store(),
        checks: checks.store(),
        nodes: nodes.store(),
        erasures: erasures.store(),
        filled,
    };
    let ctx = Arc::new(Context {
        client: client.clone(),
        records: config.records.clone(),
        fleet: fleet.clone(),
        alerting,
        prometheus,
        events: Events::new(client.clone()),
        clock: config.clock.clone(),
        started: config.clock.now(),
        seed: config.seed.clone(),
        stores: stores.clone(),
        pace: config.pace.clone(),
        dashboard: config.dashboard.clone(),
    });
    let debounce = config.pace.debounce;
    let records = || ticks(config.records.changed(), debounce);
    let reports = || ticks(fleet.changed(), debounce);

    // What a Model decides about, it watches: a change of a version or a run is a reason to plan again.
    let models = models
        .watches(Api::<ModelVersion>::all(client.clone()), watcher::Config::default(), |version| {
            model_of(version.namespace(), &version.spec.model)
        })
        .watches(Api::<RetrainingRun>::all(client.clone()), watcher::Config::default(), |run| {
            model_of(run.namespace(), &run.spec.model)
        })
        .reconcile_all_on(records());
    let of_model = stores.versions.clone();
    let versions = versions
        .watches(Api::<Model>::all(client.clone()), watcher::Config::default(), move |model| {
            versions_of(&of_model, &model)
        })
        .watches(Api::<GpuNode>::all(client.clone()), watcher::Config::default(), {
            let all = stores.versions.clone();
            move |_| all.state().iter().map(|version| ObjectRef::from_obj(&**version)).collect::<Vec<_>>()
        })
        .reconcile_all_on(reports());
    let runs = runs.reconcile_all_on(records());
    let checks = checks.reconcile_all_on(records());
    let nodes = nodes.reconcile_all_on(reports());
    // Blobs that were rewritten, work that has ended, samples that were refused.
    let datasets = datasets.reconcile_all_on(records());
    let erasures = erasures.reconcile_all_on(records());

    let mut run = Runner { ctx: ctx.clone(), tasks, shutdown: shutdown.clone() };
    run.spawn("model", models, model::reconcile);
    run.spawn("model_version", versions, model_version::reconcile);
    run.spawn("retraining_run", runs, retraining_run::reconcile);
    run.spawn("compliance_check", checks, compliance_check::reconcile);
    run.spawn("dataset", datasets, dataset::reconcile);
    run.spawn("decay_policy", decay_policies, decay_policy::reconcile);
    run.spawn("compliance_policy", compliance_policies, compliance_policy::reconcile);
    run.spawn("gpu_node", nodes, gpu_node::reconcile);
    run.spawn("erasure_request", erasures, erasure_request::reconcile);
    spawn_filling(ctx.clone(), fill, tasks, shutdown);
    spawn_retention(ctx.clone(), tasks, shutdown);
    spawn_desired(ctx, tasks, shutdown);
}

/// Says when the caches are filled, and keeps saying so until the shutdown.
fn spawn_filling(
    ctx: Arc<Context>,
    fill: watch::Sender<bool>,
    tasks: &mut JoinSet<&'static str>,
    shutdown: &CancellationToken,
) {
    let shutdown = shutdown.clone();
    tasks.spawn(async move {
        while !*fill.borrow() && !shutdown.is_cancelled() {
            match ctx.stores.hold_all(&ctx.client).await {
                Ok(true) => {
                    fill.send_replace(true);
                }
                Ok(false) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the Kubernetes API does not list our kinds; trying again"
                    );
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        shutdown.cancelled().await;
        "filling"
    });
}

fn spawn_retention(ctx: Arc<Context>, tasks: &mut JoinSet<&'static str>, shutdown: &CancellationToken) {
    let shutdown = shutdown.clone();
    tasks.spawn(async move {
        while tokio::time::timeout(retention::EVERY, shutdown.cancelled()).await.is_err() {
            if let Err(error) = retention::sweep(&ctx).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "old records could not be swept; trying again later"
                );
            }
        }
        "retention"
    });
}

fn controller<K>(client: &Client, config: &Config) -> Controller<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let pace = ControllerConfig::default().debounce(config.pace.debounce.min(Duration::from_millis(200)) / 2);
    Controller::new(Api::all(client.clone()), watcher::Config::default()).with_config(pace)
}

struct Runner<'a> {
    ctx: Arc<Context>,
    tasks: &'a mut JoinSet<&'static str>,
    shutdown: CancellationToken,
}

impl Runner<'_> {
    fn spawn<K, F, Fut>(&mut self, name: &'static str, controller: Controller<K>, mut reconcile: F)
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        F: FnMut(Arc<K>, Arc<Context>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Action, ReconcileError>> + Send + 'static,
        K::DynamicType: Eq + Hash + Clone + Unpin,
    {
        let stop = self.shutdown.clone().cancelled_owned();
        let ctx = self.ctx.clone();
        let when_ready = move |object, ctx: Arc<Context>| {
            let work = reconcile(object, ctx.clone());
            async move {
                ctx.stores.ready().await?;
                work.await
            }
        };
        let stream = controller.graceful_shutdown_on(stop).run(when_ready, reconcile::on_error::<K>, ctx);
        self.tasks.spawn(async move {
            stream
                .for_each(|result| async move {
                    // Reconciliation errors are logged by `on_error`; these are the watches' own.
                    if let Err(error @ kube::runtime::controller::Error::QueueError(_)) = result {
                        tracing::warn!(
                            reconciler = name,
                            error = &error as &dyn std::error::Error,
                            "a watch failed; it is opened again"
                        );
                    }
                })
                .await;
            name
        });
    }
}

/// Keeps every node's desired state as it should be: on changes of objects, reports and records, and every few seconds.
fn spawn_desired(ctx: Arc<Context>, tasks: &mut JoinSet<&'static str>, shutdown: &CancellationToken) {
    let shutdown = shutdown.clone();
    tasks.spawn(async move {
        let mut triggers = stream::select_all([
            ticks(ctx.records.changed(), ctx.pace.debounce).boxed(),
            ticks(ctx.fleet.changed(), ctx.pace.debounce).boxed(),
            changes(&ctx).boxed(),
        ]);
        if ctx.stores.ready().await.is_err() {
            return "desired";
        }
        loop {
            if let Err(error) = model::resolve_alerts_of_deleted(&ctx).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "alerts of a deleted model could not be resolved"
                );
            }
            if let Err(error) = gpu_node::ensure_objects(&ctx).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not register a node");
            }
            if let Err(error) = desired::push(&ctx).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "could not compute the desired state of the nodes"
                );
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = triggers.next() => {}
                () = tokio::time::sleep(Duration::from_secs(30)) => {}
            }
        }
        "desired"
    });
}
