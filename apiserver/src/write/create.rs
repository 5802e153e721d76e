//! Creating.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::admit::admit;
use super::{check_namespace, check_type};
use crate::answer::{Answer, Payload};
use crate::builtin::{CRDS, NAMESPACES};
use crate::decode;
use crate::identity;
use crate::meta;
use crate::request::Request;
use crate::resource::{Resource, Rules};
use crate::server::Server;
use crate::status::Failure;
use crate::store::{Key, Operation, Transaction};
use crate::view;

/// The metadata that a client cannot set.
const SYSTEM_FIELDS: &[&str] = &[
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
    "managedFields",
    "resourceVersion",
];

/// Creates the object in the body.
pub(crate) async fn create(server: &Server, request: &Request, media: &str, body: &[u8]) -> Result<Answer, Failure> {
    let resource = &request.resource;
    let mut decoded = decode::object(media, body, &resource.kind)?;
    let dry_run = request.options.dry_run("CreateOptions")?;
    let validation = request.options.field_validation("CreateOptions")?;
    check_type(resource, &mut decoded, body)?;
    let mut object = decoded.value;
    check_namespace(request, &mut object)?;
    if !request.name.is_empty() && meta::name(&object) != request.name {
        return Err(Failure::bad_request("the name of the object does not match the name on the URL"));
    }
    if !meta::text(&object, "resourceVersion").is_empty() {
        return Err(Failure::unclassified("resourceVersion should not be set on objects to be created"));
    }
    let mut transaction = server.store.begin().await;
    if resource.is_custom() && is_terminating(&transaction, resource) {
        return Err(Failure::method_not_allowed(resource, "create"));
    }
    let generated = meta::name(&object).is_empty() && !meta::text(&object, "generateName").is_empty();
    if generated {
        generate_name(&transaction, request, &mut object)?;
    }
    check_target(&transaction, request, meta::name(&object))?;
    stamp(server, resource, &mut object)?;
    let warnings = admit(request, &mut object, None, &decoded.duplicates, validation, false)?;
    let key = Key::new(&resource.storage, &request.namespace, meta::name(&object));
    if let Some(existing) = transaction.get(&key) {
        let deleting = meta::is_deleting(&existing.object);
        return Err(Failure::already_exists(resource, &key.name, deleting));
    }
    let stored = view::store(resource, object);
    let shown = if dry_run {
        view::show(resource, &stored)
    } else {
        let change = server.commit(&mut transaction, request, "create", Operation::Create, &key, stored).await?;
        view::show(resource, &change.object)
    };
    Ok(Answer { code: StatusCode::CREATED, payload: Payload::Object(shown), warnings })
}

/// The CRD is in deletion: what is there may go, nothing new may come.
fn is_terminating(transaction: &Transaction<'_>, resource: &Resource) -> bool {
    let document = transaction.get(&Key::new(CRDS, "", &resource.qualified()));
    document.is_some_and(|document| meta::is_deleting(&document.object))
}

/// The namespace must exist and stay.
fn check_target(transaction: &Transaction<'_>, request: &Request, name: &str) -> Result<(), Failure> {
    if !request.resource.namespaced {
        return Ok(());
    }
    let namespace = transaction.get(&Key::new(NAMESPACES, "", &request.namespace));
    match namespace {
        Some(namespace) if meta::is_deleting(&namespace.object) => {
            Err(Failure::namespace_terminating(&request.resource, name, &request.namespace))
        }
        Some(_) => Ok(()),
        None => Err(Failure::no_namespace(&request.namespace)),
    }
}

fn generate_name(transaction: &Transaction<'_>, request: &Request, object: &mut Value) -> Result<(), Failure> {
    let prefix = meta::text(object, "generateName").to_owned();
    for _ in 0..8 {
        let name = identity::generated_name(&prefix)?;
        let key = Key::new(&request.resource.storage, &request.namespace, &name);
        if transaction.get(&key).is_none() {
            meta::set(object, "name", name);
            return Ok(());
        }
    }
    Err(Failure::already_exists(&request.resource, &prefix, false))
}

fn stamp(server: &Server, resource: &Resource, object: &mut Value) -> Result<(), Failure> {
    for field in SYSTEM_FIELDS {
        meta::remove(object, field);
    }
    meta::set(object, "uid", identity::uid()?);
    meta::set(object, "creationTimestamp", meta::timestamp(server.now()));
    if resource.has_generation() {
        meta::set(object, "generation", 1);
    }
    if resource.status
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
    if resource.rules == Rules::Namespace {
        object["spec"] = json!({"finalizers": ["kubernetes"]});
    }
    Ok(())
}
