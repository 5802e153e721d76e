//! Deleting: at once, or by a deletionTimestamp while finalizers hold the object.

use serde_json::Value;

use super::update::is_released;
use crate::answer::{Answer, Payload};
use crate::crd::CLEANUP_FINALIZER;
use crate::decode;
use crate::meta;
use crate::read;
use crate::request::Request;
use crate::resource::Rules;
use crate::selectors::Selector;
use crate::server::Server;
use crate::status::{self, Cause, Failure};
use crate::store::{Key, Operation};
use crate::view;

/// Set while the dependents of an object go first.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
/// Set while the dependents of an object are let go.
pub(crate) const ORPHAN: &str = "orphan";

/// What happens to the dependents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

/// How to delete.
#[derive(Debug, Clone)]
pub(crate) struct DeleteOptions {
    /// None: whatever finalizers are set already.
    propagation: Option<Propagation>,
    uid: Option<String>,
    resource_version: Option<String>,
    dry_run: bool,
}

impl DeleteOptions {
    pub(crate) fn of(propagation: Propagation) -> Self {
        Self { propagation: Some(propagation), uid: None, resource_version: None, dry_run: false }
    }

    /// From the body, where there is one, and the query.
    pub(crate) fn parse(request: &Request, media: &str, body: &[u8]) -> Result<Self, Failure> {
        let given = if body.is_empty() { Value::Null } else { decode::object(media, body, "DeleteOptions")?.value };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut dry_run = request.options.dry_run("DeleteOptions")?;
        for value in given["dryRun"].as_array().into_iter().flatten() {
            if value != "All" {
                let cause = Cause::unsupported("dryRun", &given["dryRun"], &["All".into()]);
                return Err(Failure::options("DeleteOptions", cause));
            }
            dry_run = true;
        }
        let policy = text(&given["propagationPolicy"])
            .or_else(|| Some(request.options.get("propagationPolicy").to_owned()).filter(|policy| !policy.is_empty()));
        let orphan = given["orphanDependents"]
            .as_bool()
            .or_else(|| request.options.has("orphanDependents").then(|| request.options.flag("orphanDependents")));
        let propagation = match (policy.as_deref(), orphan) {
            (None, None) => None,
            (None, Some(true)) | (Some("Orphan"), _) => Some(Propagation::Orphan),
            (None, Some(false)) | (Some("Background"), _) => Some(Propagation::Background),
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some(other), _) => {
                let supported: [Value; 4] = ["Foreground".into(), "Background".into(), "Orphan".into(), "nil".into()];
                let cause = Cause::unsupported("propagationPolicy", &other.into(), &supported);
                return Err(Failure::options("DeleteOptions", cause));
            }
        };
        let preconditions = &given["preconditions"];
        Ok(Self {
            propagation,
            uid: text(&preconditions["uid"]),
            resource_version: text(&preconditions["resourceVersion"]),
            dry_run,
        })
    }
}

/// Deletes the object that the request names.
pub(crate) async fn delete(server: &Server, request: &Request, media: &str, body: &[u8]) -> Result<Answer, Failure> {
    let options = DeleteOptions::parse(request, media, body)?;
    let payload = match delete_one(server, request, &options).await? {
        Deleted::Gone(object) => Payload::Plain(status::deleted(&request.resource, &request.name, meta::uid(&object))),
        Deleted::Going(object) => Payload::Object(object),
    };
    Ok(Answer::ok(payload))
}

/// Deletes what a collection's selectors choose; the deleted objects come back.
pub(crate) async fn delete_collection(
    server: &Server,
    request: &Request,
    media: &str,
    body: &[u8],
) -> Result<Answer, Failure> {
    let resource = &request.resource;
    let options = DeleteOptions::parse(request, media, body)?;
    let query = &request.options;
    let selector = Selector::parse(resource, query.get("labelSelector"), query.get("fieldSelector"))?;
    let snapshot = server.store.state().list(&resource.storage, request.namespace_filter());
    let revision = snapshot.revision;
    let chosen = read::choose(resource, &snapshot, &selector, None, 0).objects;
    let mut deleted = Vec::new();
    for object in chosen {
        let namespace = meta::text(&object, "namespace").to_owned();
        let one = Request { namespace, name: meta::name(&object).to_owned(), ..request.clone() };
        match delete_one(server, &one, &options).await {
            Ok(Deleted::Gone(object) | Deleted::Going(object)) => deleted.push(object),
            // Somebody else was faster.
            Err(failure) if failure.code == axum::http::StatusCode::NOT_FOUND => {}
            Err(failure) => return Err(failure),
        }
    }
    let metadata = serde_json::json!({"resourceVersion": revision.to_string()});
    Ok(Answer::ok(Payload::List(deleted, metadata)))
}

