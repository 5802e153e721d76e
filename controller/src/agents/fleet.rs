use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use homeostat_clock::{Clock, UtcMillis};
use homeostat_protocol::{AgentStatus, DesiredState, Hardware, Hello};
use homeostat_records::Records;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often at most a node's "last seen" is written to the records.
const TOUCH_EVERY: Duration = Duration::from_secs(5);

/// What is known of all agents, and what each is to do. A cheap handle: clones share one state.
#[derive(Clone)]
pub struct Fleet {
    inner: Arc<Inner>,
}

/// One agent as the controller sees it now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeState {
    /// Name of its `GpuNode`.
    pub node: String,
    /// Whether its session is open. A node that is not connected still serves; we just cannot see it.
    pub connected: bool,
    /// When the last report or status of it arrived, by the controller's clock.
    pub last_report: Option<UtcMillis>,
    /// Version of the agent program.
    pub version: String,
    /// What the machine has, from its newest status, else from its Hello.
    pub hardware: Option<Hardware>,
    /// Its newest status, which may be of an earlier session: `at_ms` and `last_report` say how old it is.
    pub status: Option<AgentStatus>,
    /// Generation of the desired state it should be at; 0 while it has none.
    pub desired_generation: u64,
    /// Windows and samples that were refused as malformed since the controller started.
    pub rejected: u64,
}

impl Fleet {
    /// A fleet in which nobody is connected yet.
    pub fn new(records: Records, clock: Arc<dyn Clock>) -> Self {
        let (changed, _) = watch::channel(0);
        Self { inner: Arc::new(Inner { records, clock, changed, nodes: Mutex::default() }) }
    }

    /// All nodes that connected, or were given something to do, since the controller started, by name.
    #[must_use]
    pub fn nodes(&self) -> BTreeMap<String, NodeState> {
        self.inner.lock().iter().map(|(name, entry)| (name.clone(), entry.state.clone())).collect()
    }

    /// One node, when it is known.
    #[must_use]
    pub fn node(&self, node: &str) -> Option<NodeState> {
        self.inner.lock().get(node).map(|entry| entry.state.clone())
    }

    /// Counts up whenever anything in [`Fleet::nodes`] changes or a report was applied.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// Sets what `node` is to do. `generation` in `state` is ignored: the fleet counts it up when the content differs
    /// from the last, and only then pushes it to the session. A node that connects later gets the newest.
    pub fn set_desired(&self, node: &str, state: DesiredState) {
        let mut nodes = self.inner.lock();
        let entry = nodes.entry(node.to_owned()).or_insert_with(|| Entry::new(node));
        let last = entry.desired.borrow().clone();
        if last.as_ref().is_some_and(|last| DesiredState { generation: last.generation, ..state.clone() } == **last) {
            return;
        }
        self.push(entry, state);
    }

    /// What `node` was last told to do.
    #[must_use]
    pub fn desired(&self, node: &str) -> Option<Arc<DesiredState>> {
        self.inner.lock().get(node).and_then(|entry| entry.desired.borrow().clone())
    }

    /// Opens a session for the node of `hello`, ending the one it may have had.
    pub(super) fn connect(&self, hello: &Hello) -> Connection {
        let mut nodes = self.inner.lock();
        let entry = nodes.entry(hello.node.clone()).or_insert_with(|| Entry::new(&hello.node));
        entry.session.replaced.cancel();
        entry.session = SessionMark { number: entry.session.number + 1, replaced: CancellationToken::new() };
        entry.state.connected = true;
        entry.state.version.clone_from(&hello.version);
        if hello.hardware.is_some() {
            entry.state.hardware.clone_from(&hello.hardware);
        }
        let connection = Connection {
            fleet: self.clone(),
            node: hello.node.clone(),
            number: entry.session.number,
            replaced: entry.session.replaced.clone(),
            desired: entry.desired.subscribe(),
        };
        drop(nodes);
        self.bump();
        connection
    }

