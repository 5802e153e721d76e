//! Structural validation of a value against its schema, with the messages of kube-apiserver.

use serde_json::Value;

use super::format;
use super::schema::Schema;
use crate::status::Cause;

/// Adds what is wrong with `value` at `path`.
pub(crate) fn check(schema: &Schema, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && schema.nullable {
        return;
    }
    if let Some(expected) = expected_types(schema, value) {
        let actual = type_name(value);
        causes.push(mismatch(path, actual, &format!("{path} in body must be of type {expected}: \"{actual}\"")));
        return;
    }
    if !schema.choices.is_empty() && !schema.choices.contains(value) {
        causes.push(Cause::unsupported(path, value, &schema.choices));
    }
    match value {
        Value::String(text) => check_text(schema, text, path, causes),
        Value::Number(number) => check_number(schema, number.as_f64().unwrap_or(f64::NAN), value, path, causes),
        Value::Array(list) => check_list(schema, list, path, causes),
        Value::Object(map) => check_map(schema, map, path, causes),
        _ => {}
    }
    check_combinations(schema, value, path, causes);
}

/// The first value of a wrong type, as Go's JSON decoder says it.
pub(crate) fn mistyped(schema: &Schema, kind: &str, value: &Value) -> Option<String> {
    mistyped_at(schema, kind, "", value)
}

fn mistyped_at(schema: &Schema, kind: &str, path: &str, value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    if expected_types(schema, value).is_some() {
        let actual = match type_name(value) {
            "boolean" => "bool",
            "integer" => "number",
            other => other,
        };
        let expected = match schema.kind.as_deref().unwrap_or_default() {
            "integer" if schema.format.as_deref() == Some("int32") => "int32",
            "integer" => "int64",
            "boolean" => "bool",
            other => other,
        };
        return Some(format!("json: cannot unmarshal {actual} into Go struct field {kind}.{path} of type {expected}"));
    }
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(map) => map.iter().find_map(|(name, value)| match schema.properties.get(name) {
            Some(property) => mistyped_at(property, kind, &below(name), value),
            // Go names the map, not its entry.
            None => mistyped_at(schema.additional.as_deref()?, kind, path, value),
        }),
        Value::Array(list) => {
            let items = schema.items.as_deref()?;
            list.iter().find_map(|item| mistyped_at(items, kind, path, item))
        }
        _ => None,
    }
}

/// The wanted types, when the value has none of them.
fn expected_types(schema: &Schema, value: &Value) -> Option<String> {
    if schema.int_or_string {
        return (!(value.is_string() || value.is_i64() || value.is_u64())).then(|| "integer,string".to_owned());
    }
    let kind = schema.kind.as_deref()?;
    let fits = match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        _ => true,
    };
    (!fits).then(|| kind.to_owned())
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// One complaint about the text itself, as in kube-apiserver, and one about its format.
fn check_text(schema: &Schema, text: &str, path: &str, causes: &mut Vec<Cause>) {
    let value = Value::from(text);
    let length = text.chars().count() as u64;
    let over = schema.max_length.filter(|most| length > *most);
    let under = schema.min_length.filter(|least| length < *least);
    let mismatched = schema.pattern.as_ref().filter(|pattern| !pattern.is_match(text));
    if let Some(most) = over {
        causes.push(too("FieldValueTooLong", path, format!("Too long: may not be more than {most} bytes")));
    } else if let Some(least) = under {
        causes.push(Cause::invalid(path, &value, format!("{path} in body should be at least {least} chars long")));
    } else if let Some(pattern) = mismatched {
        causes.push(Cause::invalid(path, &value, format!("{path} in body should match '{pattern}'")));
    }
    if let Some(format) = &schema.format
        && !schema.int_or_string
        && !format::holds(format, text)
    {
        causes.push(mismatch(path, text, &format!("{path} in body must be of type {format}: {value}")));
    }
}

