//! Watches: an endless answer of one JSON event a line.
//!
//! A watch is registered under the lock that takes the list, so nothing is missed or told twice. It ends at its timeout, when
//! its client was too slow (the store dropped it), or when the API closes; the client then goes on from its last
//! resourceVersion. There is no polling: it wakes for changes, once a minute for a bookmark when those were asked for, and at
//! its end.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::answer::{Answer, Format, Payload};
use crate::request::Request;
use crate::resource::Resource;
use crate::selectors::Selector;
use crate::server::Server;
use crate::status::Failure;
use crate::store::{Change, Operation, Subscription};
use crate::table::{self, IncludeObject};
use crate::view;

const BOOKMARKS: Duration = Duration::from_secs(60);
/// When the client names none; kube-apiserver takes 30 to 60 minutes.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Starts a watch.
pub(crate) fn watch(server: &Arc<Server>, request: &Request, format: Format) -> Result<Answer, Failure> {
    let options = &request.options;
    options.check_list(true)?;
    let resource = Arc::clone(&request.resource);
    let selector = Selector::parse(&resource, options.get("labelSelector"), options.get("fieldSelector"))?;
    let from = options.revision().map_err(Failure::unclassified)?;
    let timeout = match options.number("timeoutSeconds")? {
        Some(seconds) if seconds > 0 => Duration::from_secs(seconds.unsigned_abs()),
        _ => TIMEOUT,
    };
    let bookmarks = options.flag("allowWatchBookmarks");
    let initial_events = options.flag("sendInitialEvents");
    let list_first = initial_events || (matches!(from, None | Some(0)) && !options.has("sendInitialEvents"));
    let mut encoder = Encoder {
        resource: Arc::clone(&resource),
        format,
        include: IncludeObject::parse(options.get("includeObject")),
        columns_sent: false,
    };
    let mut pending = VecDeque::new();
    let registered = {
        let mut state = server.store.state();
        let namespace = request.namespace_filter();
        let now = state.revision();
        if list_first {
            for stored in state.list(&resource.storage, namespace).objects {
                let object = view::show(&resource, &stored.object);
                if selector.matches(&object) {
                    pending.push_back(encoder.event("ADDED", &object, server.now()));
                }
            }
            if initial_events && bookmarks {
                pending.push_back(encoder.bookmark(now, true));
            }
        }
        let from = match from {
            Some(revision) if !list_first => revision,
            _ => now,
        };
        state
            .watch(&resource.storage, namespace, from)
            .ok_or_else(|| Failure::expired(format!("too old resource version: {from} ({})", state.floor())))
    };
    let Subscription { revision, backlog, changes } = match registered {
        Ok(subscription) => subscription,
        // A watch that cannot start is a good answer with one bad event.
        Err(failure) => {
            let line = line(&json!({"type": "ERROR", "object": failure.to_value()}));
            return Ok(Answer::ok(Payload::Raw(response(Body::from(line)))));
        }
    };
    let start = from.unwrap_or(0).max(if list_first { revision } else { 0 });
    let mut watch = Watch {
        server: Arc::clone(server),
        selector,
        encoder,
        pending,
        changes: Some(changes),
        seen: start,
        next_bookmark: bookmarks.then(|| Instant::now() + BOOKMARKS.min(timeout.mul_f64(0.9))),
        deadline: Instant::now() + timeout,
        closing: server.closing.clone(),
    };
    for change in backlog {
        watch.take(&change);
    }
    let lines = futures::stream::unfold(watch, |mut watch| async move {
        watch.next().await.map(|bytes| (Ok::<_, Infallible>(bytes), watch))
    });
    Ok(Answer::ok(Payload::Raw(response(Body::from_stream(lines)))))
}

struct Watch {
    server: Arc<Server>,
    selector: Selector,
    encoder: Encoder,
    pending: VecDeque<Bytes>,
    changes: Option<tokio::sync::mpsc::Receiver<Arc<Change>>>,
    /// The newest revision that was told or need not be.
    seen: u64,
    next_bookmark: Option<Instant>,
    deadline: Instant,
    closing: CancellationToken,
}

