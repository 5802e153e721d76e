//! The scale subresource: a small view on a few fields.

use serde_json::{Value, json};

use crate::meta;
use crate::resource::Scale;

/// The `autoscaling/v1` Scale of an object.
pub(crate) fn of(paths: &Scale, object: &Value) -> Value {
    let number = |path: &str| object.pointer(&pointer(path)).and_then(Value::as_i64).unwrap_or(0);
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {},
        "spec": {"replicas": number(&paths.spec_replicas)},
        "status": {"replicas": number(&paths.status_replicas)},
    });
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        meta::copy(object, &mut scale, field);
    }
    let selector = paths.label_selector.as_deref().and_then(|path| object.pointer(&pointer(path)));
    if let Some(selector) = selector.and_then(Value::as_str) {
        scale["status"]["selector"] = selector.into();
    }
    scale
}

/// Sets the replicas that a Scale asks for.
pub(crate) fn apply(paths: &Scale, scale: &Value, object: &mut Value) {
    let mut at = object;
    for step in paths.spec_replicas.split('.').filter(|step| !step.is_empty()) {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[step];
    }
    *at = scale["spec"]["replicas"].clone();
}

fn pointer(path: &str) -> String {
    path.replace('.', "/")
}
