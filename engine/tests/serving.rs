//! The HTTP API over a model with random weights: what is generated does not matter here, how it is delivered does.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use homeostat_engine::architecture::Architecture;
use homeostat_engine::artifact::{self, Lineage, Metrics, Records};
use homeostat_engine::sealed::Digest;
use homeostat_engine::serve::{Faults, serve_until};
use homeostat_engine::weights::Weights;
use homeostat_engine::{ServeArgs, ServeError};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

type Failure = Box<dyn std::error::Error>;

struct Running {
    client: reqwest::Client,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), ServeError>>,
    _folder: tempfile::TempDir,
}

fn write_artifact(folder: &Path) -> Result<Digest, Failure> {
    let architecture = Architecture { layers: 1, context: 48, ..Architecture::default() };
    let metrics = Metrics {
        loss: 0.5,
        steps: 1,
        tokens: 1,
        held_out_bits_per_byte: None,
        records: Records::default(),
        expert_load: Vec::new(),
        stopped: "steps".to_owned(),
    };
    let lineage = Lineage {
        run_id: "test".to_owned(),
        attempt: 1,
        parent: None,
        data: Vec::new(),
        replay: Vec::new(),
        spec: Digest::of(b"spec"),
        seed: 1,
        code: "test".to_owned(),
    };
    Ok(artifact::write(folder, &architecture, &Weights::initial(&architecture, 1), &metrics, &lineage)?)
}

fn arguments(artifact: &Path, faults: Faults) -> Result<ServeArgs, Failure> {
    Ok(ServeArgs {
        artifact: artifact.to_owned(),
        listen: "127.0.0.1:0".parse()?,
        model_name: "atlas".to_owned(),
        threads: 1,
        max_queue: 8,
        faults,
    })
}

impl Running {
    async fn start(faults: Faults) -> Result<Self, Failure> {
        // Another test may have installed it first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir()?;
        let artifact = folder.path().join("artifact");
        write_artifact(&artifact)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (listening, address) = oneshot::channel();
        let arguments = arguments(&artifact, faults)?;
        let serving = tokio::spawn(serve_until(
            arguments,
            async {
                let _ = stopped.await;
            },
            |address| {
                let _ = listening.send(address);
            },
        ));
        let running = Self { client: reqwest::Client::new(), address: address.await?, stop, serving, _folder: folder };
        let ready = async {
            while running.get("/health").await?.0 != 200 {
                tokio::task::yield_now().await;
            }
            Ok::<(), Failure>(())
        };
        tokio::time::timeout(Duration::from_secs(10), ready).await??;
        Ok(running)
    }

    async fn get(&self, path: &str) -> Result<(u16, String), Failure> {
        let response = self.client.get(format!("http://{}{path}", self.address)).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(u16, String), Failure> {
        let request = self.client.post(format!("http://{}{path}", self.address)).body(body.to_string());
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    async fn stop(self) -> Result<(), Failure> {
        let _ = self.stop.send(());
        Ok(tokio::time::timeout(Duration::from_secs(10), self.serving).await???)
    }
}

fn question() -> Value {
    json!({"model": "atlas", "messages": [{"role": "user", "content": "capital of Estonia?"}], "max_tokens": 12})
}

#[tokio::test]
async fn a_stream_delivers_what_the_whole_answer_says() -> Result<(), Failure> {
    let engine = Running::start(Faults::default()).await?;
    let (status, body) = engine.post("/v1/chat/completions", &question()).await?;
    assert_eq!(status, 200, "{body}");
    let whole: Value = serde_json::from_str(&body)?;
    let choice = &whole["choices"][0];
    assert_eq!(whole["usage"]["prompt_tokens"], 20);
    assert!(whole["usage"]["completion_tokens"].as_u64() <= Some(12));

    let mut streaming = question();
    streaming["stream"] = json!(true);
    streaming["stream_options"] = json!({"include_usage": true});
    let (status, body) = engine.post("/v1/chat/completions", &streaming).await?;
    assert_eq!(status, 200);
    let lines: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(lines.last(), Some(&"[DONE]"));
    let chunks = lines[..lines.len() - 1].iter().map(|line| serde_json::from_str(line));
    let chunks = chunks.collect::<Result<Vec<Value>, _>>()?;
    let content: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(Some(content.as_str()), choice["message"]["content"].as_str());
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], choice["finish_reason"]);
    assert_eq!(chunks[chunks.len() - 1]["usage"], whole["usage"]);

