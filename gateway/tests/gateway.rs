//! The gateway in front of small fake engines, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use futures::StreamExt;
use homeostat_clock::{ManualClock, Seed, UtcMillis};
use homeostat_gateway::{
    Config, Gateway, Guard, GuardAction, Keeping, Limits, Route, Sampling, Sink, SliceRule, Target,
};
use homeostat_privacy::{Entity, Recognizers, SubjectKey};
use homeostat_quality::{ModelKey, Sample, SampleOrigin, Sketch, Slice, Source, Window};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

#[derive(Default)]
struct Kept {
    windows: Mutex<Vec<Window>>,
    samples: Mutex<Vec<(String, Sample)>>,
    full: AtomicBool,
}

impl Sink for Kept {
    fn windows(&self, windows: Vec<Window>) {
        self.windows.lock().unwrap().extend(windows);
    }

    fn sample(&self, replica: &str, sample: Sample) {
        self.samples.lock().unwrap().push((replica.to_string(), sample));
    }

    fn keep(&self, replica: &str, sample: Sample) -> Keeping {
        self.sample(replica, sample);
        Box::pin(std::future::ready(!self.full.load(Ordering::Relaxed)))
    }
}

impl Kept {
    fn mean(&self, version: &str, source: Source, metric: &str) -> Option<(f64, u64)> {
        let windows = self.windows.lock().unwrap();
        let window = windows.iter().find(|window| {
            window.key.version == version && window.key.source == source && window.key.metric == metric
        })?;
        match &window.sketch {
            Sketch::Moments(moments) => Some((moments.sum / moments.n as f64, moments.n)),
            Sketch::Distribution(distribution) => Some((distribution.sum, distribution.n())),
        }
    }
}

struct World {
    gateway: Gateway,
    kept: Arc<Kept>,
    clock: Arc<ManualClock>,
    client: reqwest::Client,
    url: String,
}

const KEY: &str = "let-me-in";

async fn listen(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// An address at which nobody listens.
async fn dead() -> String {
    format!("http://{}", tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap())
}

fn target(version: &str, replica: &str, weight: u32, url: &str) -> Target {
    Target {
        version: version.into(),
        replica: replica.into(),
        weight,
        base_url: Some(url.into()),
        upstream_model: Some(version.into()),
    }
}

async fn world(targets: Vec<Target>, share: f64) -> World {
    world_of(targets, share, None).await
}

async fn world_of(targets: Vec<Target>, share: f64, guard: Option<Guard>) -> World {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kept = Arc::new(Kept::default());
    let clock = Arc::new(ManualClock::at(UtcMillis(1_000_000)));
    let gateway = Gateway::new(clock.clone(), &Seed::fixed(1), kept.clone()).unwrap();
    gateway.configure(Config {
        routes: vec![Route {
            model: ModelKey::new("ml", "atlas"),
            served_name: "atlas".into(),
            targets,
            sampling: Sampling { keep: true, share, entities: vec![Entity::EmailAddress] },
            slices: vec![SliceRule {
                slice: Slice::new("currency"),
                pattern: regex::Regex::new("(?i)currency").unwrap(),
            }],
            guard,
        }],
        feedback_keys: [("team".to_string(), hex::encode(Sha256::digest(KEY)))].into(),
        window: Duration::from_secs(10),
        subject_key: Some(SubjectKey::new([7; 32])),
        limits: Limits { timeout: Duration::from_millis(400), ..Limits::default() },
    });
    let url = listen(gateway.router()).await;
    World { gateway, kept, clock, client: reqwest::Client::builder().no_proxy().build().unwrap(), url }
}

impl World {
    async fn ask(&self, question: &str, stream: bool) -> reqwest::Response {
        let body = json!({"model": "atlas", "stream": stream, "messages": [{"role": "user", "content": question}]});
        self.client.post(format!("{}/v1/chat/completions", self.url)).json(&body).send().await.unwrap()
    }

    async fn feedback(&self, key: Option<&str>, body: Value) -> (u16, Value) {
        let mut request = self.client.post(format!("{}/v1/feedback", self.url)).json(&body);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    fn close_windows(&self) {
        self.clock.advance(Duration::from_secs(10));
        self.gateway.tick();
    }
}

#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    gone: AtomicUsize,
}

struct Gone(Arc<Seen>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.gone.fetch_add(1, Ordering::SeqCst);
    }
}

