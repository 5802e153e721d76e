//! One watch per kind, kept in reflector stores, and the counter that says that something changed.
//!
//! It reads only. A watch that fails is retried with backoff and said on every page; what was read before stays visible
//! under that notice. The tasks live as long as [`Objects`] does.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use homeostat_clock::{Clock, UtcMillis};
use homeostat_crds::{
    ComplianceCheck, CompliancePolicy, Dataset, DecayPolicy, ErasureRequest, GpuNode, Model, ModelVersion,
    RetrainingRun,
};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{Lookup, Store, reflector, store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The name under which pages are read.
pub(crate) const READER: &str = "homeostat-dashboard";

/// How one kind's watch is doing.
#[derive(Clone, Debug, Default)]
struct Health {
    /// A first full list was read.
    ready: bool,
    /// Since when it fails, and how.
    failing: Option<(UtcMillis, String)>,
}

/// What the watches share: how they are doing, and the counter of changes.
#[derive(Clone)]
struct Shared {
    health: Arc<Mutex<BTreeMap<&'static str, Health>>>,
    changes: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
}

/// All objects that pages show.
pub(crate) struct Objects {
    pub(crate) models: Store<Model>,
    pub(crate) versions: Store<ModelVersion>,
    pub(crate) runs: Store<RetrainingRun>,
    pub(crate) checks: Store<ComplianceCheck>,
    pub(crate) nodes: Store<GpuNode>,
    pub(crate) datasets: Store<Dataset>,
    pub(crate) policies: Store<DecayPolicy>,
    pub(crate) compliance: Store<CompliancePolicy>,
    pub(crate) erasures: Store<ErasureRequest>,
    shared: Shared,
    tasks: JoinSet<()>,
}

impl Objects {
    /// Starts watching with `client`; bumps `changes` on every change.
    pub(crate) fn start(client: &Client, clock: Arc<dyn Clock>, changes: watch::Sender<u64>) -> Self {
        let shared = Shared { health: Arc::default(), changes, clock };
        let mut tasks = JoinSet::new();
        Self {
            models: follow(client, &shared, &mut tasks),
            versions: follow(client, &shared, &mut tasks),
            runs: follow(client, &shared, &mut tasks),
            checks: follow(client, &shared, &mut tasks),
            nodes: follow(client, &shared, &mut tasks),
            datasets: follow(client, &shared, &mut tasks),
            policies: follow(client, &shared, &mut tasks),
            compliance: follow(client, &shared, &mut tasks),
            erasures: follow(client, &shared, &mut tasks),
            shared,
            tasks,
        }
    }

    /// Runs `task` for as long as the watches run.
    pub(crate) fn also(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Kinds of which no full list was read yet.
    pub(crate) fn unread(&self) -> Vec<&'static str> {
        self.shared.health().iter().filter(|(_, health)| !health.ready).map(|(kind, _)| *kind).collect()
    }

    /// The watch that fails the longest: since when, and with what.
    pub(crate) fn failing(&self) -> Option<(UtcMillis, String)> {
        self.shared.health().values().filter_map(|health| health.failing.clone()).min()
    }
}

impl Shared {
    fn health(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Health>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Notes that the watch of `kind` works; whether that is news.
    fn works(&self, kind: &'static str, ready: bool) -> bool {
        let mut health = self.health();
        let entry = health.entry(kind).or_default();
        let news = entry.failing.take().is_some() || (ready && !entry.ready);
        entry.ready |= ready;
        news
    }

    fn fails(&self, kind: &'static str, message: String) -> bool {
        let mut health = self.health();
        let entry = health.entry(kind).or_default();
        let news = entry.failing.is_none();
        let since = entry.failing.take().map_or_else(|| self.clock.now(), |(since, _)| since);
        entry.failing = Some((since, message));
        news
    }
}

fn follow<K>(client: &Client, shared: &Shared, tasks: &mut JoinSet<()>) -> Store<K>
where
    K: Resource<DynamicType = ()> + Lookup<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
    <K as Lookup>::DynamicType: Eq + Hash + Clone,
{
    let (reader, writer) = store();
    let api = Api::<K>::all(client.clone());
    let shared = shared.clone();
    let kind: &'static str = Box::leak(<K as Resource>::kind(&()).into_owned().into_boxed_str());
    shared.health().insert(kind, Health::default());
    tasks.spawn(async move {
        let events = reflector(writer, watcher(api, watcher::Config::default()).default_backoff());
        let mut events = pin!(events);
        while let Some(event) = events.next().await {
            let news = match event {
                Ok(Event::Init | Event::InitApply(_)) => shared.works(kind, false),
                Ok(Event::InitDone | Event::Apply(_) | Event::Delete(_)) => {
                    shared.works(kind, true);
                    true
                }
                Err(error) => {
                    tracing::warn!(kind, error = %error, "the dashboard's watch failed and is retried");
                    shared.fails(kind, error.to_string())
                }
            };
            if news {
                shared.changed();
            }
        }
    });
    reader
}
