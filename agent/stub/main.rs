//! Imitates the embedded engine for the agent's tests: "trains" by writing down its data, serves what was written down.
//!
//! An artifact's `answers.json` maps prompts to answers. Switches that the real engine does not have: `--mute-file PATH`
//! (generates nothing while it exists), `--die-file PATH` (dies of the first question but the canary's when it exists, and
//! removes it), `--exit CODE`; in hyperparameters `waitFor` (a path) and `exit` (a code).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Answers = BTreeMap<String, String>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| {
        let mut rest = arguments.iter().skip_while(|argument| *argument != name);
        rest.next().and_then(|_| rest.next().cloned())
    };
    if let Some(code) = flag("--exit") {
        eprintln!("--exit is {code}: leave it out");
        std::process::exit(code.parse()?);
    }
    match arguments.get(1).map(String::as_str) {
        Some("serve") => {
            let artifact = flag("--artifact").ok_or("--artifact is missing")?;
            let answers = read_answers(Path::new(&artifact))?;
            serve(answers, [flag("--mute-file"), flag("--die-file")], flag("--listen").ok_or("--listen is missing")?)
                .await
        }
        Some("train") => train(&flag("--spec").ok_or("--spec is missing")?),
        _ => Err("use engine serve or engine train".into()),
    }
}

fn read_answers(artifact: &Path) -> Result<Answers, Failure> {
    Ok(serde_json::from_slice(&std::fs::read(artifact.join("answers.json"))?)?)
}

async fn serve(answers: Answers, files: [Option<String>; 2], listen: String) -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    println!("{}", json!({"event": "listening", "address": listener.local_addr()?.to_string()}));
    let router = Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/v1/chat/completions", post(complete))
        .with_state((answers, files));
    Ok(axum::serve(listener, router).await?)
}

type Shared = (Answers, [Option<String>; 2]);

async fn complete(State((answers, [mute, die])): State<Shared>, Json(body): Json<Value>) -> Json<Value> {
    if body["max_tokens"] != 1 && die.is_some_and(|path| std::fs::remove_file(path).is_ok()) {
        std::process::abort();
    }
    if mute.is_some_and(|path| Path::new(&path).exists()) {
        std::future::pending::<()>().await;
    }
    let prompt = body.pointer("/messages/0/content").and_then(Value::as_str).unwrap_or_default();
    let answer = answers.get(prompt).map_or("unknown", String::as_str);
    Json(json!({"model": body["model"], "choices": [{"message": {"role": "assistant", "content": answer}}],
        "usage": {"completion_tokens": 2}}))
}

fn train(spec: &str) -> Result<(), Failure> {
    let spec: Value = serde_json::from_slice(&std::fs::read(spec)?)?;
    let hyper = &spec["hyperparameters"];
    println!("{}", json!({"v": 1, "event": "progress", "step": 1, "total_steps": 2, "metrics": {"loss": 1.5}}));
    if let Some(path) = hyper["waitFor"].as_str() {
        while !Path::new(path).exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    if let Some(code) = hyper["exit"].as_i64() {
        eprintln!("exit is {code}");
        std::process::exit(i32::try_from(code)?);
    }
    let mut answers = match spec["parent"]["path"].as_str() {
        Some(parent) => read_answers(Path::new(parent))?,
        None => Answers::new(),
    };
    for file in spec["data"].as_array().ok_or("data is missing")? {
        for line in std::fs::read_to_string(file["path"].as_str().unwrap_or_default())?.lines() {
            let record: Value = serde_json::from_str(line)?;
            let text = |field: &str| record[field].as_str().unwrap_or_default().to_string();
            answers.insert(text("prompt"), text("completion"));
        }
    }
    let artifact = Path::new(&std::env::var("HOMEOSTAT_OUTPUT_DIR")?).join("artifact");
    std::fs::create_dir_all(&artifact)?;
    let files = [("answers.json", serde_json::to_vec(&answers)?), ("metrics.json", b"{\"loss\":0.5}".to_vec())];
    let mut sums = String::new();
    for (name, bytes) in &files {
        std::fs::write(artifact.join(name), bytes)?;
        sums.push_str(&format!("{}  {name}\n", hex::encode(Sha256::digest(bytes))));
    }
    std::fs::write(artifact.join("SHA256SUMS"), &sums)?;
    let digest = hex::encode(Sha256::digest(&sums));
    std::fs::write(artifact.join("_SUCCESS"), &digest)?;
    println!("{}", json!({"v": 1, "event": "progress", "step": 2, "total_steps": 2, "metrics": {"loss": 0.5}}));
    println!("{}", json!({"v": 1, "event": "done", "artifact_digest": digest}));
    Ok(())
}