async fn engine() -> (String, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let router = Router::new().route("/v1/chat/completions", post(reply)).with_state(seen.clone());
    (listen(router).await, seen)
}

/// Answers "MODEL ann@example.org"; misbehaves when the question says so.
async fn reply(State(seen): State<Arc<Seen>>, Json(body): Json<Value>) -> Response {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let question = body["messages"][0]["content"].as_str().unwrap_or_default().to_string();
    let model = body["model"].as_str().unwrap_or_default().to_string();
    if question.contains("hang") {
        let _gone = Gone(seen.clone());
        std::future::pending::<()>().await;
    }
    if question.contains("too long") {
        return (http::StatusCode::BAD_REQUEST, Json(json!({"error": {"message": "past the context"}})))
            .into_response();
    }
    if question.contains("crash") {
        return http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if body["stream"] != json!(true) {
        return Json(
            json!({"choices": [{"message": {"role": "assistant", "content": format!("{model} ann@example.org")}}],
            "usage": {"completion_tokens": 4}}),
        )
        .into_response();
    }
    let mut parts: Vec<String> = ["Eu", "ro ", "bob@example.org"]
        .iter()
        .map(|text| format!("data: {}\n\n", json!({"choices": [{"delta": {"content": text}}]})))
        .collect();
    if !question.contains("cut") {
        parts.push("data: [DONE]\n\n".to_string());
    }
    let gone = Gone(seen);
    let endless = question.contains("endless");
    let stream = futures::stream::iter(parts.into_iter().map(Bytes::from)).chain(futures::stream::once(async move {
        let _gone = gone;
        if endless {
            std::future::pending::<()>().await;
        }
        Bytes::new()
    }));
    ([(http::header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream.map(Ok::<_, Infallible>)))
        .into_response()
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_is_passed_on_measured_and_sampled_redacted() {
    let (url, _) = engine().await;
    let world = world(vec![target("atlas-v1", "a/0", 1, &url)], 1.0).await;
    let response = world.ask("What currency? Mail eve@example.org", false).await;
    assert_eq!(response.headers()["x-homeostat-version"], "atlas-v1");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_string();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "atlas-v1 ann@example.org", "served as it was");
    world.close_windows();
    assert_eq!(world.kept.mean("atlas-v1", Source::Traffic, "error_rate"), Some((0.0, 1)));
    assert_eq!(world.kept.mean("atlas-v1", Source::Traffic, "latency").unwrap().1, 1);
    assert!(world.kept.mean("atlas-v1", Source::Traffic, "tokens_per_second").unwrap().0 > 0.0);
    assert_eq!(world.kept.mean("atlas-v1", Source::Traffic, "ttft"), None, "not known without a stream");
    assert!(
        world.kept.windows.lock().unwrap().iter().all(|w| w.key.slice.as_str() == "currency" && w.key.replica == "a/0")
    );
    let (replica, sample) = world.kept.samples.lock().unwrap().remove(0);
    assert_eq!((replica.as_str(), sample.request_id.as_str()), ("a/0", id.as_str()));
    assert_eq!(sample.prompt, "What currency? Mail <EMAIL_ADDRESS>");
    assert_eq!(sample.completion, "atlas-v1 <EMAIL_ADDRESS>");
    assert_eq!(sample.subjects.len(), 2);
}

#[tokio::test]
async fn streams_are_passed_through_and_timed() {
    let (url, _) = engine().await;
    let world = world(vec![target("atlas-v1", "a/0", 1, &url)], 1.0).await;
    let response = world.ask("stream it", true).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = response.text().await.unwrap();
    assert!(text.contains("\"Eu\"") && text.ends_with("data: [DONE]\n\n"), "{text}");
    until("the sample", || !world.kept.samples.lock().unwrap().is_empty()).await;
    assert_eq!(world.kept.samples.lock().unwrap()[0].1.completion, "Euro <EMAIL_ADDRESS>");
    let cut = world.ask("cut it", true).await.text().await.unwrap();
    assert!(cut.contains("\"upstream_error\"") && !cut.contains("[DONE]"), "{cut}");
    world.close_windows();
    assert_eq!(world.kept.mean("atlas-v1", Source::Traffic, "ttft").unwrap().1, 1);
    assert_eq!(world.kept.mean("atlas-v1", Source::Traffic, "error_rate"), Some((0.5, 2)), "the cut one failed");
}

#[tokio::test]
async fn errors_are_clear_and_tell_nothing_of_the_inside() {
    let (url, _) = engine().await;
    let world = world(vec![target("atlas-v1", "a/0", 1, &url)], 0.0).await;
    let post = |body: Vec<u8>| world.client.post(format!("{}/v1/chat/completions", world.url)).body(body).send();
    let unknown = post(br#"{"model":"gpt","messages":[{"role":"user","content":"x"}]}"#.to_vec()).await.unwrap();
    assert_eq!(unknown.status(), 404);
    assert!(unknown.headers().contains_key("x-request-id"));
    let error: Value = unknown.json().await.unwrap();
    assert_eq!(error["error"]["code"], "model_not_found");
    assert!(!error.to_string().contains("atlas"));
    assert_eq!(post(b"{".to_vec()).await.unwrap().status(), 400);
    assert_eq!(post(vec![b' '; 5 << 20]).await.unwrap().status(), 413);
    let slow = world.ask("hang", false).await;
    assert_eq!(slow.status(), 504);
    assert_eq!(world.ask("too long", false).await.status(), 400);
    assert_eq!(world.ask("crash", false).await.status(), 500);
    world.close_windows();
    assert_eq!(world.kept.mean("atlas-v1", Source::Traffic, "error_rate"), Some((1.0, 2)), "a 4xx is the client's");
    let models: Value =
        world.client.get(format!("{}/v1/models", world.url)).send().await.unwrap().json().await.unwrap();
    assert_eq!(models["data"][0]["id"], "atlas");
    let health = world.client.get(format!("{}/health", world.url)).send().await.unwrap();
    assert_eq!(health.status(), 200);
}

#[tokio::test]
async fn a_dead_target_is_passed_by_and_counted() {
    let ((url, seen), dead) = (engine().await, dead().await);
    let world = world(vec![target("atlas-v2", "a/1", 1_000_000, &dead), target("atlas-v1", "a/0", 1, &url)], 0.0).await;
    for _ in 0..5 {
        let response = world.ask("hello", false).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-homeostat-version"]),
            (200, &"atlas-v1".parse().unwrap())
        );
    }
    assert_eq!(seen.requests.load(Ordering::SeqCst), 5);
    world.close_windows();
    assert_eq!(world.kept.mean("atlas-v2", Source::Traffic, "error_rate"), Some((1.0, 5)));
    assert_eq!(world.kept.mean("atlas-v1", Source::Traffic, "error_rate"), Some((0.0, 5)));
}

#[tokio::test]
async fn nothing_serving_asks_to_come_back() {
    let down = Target { base_url: None, ..target("atlas-v1", "a/0", 1, "") };
    let world = world(vec![down], 0.0).await;
    let response = world.ask("hello", false).await;
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"5".parse().unwrap()));
}

