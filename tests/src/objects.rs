//! Objects as JSON, by whatever they were read: what tests look up in them again and again.

use serde_json::Value;

/// A condition of an object by its type; `Null` without one.
#[must_use]
pub fn condition<'a>(object: &'a Value, type_: &str) -> &'a Value {
    let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.find(|condition| condition["type"] == type_).unwrap_or(&Value::Null)
}

/// Status and reason of a condition, empty without one.
#[must_use]
pub fn state<'a>(object: &'a Value, type_: &str) -> (&'a str, &'a str) {
    let held = condition(object, type_);
    (held["status"].as_str().unwrap_or_default(), held["reason"].as_str().unwrap_or_default())
}

/// Kind and name of what an event is about, and its reason.
#[must_use]
pub fn event(event: &Value) -> (&str, &str, &str) {
    let object = &event["involvedObject"];
    let text = |value| Value::as_str(value).unwrap_or_default();
    (text(&object["kind"]), text(&object["name"]), text(&event["reason"]))
}

/// Name of an object.
#[must_use]
pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}
