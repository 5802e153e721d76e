//! `POST /v1/chat/completions` and `/v1/completions`: route, pass through, measure.
//!
//! A 4xx of the engine is the client's doing and no error of the version; a client that goes away is no observation at
//! all. The time to the first token is known of streams only.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use homeostat_clock::UtcMillis;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rand::Rng as _;
use serde_json::Value;

use crate::events::{self, EventReader};
use crate::exchange::{Exchange, LONGEST_TEXT};
use crate::gateway::MOST_BODY;
use crate::guard::StreamGuard;
use crate::problem::Problem;
use crate::request::{CompletionRequest, Endpoint};
use crate::{Gateway, Target, routing};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const VERSION: HeaderName = HeaderName::from_static("x-homeostat-version");

/// Largest whole answer in bytes.
const MOST_ANSWER: usize = 16 * 1024 * 1024;

pub(crate) async fn chat(State(gateway): State<Gateway>, body: Result<Bytes, BytesRejection>) -> Response {
    answer(gateway, Endpoint::Chat, body).await
}

pub(crate) async fn text(State(gateway): State<Gateway>, body: Result<Bytes, BytesRejection>) -> Response {
    answer(gateway, Endpoint::Text, body).await
}

async fn answer(gateway: Gateway, endpoint: Endpoint, body: Result<Bytes, BytesRejection>) -> Response {
    let at = gateway.now();
    let id = gateway.request_id(at);
    let mut response = match body.map_err(|_| Problem::TooLarge(MOST_BODY)) {
        Ok(body) => route(&gateway, endpoint, &body, &id, at).await.unwrap_or_else(IntoResponse::into_response),
        Err(problem) => problem.into_response(),
    };
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

async fn route(
    gateway: &Gateway,
    endpoint: Endpoint,
    body: &[u8],
    id: &str,
    at: UtcMillis,
) -> Result<Response, Problem> {
    let mut request = CompletionRequest::parse(endpoint, body)?;
    let config = gateway.config();
    let route = routing::find(&config, &request.model)?;
    if let Some(guard) = &route.guard {
        let found = guard.request(&mut request.body)?;
        gateway.count_guarded(&route.model, "input", &found);
    }
    let (order, sampled) = {
        let mut rng = gateway.rng();
        let order = routing::order(route, &mut *rng);
        (order, draw(rng.next_u64()) < route.sampling.share)
    };
    for target in order {
        let exchange = Exchange::start(gateway, route, target, &request, id, at, sampled, config.subject_key.clone());
        match send(gateway, endpoint, target, &request, config.limits.timeout).await {
            Ok(response) if request.stream && response.status().is_success() => {
                return stream(exchange, response, config.limits.timeout);
            }
            Ok(response) => return whole(exchange, response, config.limits.timeout).await,
            Err(SendError::Timeout) => {
                exchange.failed("timeout");
                return Err(Problem::Timeout);
            }
            Err(SendError::Unreachable(error)) => {
                tracing::warn!(model.name = %route.model, version = target.version, replica = target.replica,
                    error = %error, "an engine could not be reached; trying another");
                exchange.failed("unreachable");
            }
        }
    }
    Err(Problem::Unavailable(request.model))
}

enum SendError {
    Timeout,
    Unreachable(reqwest::Error),
}

async fn send(
    gateway: &Gateway,
    endpoint: Endpoint,
    target: &Target,
    request: &CompletionRequest,
    timeout: Duration,
) -> Result<reqwest::Response, SendError> {
    let url = format!("{}{}", target.base_url.as_deref().unwrap_or_default(), endpoint.path());
    let request = gateway
        .client()
        .post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .body(request.body_for(target.upstream_model.as_deref()));
    match tokio::time::timeout(timeout, request.send()).await {
        Err(_) => Err(SendError::Timeout),
        Ok(Err(error)) => Err(SendError::Unreachable(error.without_url())),
        Ok(Ok(response)) => Ok(response),
    }
}

async fn whole(exchange: Exchange, response: reqwest::Response, timeout: Duration) -> Result<Response, Problem> {
    let (status, headers) = (response.status(), passed_on(response.headers(), &exchange));
    let mut parts = response.bytes_stream();
    let mut body = BytesMut::new();
    loop {
        match tokio::time::timeout(timeout, parts.next()).await {
            Err(_) => {
                exchange.failed("timeout");
                return Err(Problem::Timeout);
            }
            Ok(None) => break,
            Ok(Some(Ok(part))) if body.len() + part.len() <= MOST_ANSWER => body.extend_from_slice(&part),
            Ok(Some(_)) => {
                exchange.failed("error");
                return Err(Problem::Broken);
            }
        }
    }
    let body = body.freeze();
    if status.is_success() {
        let value = serde_json::from_slice::<Value>(&body).unwrap_or_default();
        let text = events::text(&value).unwrap_or_default();
        let latency = exchange.started.elapsed();
        let speed = events::tokens(&value).map(|tokens| per_second(tokens, latency));
        let Some(guard) = exchange.guard.clone() else {
            exchange.answered(text, None, speed, None);
            return Ok((status, headers, body).into_response());
        };
        return match guard.answer(&body) {
            Ok((passed, found)) => {
                exchange.answered(text, None, speed, Some(&found));
                Ok((status, headers, passed).into_response())
            }
            Err(problem) => {
                exchange.blocked();
                Err(problem)
            }
        };
    } else if status.is_client_error() {
        exchange.refused();
    } else {
        exchange.failed("error");
    }
    Ok((status, headers, body).into_response())
}

fn stream(exchange: Exchange, response: reqwest::Response, timeout: Duration) -> Result<Response, Problem> {
    let headers = passed_on(response.headers(), &exchange);
    let guard = exchange.guard.as_ref().map(StreamGuard::new).transpose()?;
    let passing = Passing {
        guard,
        parts: response.bytes_stream().boxed(),
        exchange: Some(exchange),
        events: EventReader::default(),
        first: None,
        last: None,
        timeout,
    };
    let body = Body::from_stream(futures::stream::unfold(passing, |mut passing| async move {
        let part = passing.next().await?;
        Some((Ok::<Bytes, std::convert::Infallible>(part), passing))
    }));
    Ok((StatusCode::OK, headers, body).into_response())
}

/// A stream on its way through. Dropped with the client's connection, and the engine's with it.
struct Passing {
    parts: BoxStream<'static, reqwest::Result<Bytes>>,
    guard: Option<StreamGuard>,
    // Taken when the end has been measured.
    exchange: Option<Exchange>,
    events: EventReader,
    first: Option<Duration>,
    last: Option<Duration>,
    timeout: Duration,
}

impl Passing {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let part = self.part().await?;
            // What the guard holds back whole comes later.
            if !part.is_empty() {
                return Some(part);
            }
        }
    }

    async fn part(&mut self) -> Option<Bytes> {
        let started = self.exchange.as_ref()?.started;
        let problem = match tokio::time::timeout(self.timeout, self.parts.next()).await {
            Ok(Some(Ok(part))) => {
                if self.events.feed(&part, LONGEST_TEXT) {
                    let now = started.elapsed();
                    self.first.get_or_insert(now);
                    self.last = Some(now);
                }
                return Some(match self.guard.as_mut().map(|guard| guard.feed(&part)) {
                    None => part,
                    Some(Ok(passed)) => Bytes::from(passed),
                    Some(Err(problem)) => {
                        if let Some(exchange) = self.exchange.take() {
                            exchange.blocked();
                        }
                        Bytes::from(format!("data: {}\n\n", problem.body()))
                    }
                });
            }
            Ok(None) if self.events.done && !self.events.error => {
                self.answered();
                return None;
            }
            Ok(None) | Ok(Some(Err(_))) => Problem::Broken,
            Err(_) => Problem::Timeout,
        };
        let outcome = if matches!(problem, Problem::Timeout) { "timeout" } else { "error" };
        if let Some(exchange) = self.exchange.take() {
            exchange.failed(outcome);
        }
        // The status has long been sent: clients look for an error in the events. One that the engine sent is enough.
        (!self.events.error).then(|| Bytes::from(format!("data: {}\n\n", problem.body())))
    }

    fn answered(&mut self) {
        let Some(exchange) = self.exchange.take() else { return };
        let tokens = self.events.usage.unwrap_or(self.events.parts);
        // The first token's time belongs to the prompt, so speed is that of the others.
        let speed = match (self.first, self.last) {
            (Some(first), Some(last)) if tokens > 1 => Some(per_second(tokens - 1, last - first)),
            _ => None,
        };
        let found = self.guard.as_ref().map(StreamGuard::found);
        exchange.answered(&self.events.text, self.first, speed, found.as_ref());
    }
}

fn passed_on(from: &HeaderMap, exchange: &Exchange) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in [header::CONTENT_TYPE, header::CACHE_CONTROL, header::RETRY_AFTER] {
        if let Some(value) = from.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if let Ok(version) = HeaderValue::from_str(&exchange.subject.version) {
        headers.insert(VERSION, version);
    }
    headers
}

/// A number from 0 (inclusive) to 1 (exclusive).
#[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
fn draw(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// Not a number, and so no observation, when no time has passed.
#[expect(clippy::cast_precision_loss, reason = "token counts stay far below 2^53")]
fn per_second(tokens: u64, duration: Duration) -> f64 {
    if duration.is_zero() { f64::NAN } else { tokens as f64 / duration.as_secs_f64() }
}