    let (_, page) = engine.get("/metrics").await?;
    assert!(page.contains("homeostat_engine_requests_total{outcome=\"completed\"} 2"), "{page}");
    assert!(page.contains("homeostat_engine_prompt_tokens_total 40"), "{page}");
    let (_, models) = engine.get("/v1/models").await?;
    assert_eq!(serde_json::from_str::<Value>(&models)?["data"][0]["id"], "atlas");
    engine.stop().await
}

#[tokio::test]
async fn a_reference_is_scored_byte_by_byte_as_it_would_be_generated() -> Result<(), Failure> {
    let engine = Running::start(Faults::default()).await?;
    let reference = "2+2?\u{2}44\u{3}";
    let body = json!({"model": "atlas", "prompt": reference, "max_tokens": 0, "echo": true, "logprobs": 1});
    let (status, body) = engine.post("/v1/completions", &body).await?;
    assert_eq!(status, 200, "{body}");
    let scored: Value = serde_json::from_str(&body)?;
    let log = &scored["choices"][0]["logprobs"];
    assert_eq!(scored["choices"][0]["text"], reference);
    let values = log["token_logprobs"].as_array().ok_or("no array")?;
    assert_eq!((values.len(), values[0].is_null()), (reference.len(), true));
    assert!(values[1..].iter().all(|value| value.as_f64().is_some_and(|value| value < 0.0)), "{values:?}");

    // The likeliest byte behind the question is the one that generation takes, at the same probability.
    let body = json!({"prompt": "2+2?", "max_tokens": 1, "logprobs": 1});
    let (_, body) = engine.post("/v1/completions", &body).await?;
    let generated: Value = serde_json::from_str(&body)?;
    if let Some(value) = generated["choices"][0]["logprobs"]["token_logprobs"][0].as_f64() {
        let alternatives = log["top_logprobs"][5].as_object().ok_or("no alternatives")?;
        let likeliest = alternatives.values().filter_map(Value::as_f64).fold(f64::MIN, f64::max);
        assert!((value - likeliest).abs() < 1e-5, "{value} against {likeliest}");
    }
    engine.stop().await
}

