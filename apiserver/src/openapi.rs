//! OpenAPI v3: an index with hashed addresses and one document a group-version, as much as kubectl's apply, create, edit and
//! explain ask for.

use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use crate::discovery::{groups, hash};
use crate::query::Options;
use crate::registry::Registry;
use crate::resource::Resource;

/// The answer to a path below `/openapi/v3`, if it is one.
pub(crate) fn answer(registry: &Registry, path: &str, options: &Options, headers: &HeaderMap) -> Option<Response> {
    let rest = path.trim_end_matches('/').strip_prefix("/openapi/v3")?;
    if rest.is_empty() {
        let mut paths = Map::new();
        for (group, versions) in groups(registry) {
            for version in versions {
                let at = location(&group, &version);
                let hash = hash(&document(registry, &group, &version).to_string());
                paths.insert(at.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{at}?hash={hash}")}));
            }
        }
        let body = json!({"paths": paths}).to_string();
        return Some(tagged(body, headers));
    }
    let (group, version) = match rest.trim_start_matches('/').split('/').collect::<Vec<_>>().as_slice() {
        ["api", version] => (String::new(), (*version).to_owned()),
        ["apis", group, version] => ((*group).to_owned(), (*version).to_owned()),
        _ => return None,
    };
    if !groups(registry).iter().any(|(name, versions)| *name == group && versions.contains(&version)) {
        return None;
    }
    let body = document(registry, &group, &version).to_string();
    let current = hash(&body);
    let asked = options.get("hash");
    if !asked.is_empty() && asked != current {
        let to = format!("/openapi/v3/{}?hash={current}", location(&group, &version));
        let mut response = StatusCode::MOVED_PERMANENTLY.into_response();
        if let Ok(to) = HeaderValue::from_str(&to) {
            response.headers_mut().insert(LOCATION, to);
        }
        return Some(response);
    }
    Some(tagged(body, headers))
}

fn location(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

fn tagged(body: String, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hash(&body));
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()) == Some(etag.as_str());
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { (StatusCode::OK, body).into_response() };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

fn document(registry: &Registry, group: &str, version: &str) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for resource in registry.of(group, version) {
        let name = schema_name(resource);
        let base = format!("/{}", location(group, version));
        let collection = if resource.namespaced {
            format!("{base}/namespaces/{{namespace}}/{}", resource.plural)
        } else {
            format!("{base}/{}", resource.plural)
        };
        let list = format!("{name}List");
        paths.insert(collection.clone(), collection_paths(resource, &name, &list));
        paths.insert(format!("{collection}/{{name}}"), item_paths(resource, &name));
        if resource.namespaced {
            let get = operation(resource, "list", &list, &[]);
            paths.insert(format!("{base}/{}", resource.plural), json!({"get": get}));
        }
        let mut schema = (*resource.schema).clone();
        schema["x-kubernetes-group-version-kind"] = json!([kind_of(resource, &resource.kind)]);
        references(&schema, registry, &mut schemas);
        schemas.insert(name.clone(), schema);
        schemas.insert(list, list_schema(resource, &name));
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn collection_paths(resource: &Resource, name: &str, list: &str) -> Value {
    json!({
        "get": operation(resource, "list", list, &[]),
        "post": with_body(operation(resource, "post", name, &["dryRun", "fieldManager", "fieldValidation"]), name, &["*/*"]),
    })
}

fn item_paths(resource: &Resource, name: &str) -> Value {
    let options = ["dryRun", "fieldManager", "fieldValidation"];
    let mut patches = vec!["application/json-patch+json", "application/merge-patch+json"];
    if !resource.is_custom() {
        patches.push("application/strategic-merge-patch+json");
    }
    json!({
        "get": operation(resource, "get", name, &[]),
        "put": with_body(operation(resource, "put", name, &options), name, &["*/*"]),
        "patch": with_body(operation(resource, "patch", name, &options), name, &patches),
        "delete": operation(resource, "delete", name, &["dryRun", "propagationPolicy"]),
    })
}

fn operation(resource: &Resource, action: &str, schema: &str, options: &[&str]) -> Value {
    let parameters: Vec<Value> = options
        .iter()
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}))
        .collect();
    json!({
        "description": format!("{action} {}", resource.kind),
        "operationId": format!("{action}{}{}{}", title(&resource.group), title(&resource.version), resource.kind),
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference(schema)}}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": kind_of(resource, &resource.kind),
    })
}

fn with_body(mut operation: Value, schema: &str, media: &[&str]) -> Value {
    let content: Map<String, Value> =
        media.iter().map(|media| ((*media).to_owned(), json!({"schema": reference(schema)}))).collect();
    operation["requestBody"] = json!({"content": content, "required": true});
    operation
}

fn list_schema(resource: &Resource, name: &str) -> Value {
    json!({
        "description": format!("{} is a list of {}", resource.list_kind, resource.kind),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "items": {"type": "array", "items": reference(name)},
        },
        "x-kubernetes-group-version-kind": [kind_of(resource, &resource.list_kind)],
    })
}

fn kind_of(resource: &Resource, kind: &str) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": kind})
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

/// Reverse-domain names, as the real documents have them: `com.example.demo.v1.Widget`.
fn schema_name(resource: &Resource) -> String {
    if !resource.is_custom() {
        let group = resource.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
        return format!("io.k8s.api.{group}.{}.{}", resource.version, resource.kind);
    }
    let mut parts: Vec<&str> = resource.group.split('.').rev().collect();
    parts.extend([resource.version.as_str(), resource.kind.as_str()]);
    parts.join(".")
}

fn title(text: &str) -> String {
    text.split(['.', '-'])
        .map(|part| {
            let mut chars = part.chars();
            chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
        })
        .collect()
}

/// Adds the definitions that `value` refers to, and theirs.
fn references(value: &Value, registry: &Registry, schemas: &mut Map<String, Value>) {
    match value {
        Value::Object(map) => {
            let name = map.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix("#/components/schemas/"));
            if let Some(name) = name
                && !schemas.contains_key(name)
                && let Some(definition) = registry.definitions.get(name)
            {
                schemas.insert(name.to_owned(), definition.clone());
                references(definition, registry, schemas);
            }
            map.values().for_each(|value| references(value, registry, schemas));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, registry, schemas)),
        _ => {}
    }
}