    fn push(&self, entry: &mut Entry, state: DesiredState) {
        let now = u64::try_from(self.inner.clock.now().0).unwrap_or(0);
        let generation = now.max(entry.state.desired_generation + 1).max(entry.observed + 1);
        entry.state.desired_generation = generation;
        entry.desired.send_replace(Some(Arc::new(DesiredState { generation, ..state })));
    }

    fn bump(&self) {
        self.inner.changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}

struct Inner {
    records: Records,
    clock: Arc<dyn Clock>,
    changed: watch::Sender<u64>,
    nodes: Mutex<BTreeMap<String, Entry>>,
}

impl Inner {
    /// A panic elsewhere while the lock was held left whole entries behind (every change is one assignment): go on.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Entry {
    state: NodeState,
    session: SessionMark,
    desired: watch::Sender<Option<Arc<DesiredState>>>,
    /// Largest generation the agent said it took in, possibly from an earlier life of the controller.
    observed: u64,
    touched: Option<UtcMillis>,
}

struct SessionMark {
    number: u64,
    replaced: CancellationToken,
}

impl Entry {
    fn new(node: &str) -> Self {
        Self {
            state: NodeState { node: node.to_owned(), ..NodeState::default() },
            session: SessionMark { number: 0, replaced: CancellationToken::new() },
            desired: watch::channel(None).0,
            observed: 0,
            touched: None,
        }
    }
}

/// The open session of one node; dropping it marks the node as disconnected, unless a newer session took over.
pub(super) struct Connection {
    fleet: Fleet,
    node: String,
    number: u64,
    /// Cancelled when a newer session of the same node took over.
    pub(super) replaced: CancellationToken,
    /// What the node is to do; `None` until the controller has computed it.
    pub(super) desired: watch::Receiver<Option<Arc<DesiredState>>>,
}

impl Connection {
    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// Takes in a status, unless a newer session took over.
    pub(super) fn status(&self, status: AgentStatus) {
        let now = self.fleet.inner.clock.now();
        let mut nodes = self.fleet.inner.lock();
        let Some(entry) = nodes.get_mut(&self.node).filter(|entry| entry.session.number == self.number) else { return };
        entry.state.last_report = Some(now);
        entry.observed = entry.observed.max(status.observed);
        if status.hardware.is_some() {
            entry.state.hardware.clone_from(&status.hardware);
        }
        entry.state.status = Some(status);
        // The agent is ahead of us: the controller restarted with a clock that went back. Count on from there.
        if entry.observed > entry.state.desired_generation {
            let desired = entry.desired.borrow().clone();
            if let Some(desired) = desired {
                self.fleet.push(entry, DesiredState::clone(&desired));
            }
        }
        drop(nodes);
        self.fleet.bump();
    }

    /// Notes an applied report, `rejected` parts of which were malformed.
    pub(super) fn reported(&self, rejected: u64) {
        let now = self.fleet.inner.clock.now();
        if let Some(entry) = self.fleet.inner.lock().get_mut(&self.node) {
            entry.state.last_report = Some(now);
            entry.state.rejected += rejected;
        }
        self.fleet.bump();
    }

    /// Writes to the records that the node lives, when that was not done lately.
    pub(super) async fn touch(&self) {
        let now = self.fleet.inner.clock.now();
        let due = self.fleet.inner.lock().get_mut(&self.node).is_some_and(|entry| {
            let due = entry.touched.is_none_or(|last| last > now || now.since(last) >= TOUCH_EVERY);
            if due {
                entry.touched = Some(now);
            }
            due
        });
        if due && let Err(error) = self.fleet.inner.records.touch_agent(&self.node, now).await {
            tracing::warn!(node.name = %self.node, error = %error, "the time a node was last seen could not be stored");
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut nodes = self.fleet.inner.lock();
        if let Some(entry) = nodes.get_mut(&self.node).filter(|entry| entry.session.number == self.number) {
            entry.state.connected = false;
        }
        drop(nodes);
        self.fleet.bump();
    }
}