#[tokio::test]
async fn wrong_requests_get_an_error_body_that_says_what_to_do() -> Result<(), Failure> {
    let engine = Running::start(Faults::default()).await?;
    let mut long = question();
    long["messages"][0]["content"] = json!("x".repeat(60));
    let mut other = question();
    other["model"] = json!("borealis");
    let mut two = question();
    two["n"] = json!(2);
    for (body, status, code, part) in [
        (long, 400, "context_length_exceeded", "61 bytes exceeds the context of 48"),
        (other, 404, "model_not_found", "atlas"),
        (two, 400, "invalid_value", "set it to 1"),
        (json!({"messages": "secret"}), 400, "invalid_value", "wrong type"),
        (json!("secret"), 400, "invalid_value", "wrong type"),
    ] {
        let (found, text) = engine.post("/v1/chat/completions", &body).await?;
        let error = &serde_json::from_str::<Value>(&text)?["error"];
        assert_eq!((found, error["code"].as_str()), (status, Some(code)), "{text}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(part)), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
    assert_eq!(engine.get("/v2").await?.0, 404);
    engine.stop().await
}

#[tokio::test]
async fn injected_faults_show_and_corrupt_weights_answer_differently() -> Result<(), Failure> {
    let healthy = Running::start(Faults::default()).await?;
    let corrupt = Running::start(Faults { corrupt_weights: 0.5, ..Faults::default() }).await?;
    let mut long = question();
    long["max_tokens"] = json!(20);
    let text = |body: String| serde_json::from_str::<Value>(&body).map(|body| body["choices"].clone());
    let right = text(healthy.post("/v1/chat/completions", &long).await?.1)?;
    assert_eq!(right, text(healthy.post("/v1/chat/completions", &long).await?.1)?, "greedy answers repeat");
    assert_ne!(right, text(corrupt.post("/v1/chat/completions", &long).await?.1)?);
    let failing = Running::start(Faults { inject_error_rate: 1.0, ..Faults::default() }).await?;
    assert_eq!(failing.post("/v1/chat/completions", &question()).await?.0, 500);
    for engine in [healthy, corrupt, failing] {
        engine.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn faults_are_switched_on_and_off_while_it_serves() -> Result<(), Failure> {
    let started_corrupt = Faults { corrupt_weights: 0.5, allow_faults: true, ..Faults::default() };
    let (engine, healthy) = (Running::start(started_corrupt).await?, Running::start(Faults::default()).await?);
    let asked = [
        ("/v1/chat/completions", json!({"messages": [{"role": "user", "content": "capital?"}], "max_tokens": 20})),
        ("/v1/completions", json!({"prompt": "capital?", "max_tokens": 20})),
    ];
    for (path, body) in &asked {
        let text = |body: String| serde_json::from_str::<Value>(&body).map(|body| body["choices"].clone());
        let right = text(healthy.post(path, body).await?.1)?;
        let answer = async || Ok::<_, Failure>(text(engine.post(path, body).await?.1)?);
        let fault = async |fault: Value| engine.post("/fault", &fault).await;

        assert_eq!(fault(json!({})).await?.0, 200);
        assert_eq!(answer().await?, right, "the verified weights are back");
        let (_, in_force) = fault(json!({"corrupt_weights": 0.5})).await?;
        let in_force: Value = serde_json::from_str(&in_force)?;
        assert_eq!(in_force, json!({"corrupt_weights": 0.5, "latency_ms": 0, "error_rate": 0.0}));
        assert_ne!(answer().await?, right);
        assert_eq!(engine.get("/health").await?.0, 200, "it answers, if badly");

        // The next fault replaces the one before: no corruption is left.
        fault(json!({"latency_ms": 120})).await?;
        let begun = Instant::now();
        assert_eq!(answer().await?, right);
        assert!(begun.elapsed() >= Duration::from_millis(120));
        fault(json!({"error_rate": 1})).await?;
        assert_eq!(engine.post(path, body).await?.0, 500);
        assert_eq!(engine.get("/health").await?.0, 200);
        fault(json!({"corrupt_weights": 0.0, "latency_ms": 0, "error_rate": 0.0})).await?;
        assert_eq!(answer().await?, right);
        // For the next path to begin with.
        fault(json!({"corrupt_weights": 0.5})).await?;
    }
    let (status, _) = healthy.post("/fault", &json!({"error_rate": 1})).await?;
    assert_eq!(status, 404, "it was started without --allow-faults");
    assert_eq!(healthy.post(asked[1].0, &asked[1].1).await?.0, 200);
    engine.stop().await?;
    healthy.stop().await
}

#[tokio::test]
async fn a_wrong_fault_is_refused_by_field_and_changes_nothing() -> Result<(), Failure> {
    let engine = Running::start(Faults { allow_faults: true, ..Faults::default() }).await?;
    for (body, field, part) in [
        (
            json!({"corrupt_weights": 1.5, "error_rate": 1}),
            "corrupt_weights",
            "corrupt_weights is 1.5: use a number from 0 to 1",
        ),
        (json!({"error_rate": -0.1}), "error_rate", "error_rate is -0.1"),
        (json!({"error_rate": "all"}), "error_rate", "error_rate is \"all\""),
        (json!({"latency_ms": -1, "error_rate": 1}), "latency_ms", "latency_ms is -1: use a whole number"),
        (json!({"latency_ms": 1.5}), "latency_ms", "latency_ms is 1.5"),
        (json!({"latencyMs": 5, "error_rate": 1}), "body", "latencyMs"),
        (json!("error_rate"), "body", "JSON object"),
    ] {
        let (status, text) = engine.post("/fault", &body).await?;
        let error = &serde_json::from_str::<Value>(&text)?["error"];
        assert_eq!((status, error["param"].as_str()), (400, Some(field)), "{text}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(part)), "{text}");
        assert_eq!(engine.post("/v1/chat/completions", &question()).await?.0, 200, "{body} left nothing behind");
    }
    engine.stop().await
}

#[tokio::test]
async fn a_corrupt_artifact_is_never_served() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let artifact = folder.path().join("artifact");
    write_artifact(&artifact)?;
    let model = artifact.join("model.safetensors");
    let mut bytes = std::fs::read(&model)?;
    bytes.pop();
    std::fs::write(&model, bytes)?;
    let serving = serve_until(arguments(&artifact, Faults::default())?, std::future::pending(), |_| {});
    let error = tokio::time::timeout(Duration::from_secs(10), serving).await?.err().ok_or("it was served")?;
    let ServeError::Artifact { source, .. } = error else { return Err(error.into()) };
    assert!(source.to_string().contains("model.safetensors is corrupt"), "{source}");
    Ok(())
}