#[tokio::test]
async fn feedback_needs_a_key_and_a_recent_request() {
    let (url, _) = engine().await;
    let world = world(vec![target("atlas-v1", "a/0", 1, &url)], 0.0).await;
    let id = world.ask("Which currency?", false).await.headers()["x-request-id"].to_str().unwrap().to_string();
    assert!(world.kept.samples.lock().unwrap().is_empty(), "not drawn");
    let right = json!({"request_id": id, "completion": "Atlas V1. bob@example.org"});
    assert_eq!(world.feedback(None, right.clone()).await.0, 401);
    assert_eq!(world.feedback(Some("guess"), right.clone()).await.0, 401);
    assert_eq!(world.feedback(Some(KEY), json!({"request_id": "req-0", "correct": true})).await.0, 404);
    assert_eq!(world.feedback(Some(KEY), json!({"request_id": id})).await.0, 400);
    assert_eq!(world.feedback(Some(KEY), right.clone()).await, (200, json!({"object": "feedback", "correct": false})));
    assert_eq!(world.feedback(Some(KEY), right).await.0, 409);
    let sample = world.kept.samples.lock().unwrap().remove(0).1;
    let label = sample.label.unwrap();
    assert_eq!(
        (label.completion.as_str(), label.key_id.as_str(), label.correct),
        ("Atlas V1. <EMAIL_ADDRESS>", "team", false)
    );
    assert_eq!(sample.origin, SampleOrigin::Feedback);
    assert_eq!(sample.subjects.len(), 2);
    let unkept = world.ask("Which currency?", false).await.headers()["x-request-id"].to_str().unwrap().to_string();
    world.kept.full.store(true, Ordering::Relaxed);
    let (status, body) = world.feedback(Some(KEY), json!({"request_id": unkept, "correct": true})).await;
    assert_eq!((status, body["error"]["code"].as_str()), (503, Some("feedback_not_kept")), "not acknowledged: {body}");
    let late = world.ask("Which currency?", false).await.headers()["x-request-id"].to_str().unwrap().to_string();
    world.close_windows();
    assert_eq!(world.kept.mean("atlas-v1", Source::Feedback, "exact_match"), Some((0.5, 2)));
    assert!(world.kept.mean("atlas-v1", Source::Feedback, "token_f1").unwrap().0 < 1.0);
    world.clock.advance(Duration::from_secs(601));
    assert_eq!(world.feedback(Some(KEY), json!({"request_id": late, "correct": true})).await.0, 404);
}

