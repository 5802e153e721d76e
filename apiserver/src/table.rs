//! Objects as rows of a `Table`, what `kubectl get` prints.

use serde_json::{Value, json};

use crate::jsonpath;
use crate::meta;
use crate::resource::{Column, Resource, Rules};
use crate::view;

const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may \
                    allow a client to request the generation of an appropriate name automatically. Name is primarily \
                    intended for creation idempotence and configuration definition. Cannot be updated. More info: \
                    https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";

/// What of the object a row carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IncludeObject {
    None,
    Metadata,
    Object,
}

impl IncludeObject {
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "None" => Self::None,
            "Object" => Self::Object,
            _ => Self::Metadata,
        }
    }
}

/// A table of `objects` (as shown) with the given list metadata. `now_ms` is for ages.
pub(crate) fn table(
    resource: &Resource,
    objects: &[Value],
    metadata: Value,
    include: IncludeObject,
    now_ms: i64,
) -> Value {
    let rows: Vec<Value> = objects.iter().map(|object| row(resource, object, include, now_ms)).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": definitions(resource), "rows": rows,
    })
}

/// A duration as kubectl prints ages: `5s`, `3m20s`, `7h15m`, `12d`.
pub(crate) fn human_duration(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    let seconds = seconds.max(0);
    let (minutes, hours, days, years) = (seconds / 60, seconds / 3600, seconds / 86_400, seconds / (365 * 86_400));
    let pair = |big: i64, unit: &str, small: i64, part: &str| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{part}") }
    };
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        pair(minutes, "m", seconds % 60, "s")
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        pair(hours, "h", minutes % 60, "m")
    } else if hours < 48 {
        format!("{hours}h")
    } else if days < 8 {
        pair(days, "d", hours % 24, "h")
    } else if days < 730 {
        format!("{days}d")
    } else if years < 8 {
        pair(years, "y", days % 365, "d")
    } else {
        format!("{years}y")
    }
}

fn definitions(resource: &Resource) -> Vec<Value> {
    let definition = |name: &str, kind: &str, format: &str, description: &str, priority: i64| json!({"name": name, "type": kind, "format": format, "description": description, "priority": priority});
    let own = resource
        .columns
        .iter()
        .map(|column| definition(&column.name, &column.kind, &column.format, &column.description, column.priority));
    // An event's name comes last and only with `-o wide`.
    if resource.rules == Rules::Event {
        return own.chain([definition("Name", "string", "name", NAME, 1)]).collect();
    }
    [definition("Name", "string", "name", NAME, 0)].into_iter().chain(own).collect()
}

fn row(resource: &Resource, object: &Value, include: IncludeObject, now_ms: i64) -> Value {
    let name = Value::from(meta::name(object));
    let own = resource.columns.iter().map(|column| cell(resource, column, object, now_ms));
    let cells: Vec<Value> = match resource.rules {
        Rules::Event => own.chain([name]).collect(),
        _ => [name].into_iter().chain(own).collect(),
    };
    match include {
        IncludeObject::None => json!({"cells": cells, "object": null}),
        IncludeObject::Metadata => json!({"cells": cells, "object": view::partial(object)}),
        IncludeObject::Object => json!({"cells": cells, "object": object}),
    }
}

fn cell(resource: &Resource, column: &Column, object: &Value, now_ms: i64) -> Value {
    match (resource.rules, column.name.as_str()) {
        (Rules::ConfigMap | Rules::Secret, "Data") => {
            let count = |field: &str| object[field].as_object().map_or(0, serde_json::Map::len);
            return (count("data") + count("binaryData")).into();
        }
        (Rules::Event, name) => return event_cell(name, object, now_ms),
        (Rules::CustomResourceDefinition, _) => return object["metadata"]["creationTimestamp"].clone(),
        _ => {}
    }
    let found = jsonpath::find(object, &column.path);
    let value = found.first().copied().unwrap_or(&Value::Null);
    if resource.is_custom() && value.is_null() {
        return Value::Null;
    }
    match column.kind.as_str() {
        "date" => age(value, now_ms),
        _ if column.name == "Age" && !resource.is_custom() => age(value, now_ms),
        "integer" => value.as_i64().map_or(Value::Null, Value::from),
        "number" => {
            if value.is_number() {
                value.clone()
            } else {
                Value::Null
            }
        }
        "boolean" => value.as_bool().map_or(Value::Null, Value::from),
        _ => match value {
            Value::String(_) => value.clone(),
            Value::Null => "".into(),
            other => other.to_string().into(),
        },
    }
}

fn event_cell(column: &str, object: &Value, now_ms: i64) -> Value {
    let text = |paths: &[&str]| -> String {
        let pointer = |path: &&str| object.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
        paths.iter().find_map(pointer).unwrap_or_default().to_owned()
    };
    let about = if object["involvedObject"].is_object() { &object["involvedObject"] } else { &object["regarding"] };
    match column {
        "Last Seen" => {
            let seen = ["/series/lastObservedTime", "/lastTimestamp", "/deprecatedLastTimestamp", "/eventTime"];
            age(&text(&seen).into(), now_ms)
        }
        "First Seen" => {
            let seen = ["/firstTimestamp", "/deprecatedFirstTimestamp", "/eventTime", "/metadata/creationTimestamp"];
            age(&text(&seen).into(), now_ms)
        }
        "Object" => {
            let kind = about["kind"].as_str().unwrap_or_default().to_lowercase();
            format!("{kind}/{}", about["name"].as_str().unwrap_or_default()).into()
        }
        "Subobject" => about["fieldPath"].as_str().unwrap_or_default().into(),
        "Source" => {
            let who = text(&[
                "/source/component",
                "/deprecatedSource/component",
                "/reportingComponent",
                "/reportingController",
            ]);
            let place = text(&["/source/host", "/deprecatedSource/host", "/reportingInstance"]);
            if place.is_empty() { who.into() } else { format!("{who}, {place}").into() }
        }
        "Message" => text(&["/message", "/note"]).trim().into(),
        "Count" => {
            let count = [&object["series"]["count"], &object["count"], &object["deprecatedCount"]];
            count.into_iter().find_map(Value::as_i64).unwrap_or(1).into()
        }
        "Type" => text(&["/type"]).into(),
        "Reason" => text(&["/reason"]).into(),
        _ => Value::Null,
    }
}

fn age(value: &Value, now_ms: i64) -> Value {
    match value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()) {
        Some(then) => human_duration(now_ms - then.as_millisecond()).into(),
        None => "<unknown>".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::human_duration;

    #[test]
    fn durations_read_as_kubectl_prints_them() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (601, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (26_100, "7h15m"),
            (100_000, "27h"),
            (180_000, "2d2h"),
            (86_400 * 20, "20d"),
            (86_400 * 800, "2y70d"),
        ] {
            assert_eq!(human_duration(seconds * 1000), text);
        }
    }
}
