//! Creating, updating, patching and deleting.
//!
//! ```text
//! body ─▶ decode ─▶ (patch) ─▶ system fields ─▶ admit: prune, default, rules, schema, CEL ─▶ commit
//! ```
//! All of it happens inside the store's one writer's turn, so what a write was decided on cannot change under it.

mod admit;
mod create;
mod delete;
mod rules;
pub(crate) mod scale;
mod update;

use serde_json::Value;

pub(crate) use create::create;
pub(crate) use delete::{DeleteOptions, FOREGROUND, ORPHAN, Propagation, delete, delete_collection, delete_one};
pub(crate) use update::{Update, update};

use crate::decode::Decoded;
use crate::request::Request;
use crate::resource::Resource;
use crate::status::{Cause, Failure};

/// Checks what the body says it is against what the path says; fills that in for built-in kinds.
fn check_type(resource: &Resource, decoded: &mut Decoded, body: &[u8]) -> Result<(), Failure> {
    let object = &mut decoded.value;
    if !object.is_object() {
        return Err(Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): the body is no object",
            resource.kind
        )));
    }
    let text = |object: &Value, field: &str| object[field].as_str().unwrap_or_default().to_owned();
    let (kind, version) = (text(object, "kind"), text(object, "apiVersion"));
    if !resource.is_custom() {
        if kind.is_empty() {
            object["kind"] = resource.kind.clone().into();
        }
        if version.is_empty() {
            object["apiVersion"] = resource.api_version().into();
        }
    } else if kind.is_empty() || version.is_empty() {
        let missing = if kind.is_empty() { "Kind" } else { "apiVersion" };
        let body = String::from_utf8_lossy(body);
        let short: String = body.chars().take(30).collect();
        return Err(Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): Object '{missing}' is missing in '{body}' ({short} ...)",
            resource.kind
        )));
    }
    let (kind, version) = (text(object, "kind"), text(object, "apiVersion"));
    if version != resource.api_version() {
        return Err(Failure::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({})",
            resource.api_version()
        )));
    }
    if kind != resource.kind {
        let cause = Cause::invalid("kind", &kind.as_str().into(), format!("must be {}", resource.kind));
        let name = crate::meta::name(object).to_owned();
        return Err(Failure::invalid(&resource.group, &kind, &name, vec![cause]));
    }
    Ok(())
}

/// The namespace of the body must be the path's.
fn check_namespace(request: &Request, object: &mut Value) -> Result<(), Failure> {
    if !request.resource.namespaced {
        crate::meta::remove(object, "namespace");
        return Ok(());
    }
    match crate::meta::text(object, "namespace") {
        "" => crate::meta::set(object, "namespace", request.namespace.clone()),
        given if given == request.namespace => {}
        _ => {
            return Err(Failure::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
    }
    Ok(())
}