impl Watch {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.pending.pop_front() {
                return Some(bytes);
            }
            let changes = self.changes.as_mut()?;
            let bookmark = self.next_bookmark.unwrap_or(self.deadline).min(self.deadline);
            tokio::select! {
                biased;
                () = self.closing.cancelled() => return None,
                change = changes.recv() => match change {
                    Some(change) => self.take(&change),
                    None => return None,
                },
                () = sleep_until(bookmark) => {
                    if self.next_bookmark.is_none() || Instant::now() >= self.deadline {
                        self.changes = None;
                        return None;
                    }
                    self.next_bookmark = Some(Instant::now() + BOOKMARKS);
                    self.bookmark();
                }
            }
        }
    }

    /// Everything up to the state's revision is in the queue already: writes publish under the state's lock.
    fn bookmark(&mut self) {
        let revision = self.server.store.state().revision();
        let mut waiting = Vec::new();
        if let Some(changes) = &mut self.changes {
            while let Ok(change) = changes.try_recv() {
                waiting.push(change);
            }
        }
        for change in waiting {
            self.take(&change);
        }
        self.seen = self.seen.max(revision);
        let bytes = self.encoder.bookmark(self.seen, false);
        self.pending.push_back(bytes);
    }

    fn take(&mut self, change: &Change) {
        if change.revision <= self.seen {
            return;
        }
        self.seen = change.revision;
        let resource = &self.encoder.resource;
        let now = view::show(resource, &change.object);
        let before = change.previous.as_ref().map(|previous| view::show(resource, &previous.object));
        let matched = before.as_ref().is_some_and(|before| self.selector.matches(before));
        let matches = change.operation != Operation::Delete && self.selector.matches(&now);
        let (kind, object) = match (matched, matches) {
            (false, false) => return,
            (false, true) => ("ADDED", now),
            (true, true) => ("MODIFIED", now),
            // What left the selection is shown as it was, at the revision it left.
            (true, false) => {
                let mut object = before.unwrap_or(now);
                object["metadata"]["resourceVersion"] = change.revision.to_string().into();
                ("DELETED", object)
            }
        };
        let bytes = self.encoder.event(kind, &object, self.server.now());
        self.pending.push_back(bytes);
    }
}

struct Encoder {
    resource: Arc<Resource>,
    format: Format,
    include: IncludeObject,
    columns_sent: bool,
}

impl Encoder {
    fn event(&mut self, kind: &str, object: &Value, now_ms: i64) -> Bytes {
        let object = match self.format {
            Format::Partial => view::partial(object),
            Format::Table => {
                let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                let objects = std::slice::from_ref(object);
                let mut table = table::table(&self.resource, objects, metadata, self.include, now_ms);
                if std::mem::replace(&mut self.columns_sent, true) {
                    table["columnDefinitions"] = Value::Null;
                }
                table
            }
            Format::Json | Format::Yaml => object.clone(),
        };
        line(&json!({"type": kind, "object": object}))
    }

    fn bookmark(&self, revision: u64, initial_end: bool) -> Bytes {
        let (kind, version) = match self.format {
            Format::Partial => ("PartialObjectMetadata", "meta.k8s.io/v1".to_owned()),
            Format::Table => ("Table", "meta.k8s.io/v1".to_owned()),
            Format::Json | Format::Yaml => (self.resource.kind.as_str(), self.resource.api_version()),
        };
        let mut object =
            json!({"kind": kind, "apiVersion": version, "metadata": {"resourceVersion": revision.to_string()}});
        if initial_end {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        if self.format == Format::Table {
            object["columnDefinitions"] = Value::Null;
            object["rows"] = json!([]);
        }
        line(&json!({"type": "BOOKMARK", "object": object}))
    }
}

fn line(event: &Value) -> Bytes {
    let mut text = event.to_string();
    text.push('\n');
    Bytes::from(text)
}

fn response(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
