//! CustomResourceDefinitions: completing and checking them, and the resources they make.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::builtin::OBJECT_META;
use crate::meta;
use crate::resource::{Column, Resource, Rules, Scale};
use crate::status::Cause;
use crate::validate::Validator;

/// Held while a deleted CRD still has objects.
pub(crate) const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Fills in the names' defaults and the status: what is accepted is established at once.
pub(crate) fn complete(document: &mut Value, now: &str) {
    let kind = document["spec"]["names"]["kind"].as_str().unwrap_or_default().to_owned();
    let names = &mut document["spec"]["names"];
    if names["singular"].as_str().unwrap_or_default().is_empty() {
        names["singular"] = kind.to_lowercase().into();
    }
    if names["listKind"].as_str().unwrap_or_default().is_empty() {
        names["listKind"] = format!("{kind}List").into();
    }
    let names = names.clone();
    if document["spec"].get("conversion").is_none_or(Value::is_null) {
        document["spec"]["conversion"] = json!({"strategy": "None"});
    }
    let stored: Vec<Value> = versions(document)
        .iter()
        .filter(|version| version["storage"] == true)
        .map(|version| version["name"].clone())
        .collect();
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message});
    let status = &mut document["status"];
    if !status["conditions"].is_array() {
        status["conditions"] = json!([
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ]);
    }
    status["acceptedNames"] = names;
    status["storedVersions"] = stored.into();
}

/// What is wrong with a CRD beyond its types.
pub(crate) fn check(document: &Value) -> Vec<Cause> {
    let spec = &document["spec"];
    let mut causes = Vec::new();
    let group = spec["group"].as_str().unwrap_or_default();
    let plural = spec["names"]["plural"].as_str().unwrap_or_default();
    for (field, value) in [
        ("spec.group", group),
        ("spec.names.plural", plural),
        ("spec.names.kind", spec["names"]["kind"].as_str().unwrap_or_default()),
    ] {
        if value.is_empty() {
            causes.push(Cause::required(field, ""));
        }
    }
    if meta::name(document) != format!("{plural}.{group}") {
        let why = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", &document["metadata"]["name"], why));
    }
    if !matches!(spec["scope"].as_str(), Some("Namespaced" | "Cluster")) {
        causes.push(Cause::unsupported("spec.scope", &spec["scope"], &["Cluster".into(), "Namespaced".into()]));
    }
    if spec["conversion"]["strategy"] == "Webhook" {
        causes.push(Cause::unsupported("spec.conversion.strategy", &"Webhook".into(), &["None".into()]));
    }
    let storage = versions(document).iter().filter(|version| version["storage"] == true).count();
    if storage != 1 {
        let why = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &Value::from(storage), why));
    }
    for (index, version) in versions(document).iter().enumerate() {
        let field = format!("spec.versions[{index}].schema.openAPIV3Schema");
        let schema = &version["schema"]["openAPIV3Schema"];
        if !schema.is_object() {
            causes.push(Cause::required(field, "schemas are required"));
            continue;
        }
        if schema["type"] != "object" {
            causes.push(Cause::required(format!("{field}.type"), "must not be empty at the root"));
        }
        untyped(schema, "spec.validation.openAPIV3Schema", &mut causes);
        if let Err(why) = Validator::compile(schema) {
            causes.push(Cause::invalid(field, &"schema".into(), why));
        }
    }
    causes
}

/// The served versions of a CRD as resources, the storage version first.
///
/// # Errors
/// What [`check`] finds.
pub(crate) fn resources(document: &Value) -> Result<Vec<Resource>, Vec<Cause>> {
    let causes = check(document);
    if !causes.is_empty() {
        return Err(causes);
    }
    let mut served: Vec<&Value> = versions(document).iter().filter(|version| version["served"] == true).collect();
    served.sort_by_key(|version| version["storage"] != true);
    served.into_iter().map(|version| resource(document, version)).collect()
}

