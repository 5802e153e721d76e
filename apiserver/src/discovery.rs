//! What is served: `/api`, `/apis`, the group documents, the aggregated form, `/version`.

use axum::http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::answer::json_response;
use crate::registry::Registry;
use crate::resource::Resource;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Resources without storage: a group, a version, the plural and the kind.
pub(crate) const REVIEWS: &[(&str, &str, &str, &str)] = &[
    ("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    ("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview"),
];

/// `/version`.
pub(crate) fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "gitVersion": concat!("v1.36.0+homeostat.", env!("CARGO_PKG_VERSION")),
        "gitCommit": "", "gitTreeState": "", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none",
        "compiler": "rustc", "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// The answer to a discovery path, if it is one.
pub(crate) fn answer(registry: &Registry, path: &str, headers: &HeaderMap) -> Option<Response> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let aggregated = headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2"));
    let plain = |value: Value| Some(json_response(StatusCode::OK, &value));
    match segments.as_slice() {
        ["api"] if aggregated => Some(with_etag(&discovery_list(registry, true), headers)),
        ["apis"] if aggregated => Some(with_etag(&discovery_list(registry, false), headers)),
        ["api"] => plain(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})),
        ["apis"] => {
            let groups: Vec<Value> = groups(registry)
                .iter()
                .filter(|(group, _)| !group.is_empty())
                .map(|(g, v)| group_value(g, v))
                .collect();
            plain(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        ["apis", group] => {
            let groups = groups(registry);
            let (_, versions) = groups.iter().find(|(name, _)| name == group)?;
            let mut value = group_value(group, versions);
            value["kind"] = "APIGroup".into();
            value["apiVersion"] = "v1".into();
            plain(value)
        }
        ["api", version] => plain(resource_list(registry, "", version)?),
        ["apis", group, version] => plain(resource_list(registry, group, version)?),
        _ => None,
    }
}

/// Every group with its versions, those of the reviews too.
pub(crate) fn groups(registry: &Registry) -> Vec<(String, Vec<String>)> {
    let mut groups = registry.groups();
    for (group, version, _, _) in REVIEWS {
        if !groups.iter().any(|(name, _)| name == group) {
            groups.push(((*group).to_owned(), vec![(*version).to_owned()]));
        }
    }
    groups
}

fn group_value(group: &str, versions: &[String]) -> Value {
    let version = |version: &String| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    json!({
        "name": group,
        "versions": versions.iter().map(version).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(version),
    })
}

fn reviews<'a>(group: &'a str, version: &'a str) -> impl Iterator<Item = (&'static str, &'static str)> + 'a {
    REVIEWS.iter().filter(move |review| review.0 == group && review.1 == version).map(|review| (review.2, review.3))
}

fn resource_list(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    for resource in registry.of(group, version) {
        let mut value = json!({
            "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
            "kind": resource.kind, "verbs": resource.verbs(),
        });
        if !resource.short_names.is_empty() {
            value["shortNames"] = json!(resource.short_names);
        }
        if !resource.categories.is_empty() {
            value["categories"] = json!(resource.categories);
        }
        resources.push(value);
        for (name, kind, verbs) in subresources(resource) {
            let mut value = json!({
                "name": format!("{}/{name}", resource.plural), "singularName": "", "namespaced": resource.namespaced,
                "kind": kind.2, "verbs": verbs,
            });
            if name == "scale" {
                value["group"] = kind.0.into();
                value["version"] = kind.1.into();
            }
            resources.push(value);
        }
    }
    for (plural, kind) in reviews(group, version) {
        resources.push(json!({
            "name": plural, "singularName": kind.to_lowercase(), "namespaced": false, "kind": kind, "verbs": ["create"],
        }));
    }
    if resources.is_empty() {
        return None;
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources,
    }))
}

type Kind<'a> = (&'a str, &'a str, &'a str);

fn subresources(resource: &Resource) -> Vec<(&'static str, Kind<'_>, &'static [&'static str])> {
    let own = (resource.group.as_str(), resource.version.as_str(), resource.kind.as_str());
    let mut found: Vec<(&'static str, Kind<'_>, &'static [&'static str])> = Vec::new();
    if resource.has_subresource("finalize") {
        found.push(("finalize", own, &["update"]));
    }
    if resource.status {
        found.push(("status", own, &["get", "patch", "update"]));
    }
    if resource.scale.is_some() {
        found.push(("scale", ("autoscaling", "v1", "Scale"), &["get", "patch", "update"]));
    }
    found
}

fn discovery_list(registry: &Registry, core: bool) -> Value {
    let items: Vec<Value> = groups(registry)
        .into_iter()
        .filter(|(group, _)| group.is_empty() == core)
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|version| {
                    let mut resources: Vec<Value> = registry.of(&group, version).map(|r| discovered(r)).collect();
                    resources.extend(reviews(&group, version).map(|(plural, kind)| {
                        json!({
                            "resource": plural, "responseKind": {"group": group, "version": version, "kind": kind},
                            "scope": "Cluster", "singularResource": kind.to_lowercase(), "verbs": ["create"],
                        })
                    }));
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn discovered(resource: &Resource) -> Value {
    let kind = |(group, version, kind): Kind<'_>| json!({"group": group, "version": version, "kind": kind});
    let own = (resource.group.as_str(), resource.version.as_str(), resource.kind.as_str());
    let mut value = json!({
        "resource": resource.plural,
        "responseKind": kind(own),
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": resource.verbs(),
    });
    if !resource.short_names.is_empty() {
        value["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        value["categories"] = json!(resource.categories);
    }
    let subresources: Vec<Value> = subresources(resource)
        .into_iter()
        .map(|(name, of, verbs)| json!({"subresource": name, "responseKind": kind(of), "verbs": verbs}))
        .collect();
    if !subresources.is_empty() {
        value["subresources"] = subresources.into();
    }
    value
}

fn with_etag(value: &Value, headers: &HeaderMap) -> Response {
    let body = value.to_string();
    let etag = format!("\"{}\"", hash(&body));
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()) == Some(etag.as_str());
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { (StatusCode::OK, body).into_response() };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(AGGREGATED));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

/// The hash that ETags and OpenAPI addresses carry.
pub(crate) fn hash(text: &str) -> String {
    hex::encode_upper(Sha256::digest(text.as_bytes()))
}
