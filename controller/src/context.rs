use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use homeostat_clock::{Clock, Seed, UtcMillis};
use homeostat_crds::{
    ComplianceCheck, CompliancePolicy, Dataset, DecayPolicy, ErasureRequest, GpuNode, Model, ModelVersion,
    RetrainingRun,
};
use homeostat_records::Records;
use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::sync::watch::error::RecvError;

use crate::agents::{Fleet, NodeState};
use crate::alerting::Alerting;
use crate::events::Events;
use crate::prometheus::PromQl;

/// Everything a reconciler may touch.
#[derive(Clone)]
pub struct Context {
    /// Desired state is read and written only through this.
    pub client: Client,
    /// Time series, work, ledger, blobs.
    pub records: Records,
    /// What agents report, and what they are told.
    pub fleet: Fleet,
    /// Alerts and their receivers.
    pub alerting: Alerting,
    /// Prometheus, when one is configured.
    pub prometheus: Option<PromQl>,
    /// Kubernetes Events.
    pub events: Events,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// When this controller started: agents need a moment to come back to it.
    pub started: UtcMillis,
    /// Where the gates' resampling comes from.
    pub seed: Seed,
    /// Caches of every kind, filled by the controllers' own watches.
    pub stores: Stores,
    /// How fast things go.
    pub pace: Pace,
    /// Base URL of the dashboard, for links in alerts.
    pub dashboard: Option<String>,
}

/// Caches of every kind. What is read from them may be old by one event; every write carries the resourceVersion.
#[derive(Clone)]
pub struct Stores {
    /// Models.
    pub models: Store<Model>,
    /// Their versions.
    pub versions: Store<ModelVersion>,
    /// Datasets.
    pub datasets: Store<Dataset>,
    /// Decay policies.
    pub decay_policies: Store<DecayPolicy>,
    /// Compliance policies.
    pub compliance_policies: Store<CompliancePolicy>,
    /// Retraining runs.
    pub runs: Store<RetrainingRun>,
    /// Compliance checks.
    pub checks: Store<ComplianceCheck>,
    /// Nodes.
    pub nodes: Store<GpuNode>,
    /// Requests of persons.
    pub erasures: Store<ErasureRequest>,
    /// True once all of them hold what there is.
    pub filled: watch::Receiver<bool>,
}

impl Stores {
    /// Waits until every cache holds what the API lists. Before that, what is missing from a cache may well exist: nothing is
    /// planned, and no node is told anything.
    ///
    /// # Errors
    /// At the shutdown.
    pub async fn ready(&self) -> Result<(), RecvError> {
        self.filled.clone().wait_for(|filled| *filled).await.map(|_| ())
    }

    /// Whether every cache holds what the API lists now. The stores' own `wait_until_ready` wakes one waiter only (kube 5.0), and
    /// the controllers themselves are waiting on it.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn hold_all(&self, client: &Client) -> Result<bool, kube::Error> {
        Ok(holds(client, &self.models).await?
            && holds(client, &self.versions).await?
            && holds(client, &self.datasets).await?
            && holds(client, &self.decay_policies).await?
            && holds(client, &self.compliance_policies).await?
            && holds(client, &self.runs).await?
            && holds(client, &self.checks).await?
            && holds(client, &self.nodes).await?
            && holds(client, &self.erasures).await?)
    }
}

async fn holds<K>(client: &Client, store: &Store<K>) -> Result<bool, kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + 'static,
{
    let listed = Api::<K>::all(client.clone()).list_metadata(&ListParams::default()).await?;
    let held = |object: &PartialObjectMeta<K>| {
        let reference = ObjectRef::<K>::new(&object.name_any());
        let reference = match object.namespace() {
            Some(namespace) => reference.within(&namespace),
            None => reference,
        };
        store.get(&reference).is_some()
    };
    Ok(listed.items.iter().all(held))
}

/// How fast things go. Production and the demo differ here, and only here.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Pure figures in a status are renewed at most this often; changes of state are written at once.
    pub status_refresh: Duration,
    /// A node that has been silent for longer counts as lost.
    pub node_silent_after: Duration,
    /// Agents' windows are taken as complete this long after their end.
    pub settle: Duration,
    /// Shortest time between two reconciliations caused by reports.
    pub debounce: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            status_refresh: Duration::from_secs(10),
            node_silent_after: Duration::from_secs(60),
            settle: Duration::from_secs(15),
            debounce: Duration::from_secs(1),
        }
    }
}

impl Context {
    /// The API of a namespaced kind of ours.
    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The present.
    pub fn now(&self) -> UtcMillis {
        self.clock.now()
    }

    /// Whether a node is given up: nothing was heard of it for `node_silent_after`. Nodes that have not come back since this
    /// controller started have that long from its start, whatever they serve or work on goes on meanwhile.
    pub(crate) fn is_lost(&self, node: Option<&NodeState>) -> bool {
        is_lost(node, self.started, self.now(), self.pace.node_silent_after)
    }
}

fn is_lost(node: Option<&NodeState>, started: UtcMillis, now: UtcMillis, silent_after: Duration) -> bool {
    if node.is_some_and(|node| node.connected) {
        return false;
    }
    let heard = node.and_then(|node| node.last_report).unwrap_or(started).max(started);
    now.since(heard) >= silent_after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_of_the_controller_makes_no_node_lost() {
        let (started, patience) = (UtcMillis(1_000_000), Duration::from_secs(60));
        let lost = |node: Option<NodeState>, after| {
            is_lost(node.as_ref(), started, started.plus(Duration::from_secs(after)), patience)
        };
        let node = |connected, last: Option<i64>| {
            Some(NodeState { connected, last_report: last.map(UtcMillis), ..NodeState::default() })
        };
        assert!(!lost(None, 0) && !lost(None, 59), "it has not had the time to come back");
        assert!(lost(None, 60));
        assert!(!lost(node(true, None), 1000));
        assert!(!lost(node(false, Some(1_030_000)), 89) && lost(node(false, Some(1_030_000)), 90));
    }
}