fn resource(document: &Value, version: &Value) -> Result<Resource, Vec<Cause>> {
    let names = &document["spec"]["names"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect();
    let schema = &version["schema"]["openAPIV3Schema"];
    let validator =
        Validator::compile(schema).map_err(|why| vec![Cause::invalid("spec.versions", &version["name"], why)])?;
    let group = text(&document["spec"]["group"]);
    let plural = text(&names["plural"]);
    let kind = text(&names["kind"]);
    let or = |value: String, other: String| if value.is_empty() { other } else { value };
    let subresources = &version["subresources"];
    let scale = subresources.get("scale").filter(|scale| scale.is_object()).map(|scale| Scale {
        spec_replicas: text(&scale["specReplicasPath"]),
        status_replicas: text(&scale["statusReplicasPath"]),
        label_selector: scale["labelSelectorPath"].as_str().map(str::to_owned),
    });
    let selectable = version["selectableFields"].as_array().into_iter().flatten();
    Ok(Resource {
        version: text(&version["name"]),
        list_kind: or(text(&names["listKind"]), format!("{kind}List")),
        singular: or(text(&names["singular"]), kind.to_lowercase()),
        short_names: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        namespaced: document["spec"]["scope"] == "Namespaced",
        rules: Rules::Custom,
        storage: format!("{group}/{plural}"),
        validator: Arc::new(validator),
        schema: Arc::new(published(schema)),
        status: subresources.get("status").is_some_and(|status| !status.is_null()),
        scale,
        columns: columns(version),
        selectable: selectable.map(|field| text(&field["jsonPath"]).trim_start_matches('.').to_owned()).collect(),
        group,
        kind,
        plural,
    })
}

fn columns(version: &Value) -> Vec<Column> {
    let given = version["additionalPrinterColumns"].as_array().filter(|columns| !columns.is_empty());
    let age = [json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    given
        .map_or(age.as_slice(), Vec::as_slice)
        .iter()
        .map(|column| {
            let path = text(&column["jsonPath"]);
            let description = text(&column["description"]);
            Column {
                name: text(&column["name"]),
                kind: text(&column["type"]),
                format: text(&column["format"]),
                description: if description.is_empty() {
                    format!("Custom resource definition column (in JSONPath format): {path}")
                } else {
                    description
                },
                priority: column["priority"].as_i64().unwrap_or(0),
                path,
            }
        })
        .collect()
}

/// The schema as OpenAPI publishes it: with the full metadata, apiVersion and kind.
fn published(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let described = |text: &str| json!({"type": "string", "description": text});
    let properties = &mut schema["properties"];
    properties["apiVersion"] =
        described("APIVersion defines the versioned schema of this representation of an object.");
    properties["kind"] = described("Kind is a string value representing the REST resource this object represents.");
    properties["metadata"] = json!({
        "description": "Standard object's metadata.",
        "allOf": [{"$ref": format!("#/components/schemas/{OBJECT_META}")}],
    });
    schema
}

fn versions(document: &Value) -> &[Value] {
    document["spec"]["versions"].as_array().map_or(&[], Vec::as_slice)
}

fn untyped(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let free = |schema: &Value| {
        schema["x-kubernetes-int-or-string"] == true || schema["x-kubernetes-preserve-unknown-fields"] == true
    };
    let mut visit = |schema: &Value, path: String, why: &str| {
        if schema["type"].as_str().unwrap_or_default().is_empty() && !free(schema) {
            causes.push(Cause::required(format!("{path}.type"), why));
        }
        untyped(schema, &path, causes);
    };
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        visit(property, format!("{path}.properties[{name}]"), "must not be empty for specified object fields");
    }
    if schema["items"].is_object() {
        visit(&schema["items"], format!("{path}.items"), "must not be empty for specified array items");
    }
    if schema["additionalProperties"].is_object() {
        let why = "must not be empty for specified object fields";
        visit(&schema["additionalProperties"], format!("{path}.additionalProperties"), why);
    }
}
