//! What every new state of an object goes through: unknown fields, defaults, metadata rules, the kind's rules, the schema.

use serde_json::Value;

use super::rules;
use crate::builtin::METADATA;
use crate::query::FieldValidation;
use crate::request::Request;
use crate::resource::{Resource, Rules};
use crate::status::{Cause, Failure};
use crate::validate::metadata;

/// Prunes, defaults and checks `object` (as the request's version shows it); the warnings come back.
///
/// `patched`: the object came from a patch, which words a strict failure in another way.
pub(crate) fn admit(
    request: &Request,
    object: &mut Value,
    old: Option<&Value>,
    duplicates: &[String],
    validation: FieldValidation,
    patched: bool,
) -> Result<Vec<String>, Failure> {
    let resource = &request.resource;
    let before = if patched { object.clone() } else { Value::Null };
    let mut problems: Vec<String> = duplicates.iter().map(|path| format!("duplicate field \"{path}\"")).collect();
    decode_types(resource, object)?;
    problems.extend(prune(resource, object).iter().map(|path| format!("unknown field \"{path}\"")));
    let mut warnings = Vec::new();
    match validation {
        FieldValidation::Strict if !problems.is_empty() => {
            return Err(strict(resource, &before, patched, &problems));
        }
        FieldValidation::Warn => warnings = problems,
        _ => {}
    }
    if resource.is_custom() {
        resource.validator.default(object);
    }
    drop_empty_metadata(object);
    rules::prepare(resource, object)?;
    let label_name = resource.rules == Rules::Namespace;
    let mut causes = metadata::check(object, label_name);
    if let Some(old) = old {
        causes.extend(new_finalizers(old, object));
    }
    causes.extend(rules::check(resource, object, old));
    if resource.is_custom() {
        causes = resource.validator.check(object, old, causes);
    }
    if !causes.is_empty() {
        let name = crate::meta::name(object).to_owned();
        // An event is core's wherever it came in.
        let group = if resource.rules == Rules::Event { "" } else { &resource.group };
        let mut failure = Failure::invalid(group, &resource.kind, &name, causes);
        failure.warnings = warnings;
        return Err(failure);
    }
    warnings.extend(metadata::finalizer_warnings(object));
    Ok(warnings)
}

/// Built-in kinds are decoded into types; metadata always is.
fn decode_types(resource: &Resource, object: &Value) -> Result<(), Failure> {
    let mistyped = match object.get("metadata") {
        Some(metadata) => METADATA.mistyped("ObjectMeta.metadata", metadata),
        None => None,
    };
    let mistyped = match mistyped {
        None if !resource.is_custom() => resource.validator.mistyped(&resource.kind, object),
        other => other,
    };
    match mistyped {
        None => Ok(()),
        Some(why) => Err(cannot_be_handled(resource, &why)),
    }
}

pub(crate) fn cannot_be_handled(resource: &Resource, why: &str) -> Failure {
    let (kind, version) = (&resource.kind, &resource.version);
    Failure::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
}

fn prune(resource: &Resource, object: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    if let Some(metadata) = object.get_mut("metadata") {
        unknown.extend(METADATA.prune(metadata).into_iter().map(|path| format!("metadata.{path}")));
    }
    unknown.extend(resource.validator.prune(object));
    unknown
}

/// Empty maps and lists in the metadata are not kept.
fn drop_empty_metadata(object: &mut Value) {
    crate::meta::map(object).retain(|_, value| match value {
        Value::Null => false,
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    });
}

fn strict(resource: &Resource, patched_object: &Value, patched: bool, problems: &[String]) -> Failure {
    let why = format!("strict decoding error: {}", problems.join(", "));
    if patched {
        let value = Value::from(patched_object.to_string());
        return Failure::invalid("", "", "", vec![Cause::invalid("patch", &value, why)]);
    }
    cannot_be_handled(resource, &why)
}

/// An object in deletion takes no new finalizers.
fn new_finalizers(old: &Value, object: &Value) -> Option<Cause> {
    if !crate::meta::is_deleting(old) {
        return None;
    }
    let before = crate::meta::finalizers(old);
    let added: Vec<String> = crate::meta::finalizers(object)
        .into_iter()
        .filter(|finalizer| !before.contains(finalizer))
        .map(|finalizer| format!("{finalizer:?}"))
        .collect();
    (!added.is_empty()).then(|| {
        let why = "no new finalizers can be added if the object is being deleted, found new finalizers";
        Cause::forbidden("metadata.finalizers", format!("{why} []string{{{}}}", added.join(", ")))
    })
}