fn check_number(schema: &Schema, number: f64, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let mut wrong = |why: String| causes.push(Cause::invalid(path, value, format!("{path} in body should be {why}")));
    if let Some((bound, exclusive)) = schema.minimum {
        match exclusive {
            true if number <= bound => wrong(format!("greater than {bound}")),
            false if number < bound => wrong(format!("greater than or equal to {bound}")),
            _ => {}
        }
    }
    if let Some((bound, exclusive)) = schema.maximum {
        match exclusive {
            true if number >= bound => wrong(format!("less than {bound}")),
            false if number > bound => wrong(format!("less than or equal to {bound}")),
            _ => {}
        }
    }
    if let Some(step) = schema.multiple_of
        && step > 0.0
        && ((number / step) - (number / step).round()).abs() > 1e-9
    {
        wrong(format!("a multiple of {step}"));
    }
    let range = match schema.format.as_deref() {
        Some("int32") => f64::from(i32::MIN)..=f64::from(i32::MAX),
        _ => return,
    };
    if !range.contains(&number) {
        causes.push(mismatch(path, "integer", &format!("{path} in body must be of type int32: \"integer\"")));
    }
}

fn check_list(schema: &Schema, list: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let length = list.len() as u64;
    if let Some(least) = schema.min_items
        && length < least
    {
        let value = Value::from(length);
        causes.push(Cause::invalid(path, &value, format!("{path} in body should have at least {least} items")));
    }
    if let Some(most) = schema.max_items
        && length > most
    {
        causes.push(too("FieldValueTooMany", path, format!("Too many: {length}: must have at most {most} items")));
    }
    if let Some(items) = &schema.items {
        for (index, item) in list.iter().enumerate() {
            check(items, item, &format!("{path}[{index}]"), causes);
        }
    }
    let identity = |item: &Value| -> Option<Value> {
        match schema.list_type.as_deref() {
            Some("set") => Some(item.clone()),
            Some("map") => {
                let key = |name: &String| item.get(name).map(|value| (name.clone(), value.clone()));
                item.is_object().then(|| schema.list_keys.iter().filter_map(key).collect())
            }
            _ => None,
        }
    };
    let mut seen: Vec<Value> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let Some(identity) = identity(item) else { continue };
        if seen.contains(&identity) {
            let message = format!("Duplicate value: {identity}");
            causes.push(too("FieldValueDuplicate", &format!("{path}[{index}]"), message));
        } else {
            seen.push(identity);
        }
    }
}

fn check_map(schema: &Schema, map: &serde_json::Map<String, Value>, path: &str, causes: &mut Vec<Cause>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for name in &schema.required {
        if !map.contains_key(name) {
            causes.push(Cause::required(below(name), ""));
        }
    }
    let length = map.len() as u64;
    if let Some(least) = schema.min_properties
        && length < least
    {
        let value = Value::from(length);
        causes.push(Cause::invalid(path, &value, format!("{path} in body should have at least {least} properties")));
    }
    if let Some(most) = schema.max_properties
        && length > most
    {
        causes.push(too("FieldValueTooMany", path, format!("Too many: {length}: must have at most {most} items")));
    }
    for (name, value) in map {
        if let Some(declared) = schema.properties.get(name).or(schema.additional.as_deref()) {
            check(declared, value, &below(name), causes);
        }
    }
}

fn check_combinations(schema: &Schema, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let holds = |schema: &Schema| {
        let mut causes = Vec::new();
        check(schema, value, path, &mut causes);
        causes.is_empty()
    };
    for each in &schema.all_of {
        check(each, value, path, causes);
    }
    let shown = if value.is_object() || value.is_array() { Value::from(type_name(value)) } else { value.clone() };
    let mut wrong = |why: &str| causes.push(Cause::invalid(path, &shown, format!("{path} in body {why}")));
    if !schema.any_of.is_empty() && !schema.int_or_string && !schema.any_of.iter().any(holds) {
        wrong("must validate at least one schema (anyOf)");
    }
    if !schema.one_of.is_empty() {
        match schema.one_of.iter().filter(|each| holds(each)).count() {
            1 => {}
            0 => wrong("must validate one and only one schema (oneOf). Found none valid"),
            n => wrong(&format!("must validate one and only one schema (oneOf). Found {n} valid alternatives")),
        }
    }
    if schema.not.as_deref().is_some_and(holds) {
        wrong("must not validate the schema (not)");
    }
}

fn mismatch(path: &str, value: &str, why: &str) -> Cause {
    let value = Value::from(value);
    Cause { reason: "FieldValueTypeInvalid", message: format!("Invalid value: {value}: {why}"), field: path.to_owned() }
}

fn too(reason: &'static str, path: &str, message: String) -> Cause {
    Cause { reason, message, field: path.to_owned() }
}
