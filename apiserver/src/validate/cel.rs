//! `x-kubernetes-validations`, by the crate kube-cel.
//!
//! Known limit: a rule on the items of a `listType=map` list that uses `oldSelf` sees the old item at the same index, not
//! the one with the same key.

use kube_cel::{CompiledSchema, compile_schema};
use serde_json::Value;

use crate::status::Cause;

/// The compiled rules of a schema.
pub(crate) struct Rules {
    compiled: CompiledSchema,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rules")
    }
}

impl Rules {
    /// None when the schema has no rules.
    pub(crate) fn compile(schema: &Value) -> Result<Option<Self>, String> {
        if !has_rules(schema) {
            return Ok(None);
        }
        let compiled = compile_schema(schema);
        match first_error(&compiled) {
            Some(error) => Err(error),
            None => Ok(Some(Self { compiled })),
        }
    }

    pub(crate) fn check(&self, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        // `has()` is true of a null in this crate and false in Kubernetes, which has dropped the nulls by now.
        let object = without_nulls(object);
        let old = old.map(without_nulls);
        let Err(errors) = kube_cel::validate_compiled(&self.compiled, &object, old.as_ref()) else {
            return Vec::new();
        };
        errors.into_vec().into_iter().map(cause).collect()
    }
}

fn cause(error: kube_cel::ValidationError) -> Cause {
    let field = if error.field_path.is_empty() { "<nil>".to_owned() } else { error.field_path };
    match error.reason.as_deref() {
        Some("FieldValueForbidden") => Cause::forbidden(field, error.message),
        Some("FieldValueRequired") => Cause::required(field, &error.message),
        Some("FieldValueDuplicate") => {
            Cause { reason: "FieldValueDuplicate", message: format!("Duplicate value: {}", error.message), field }
        }
        _ => Cause { reason: "FieldValueInvalid", message: format!("Invalid value: {}", error.message), field },
    }
}

fn has_rules(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key("x-kubernetes-validations") || map.values().any(has_rules),
        Value::Array(list) => list.iter().any(has_rules),
        _ => false,
    }
}

fn first_error(compiled: &CompiledSchema) -> Option<String> {
    if let Some(error) = compiled.compilation_errors().first() {
        return Some(error.to_string());
    }
    let children = compiled
        .properties
        .values()
        .chain(compiled.items.as_deref())
        .chain(compiled.additional_properties.as_deref())
        .chain(&compiled.all_of)
        .chain(&compiled.any_of)
        .chain(&compiled.one_of);
    children.into_iter().find_map(first_error)
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect(),
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}
