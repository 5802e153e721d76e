//! Getting and listing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::answer::{Answer, Payload};
use crate::request::Request;
use crate::resource::Resource;
use crate::selectors::Selector;
use crate::server::Server;
use crate::status::Failure;
use crate::store::{Key, Snapshot};
use crate::view;
use crate::write::scale;

/// One object, or its scale.
pub(crate) fn get(server: &Server, request: &Request) -> Result<Answer, Failure> {
    let resource = &request.resource;
    let key = Key::new(&resource.storage, &request.namespace, &request.name);
    let stored = server.store.get(&key).ok_or_else(|| Failure::not_found(resource, &request.name))?;
    let object = view::show(resource, &stored.object);
    let object = match (&resource.scale, request.subresource.as_str()) {
        (Some(paths), "scale") => scale::of(paths, &object),
        _ => object,
    };
    Ok(Answer::ok(Payload::Object(object)))
}

/// The objects of a collection: selected, in key order, a page at a time, at one revision.
pub(crate) fn list(server: &Server, request: &Request) -> Result<Answer, Failure> {
    let options = &request.options;
    options.check_list(false)?;
    let resource = &request.resource;
    let selector = Selector::parse(resource, options.get("labelSelector"), options.get("fieldSelector"))?;
    let limit = usize::try_from(options.number("limit")?.unwrap_or(0)).unwrap_or(0);
    let (snapshot, start) = snapshot(server, request)?;
    let chosen = choose(resource, &snapshot, &selector, start.as_deref(), limit);
    let mut metadata = json!({"resourceVersion": snapshot.revision.to_string()});
    if let Some((last, remaining)) = chosen.rest {
        metadata["continue"] = token(snapshot.revision, &last).into();
        // With a selector the real server does not know how many of the rest match.
        if options.get("labelSelector").is_empty() && options.get("fieldSelector").is_empty() {
            metadata["remainingItemCount"] = remaining.into();
        }
    }
    Ok(Answer::ok(Payload::List(chosen.objects, metadata)))
}

/// A page of objects, and where the next one starts.
pub(crate) struct Page {
    pub(crate) objects: Vec<Value>,
    rest: Option<(String, usize)>,
}

/// The selected objects after `start`, at most `limit` (0: all).
pub(crate) fn choose(
    resource: &Resource,
    snapshot: &Snapshot,
    selector: &Selector,
    start: Option<&str>,
    limit: usize,
) -> Page {
    let position = |key: &Key| format!("{}/{}", key.namespace, key.name);
    let mut page = Page { objects: Vec::new(), rest: None };
    let mut last = String::new();
    for (index, stored) in snapshot.objects.iter().enumerate() {
        let at = position(&stored.key);
        if start.is_some_and(|start| (stored.key.namespace.as_str(), stored.key.name.as_str()) <= split(start)) {
            continue;
        }
        let object = view::show(resource, &stored.object);
        if !selector.matches(&object) {
            continue;
        }
        if limit > 0 && page.objects.len() == limit {
            page.rest = Some((last, snapshot.objects.len() - index));
            return page;
        }
        page.objects.push(object);
        last = at;
    }
    page
}

fn split(position: &str) -> (&str, &str) {
    position.split_once('/').unwrap_or(("", position))
}

fn snapshot(server: &Server, request: &Request) -> Result<(Snapshot, Option<String>), Failure> {
    let options = &request.options;
    let resource = &request.resource;
    let namespace = request.namespace_filter();
    let revision =
        options.revision().map_err(|why| Failure::bad_request(format!("invalid resource version: {why}")))?;
    let next = options.get("continue");
    let state = server.store.state();
    let current = state.revision();
    if !next.is_empty() {
        if revision.is_some_and(|revision| revision > 0) {
            return Err(Failure::bad_request("specifying resource version is not allowed when using continue"));
        }
        let (revision, start) = read_token(next)?;
        let snapshot = state.list_at(&resource.storage, namespace, revision).ok_or_else(|| {
            Failure::expired(
                "The provided continue parameter is too old to display a consistent list result. \
                 You can start a new list without the continue parameter.",
            )
        })?;
        return Ok((snapshot, Some(start)));
    }
    let revision = revision.unwrap_or(0);
    if revision > current {
        return Err(Failure::future_version(revision, current));
    }
    if options.get("resourceVersionMatch") == "Exact" {
        let snapshot = state
            .list_at(&resource.storage, namespace, revision)
            .ok_or_else(|| Failure::expired("The resourceVersion for the provided list is too old."))?;
        return Ok((snapshot, None));
    }
    Ok((state.list(&resource.storage, namespace), None))
}

fn token(revision: u64, start: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!({"v": "meta.k8s.io/v1", "rv": revision, "start": start}).to_string())
}

fn read_token(text: &str) -> Result<(u64, String), Failure> {
    let bad = |why: &str| Failure::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|error| bad(&error.to_string()))?;
    let token: Value = serde_json::from_slice(&bytes).map_err(|error| bad(&error.to_string()))?;
    match (token["rv"].as_u64(), token["start"].as_str()) {
        (Some(revision), Some(start)) => Ok((revision, start.to_owned())),
        _ => Err(bad("it has no revision or no start")),
    }
}
