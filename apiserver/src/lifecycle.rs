//! The background work of an API server: garbage collection by owner references, the ends of namespaces and CRDs, the lifetime
//! of events, and compaction.
//!
//! One task. It wakes for committed changes and every five minutes, and does nothing in between. Whatever it does goes through
//! the same deletes and updates as a client's request.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::User;
use crate::builtin::{CRDS, EVENTS, NAMESPACES};
use crate::crd::CLEANUP_FINALIZER;
use crate::meta;
use crate::query::Options;
use crate::request::Request;
use crate::server::Server;
use crate::status::Failure;
use crate::store::{Change, Key, Operation, Stored};
use crate::write::{self, DeleteOptions, FOREGROUND, ORPHAN, Propagation, Update};

const SWEEP: Duration = Duration::from_secs(300);
/// Events live this long after their last change.
const EVENT_LIFETIME_MS: i64 = 60 * 60 * 1000;
/// Watches can go on from this far back.
const HISTORY_MS: i64 = 10 * 60 * 1000;
const HISTORY_CHANGES: usize = 10_000;

/// Runs until the API closes.
pub(crate) async fn run(server: Arc<Server>, mut changes: UnboundedReceiver<Arc<Change>>) {
    resume(&server).await;
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = server.closing.cancelled() => return,
            change = changes.recv() => match change {
                Some(change) => react(&server, &change).await,
                None => return,
            },
            _ = sweep.tick() => sweep_once(&server).await,
        }
    }
}

/// Removes old events, then forgets old history.
pub(crate) async fn sweep_once(server: &Server) {
    let now = server.now();
    let old: Vec<Key> = {
        let state = server.store.state();
        let events = state.list(EVENTS, None).objects;
        events.into_iter().filter(|event| event.at < now - EVENT_LIFETIME_MS).map(|event| event.key).collect()
    };
    for key in old {
        delete(server, &key, Propagation::Background).await;
    }
    let (floor, current) = {
        let state = server.store.state();
        (state.floor_for(now - HISTORY_MS, HISTORY_CHANGES), state.floor())
    };
    if floor > current
        && let Err(error) = server.store.compact(floor).await
    {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the object log could not be compacted; trying again later"
        );
    }
}

/// What was left undone when the process ended.
async fn resume(server: &Server) {
    let left: Vec<Stored> = {
        let state = server.store.state();
        state.all().filter(|stored| needs_attention(stored)).cloned().collect()
    };
    for stored in left {
        settle(server, &stored.key, &stored.object).await;
    }
}

fn needs_attention(stored: &Stored) -> bool {
    meta::is_deleting(&stored.object) || meta::owner_uids(&stored.object).next().is_some()
}

async fn react(server: &Server, change: &Change) {
    if change.operation != Operation::Delete {
        settle(server, &change.key, &change.object).await;
        return;
    }
    let (dependents, owners, namespace) = {
        let state = server.store.state();
        let owners: Vec<Stored> =
            meta::owner_uids(&change.object).filter_map(|uid| state.by_uid(uid).cloned()).collect();
        let namespace = state.get(&Key::new(NAMESPACES, "", &change.key.namespace)).cloned();
        (state.dependents(meta::uid(&change.object)), owners, namespace)
    };
    for key in dependents {
        collect(server, &key).await;
    }
    // The last dependent of an owner that waits for it, the last object of a namespace or CRD in deletion.
    for stored in owners.into_iter().chain(namespace).filter(|stored| meta::is_deleting(&stored.object)) {
        settle(server, &stored.key, &stored.object).await;
    }
    if let Some(document) = crd_of(server, &change.key.resource).filter(|document| meta::is_deleting(&document.object))
    {
        settle(server, &document.key, &document.object).await;
    }
}

/// Moves an object on that is in deletion or has owners.
async fn settle(server: &Server, key: &Key, object: &Value) {
    if meta::is_deleting(object) {
        let finalizers = meta::finalizers(object);
        let has = |name: &str| finalizers.iter().any(|finalizer| finalizer == name);
        if has(ORPHAN) {
            orphan(server, key, object).await;
        }
        if has(FOREGROUND) {
            foreground(server, key, object).await;
        }
        if key.resource == NAMESPACES {
            end_namespace(server, key).await;
        }
        if key.resource == CRDS && has(CLEANUP_FINALIZER) {
            end_crd(server, key, object).await;
        }
    } else if meta::owner_uids(object).next().is_some() {
        collect(server, key).await;
    }
}

