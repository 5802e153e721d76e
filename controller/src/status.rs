//! Writing status: merge patches with the resourceVersion that was read, only what changed, and no more often than needed.

use std::collections::{BTreeMap, BTreeSet};

use homeostat_clock::UtcMillis;
use homeostat_crds::writers::writer_of;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::reconcile::ReconcileError;

/// What a condition should say.
#[derive(Clone, Debug)]
pub(crate) struct ConditionUpdate<'a> {
    /// Type.
    pub type_: &'a str,
    /// `True`, `False`, `Unknown`.
    pub status: &'a str,
    /// A documented constant.
    pub reason: &'a str,
    /// For people.
    pub message: String,
}

/// Sets a condition; the transition time moves only when the status does.
pub(crate) fn set_condition(
    conditions: &mut Vec<Condition>,
    generation: Option<i64>,
    now: UtcMillis,
    update: ConditionUpdate<'_>,
) {
    let mut message = update.message;
    if message.len() > 1024 {
        message = message.chars().take(1000).collect::<String>() + "…";
    }
    let held = conditions.iter_mut().find(|condition| condition.type_ == update.type_);
    match held {
        Some(held) => {
            if held.status != update.status {
                held.last_transition_time = time(now);
                held.status = update.status.to_string();
            }
            held.reason = update.reason.to_string();
            held.message = message;
            held.observed_generation = generation;
        }
        None => conditions.push(Condition {
            type_: update.type_.to_string(),
            status: update.status.to_string(),
            reason: update.reason.to_string(),
            message,
            last_transition_time: time(now),
            observed_generation: generation,
        }),
    }
}

/// The condition of a type, as (status, reason, message).
pub(crate) fn condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether a condition is `True`.
pub(crate) fn is_true(conditions: &[Condition], type_: &str) -> bool {
    condition(conditions, type_).is_some_and(|condition| condition.status == "True")
}

/// `Some(true)` for True, `Some(false)` for False, `None` for Unknown or absent.
pub(crate) fn decided(conditions: &[Condition], type_: &str) -> Option<bool> {
    match condition(conditions, type_)?.status.as_str() {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

/// A Kubernetes time; the epoch for a time outside what Kubernetes can write.
pub(crate) fn time(at: UtcMillis) -> Time {
    Time(k8s_openapi::jiff::Timestamp::from_millisecond(at.0).unwrap_or_default())
}

/// Our time of a Kubernetes time.
pub(crate) fn millis(time: &Time) -> UtcMillis {
    UtcMillis(time.0.as_millisecond())
}

/// Writes what differs between the status as it was read and as it should be. `Ok(None)` when nothing does.
///
/// # Errors
/// A conflict when the object has changed since it was read: reconcile again. A field that is not `writer`'s.
pub(crate) async fn write<K, S>(
    writer: &str,
    api: &Api<K>,
    object: &K,
    old: Option<&S>,
    new: &S,
) -> Result<Option<K>, ReconcileError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    S: Serialize,
{
    let old = old.map_or(Ok(Value::Null), serde_json::to_value).map_err(kube::Error::SerdeError)?;
    let new = serde_json::to_value(new).map_err(kube::Error::SerdeError)?;
    let Some(difference) = difference(&old, &new) else { return Ok(None) };
    let kind = K::kind(&());
    if let Some(field) = changed_fields(&old, &difference).find(|field| writer_of(&kind, field) != Some(writer)) {
        return Err(ReconcileError::NotTheWriter { kind: kind.into_owned(), field, writer: writer.to_string() });
    }
    let patch = json!({"metadata": {"resourceVersion": object.resource_version()}, "status": difference});
    Ok(Some(api.patch_status(&object.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await?))
}

/// What a merge patch of a status changes, as in [`homeostat_crds::writers`]: conditions by their type.
fn changed_fields<'a>(old: &'a Value, patch: &'a Value) -> impl Iterator<Item = String> + 'a {
    // A list that was not there and is empty says nothing: it is the default of a field that is another's.
    let says = |(field, new): &(&String, &Value)| !old[field.as_str()].is_null() || **new != json!([]);
    let changes = patch.as_object().into_iter().flatten().filter(says);
    changes.flat_map(|(field, new)| {
        if field != "conditions" {
            return vec![field.clone()];
        }
        let by_type = |list: &'a Value| -> BTreeMap<&'a str, &'a Value> {
            let conditions = list.as_array().into_iter().flatten();
            conditions.filter_map(|condition| Some((condition["type"].as_str()?, condition))).collect()
        };
        let (before, after) = (by_type(&old["conditions"]), by_type(new));
        let types: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
        let changed = types.into_iter().filter(|type_| before.get(type_) != after.get(type_));
        changed.map(|type_| format!("conditions/{type_}")).collect()
    })
}

/// The merge patch (RFC 7386) that turns `old` into `new`; `None` when they are equal.
fn difference(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        return (old != new).then(|| new.clone());
    };
    let mut patch = Map::new();
    for (key, value) in after {
        if let Some(change) = difference(before.get(key).unwrap_or(&Value::Null), value) {
            patch.insert(key.clone(), change);
        }
    }
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_conditions_are_named_by_their_type() {
        let old = json!({"phase": "a", "conditions": [{"type": "Placed", "status": "True"}, {"type": "Serving", "status": "False"}]});
        let new = json!({"phase": "a", "conditions": [{"type": "Placed", "status": "True"}, {"type": "Serving", "status": "True"}, {"type": "Evaluated", "status": "True"}]});
        let patch = difference(&old, &new).unwrap();
        let changed: Vec<String> = changed_fields(&old, &patch).collect();
        assert_eq!(changed, ["conditions/Evaluated", "conditions/Serving"]);
        let first = json!({"phase": "b", "drainedFor": []});
        assert_eq!(changed_fields(&Value::Null, &first).collect::<Vec<_>>(), ["phase"]);
        let emptied = (json!({"drainedFor": [1]}), json!({"drainedFor": []}));
        assert_eq!(changed_fields(&emptied.0, &emptied.1).collect::<Vec<_>>(), ["drainedFor"]);
    }

    #[test]
    fn a_difference_removes_what_is_gone() {
        let old = json!({"a": 1, "b": {"c": 2, "d": 3}, "list": [1]});
        let new = json!({"b": {"c": 2}, "list": [2]});
        assert_eq!(difference(&old, &new), Some(json!({"a": null, "b": {"d": null}, "list": [2]})));
        assert_eq!(difference(&new, &new), None);
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let mut conditions = Vec::new();
        let update =
            |status, message: &str| ConditionUpdate { type_: "Ready", status, reason: "Ok", message: message.into() };
        set_condition(&mut conditions, Some(1), UtcMillis(1000), update("True", "a"));
        set_condition(&mut conditions, Some(2), UtcMillis(2000), update("True", "b"));
        assert_eq!(millis(&conditions[0].last_transition_time), UtcMillis(1000));
        assert_eq!(conditions[0].message, "b");
        set_condition(&mut conditions, Some(2), UtcMillis(3000), update("False", "c"));
        assert_eq!(millis(&conditions[0].last_transition_time), UtcMillis(3000));
        assert_eq!(conditions.len(), 1);
    }
}
