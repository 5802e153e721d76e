//! Answers: which representation the caller accepts, and writing it.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, WARNING};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::resource::Resource;
use crate::status::Failure;
use crate::table::{self, IncludeObject};
use crate::view;

/// How objects are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
    /// `PartialObjectMetadata`
    Partial,
    Table,
}

/// What came out of a request.
pub(crate) enum Payload {
    /// An object in the form of the requested version.
    Object(Value),
    /// Objects in key order with the list's metadata.
    List(Vec<Value>, Value),
    /// A `Status`, a review, a discovery document: never shown as a table.
    Plain(Value),
    /// A finished response: a watch.
    Raw(Response),
}

/// A successful answer.
pub(crate) struct Answer {
    pub(crate) code: StatusCode,
    pub(crate) payload: Payload,
    pub(crate) warnings: Vec<String>,
}

impl Answer {
    pub(crate) fn ok(payload: Payload) -> Self {
        Self { code: StatusCode::OK, payload, warnings: Vec::new() }
    }
}

/// The first acceptable representation of an Accept header.
pub(crate) fn negotiate(headers: &HeaderMap) -> Result<Format, Failure> {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.trim().is_empty() {
        return Ok(Format::Json);
    }
    accept.split(',').find_map(format_of).ok_or_else(Failure::not_acceptable)
}

fn format_of(range: &str) -> Option<Format> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let parameter = |name: &str| parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    match media {
        "application/json" | "application/*" | "*/*" => match parameter("as") {
            None => Some(Format::Json),
            Some(_) if parameter("v") != Some("v1") || parameter("g") != Some("meta.k8s.io") => None,
            Some("Table") => Some(Format::Table),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Some(Format::Partial),
            Some(_) => None,
        },
        "application/yaml" if parameter("as").is_none() => Some(Format::Yaml),
        _ => None,
    }
}

/// Writes an answer about objects of `resource`.
pub(crate) fn write(
    resource: &Resource,
    answer: Answer,
    format: Format,
    include: IncludeObject,
    now_ms: i64,
) -> Response {
    let value = match (answer.payload, format) {
        (Payload::Raw(response), _) => return response,
        (Payload::Plain(value), _) => value,
        (Payload::Object(object), Format::Table) => {
            let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            table::table(resource, std::slice::from_ref(&object), metadata, include, now_ms)
        }
        (Payload::Object(object), Format::Partial) => view::partial(&object),
        (Payload::Object(object), _) => object,
        (Payload::List(objects, metadata), Format::Table) => {
            table::table(resource, &objects, metadata, include, now_ms)
        }
        (Payload::List(objects, metadata), Format::Partial) => json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "items": objects.iter().map(view::partial).collect::<Vec<_>>(),
        }),
        (Payload::List(objects, metadata), _) => json!({
            "apiVersion": resource.api_version(), "kind": resource.list_kind, "metadata": metadata, "items": objects,
        }),
    };
    let mut response = encode(answer.code, &value, format);
    warn(&mut response, &answer.warnings);
    response
}

/// Writes a failure.
pub(crate) fn fail(failure: &Failure) -> Response {
    let mut response = encode(failure.code, &failure.to_value(), Format::Json);
    if let Some(seconds) = failure.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    warn(&mut response, &failure.warnings);
    response
}

/// A JSON response.
pub(crate) fn json_response(code: StatusCode, value: &Value) -> Response {
    encode(code, value, Format::Json)
}

/// A plain text response.
pub(crate) fn text(code: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn encode(code: StatusCode, value: &Value, format: Format) -> Response {
    let (body, media) = match format {
        Format::Yaml => match serde_saphyr::to_string(value) {
            Ok(yaml) => (yaml, "application/yaml"),
            // JSON is YAML too.
            Err(_) => (value.to_string(), "application/yaml"),
        },
        _ => (value.to_string(), "application/json"),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

fn warn(response: &mut Response, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(WARNING, value);
        }
    }
}
