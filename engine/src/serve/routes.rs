//! The paths of the API.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::{StreamExt as _, stream};
use serde_json::json;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::answer::Answer;
use super::errors::ApiError;
use super::faults::Levels;
use super::injection::Injection;
use super::metrics::{Metrics, Outcome};
use super::queue::{Event, Queue};
use super::request::{self, Parsed};
use crate::clock;

/// What the handlers share.
#[derive(Debug)]
pub(super) struct Server {
    name: String,
    metrics: Arc<Metrics>,
    loaded: OnceLock<Loaded>,
    requests: AtomicU64,
    drawn: AtomicU64,
}

/// A model that can answer.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) queue: Queue,
    pub(super) injection: Injection,
}

type Parser = fn(&[u8], &str, usize) -> Result<Parsed, ApiError>;

/// The API of `server`; with `allow_faults`, faults can be changed through it.
pub(super) fn router(server: Arc<Server>, allow_faults: bool) -> Router {
    let faults = if allow_faults { Router::new().route("/fault", post(fault)) } else { Router::new() };
    faults
        .route("/v1/chat/completions", post(chat))
        .route("/v1/completions", post(completion))
        .route("/v1/models", get(models))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .fallback(async || ApiError::UnknownPath)
        .with_state(server)
}

impl Server {
    /// A server that has no model yet.
    pub(super) fn new(name: String, metrics: Arc<Metrics>) -> Self {
        let (requests, drawn) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { name, metrics, loaded: OnceLock::new(), requests, drawn }
    }

    /// Makes the server ready.
    pub(super) fn fill(&self, loaded: Loaded) {
        // It is filled once, by the loader; a second model would be dropped here.
        let _ = self.loaded.set(loaded);
    }

    fn queue(&self) -> Option<&Queue> {
        self.loaded.get().map(|loaded| &loaded.queue)
    }

    /// Replaces the faults in force by those in `body`.
    fn change(&self, body: &[u8]) -> Result<Levels, ApiError> {
        let levels = Levels::parse(body)?;
        self.loaded.get().ok_or(ApiError::Loading)?.injection.change(levels)?;
        Ok(levels)
    }

    async fn answer(&self, parse: Parser, body: &[u8]) -> Result<Response, ApiError> {
        let accepted = Instant::now();
        let Loaded { queue, injection } = self.loaded.get().ok_or(ApiError::Loading)?;
        let Parsed { ask, shape } = parse(body, &self.name, queue.context)?;
        // Taken once: a change of faults is for the requests after it.
        let in_force = injection.current();
        if let Some(latency) = in_force.levels.latency() {
            tokio::time::sleep(latency).await;
        }
        if in_force.levels.fails(&self.drawn) {
            return Err(ApiError::Failed);
        }
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let created = clock::now().as_second();
        let mut answer = Answer::new(shape, number, self.name.clone(), created, ask.prompt.clone());
        let mut events = queue.push(ask, Arc::clone(&in_force.model), accepted).map_err(|_| ApiError::Busy)?;
        if !shape.stream {
            while let Some(event) = events.recv().await {
                answer.collect(event);
            }
            return Ok(axum::Json(answer.whole().ok_or(ApiError::Failed)?).into_response());
        }
        // A stream whose end never came is cut off without [DONE], so that it is not taken for complete.
        let lines = UnboundedReceiverStream::new(events).flat_map(move |event| {
            let done = matches!(event, Event::End(..)).then(|| "[DONE]".to_owned());
            let chunks = answer.chunks(event).into_iter().map(|chunk| chunk.to_string());
            stream::iter(chunks.chain(done).collect::<Vec<_>>())
        });
        Ok(Sse::new(lines.map(|line| Ok::<_, Infallible>(sse::Event::default().data(line)))).into_response())
    }

    async fn respond(&self, parse: Parser, body: &[u8]) -> Response {
        self.answer(parse, body).await.unwrap_or_else(|error| {
            // The workers count what reached them.
            self.metrics.ended(match error {
                ApiError::Busy => Outcome::Rejected,
                ApiError::Failed | ApiError::Loading => Outcome::Failed,
                _ => Outcome::Invalid,
            });
            error.into_response()
        })
    }
}

async fn chat(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    server.respond(request::chat, &body).await
}

async fn completion(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    server.respond(request::completion, &body).await
}

async fn fault(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    // Copying a model takes a while, in which others are to be answered; and it is done even if the client goes away.
    let changed = tokio::task::spawn_blocking(move || server.change(&body)).await;
    match changed.unwrap_or(Err(ApiError::Failed)) {
        Ok(levels) => axum::Json(levels).into_response(),
        Err(error) => error.into_response(),
    }
}

async fn models(State(server): State<Arc<Server>>) -> Response {
    let loaded = server.queue();
    let model = loaded.map(|queue| {
        json!({"id": server.name, "object": "model", "created": 0, "owned_by": "homeostat",
            "max_model_len": queue.context, "artifact_digest": queue.digest})
    });
    axum::Json(json!({"object": "list", "data": model.into_iter().collect::<Vec<_>>()})).into_response()
}

async fn health(State(server): State<Arc<Server>>) -> Response {
    match server.queue() {
        Some(queue) => axum::Json(json!({"status": "ok", "artifact_digest": queue.digest})).into_response(),
        None => ApiError::Loading.into_response(),
    }
}

async fn metrics(State(server): State<Arc<Server>>) -> Response {
    let page = server.metrics.page(server.queue().map_or(0, Queue::waiting));
    (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page).into_response()
}
