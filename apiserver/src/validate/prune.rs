//! Pruning and defaulting: the two passes that change an object before it is validated.

use serde_json::{Map, Value};

use super::schema::Schema;

/// Prunes an object; apiVersion, kind and metadata are always known at the root.
pub(crate) fn prune_root(schema: &Schema, object: &mut Value, unknown: &mut Vec<String>) {
    let Some(map) = object.as_object_mut() else { return };
    prune_map(schema, map, "", true, unknown);
}

/// Fills in defaults, also below values that are defaults themselves.
pub(crate) fn default(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, property) in &schema.properties {
                if !map.contains_key(name)
                    && let Some(value) = &property.default
                {
                    map.insert(name.clone(), value.clone());
                }
            }
            for (name, value) in map.iter_mut() {
                if let Some(schema) = schema.properties.get(name).or(schema.additional.as_deref()) {
                    default(schema, value);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                list.iter_mut().for_each(|item| default(items, item));
            }
        }
        _ => {}
    }
}

fn prune_map(schema: &Schema, map: &mut Map<String, Value>, path: &str, typed: bool, unknown: &mut Vec<String>) {
    let names: Vec<String> = map.keys().cloned().collect();
    for name in names {
        let own = typed && matches!(name.as_str(), "apiVersion" | "kind" | "metadata");
        if own {
            continue;
        }
        let declared = schema.properties.get(&name).or(schema.additional.as_deref());
        let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match declared {
            Some(declared) => {
                let Some(value) = map.get_mut(&name) else { continue };
                // A null that the schema does not allow is dropped (and then defaulted).
                if value.is_null() && !declared.nullable {
                    map.remove(&name);
                } else {
                    prune(declared, value, &at, unknown);
                }
            }
            None if schema.preserve_unknown => {}
            None => {
                map.remove(&name);
                unknown.push(at);
            }
        }
    }
}

fn prune(schema: &Schema, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            // A value without any declared structure is left to the type check.
            let structured = schema.kind.as_deref() == Some("object");
            if structured || schema.embedded || !schema.properties.is_empty() {
                prune_map(schema, map, path, schema.embedded, unknown);
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for (index, item) in list.iter_mut().enumerate() {
                    prune(items, item, &format!("{path}[{index}]"), unknown);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Validator;

    #[test]
    fn unknown_fields_go_and_nulls_are_defaulted() {
        let validator = Validator::compile(&json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "color": {"type": "string", "default": "red"},
            "n": {"type": "integer"},
            "maybe": {"type": "string", "nullable": true, "default": "x"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"v": {"type": "string", "default": "d"}}}},
            "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
        }}}}))
        .unwrap();
        let mut object = json!({"kind": "W", "metadata": {"name": "a"}, "extra": 1, "spec": {
            "color": null, "n": null, "maybe": null, "free": {"x": {"y": 1}}, "map": {"k": {"q": 1}}, "list": [{"a": "1", "b": 2}],
        }});
        let unknown = validator.prune(&mut object);
        validator.default(&mut object);
        assert_eq!(unknown, ["extra", "spec.list[0].b", "spec.map.k.q"]);
        assert_eq!(
            object,
            json!({"kind": "W", "metadata": {"name": "a"}, "spec": {
                "color": "red", "maybe": null, "free": {"x": {"y": 1}}, "map": {"k": {"v": "d"}}, "list": [{"a": "1"}],
            }})
        );
    }
}