/// Deletes an object whose owners are all gone; takes the gone ones off an object that still has others.
async fn collect(server: &Server, key: &Key) {
    let registry = server.registry();
    let (live, gone) = {
        let state = server.store.state();
        let Some(stored) = state.get(key).filter(|stored| !meta::is_deleting(&stored.object)) else { return };
        let owners = stored.object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
        owners.into_iter().partition::<Vec<Value>, _>(|owner| {
            let text = |field: &str| owner[field].as_str().unwrap_or_default();
            // An owner of a kind that is not served here cannot be looked up, so it counts as alive.
            !registry.knows(text("apiVersion"), text("kind")) || state.by_uid(text("uid")).is_some()
        })
    };
    if gone.is_empty() {
        return;
    }
    if live.is_empty() {
        delete(server, key, Propagation::Background).await;
    } else {
        patch(server, key, "", &json!({"metadata": {"ownerReferences": live}})).await;
    }
}

async fn orphan(server: &Server, key: &Key, object: &Value) {
    let uid = meta::uid(object);
    let dependents = server.store.state().dependents(uid);
    for dependent in dependents {
        let Some(stored) = server.store.get(&dependent) else { continue };
        let owners = stored.object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
        let others: Vec<Value> = owners.into_iter().filter(|owner| owner["uid"] != uid).collect();
        let others = if others.is_empty() { Value::Null } else { others.into() };
        patch(server, &dependent, "", &json!({"metadata": {"ownerReferences": others}})).await;
    }
    release(server, key, object, ORPHAN).await;
}

async fn foreground(server: &Server, key: &Key, object: &Value) {
    let dependents = server.store.state().dependents(meta::uid(object));
    for dependent in &dependents {
        let Some(stored) = server.store.get(dependent) else { continue };
        if !meta::is_deleting(&stored.object) {
            delete(server, dependent, Propagation::Foreground).await;
        }
    }
    if server.store.state().dependents(meta::uid(object)).is_empty() {
        release(server, key, object, FOREGROUND).await;
    }
}

async fn end_namespace(server: &Server, key: &Key) {
    let contents = server.store.state().in_namespace(&key.name);
    for inside in contents {
        let deleting = server.store.get(&inside).is_none_or(|stored| meta::is_deleting(&stored.object));
        if !deleting {
            delete(server, &inside, Propagation::Background).await;
        }
    }
    if server.store.state().in_namespace(&key.name).is_empty() {
        patch(server, key, "finalize", &json!({"spec": {"finalizers": []}})).await;
    }
}

async fn end_crd(server: &Server, key: &Key, object: &Value) {
    let storage = storage_of(object);
    let instances: Vec<Stored> = server.store.state().list(&storage, None).objects;
    for instance in instances.iter().filter(|stored| !meta::is_deleting(&stored.object)) {
        delete(server, &instance.key, Propagation::Background).await;
    }
    if server.store.state().list(&storage, None).objects.is_empty() {
        release(server, key, object, CLEANUP_FINALIZER).await;
    }
}

fn storage_of(document: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text(&document["spec"]["group"]), text(&document["spec"]["names"]["plural"]))
}

fn crd_of(server: &Server, storage: &str) -> Option<Stored> {
    let (group, plural) = storage.split_once('/')?;
    server.store.get(&Key::new(CRDS, "", &format!("{plural}.{group}")))
}

async fn release(server: &Server, key: &Key, object: &Value, finalizer: &str) {
    let Some(stored) = server.store.get(key).filter(|stored| meta::uid(&stored.object) == meta::uid(object)) else {
        return;
    };
    let rest: Vec<String> = meta::finalizers(&stored.object).into_iter().filter(|each| each != finalizer).collect();
    let rest = if rest.is_empty() { Value::Null } else { json!(rest) };
    let body = json!({"metadata": {"finalizers": rest, "resourceVersion": stored.revision.to_string()}});
    patch(server, key, "", &body).await;
}

fn request(server: &Server, key: &Key, subresource: &str) -> Option<Request> {
    Some(Request {
        user: User { name: "system:apiserver".to_owned(), groups: vec!["system:masters".to_owned()] },
        resource: server.registry().stored_as(&key.resource)?,
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        subresource: subresource.to_owned(),
        options: Options::default(),
        user_agent: "homeostat-apiserver".to_owned(),
    })
}

async fn delete(server: &Server, key: &Key, propagation: Propagation) {
    let Some(request) = request(server, key, "") else { return };
    if let Err(failure) = write::delete_one(server, &request, &DeleteOptions::of(propagation)).await {
        report(key, &failure);
    }
}

async fn patch(server: &Server, key: &Key, subresource: &str, body: &Value) {
    let Some(request) = request(server, key, subresource) else { return };
    let body = body.to_string();
    let update = Update::Patch { media: "application/merge-patch+json", body: body.as_bytes() };
    if let Err(failure) = write::update(server, &request, update).await {
        report(key, &failure);
    }
}

/// Not found and conflict mean that a later change of the object comes through here as well.
fn report(key: &Key, failure: &Failure) {
    if !matches!(failure.code.as_u16(), 404 | 409) {
        tracing::warn!(
            object.resource = key.resource,
            object.namespace = key.namespace,
            object.name = key.name,
            reason = failure.message,
            "the garbage collector could not finish with an object; it tries again at its next change or start"
        );
    }
}
