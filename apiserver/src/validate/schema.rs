//! An OpenAPI v3 schema, parsed once.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

/// How deep a schema may nest; deeper ones are refused.
const DEPTH: usize = 64;

/// The parsed schema of one value.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) kind: Option<String>,
    pub(crate) properties: BTreeMap<String, Schema>,
    pub(crate) additional: Option<Box<Schema>>,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) required: Vec<String>,
    pub(crate) default: Option<Value>,
    pub(crate) nullable: bool,
    pub(crate) choices: Vec<Value>,
    pub(crate) format: Option<String>,
    pub(crate) minimum: Option<(f64, bool)>,
    pub(crate) maximum: Option<(f64, bool)>,
    pub(crate) multiple_of: Option<f64>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) pattern: Option<Regex>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
    pub(crate) preserve_unknown: bool,
    pub(crate) int_or_string: bool,
    pub(crate) embedded: bool,
    pub(crate) list_type: Option<String>,
    pub(crate) list_keys: Vec<String>,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) any_of: Vec<Schema>,
    pub(crate) one_of: Vec<Schema>,
    pub(crate) not: Option<Box<Schema>>,
}

impl Schema {
    /// Parses a schema without references.
    ///
    /// # Errors
    /// Names the pattern that is no regular expression, or says that the schema nests too deep.
    pub(crate) fn parse(schema: &Value) -> Result<Self, String> {
        parse(schema, 0)
    }
}

fn parse(schema: &Value, depth: usize) -> Result<Schema, String> {
    if depth > DEPTH {
        return Err(format!("the schema nests deeper than {DEPTH} levels"));
    }
    let one = |key: &str| match schema.get(key) {
        Some(value @ Value::Object(_)) => parse(value, depth + 1).map(|schema| Some(Box::new(schema))),
        // `additionalProperties: true` is any value.
        Some(Value::Bool(true)) => {
            Ok(Some(Box::new(Schema { preserve_unknown: true, nullable: true, ..Schema::default() })))
        }
        _ => Ok(None),
    };
    let many = |key: &str| -> Result<Vec<Schema>, String> {
        schema[key].as_array().into_iter().flatten().map(|value| parse(value, depth + 1)).collect()
    };
    let number = |key: &str| schema[key].as_u64();
    let flag = |key: &str| schema[key].as_bool().unwrap_or(false);
    let words = |key: &str| -> Vec<String> {
        schema[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut properties = BTreeMap::new();
    for (name, value) in schema["properties"].as_object().into_iter().flatten() {
        properties.insert(name.clone(), parse(value, depth + 1)?);
    }
    let pattern = match schema["pattern"].as_str() {
        Some(pattern) => Some(Regex::new(pattern).map_err(|error| format!("pattern {pattern:?}: {error}"))?),
        None => None,
    };
    Ok(Schema {
        kind: schema["type"].as_str().map(str::to_owned),
        properties,
        additional: one("additionalProperties")?,
        items: one("items")?,
        required: words("required"),
        default: schema.get("default").cloned(),
        nullable: flag("nullable"),
        choices: schema["enum"].as_array().cloned().unwrap_or_default(),
        format: schema["format"].as_str().map(str::to_owned),
        minimum: schema["minimum"].as_f64().map(|bound| (bound, flag("exclusiveMinimum"))),
        maximum: schema["maximum"].as_f64().map(|bound| (bound, flag("exclusiveMaximum"))),
        multiple_of: schema["multipleOf"].as_f64(),
        min_length: number("minLength"),
        max_length: number("maxLength"),
        pattern,
        min_items: number("minItems"),
        max_items: number("maxItems"),
        min_properties: number("minProperties"),
        max_properties: number("maxProperties"),
        preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
        int_or_string: flag("x-kubernetes-int-or-string") || schema["format"] == "int-or-string",
        embedded: flag("x-kubernetes-embedded-resource"),
        list_type: schema["x-kubernetes-list-type"].as_str().map(str::to_owned),
        list_keys: words("x-kubernetes-list-map-keys"),
        all_of: many("allOf")?,
        any_of: many("anyOf")?,
        one_of: many("oneOf")?,
        not: one("not")?,
    })
}
