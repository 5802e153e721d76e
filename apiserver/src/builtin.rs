//! The built-in resources: their schemas come from k8s-openapi, their columns from here.

use std::sync::{Arc, LazyLock};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Secret};
use k8s_openapi::api::events::v1::Event as NewEvent;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use crate::resource::{Column, Resource, Rules};
use crate::validate::Validator;

/// The log's name for CRD objects.
pub(crate) const CRDS: &str = "apiextensions.k8s.io/customresourcedefinitions";
/// The log's name for namespaces.
pub(crate) const NAMESPACES: &str = "/namespaces";
/// The log's name for events of both groups.
pub(crate) const EVENTS: &str = "/events";
/// The OpenAPI name of the metadata.
pub(crate) const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The schema of `metadata`, the same for every kind.
pub(crate) static METADATA: LazyLock<Arc<Validator>> = LazyLock::new(|| {
    let mut definitions = Map::new();
    let schema = schema_of::<ObjectMeta>(&mut definitions);
    Arc::new(compile(&schema, &definitions))
});

/// The built-in resources and the definitions their schemas refer to.
pub(crate) struct Builtin {
    pub(crate) resources: Vec<Arc<Resource>>,
    pub(crate) definitions: Arc<Map<String, Value>>,
}

impl Builtin {
    pub(crate) fn new() -> Self {
        let mut definitions = Map::new();
        let d = &mut definitions;
        let resources = vec![
            builtin::<Namespace>(d, Rules::Namespace, ["", "v1", "Namespace", "namespaces"], &["ns"], false),
            builtin::<ConfigMap>(d, Rules::ConfigMap, ["", "v1", "ConfigMap", "configmaps"], &["cm"], true),
            builtin::<Secret>(d, Rules::Secret, ["", "v1", "Secret", "secrets"], &[], true),
            builtin::<Event>(d, Rules::Event, ["", "v1", "Event", "events"], &["ev"], true),
            builtin::<NewEvent>(d, Rules::Event, ["events.k8s.io", "v1", "Event", "events"], &["ev"], true),
            builtin::<Lease>(d, Rules::Lease, ["coordination.k8s.io", "v1", "Lease", "leases"], &[], true),
            builtin::<CustomResourceDefinition>(
                d,
                Rules::CustomResourceDefinition,
                ["apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions"],
                &["crd", "crds"],
                false,
            ),
        ];
        schema_of::<ObjectMeta>(d);
        Self { resources: resources.into_iter().map(Arc::new).collect(), definitions: Arc::new(definitions) }
    }
}

fn builtin<T: JsonSchema>(
    definitions: &mut Map<String, Value>,
    rules: Rules,
    [group, version, kind, plural]: [&str; 4],
    short_names: &[&str],
    namespaced: bool,
) -> Resource {
    let schema = schema_of::<T>(definitions);
    let storage = if rules == Rules::Event { EVENTS.to_owned() } else { format!("{group}/{plural}") };
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        short_names: short_names.iter().map(|name| (*name).to_owned()).collect(),
        categories: if rules == Rules::CustomResourceDefinition {
            vec!["api-extensions".to_owned()]
        } else {
            Vec::new()
        },
        namespaced,
        rules,
        storage,
        validator: Arc::new(compile(&schema, definitions)),
        schema: Arc::new(schema),
        status: matches!(rules, Rules::Namespace | Rules::CustomResourceDefinition),
        scale: None,
        columns: columns(rules),
        selectable: Vec::new(),
    }
}

/// The OpenAPI schema of a type; what it refers to goes to `definitions`, itself too.
fn schema_of<T: JsonSchema>(definitions: &mut Map<String, Value>) -> Value {
    let name = T::schema_name().into_owned();
    let mut root = schemars::SchemaGenerator::default().into_root_schema_for::<T>().to_value();
    openapi(&mut root);
    if let Some(map) = root.as_object_mut() {
        map.remove("$schema");
        map.remove("title");
        if let Some(Value::Object(referred)) = map.remove("$defs") {
            definitions.extend(referred);
        }
    }
    definitions.insert(name, root.clone());
    root
}

