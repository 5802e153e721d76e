//! Replacing and patching, of objects and their subresources.

use axum::http::StatusCode;
use serde_json::Value;

use super::admit::admit;
use super::{check_namespace, check_type, scale};
use crate::answer::{Answer, Payload};
use crate::decode::{self, Decoded};
use crate::meta;
use crate::patch::Patch;
use crate::request::Request;
use crate::resource::{Resource, Rules, Scale};
use crate::server::Server;
use crate::status::{Cause, Failure};
use crate::store::{Key, Operation};
use crate::view;

/// What comes in the body.
pub(crate) enum Update<'a> {
    Put { media: &'a str, body: &'a [u8] },
    Patch { media: &'a str, body: &'a [u8] },
}

/// Writes the new state of an existing object.
pub(crate) async fn update(server: &Server, request: &Request, update: Update<'_>) -> Result<Answer, Failure> {
    let resource = &request.resource;
    let scaling = resource.scale.as_ref().filter(|_| request.subresource == "scale");
    let incoming = Incoming::parse(request, &update, scaling.is_some())?;
    let options_kind = if incoming.is_patch() { "PatchOptions" } else { "UpdateOptions" };
    let dry_run = request.options.dry_run(options_kind)?;
    let validation = request.options.field_validation(options_kind)?;
    let mut transaction = server.store.begin().await;
    let key = Key::new(&resource.storage, &request.namespace, &request.name);
    let stored = transaction.get(&key).ok_or_else(|| Failure::not_found(resource, &request.name))?;
    let old = view::show(resource, &stored.object);
    let (mut new, duplicates) = incoming.state(request, scaling, &old)?;
    check_identity(request, &incoming, scaling.is_some(), &old, &mut new)?;
    keep_system_fields(resource, &request.subresource, &old, &mut new);
    let warnings = admit(request, &mut new, Some(&old), &duplicates, validation, incoming.is_patch())?;
    if resource.has_generation() && desired(resource, &new) != desired(resource, &old) {
        meta::set(&mut new, "generation", meta::generation(&old) + 1);
    }
    meta::copy(&old, &mut new, "resourceVersion");
    let finished = meta::is_deleting(&new) && is_released(resource, &new);
    let shown = if (new == old && !finished) || dry_run {
        new
    } else {
        let operation = if finished { Operation::Delete } else { Operation::Update };
        let verb = if incoming.is_patch() { "patch" } else { "update" };
        let change =
            server.commit(&mut transaction, request, verb, operation, &key, view::store(resource, new)).await?;
        view::show(resource, &change.object)
    };
    let shown = scaling.map_or(shown.clone(), |paths| scale::of(paths, &shown));
    Ok(Answer { code: StatusCode::OK, payload: Payload::Object(shown), warnings })
}

/// Nothing holds the object any more.
pub(crate) fn is_released(resource: &Resource, object: &Value) -> bool {
    let held = resource.rules == Rules::Namespace
        && object["spec"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
    meta::finalizers(object).is_empty() && !held
}

enum Incoming {
    Object(Decoded),
    Patch(Patch),
}

impl Incoming {
    fn parse(request: &Request, update: &Update<'_>, scaling: bool) -> Result<Self, Failure> {
        let resource = &request.resource;
        match update {
            Update::Put { media, body } => {
                let kind = if scaling { "Scale" } else { &resource.kind };
                let mut decoded = decode::object(media, body, kind)?;
                if !scaling {
                    check_type(resource, &mut decoded, body)?;
                }
                Ok(Self::Object(decoded))
            }
            Update::Patch { media, body } => Patch::parse(resource, media, body).map(Self::Patch),
        }
    }

    fn is_patch(&self) -> bool {
        matches!(self, Self::Patch(_))
    }

    /// The wanted state and the duplicate fields.
    fn state(&self, request: &Request, scaling: Option<&Scale>, old: &Value) -> Result<(Value, Vec<String>), Failure> {
        let shown = scaling.map_or_else(|| old.clone(), |paths| scale::of(paths, old));
        let (given, duplicates) = match self {
            Self::Object(decoded) => (decoded.value.clone(), decoded.duplicates.clone()),
            Self::Patch(patch) => (patch.apply(&shown)?, Vec::new()),
        };
        let Some(paths) = scaling else { return Ok((given, duplicates)) };
        let mut object = old.clone();
        scale::apply(paths, &given, &mut object);
        if given["spec"]["replicas"].as_i64().is_none_or(|replicas| replicas < 0) {
            let replicas = &given["spec"]["replicas"];
            let cause = Cause::invalid("spec.replicas", replicas, "should be a non-negative integer");
            return Err(Failure::invalid(&request.resource.group, &request.resource.kind, &request.name, vec![cause]));
        }
        Ok((object, duplicates))
    }
}

/// Name, namespace, uid and resourceVersion must be those of the stored object.
fn check_identity(
    request: &Request,
    incoming: &Incoming,
    scaling: bool,
    old: &Value,
    new: &mut Value,
) -> Result<(), Failure> {
    let resource = &request.resource;
    let name = meta::name(new).to_owned();
    if name.is_empty() {
        meta::set(new, "name", request.name.clone());
    } else if name != request.name {
        return Err(Failure::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            request.name
        )));
    }
    check_namespace(request, new)?;
    let uid = meta::uid(new);
    if !uid.is_empty() && uid != meta::uid(old) {
        let key = if resource.namespaced {
            format!("/registry/{}/{}/{}", resource.storage.trim_start_matches('/'), request.namespace, request.name)
        } else {
            format!("/registry/{}/{}", resource.storage.trim_start_matches('/'), request.name)
        };
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: \
             Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            meta::uid(old)
        );
        return Err(Failure::conflict(resource, &request.name, &why));
    }
    let version = meta::text(new, "resourceVersion");
    if version.is_empty() {
        let unconditional = incoming.is_patch() || scaling || !resource.has_generation();
        if unconditional {
            return Ok(());
        }
        let cause = Cause::invalid("metadata.resourceVersion", &0.into(), "must be specified for an update");
        return Err(Failure::invalid(&resource.group, &resource.plural, &request.name, vec![cause]));
    }
    if version != meta::text(old, "resourceVersion") {
        return Err(Failure::modified(resource, &request.name));
    }
    Ok(())
}

/// What a write through this door cannot change stays as it was.
fn keep_system_fields(resource: &Resource, subresource: &str, old: &Value, new: &mut Value) {
    match subresource {
        "status" => {
            let status = new.get("status").cloned();
            *new = old.clone();
            put(new, "status", status);
        }
        "finalize" => {
            let finalizers = new["spec"]["finalizers"].clone();
            *new = old.clone();
            new["spec"]["finalizers"] = finalizers;
        }
        _ => {
            if resource.status {
                put(new, "status", old.get("status").cloned());
            }
            if resource.rules == Rules::Namespace {
                put(new, "spec", old.get("spec").cloned());
            }
        }
    }
    for field in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"] {
        meta::copy(old, new, field);
    }
    meta::remove(new, "selfLink");
    meta::remove(new, "managedFields");
    new["kind"] = old["kind"].clone();
    new["apiVersion"] = old["apiVersion"].clone();
}

fn put(object: &mut Value, field: &str, value: Option<Value>) {
    if let Some(map) = object.as_object_mut() {
        match value {
            Some(value) => map.insert(field.to_owned(), value),
            None => map.remove(field),
        };
    }
}

/// What metadata.generation counts: everything but metadata, and status where that is a subresource.
fn desired(resource: &Resource, object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("metadata");
        if resource.status {
            map.remove("status");
        }
    }
    object
}
