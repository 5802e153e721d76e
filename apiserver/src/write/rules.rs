//! The rules of the built-in kinds beyond their schemas.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::admit::cannot_be_handled;
use crate::crd;
use crate::meta;
use crate::resource::{Resource, Rules};
use crate::status::{Cause, Failure};

const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// Defaults and conversions of a kind.
pub(crate) fn prepare(resource: &Resource, object: &mut Value) -> Result<(), Failure> {
    match resource.rules {
        Rules::Secret => secret(resource, object),
        Rules::Namespace => {
            let name = meta::name(object).to_owned();
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name.into();
            if !object["status"]["phase"].is_string() {
                object["status"] = json!({"phase": "Active"});
            }
            Ok(())
        }
        Rules::CustomResourceDefinition => {
            let created = meta::text(object, "creationTimestamp").to_owned();
            if !object["spec"].is_object() || !object["spec"]["names"].is_object() {
                let cause = Cause::required("spec.names", "");
                return Err(Failure::invalid(&resource.group, &resource.kind, meta::name(object), vec![cause]));
            }
            crd::complete(object, &created);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What is wrong with the object beyond its types.
pub(crate) fn check(resource: &Resource, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    match resource.rules {
        Rules::ConfigMap | Rules::Secret => {
            let mut causes = Vec::new();
            for field in ["data", "binaryData"] {
                for key in object[field].as_object().into_iter().flatten().map(|(key, _)| key) {
                    if !is_config_key(key) {
                        causes.push(Cause::invalid(format!("{field}[{key}]"), &key.as_str().into(), CONFIG_KEY));
                    }
                }
            }
            if let Some(old) = old {
                causes.extend(immutable(resource, object, old));
            }
            causes
        }
        Rules::Event => event(object),
        Rules::Lease => {
            let seconds = &object["spec"]["leaseDurationSeconds"];
            let transitions = &object["spec"]["leaseTransitions"];
            let mut causes = Vec::new();
            if seconds.as_i64().is_some_and(|seconds| seconds <= 0) {
                causes.push(Cause::invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
            }
            if transitions.as_i64().is_some_and(|transitions| transitions < 0) {
                let why = "must be greater than or equal to 0";
                causes.push(Cause::invalid("spec.leaseTransitions", transitions, why));
            }
            causes
        }
        Rules::CustomResourceDefinition => {
            let mut causes = crd::check(object);
            for field in ["group", "scope"] {
                if let Some(old) = old
                    && old["spec"][field] != object["spec"][field]
                {
                    causes.push(Cause::invalid(format!("spec.{field}"), &object["spec"][field], "field is immutable"));
                }
            }
            causes
        }
        Rules::Namespace | Rules::Custom => Vec::new(),
    }
}

/// stringData goes into data; the type defaults to Opaque; data must be base64.
fn secret(resource: &Resource, object: &mut Value) -> Result<(), Failure> {
    if let Some(Value::Object(plain)) = object.as_object_mut().and_then(|map| map.remove("stringData")) {
        if !object["data"].is_object() {
            object["data"] = json!({});
        }
        for (key, value) in plain {
            object["data"][key] = STANDARD.encode(value.as_str().unwrap_or_default()).into();
        }
    }
    for value in object["data"].as_object().into_iter().flatten().map(|(_, value)| value) {
        let text = value.as_str().unwrap_or_default();
        if STANDARD.decode(text).is_err() {
            let at = text.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)));
            let at = at.unwrap_or(text.len());
            return Err(cannot_be_handled(resource, &format!("illegal base64 data at input byte {at}")));
        }
    }
    if object["data"].is_null()
        && let Some(map) = object.as_object_mut()
    {
        map.remove("data");
    }
    if object["type"].as_str().unwrap_or_default().is_empty() {
        object["type"] = "Opaque".into();
    }
    Ok(())
}

fn immutable(resource: &Resource, object: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if resource.rules == Rules::Secret && old["type"] != object["type"] {
        causes.push(Cause::invalid("type", &object["type"], "field is immutable"));
    }
    if old["immutable"] == true {
        for field in ["immutable", "data", "binaryData"] {
            if old.get(field) != object.get(field) {
                causes.push(Cause::forbidden(field, "field is immutable when `immutable` is set"));
            }
        }
    }
    causes
}

/// Core events need the object's namespace; events of the newer group need a time and a type besides.
fn event(object: &Value) -> Vec<Cause> {
    let core = object["apiVersion"] == "v1";
    let about = if core { &object["involvedObject"] } else { &object["regarding"] };
    let mut causes = Vec::new();
    let given = about["namespace"].as_str().unwrap_or_default();
    let wanted = meta::text(object, "namespace");
    if given != wanted && !(given.is_empty() && wanted == "default") {
        let why = "does not match event.namespace";
        causes.push(Cause::invalid("involvedObject.namespace", &given.into(), why));
    }
    if core {
        return causes;
    }
    if object["eventTime"].is_null() && object["deprecatedFirstTimestamp"].is_null() {
        causes.push(Cause::required("eventTime", ""));
    }
    if !matches!(object["type"].as_str(), Some("Normal" | "Warning")) {
        let kind = object["type"].as_str().unwrap_or_default();
        causes.push(Cause::invalid("type", &kind.into(), format!("has invalid value: {kind}")));
    }
    causes
}

fn is_config_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 253
        && key != "."
        && key != ".."
        && key.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}
