//! Strategic merge patch for the built-in kinds served here.
//!
//! Maps merge; lists with a merge key merge by it (owner references, conditions), lists of plain values with a merge
//! strategy unite (finalizers), other lists are replaced. `$patch: delete|replace|merge` and `$deleteFromPrimitiveList` are
//! honoured; `$setElementOrder` and `$retainKeys` are dropped.

use serde_json::{Map, Value};

use crate::status::Failure;

pub(crate) fn merge(object: &mut Value, patch: &Value) -> Result<(), Failure> {
    let (Some(target), Some(patch)) = (object.as_object_mut(), patch.as_object()) else {
        return Err(Failure::bad_request("error decoding patch: a strategic merge patch is an object"));
    };
    merge_map(target, patch, "")
}

fn merge_map(target: &mut Map<String, Value>, patch: &Map<String, Value>, path: &str) -> Result<(), Failure> {
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            *target = patch.iter().filter(|(key, _)| *key != "$patch").map(|(k, v)| (k.clone(), v.clone())).collect();
            return Ok(());
        }
        Some("delete") => {
            target.clear();
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(Failure::bad_request(format!("Unknown patch type found: {other}"))),
    }
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(list), Some(gone)) = (target.get_mut(field).and_then(Value::as_array_mut), value.as_array()) {
                list.retain(|each| !gone.contains(each));
            }
            continue;
        }
        if key.starts_with('$') {
            continue;
        }
        let at = format!("{path}.{key}");
        match value {
            Value::Null => {
                target.remove(key);
            }
            Value::Object(fields) => {
                let current = target.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
                if !current.is_object() {
                    *current = Value::Object(Map::new());
                }
                if let Some(current) = current.as_object_mut() {
                    merge_map(current, fields, &at)?;
                }
                if fields.get("$patch").and_then(Value::as_str) == Some("delete") {
                    target.remove(key);
                }
            }
            Value::Array(items) => {
                let current = target.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
                target.insert(key.clone(), merge_list(current, items, &at)?.into());
            }
            other => {
                target.insert(key.clone(), other.clone());
            }
        }
    }
    Ok(())
}

fn merge_list(mut current: Vec<Value>, items: &[Value], path: &str) -> Result<Vec<Value>, Failure> {
    let directive = |item: &Value| item["$patch"].as_str().map(str::to_owned);
    if items.iter().any(|item| directive(item).as_deref() == Some("replace")) {
        return Ok(items.iter().filter(|item| directive(item).is_none()).cloned().collect());
    }
    let key = match path {
        ".metadata.finalizers" => {
            for item in items {
                if !current.contains(item) {
                    current.push(item.clone());
                }
            }
            return Ok(current);
        }
        ".metadata.ownerReferences" => "uid",
        ".status.conditions" => "type",
        _ => return Ok(items.to_vec()),
    };
    for item in items {
        let Some(identity) = item.get(key) else {
            return Err(Failure::bad_request(format!("map: {item} does not contain declared merge key: {key}")));
        };
        let position = current.iter().position(|each| each.get(key) == Some(identity));
        if directive(item).as_deref() == Some("delete") {
            position.map(|position| current.remove(position));
            continue;
        }
        match (position.and_then(|position| current.get_mut(position)).and_then(Value::as_object_mut), item.as_object())
        {
            (Some(target), Some(fields)) => merge_map(target, fields, path)?,
            _ => current.push(item.clone()),
        }
    }
    Ok(current)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::merge;

    #[test]
    fn maps_merge_and_lists_merge_by_key() {
        let mut object = json!({
            "metadata": {"labels": {"a": "1", "b": "2"}, "finalizers": ["x/y"], "ownerReferences": [{"uid": "1", "name": "n"}, {"uid": "2"}]},
            "data": {"k": "v"},
            "other": [1, 2],
        });
        let patch = json!({
            "$setElementOrder/finalizers": [],
            "metadata": {
                "labels": {"a": null, "c": "3"},
                "finalizers": ["x/z"],
                "ownerReferences": [{"uid": "1", "name": "m"}, {"uid": "2", "$patch": "delete"}, {"uid": "3"}],
            },
            "data": {"$patch": "replace", "n": "w"},
            "other": [3],
        });
        merge(&mut object, &patch).unwrap();
        assert_eq!(
            object,
            json!({
                "metadata": {"labels": {"b": "2", "c": "3"}, "finalizers": ["x/y", "x/z"], "ownerReferences": [{"uid": "1", "name": "m"}, {"uid": "3"}]},
                "data": {"n": "w"},
                "other": [3],
            })
        );
    }
}
