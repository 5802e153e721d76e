//! From an HTTP request to what answers it.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{ALLOW, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde_json::json;

use crate::User;
use crate::answer::{self, Answer};
use crate::decode;
use crate::discovery::{self, REVIEWS};
use crate::openapi;
use crate::query::Options;
use crate::read;
use crate::request::{Path, Request};
use crate::resource::Rules;
use crate::reviews;
use crate::server::Server;
use crate::status::Failure;
use crate::table::IncludeObject;
use crate::watch;
use crate::write::{self, Update};

/// The largest body, as kube-apiserver's.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// Answers any request.
pub(crate) async fn handle(State(server): State<Arc<Server>>, request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    match path.as_str() {
        "/healthz" | "/livez" | "/readyz" => return answer::text(StatusCode::OK, "ok"),
        "/version" | "/version/" => return answer::json_response(StatusCode::OK, &discovery::version()),
        _ => {}
    }
    let Some(user) = parts.extensions.get::<User>().cloned() else { return answer::fail(&Failure::unauthorized()) };
    let options = match Options::parse(&parts.uri) {
        Ok(options) => options,
        Err(failure) => return answer::fail(&failure),
    };
    let registry = server.registry();
    if parts.method == Method::GET || parts.method == Method::HEAD {
        let found = discovery::answer(&registry, &path, &parts.headers)
            .or_else(|| openapi::answer(&registry, &path, &options, &parts.headers))
            .or_else(|| (path == "/").then(|| root(&server)));
        if let Some(response) = found {
            return response;
        }
    }
    let Some(path) = Path::parse(&path) else { return not_found() };
    let review = REVIEWS
        .iter()
        .find(|(group, version, plural, _)| (*group, *version, *plural) == (path.group, path.version, path.plural));
    if let Some((group, version, _, kind)) = review {
        let body = match read_body(body).await {
            Ok(body) => body,
            Err(failure) => return answer::fail(&failure),
        };
        let media = decode::media_type(&parts.headers);
        return match reviews::answer(kind, &format!("{group}/{version}"), &user, media, &body, server.now()) {
            Ok((code, value)) if parts.method == Method::POST => answer::json_response(code, &value),
            Ok(_) => method_not_allowed(),
            Err(failure) => answer::fail(&failure),
        };
    }
    let Some(resource) = registry.find(path.group, path.version, path.plural) else { return not_found() };
    let misplaced = if resource.namespaced {
        path.namespace.is_empty() && (!path.name.is_empty() || parts.method == Method::POST)
    } else {
        !path.namespace.is_empty()
    };
    if misplaced {
        return not_found();
    }
    let options = if path.watch { options.with("watch", "true") } else { options };
    let request = Request {
        user,
        resource,
        namespace: path.namespace.to_owned(),
        name: path.name.to_owned(),
        subresource: path.subresource.to_owned(),
        options,
        user_agent: header(&parts.headers, USER_AGENT.as_str()).to_owned(),
    };
    about_resource(server, request, parts.method, parts.headers, body).await
}

async fn about_resource(
    server: Arc<Server>,
    request: Request,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let now = server.now();
    let resource = Arc::clone(&request.resource);
    let include = IncludeObject::parse(request.options.get("includeObject"));
    let result = match method {
        Method::GET | Method::HEAD => get(&server, &request, &headers),
        _ => match read_body(body).await {
            // A task of its own: a client that goes away must not stop a write halfway.
            Ok(body) => {
                let media = decode::media_type(&headers).to_owned();
                let task = tokio::spawn(async move { write(&server, &request, &method, &media, &body).await });
                task.await.unwrap_or_else(|error| Err(Failure::internal(format!("the write broke off: {error}"))))
            }
            Err(failure) => Err(failure),
        },
    };
    let format = match answer::negotiate(&headers) {
        Ok(format) => format,
        Err(failure) => return answer::fail(&failure),
    };
    match result {
        Ok(answer) => answer::write(&resource, answer, format, include, now),
        Err(failure) => answer::fail(&failure),
    }
}

fn get(server: &Arc<Server>, request: &Request, headers: &HeaderMap) -> Result<Answer, Failure> {
    let format = answer::negotiate(headers)?;
    if request.name.is_empty() {
        return if request.options.flag("watch") {
            watch::watch(server, request, format)
        } else {
            read::list(server, request)
        };
    }
    if !request.subresource.is_empty() && !request.resource.has_subresource(&request.subresource) {
        return Err(Failure::not_found(&request.resource, &request.name));
    }
    read::get(server, request)
}

async fn write(
    server: &Server,
    request: &Request,
    method: &Method,
    media: &str,
    body: &[u8],
) -> Result<Answer, Failure> {
    let resource = &request.resource;
    let on_object = !request.name.is_empty();
    let on_subresource = !request.subresource.is_empty();
    if on_subresource && !resource.has_subresource(&request.subresource) {
        return Err(Failure::not_found(resource, &request.name));
    }
    match *method {
        Method::POST if on_subresource => Err(Failure::method_not_allowed(resource, "create")),
        Method::POST => write::create(server, request, media, body).await,
        Method::PUT | Method::PATCH if !on_object => Err(Failure::bad_request("name must be provided")),
        Method::PUT => write::update(server, request, Update::Put { media, body }).await,
        Method::PATCH => write::update(server, request, Update::Patch { media, body }).await,
        Method::DELETE if on_subresource => Err(Failure::method_not_allowed(resource, "delete")),
        Method::DELETE if on_object => write::delete(server, request, media, body).await,
        Method::DELETE if resource.rules == Rules::Namespace => Err(Failure::no_such_method()),
        Method::DELETE => write::delete_collection(server, request, media, body).await,
        _ => Err(Failure::method_not_allowed(resource, "")),
    }
}

async fn read_body(body: Body) -> Result<axum::body::Bytes, Failure> {
    to_bytes(body, BODY_LIMIT).await.map_err(|_| Failure::too_large(BODY_LIMIT))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn root(server: &Server) -> Response {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, versions) in discovery::groups(&server.registry()).iter().filter(|(group, _)| !group.is_empty()) {
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
    }
    paths.extend(["/healthz", "/livez", "/openapi/v3", "/readyz", "/version"].map(str::to_owned));
    answer::json_response(StatusCode::OK, &json!({"paths": paths}))
}

fn not_found() -> Response {
    answer::text(StatusCode::NOT_FOUND, "404 page not found\n")
}

fn method_not_allowed() -> Response {
    let mut response = answer::text(StatusCode::METHOD_NOT_ALLOWED, "405 method not allowed: POST a review\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}
