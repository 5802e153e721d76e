//! One stored object as the several versions and groups show it.
//!
//! Custom resources differ between versions only in apiVersion (conversion strategy None). Events are stored as core v1 and
//! shown as events.k8s.io/v1 too.

use serde_json::{Value, json};

use crate::resource::{Resource, Rules};

/// The names of one field in core v1 and in events.k8s.io/v1.
const EVENT_FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// The stored object in the form of `resource`.
pub(crate) fn show(resource: &Resource, stored: &Value) -> Value {
    let mut object = stored.clone();
    if is_new_event(resource) {
        rename(&mut object, |(core, new)| (core, new));
    }
    object["apiVersion"] = resource.api_version().into();
    object["kind"] = resource.kind.clone().into();
    object
}

/// The reverse of [`show`].
pub(crate) fn store(resource: &Resource, mut object: Value) -> Value {
    if is_new_event(resource) {
        rename(&mut object, |(core, new)| (new, core));
        object["apiVersion"] = "v1".into();
    }
    object
}

/// The object as `PartialObjectMetadata`.
pub(crate) fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

fn is_new_event(resource: &Resource) -> bool {
    resource.rules == Rules::Event && !resource.group.is_empty()
}

fn rename(object: &mut Value, direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str)) {
    let Some(map) = object.as_object_mut() else { return };
    for names in EVENT_FIELDS {
        let (from, to) = direction(*names);
        if let Some(value) = map.remove(from) {
            map.insert(to.to_owned(), value);
        }
    }
}