#[tokio::test]
async fn a_client_that_leaves_frees_the_engine_and_counts_as_nothing() {
    let (url, seen) = engine().await;
    let world = world(vec![target("atlas-v1", "a/0", 1, &url)], 0.0).await;
    let mut response = world.ask("endless", true).await;
    assert!(response.chunk().await.unwrap().is_some());
    assert_eq!(world.gateway.in_flight("a/0"), 1);
    drop(response);
    until("the engine's stream to end", || seen.gone.load(Ordering::SeqCst) == 1).await;
    until("nothing in flight", || world.gateway.in_flight("a/0") == 0).await;
    world.close_windows();
    assert_eq!(world.kept.mean("atlas-v1", Source::Traffic, "error_rate"), None);
}

fn guard(output: GuardAction) -> Guard {
    let recognizers = Some(Recognizers::new(&[Entity::EmailAddress]));
    Guard { input: GuardAction::Redact, output, fails_open: false, recognizers }
}

#[tokio::test]
async fn personal_data_does_not_pass_a_guard_that_redacts() {
    let (url, _) = engine().await;
    let world = world_of(vec![target("atlas-v1", "a/0", 1, &url)], 0.0, Some(guard(GuardAction::Redact))).await;
    let whole: Value = world.ask("whole", false).await.json().await.unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], "atlas-v1 <EMAIL_ADDRESS>");
    let stream = world.ask("stream it", true).await.text().await.unwrap();
    assert!(stream.contains("<EMAIL_ADDRESS>") && !stream.contains("example.org"), "{stream}");
    assert!(stream.ends_with("data: [DONE]\n\n"), "{stream}");
    world.close_windows();
    assert_eq!(world.kept.mean("atlas-v1", Source::Traffic, "pii_leakage_rate"), Some((1.0, 2)));
    let counted = world.gateway.counters().guarded;
    assert_eq!(counted.values().sum::<u64>(), 2, "{counted:?}");
}

#[tokio::test]
async fn a_guard_that_blocks_ends_the_answer_and_blames_no_engine() {
    let (url, _) = engine().await;
    let world = world_of(vec![target("atlas-v1", "a/0", 1, &url)], 0.0, Some(guard(GuardAction::Block))).await;
    let whole = world.ask("whole", false).await;
    assert_eq!(whole.status(), 403);
    let stream = world.ask("stream it", true).await.text().await.unwrap();
    assert!(stream.contains("personal_data_in_answer") && !stream.contains("example.org"), "{stream}");
    world.close_windows();
    assert_eq!(world.kept.mean("atlas-v1", Source::Traffic, "error_rate"), Some((0.0, 2)));
}
