//! Which Kubernetes API the parts use: the embedded one, or that of a cluster.
//!
//! Both give the same: a client with the controller's rights, and one for each person at the dashboard. What differs stays
//! in here: the embedded API is opened, served on a port and put into the ledger; a cluster has all of that itself, and only
//! must know our kinds.

pub(crate) mod cluster;
mod embedded;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use homeostat_apiserver::{ApiServer, User};
use homeostat_clock::Clock;
use homeostat_records::Records;
use kube::Client;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::keys::Keys;

/// The identity under which the controller writes to the embedded API.
const CONTROLLER: &str = "system:homeostat:controller";

/// Which Kubernetes API to use.
pub enum ApiConfig {
    /// The embedded one, for kubectl on this port.
    Embedded(SocketAddr),
    /// A cluster's, to which our definitions have been applied.
    Cluster(Box<kube::Config>),
}

/// An API that answers.
pub(crate) struct KubernetesApi {
    /// For the controller.
    pub(crate) client: Client,
    /// For the people at the dashboard.
    pub(crate) clients: Arc<dyn homeostat_web::Clients>,
    /// For kubectl.
    pub(crate) kubeconfig: PathBuf,
    embedded: Option<ApiServer>,
}

impl KubernetesApi {
    /// Opens the embedded API and its port, or asks the cluster for our kinds.
    ///
    /// # Errors
    /// One line: what could not be had, and what to do.
    pub(crate) async fn open(
        config: ApiConfig,
        data: &Path,
        keys: &Keys,
        clock: &Arc<dyn Clock>,
        records: &Records,
        tasks: &mut JoinSet<anyhow::Result<&'static str>>,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let listen = match config {
            ApiConfig::Embedded(listen) => listen,
            ApiConfig::Cluster(config) => {
                let client = cluster::connect(&config).await?;
                cluster::demand_definitions(&client, &config).await?;
                let clients = Arc::new(cluster::Clients(*config));
                return Ok(Self { client, clients, kubeconfig: cluster::kubeconfig(), embedded: None });
            }
        };
        let (audit, writes) = mpsc::unbounded_channel();
        let api = embedded::open(data, clock, audit).await?;
        tasks.spawn(embedded::keep_audit(writes, records.clone(), shutdown.clone()));
        let kubeconfig = embedded::serve(&api, listen, data, keys, tasks, shutdown).await?;
        let client = Client::new(api.in_process(User::new(CONTROLLER)), "default");
        Ok(Self { client, clients: Arc::new(embedded::Clients(api.clone())), kubeconfig, embedded: Some(api) })
    }

    /// Hands out the embedded API, which must be closed in the end.
    pub(crate) fn into_embedded(self) -> Option<ApiServer> {
        self.embedded
    }
}