/// JSON Schema references as OpenAPI 3.0 has them: no siblings beside `$ref`.
fn openapi(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.remove("$ref") {
                let reference = reference.replace("#/$defs/", "#/components/schemas/");
                if map.is_empty() {
                    map.insert("$ref".to_owned(), reference.into());
                } else {
                    map.insert("allOf".to_owned(), json!([{"$ref": reference}]));
                }
            }
            map.values_mut().for_each(openapi);
        }
        Value::Array(list) => list.iter_mut().for_each(openapi),
        _ => {}
    }
}

fn compile(schema: &Value, definitions: &Map<String, Value>) -> Validator {
    let inlined = inline(schema, definitions, &mut Vec::new());
    Validator::compile(&inlined).unwrap_or_else(|error| {
        // The schemas are compiled in; a test compiles every one.
        tracing::error!(error, "a built-in schema does not compile and is not enforced");
        Validator::permissive()
    })
}

/// The schema without references; a recursion becomes "anything".
fn inline(schema: &Value, definitions: &Map<String, Value>, stack: &mut Vec<String>) -> Value {
    let reference = match schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([one]) => one["$ref"].as_str(),
        _ => schema["$ref"].as_str(),
    };
    if let Some(name) = reference.and_then(|reference| reference.strip_prefix("#/components/schemas/")) {
        let Some(definition) = definitions.get(name) else {
            return json!({"x-kubernetes-preserve-unknown-fields": true});
        };
        if stack.iter().any(|each| each == name) {
            return json!({"x-kubernetes-preserve-unknown-fields": true});
        }
        stack.push(name.to_owned());
        let inlined = inline(definition, definitions, stack);
        stack.pop();
        return inlined;
    }
    match schema {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), inline(value, definitions, stack))).collect(),
        Value::Array(list) => list.iter().map(|value| inline(value, definitions, stack)).collect(),
        other => other.clone(),
    }
}

fn columns(rules: Rules) -> Vec<Column> {
    let age = ("Age", "string", 0, ".metadata.creationTimestamp");
    let columns: &[(&str, &str, i64, &str)] = match rules {
        Rules::Namespace => &[("Status", "string", 0, ".status.phase"), age],
        Rules::ConfigMap => &[("Data", "string", 0, ""), age],
        Rules::Secret => &[("Type", "string", 0, ".type"), ("Data", "string", 0, ""), age],
        Rules::Lease => &[("Holder", "string", 0, ".spec.holderIdentity"), age],
        Rules::CustomResourceDefinition => &[("Created At", "date", 0, ".metadata.creationTimestamp")],
        Rules::Event => &[
            ("Last Seen", "string", 0, ""),
            ("Type", "string", 0, ".type"),
            ("Reason", "string", 0, ".reason"),
            ("Object", "string", 0, ""),
            ("Subobject", "string", 1, ".involvedObject.fieldPath"),
            ("Source", "string", 1, ""),
            ("Message", "string", 0, ".message"),
            ("First Seen", "string", 1, ""),
            ("Count", "string", 1, ""),
        ],
        Rules::Custom => &[],
    };
    columns
        .iter()
        .map(|(name, kind, priority, path)| Column {
            name: (*name).to_owned(),
            kind: (*kind).to_owned(),
            format: String::new(),
            description: String::new(),
            priority: *priority,
            path: (*path).to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Builtin, METADATA};

    #[test]
    fn the_schemas_know_their_fields() {
        let builtin = Builtin::new();
        for resource in &builtin.resources {
            let mut object = json!({"kind": resource.kind, "metadata": {}, "bogus": 1});
            assert_eq!(resource.validator.prune(&mut object), ["bogus"], "{}", resource.kind);
        }
        let mut metadata = json!({"name": "a", "labels": {"a": "b"}, "foo": 1});
        assert_eq!(METADATA.prune(&mut metadata), ["foo"]);
        let wrong = METADATA.mistyped("ObjectMeta.metadata", &json!({"labels": {"a": 1}}));
        let said = "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string";
        assert_eq!(wrong.as_deref(), Some(said));
    }
}
