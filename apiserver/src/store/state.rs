//! The log's state in memory: live objects, recent history, watchers.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::meta;

/// What a watcher may have waiting; one more and it is dropped, and its client lists again.
const WATCH_QUEUE: usize = 1024;

/// Which object: the resource's storage name, the namespace (empty for cluster-scoped ones), the name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(resource: &str, namespace: &str, name: &str) -> Self {
        Self { resource: resource.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Create => 0,
            Self::Update => 1,
            Self::Delete => 2,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        match code {
            0 => Some(Self::Create),
            1 => Some(Self::Update),
            2 => Some(Self::Delete),
            _ => None,
        }
    }
}

/// A live object. `at` is the wall clock of its last write, UTC milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) key: Key,
    pub(crate) revision: u64,
    pub(crate) at: i64,
    pub(crate) object: Arc<Value>,
}

/// One write, with what was there before.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) operation: Operation,
    pub(crate) key: Key,
    pub(crate) revision: u64,
    pub(crate) at: i64,
    pub(crate) object: Arc<Value>,
    pub(crate) previous: Option<Stored>,
}

/// A consistent view of one resource (and namespace) at one revision, in key order.
pub(crate) struct Snapshot {
    pub(crate) revision: u64,
    pub(crate) objects: Vec<Stored>,
}

/// A registered watcher's end: what happened since it asked, and what happens from now on.
pub(crate) struct Subscription {
    pub(crate) revision: u64,
    pub(crate) backlog: Vec<Arc<Change>>,
    pub(crate) changes: Receiver<Arc<Change>>,
}

struct Watcher {
    resource: String,
    namespace: Option<String>,
    changes: Sender<Arc<Change>>,
}

impl Watcher {
    fn wants(&self, key: &Key) -> bool {
        within(key, &self.resource, self.namespace.as_deref())
    }
}

/// Everything that is known without asking the file.
pub(crate) struct State {
    revision: u64,
    floor: u64,
    objects: BTreeMap<Key, Stored>,
    history: VecDeque<Arc<Change>>,
    uids: HashMap<String, Key>,
    dependents: HashMap<String, BTreeSet<Key>>,
    watchers: Vec<Watcher>,
    closed: bool,
}

impl State {
    pub(crate) fn new(floor: u64) -> Self {
        Self {
            revision: floor,
            floor,
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            uids: HashMap::new(),
            dependents: HashMap::new(),
            watchers: Vec::new(),
            closed: false,
        }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The highest revision whose history is gone.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Stored> {
        self.objects.get(key)
    }

    pub(crate) fn by_uid(&self, uid: &str) -> Option<&Stored> {
        self.uids.get(uid).and_then(|key| self.objects.get(key))
    }

    /// The objects that name `uid` among their owners.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<Key> {
        self.dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    /// The live objects of a resource, in key order.
    pub(crate) fn list(&self, resource: &str, namespace: Option<&str>) -> Snapshot {
        let start = Key::new(resource, namespace.unwrap_or_default(), "");
        let objects = self
            .objects
            .range(start..)
            .take_while(|(key, _)| within(key, resource, namespace))
            .map(|(_, stored)| stored.clone())
            .collect();
        Snapshot { revision: self.revision, objects }
    }

    /// The objects as they were at `revision`; None when that history is gone.
    pub(crate) fn list_at(&self, resource: &str, namespace: Option<&str>, revision: u64) -> Option<Snapshot> {
        if revision >= self.revision {
            return Some(self.list(resource, namespace));
        }
        if revision < self.floor {
            return None;
        }
        let mut objects: BTreeMap<Key, Stored> =
            self.list(resource, namespace).objects.into_iter().map(|stored| (stored.key.clone(), stored)).collect();
        let later = self.history.iter().rev().take_while(|change| change.revision > revision);
        for change in later.filter(|change| within(&change.key, resource, namespace)) {
            match &change.previous {
                Some(previous) => objects.insert(change.key.clone(), previous.clone()),
                None => objects.remove(&change.key),
            };
        }
        Some(Snapshot { revision, objects: objects.into_values().collect() })
    }

    /// Every live object, in key order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Stored> {
        self.objects.values()
    }

    /// All objects in a namespace, of every resource.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<Key> {
        self.objects.keys().filter(|key| key.namespace == namespace).cloned().collect()
    }

    /// Registers a watcher for what follows `revision`; None when that history is gone.
    pub(crate) fn watch(&mut self, resource: &str, namespace: Option<&str>, revision: u64) -> Option<Subscription> {
        if revision < self.floor {
            return None;
        }
        let watcher =
            |changes| Watcher { resource: resource.to_owned(), namespace: namespace.map(str::to_owned), changes };
        let (sender, changes) = channel(WATCH_QUEUE);
        let backlog = self
            .history
            .iter()
            .skip_while(|change| change.revision <= revision)
            .filter(|change| within(&change.key, resource, namespace))
            .cloned()
            .collect();
        if !self.closed {
            self.watchers.retain(|watcher| !watcher.changes.is_closed());
            self.watchers.push(watcher(sender));
        }
        Some(Subscription { revision: self.revision, backlog, changes })
    }

    /// Takes in a committed write and tells the watchers, in revision order.
    pub(crate) fn apply(
        &mut self,
        operation: Operation,
        key: Key,
        revision: u64,
        at: i64,
        object: Arc<Value>,
    ) -> Arc<Change> {
        let stored = Stored { key: key.clone(), revision, at, object: Arc::clone(&object) };
        let previous = match operation {
            Operation::Delete => self.objects.remove(&key),
            Operation::Create | Operation::Update => self.objects.insert(key.clone(), stored),
        };
        if let Some(previous) = &previous {
            self.unindex(previous);
        }
        if operation != Operation::Delete {
            self.uids.insert(meta::uid(&object).to_owned(), key.clone());
            for owner in meta::owner_uids(&object) {
                self.dependents.entry(owner.to_owned()).or_default().insert(key.clone());
            }
        }
        self.revision = self.revision.max(revision);
        let change = Arc::new(Change { operation, key, revision, at, object, previous });
        if revision > self.floor {
            self.history.push_back(Arc::clone(&change));
        }
        self.watchers
            .retain(|watcher| !watcher.wants(&change.key) || watcher.changes.try_send(Arc::clone(&change)).is_ok());
        change
    }

    /// The floor that keeps what is younger than `since` (UTC milliseconds) and at most `most` changes.
    pub(crate) fn floor_for(&self, since: i64, most: usize) -> u64 {
        let surplus = self.history.len().saturating_sub(most);
        let old = self.history.iter().take_while(|change| change.at < since).count();
        match surplus.max(old) {
            0 => self.floor,
            n => self.history.get(n - 1).map_or(self.floor, |change| change.revision),
        }
    }

    pub(crate) fn forget(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
        while self.history.front().is_some_and(|change| change.revision <= floor) {
            self.history.pop_front();
        }
    }

    pub(crate) fn end_watches(&mut self) {
        self.closed = true;
        self.watchers.clear();
    }

    fn unindex(&mut self, stored: &Stored) {
        self.uids.remove(meta::uid(&stored.object));
        for owner in meta::owner_uids(&stored.object) {
            if let Some(keys) = self.dependents.get_mut(owner) {
                keys.remove(&stored.key);
                if keys.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
    }
}

fn within(key: &Key, resource: &str, namespace: Option<&str>) -> bool {
    key.resource == resource && namespace.is_none_or(|namespace| key.namespace == namespace)
}