/// What became of the object.
pub(crate) enum Deleted {
    /// It is gone; its last state.
    Gone(Value),
    /// It waits for its finalizers; its state now.
    Going(Value),
}

/// Deletes one object by the rules of its kind.
pub(crate) async fn delete_one(
    server: &Server,
    request: &Request,
    options: &DeleteOptions,
) -> Result<Deleted, Failure> {
    let resource = &request.resource;
    let mut transaction = server.store.begin().await;
    let key = Key::new(&resource.storage, &request.namespace, &request.name);
    let stored = transaction.get(&key).ok_or_else(|| Failure::not_found(resource, &request.name))?;
    let old = view::show(resource, &stored.object);
    check_preconditions(request, options, &old)?;
    if resource.rules == Rules::Namespace && matches!(request.name.as_str(), "default" | "kube-system") {
        return Err(Failure::forbidden(resource, &request.name, "this namespace may not be deleted"));
    }
    let mut new = old.clone();
    let mut finalizers = meta::finalizers(&old);
    if let Some(propagation) = options.propagation {
        finalizers.retain(|finalizer| finalizer != FOREGROUND && finalizer != ORPHAN);
        match propagation {
            Propagation::Background => {}
            Propagation::Foreground => finalizers.push(FOREGROUND.to_owned()),
            Propagation::Orphan => finalizers.push(ORPHAN.to_owned()),
        }
    }
    if resource.rules == Rules::CustomResourceDefinition
        && !meta::is_deleting(&old)
        && !finalizers.iter().any(|finalizer| finalizer == CLEANUP_FINALIZER)
    {
        finalizers.push(CLEANUP_FINALIZER.to_owned());
    }
    meta::set_finalizers(&mut new, &finalizers);
    if is_released(resource, &new) {
        if options.dry_run {
            return Ok(Deleted::Gone(new));
        }
        let stored = view::store(resource, new);
        let change = server.commit(&mut transaction, request, "delete", Operation::Delete, &key, stored).await?;
        return Ok(Deleted::Gone(view::show(resource, &change.object)));
    }
    if !meta::is_deleting(&old) {
        meta::set(&mut new, "deletionTimestamp", meta::timestamp(server.now()));
        if resource.rules == Rules::CustomResourceDefinition
            && let Some(conditions) = new["status"]["conditions"].as_array_mut()
        {
            conditions.push(serde_json::json!({
                "type": "Terminating", "status": "True", "lastTransitionTime": meta::timestamp(server.now()),
                "reason": "InstanceDeletionPending",
                "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
            }));
        }
        match resource.rules {
            Rules::Namespace => new["status"]["phase"] = "Terminating".into(),
            Rules::CustomResourceDefinition => {}
            _ => meta::set(&mut new, "deletionGracePeriodSeconds", 0),
        }
        if resource.is_custom() {
            meta::set(&mut new, "generation", meta::generation(&old) + 1);
        }
    }
    if new == old || options.dry_run {
        return Ok(Deleted::Going(new));
    }
    let stored = view::store(resource, new);
    let change = server.commit(&mut transaction, request, "delete", Operation::Update, &key, stored).await?;
    Ok(Deleted::Going(view::show(resource, &change.object)))
}

fn check_preconditions(request: &Request, options: &DeleteOptions, old: &Value) -> Result<(), Failure> {
    let resource = &request.resource;
    let uid = meta::uid(old);
    if let Some(wanted) = options.uid.as_deref().filter(|wanted| *wanted != uid) {
        let why = format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). \
             The object might have been deleted and then recreated"
        );
        return Err(Failure::precondition(resource, &request.name, &why));
    }
    let version = meta::text(old, "resourceVersion");
    if let Some(wanted) = options.resource_version.as_deref().filter(|wanted| *wanted != version) {
        let why = format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({version}). \
             The object might have been modified"
        );
        return Err(Failure::precondition(resource, &request.name, &why));
    }
    Ok(())
}
