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
use super::faults::Faults;
use super::metrics::{Metrics, Outcome};
use super::queue::Queue;
use super::request::{self, Parsed};
use crate::clock;

/// What the handlers share.
#[derive(Debug)]
pub(super) struct Server {
    name: String,
    faults: Faults,
    metrics: Arc<Metrics>,
    queue: OnceLock<Queue>,
    requests: AtomicU64,
    drawn: AtomicU64,
}

type Parser = fn(&[u8], &str, usize) -> Result<Parsed, ApiError>;

pub(super) fn router(server: Arc<Server>) -> Router {
    Router::new()
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
    pub(super) fn new(name: String, faults: Faults, metrics: Arc<Metrics>) -> Self {
        let (requests, drawn) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { name, faults, metrics, queue: OnceLock::new(), requests, drawn }
    }

    /// Makes the server ready.
    pub(super) fn fill(&self, queue: Queue) {
        // It is filled once, by the loader; a second model would be dropped here.
        let _ = self.queue.set(queue);
    }

    async fn answer(&self, parse: Parser, body: &[u8]) -> Result<Response, ApiError> {
        let accepted = Instant::now();
        let queue = self.queue.get().ok_or(ApiError::Loading)?;
        let Parsed { ask, shape } = parse(body, &self.name, queue.context)?;
        if let Some(latency) = self.faults.latency() {
            tokio::time::sleep(latency).await;
        }
        if self.faults.fails(&self.drawn) {
            return Err(ApiError::Failed);
        }
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let created = clock::now().as_second();
        let mut answer = Answer::new(shape, number, self.name.clone(), created, ask.prompt.clone());
        let mut events = queue.push(ask, accepted).map_err(|_| ApiError::Busy)?;
        if !shape.stream {
            while let Some(event) = events.recv().await {
                answer.collect(event);
            }
            return Ok(axum::Json(answer.whole().ok_or(ApiError::Failed)?).into_response());
        }
        let chunks = UnboundedReceiverStream::new(events)
            .flat_map(move |event| stream::iter(answer.chunks(event)))
            .map(|chunk| sse::Event::default().data(chunk.to_string()));
        let done = stream::iter([sse::Event::default().data("[DONE]")]);
        Ok(Sse::new(chunks.chain(done).map(Ok::<_, Infallible>)).into_response())
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

async fn models(State(server): State<Arc<Server>>) -> Response {
    let loaded = server.queue.get();
    let model = loaded.map(|queue| {
        json!({"id": server.name, "object": "model", "created": 0, "owned_by": "homeostat",
            "max_model_len": queue.context, "artifact_digest": queue.digest})
    });
    axum::Json(json!({"object": "list", "data": model.into_iter().collect::<Vec<_>>()})).into_response()
}

async fn health(State(server): State<Arc<Server>>) -> Response {
    match server.queue.get() {
        Some(queue) => axum::Json(json!({"status": "ok", "artifact_digest": queue.digest})).into_response(),
        None => ApiError::Loading.into_response(),
    }
}

async fn metrics(State(server): State<Arc<Server>>) -> Response {
    let page = server.metrics.page(server.queue.get().map_or(0, Queue::waiting));
    (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page).into_response()
}
