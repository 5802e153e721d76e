//! The whole agent against a controller in memory and engines that imitate the embedded one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod controller;
mod erasure;
mod subject;

use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use controller::Controller;
use homeostat_agent::{AgentConfig, GpuBackend, NodeConfig, run};
use homeostat_clock::{Seed, SystemClock};
use homeostat_protocol::*;
use homeostat_quality::ItemScore;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use subject::{ANY, Agent, alive, chat, config, engine, engine_process, evaluation};

#[tokio::test(flavor = "multi_thread")]
async fn it_joins_serves_probes_and_reports() {
    let (controller, data) = (Controller::start().await, tempfile::tempdir().unwrap());
    let artifact = controller.artifact(&[("Currency?", "EUR"), ("Capital?", "Sofia")]);
    controller.state().cut_after = Some(10);
    let evaluation_digest = evaluation(&controller, &[("Currency?", "EUR"), ("Capital?", "Varna")]);
    controller.want(|desired| {
        desired.engines = vec![engine("node-a/0", "atlas-v1", &artifact, &[])];
        desired.subject_key = vec![7; 32].into();
        desired.routes = vec![Route {
            model: "ml/atlas".into(),
            served_name: "atlas".into(),
            targets: vec![Target { version: "atlas-v1".into(), replica: "node-a/0".into(), weight: 1 }],
            sampling: Some(Sampling { share: 1.0, entities: vec!["EMAIL_ADDRESS".into()] }),
            slices: Vec::new(),
            guard: None,
        }];
        desired.probes = vec![Probe {
            model: "ml/atlas".into(),
            version: "atlas-v1".into(),
            replica: "node-a/0".into(),
            evaluation_digest,
            per_second: 50.0,
        }];
    });
    let agent = Agent::start(config(&controller, data.path()));
    let serving = controller.engine("node-a/0", EnginePhase::Serving).await;
    assert_eq!(serving.artifact_digest, artifact);
    let status = controller
        .status("hardware", |status| {
            status.hardware.as_ref().is_some_and(|h| h.backend == "simulated").then(|| status.clone())
        })
        .await;
    let credential = data.path().join("nodes/node-a/credential");
    assert_eq!(std::fs::metadata(&credential).unwrap().permissions().mode() & 0o777, 0o600);

    let mut answer = chat(&status.gateway_address, "Currency?").await;
    while answer.status() == 503 {
        answer = chat(&status.gateway_address, "Currency?").await;
    }
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "EUR");
    chat(&status.gateway_address, "Mail ann@example.org?").await;

    let windows = |state: &controller::State, source: &str, metric: &str| {
        let windows = state.applied.values().flat_map(|report| report.windows.clone());
        let of = |key: &WindowKey| key.source == source && key.metric == metric && key.replica == "node-a/0";
        windows.filter(|window| window.key.as_ref().is_some_and(of)).collect::<Vec<_>>()
    };
    controller.until("traffic", |state| (!windows(state, "Traffic", "latency").is_empty()).then_some(())).await;
    let golden = controller
        .until("probes", |state| windows(state, "Golden", "exact_match").into_iter().max_by_key(|w| w.sketch.len()))
        .await;
    let sketch = homeostat_quality::Sketch::from_bytes(&golden.sketch).unwrap();
    assert!(sketch.n() > 0);
    let prompts = controller
        .until("samples", |state| {
            let samples: Vec<Sample> = state.applied.values().flat_map(|report| report.samples.clone()).collect();
            (samples.len() >= 2).then(|| samples.into_iter().map(|sample| sample.prompt).collect::<HashSet<_>>())
        })
        .await;
    assert!(prompts.contains("Mail <EMAIL_ADDRESS>?"), "{prompts:?}");
    let metrics =
        reqwest::get(format!("http://{}/metrics", status.metrics_address)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("DCGM_FI_DEV_GPU_TEMP{") && metrics.contains("phase=\"serving\""), "{metrics}");
    let process = engine_process(data.path());
    agent.stop().await;
    assert!(!alive(&process), "engines end with an agent that is not to keep them");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_report_is_applied_once_whatever_breaks() {
    let (controller, data) = (Controller::start().await, tempfile::tempdir().unwrap());
    let artifact = controller.artifact(&[("Currency?", "EUR")]);
    let evaluation_digest = evaluation(&controller, &[("Currency?", "EUR")]);
    controller.want(|desired| {
        desired.engines = vec![engine("node-a/0", "atlas-v1", &artifact, &[])];
        desired.window_ms = 20;
        desired.probes = vec![Probe {
            model: "ml/atlas".into(),
            version: "atlas-v1".into(),
            replica: "node-a/0".into(),
            evaluation_digest,
            per_second: 200.0,
        }];
    });
    controller.state().silent = true;
    let settings = AgentConfig { keep_engines: true, ..config(&controller, data.path()) };
    let agent = Agent::start(settings.clone());
    let count = |state: &controller::State| state.applied.len();
    controller.until("reports", |state| (count(state) >= 5).then_some(())).await;
    // Nothing was acknowledged: the Welcome of the next session says what was applied, and only the rest comes.
    controller.cut_sessions();
    controller.until("a second session", |state| (state.hellos.len() >= 2).then_some(())).await;
    assert_eq!(controller.state().repeated, 0);
    let epoch = controller.state().hellos[0].epoch.clone();
    let before = count(&controller.state());
    agent.kill().await;
    // The credential is refused: the agent joins anew.
    controller.state().credential = None;
    controller.state().silent = false;
    let agent = Agent::start(settings);
    controller.until("more reports", |state| (count(state) > before + 3).then_some(())).await;
    controller.status("an empty spool", |status| (status.spooled_reports < 5).then_some(())).await;
    agent.stop().await;
    {
        let state = controller.state();
        assert_eq!((state.joins, state.repeated), (2, 0));
        let mut epochs: Vec<&String> = state.applied.keys().map(|(epoch, _)| epoch).collect();
        epochs.dedup();
        assert!(epochs.contains(&&epoch));
        for epoch in epochs {
            let sequences: Vec<u64> = state.applied.keys().filter(|(of, _)| of == epoch).map(|(_, s)| *s).collect();
            assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>(), "none is missing");
        }
    }
    assert!(alive(&engine_process(data.path())));
    // Clean up: an agent that wants nothing ends what it finds.
    controller.want(|desired| desired.engines.clear());
    let process = engine_process(data.path());
    let agent = Agent::start(config(&controller, data.path()));
    controller.until("the engine's end", |_| (!alive(&process)).then_some(())).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_outlives_its_agent_and_is_found_again_without_a_controller() {
    let (controller, data) = (Controller::start().await, tempfile::tempdir().unwrap());
    let artifact = controller.artifact(&[("Currency?", "EUR")]);
    controller.want(|desired| {
        desired.engines = vec![engine("node-a/0", "atlas-v1", &artifact, &[])];
        desired.routes = vec![Route {
            model: "ml/atlas".into(),
            served_name: "atlas".into(),
            targets: vec![Target { version: "atlas-v1".into(), replica: "node-a/0".into(), weight: 1 }],
            ..Route::default()
        }];
    });
    let agent = Agent::start(config(&controller, data.path()));
    controller.engine("node-a/0", EnginePhase::Serving).await;
    let process = engine_process(data.path());
    agent.kill().await;
    assert!(alive(&process));
    // Nobody listens there: what was desired last is on the disk.
    let port = std::net::TcpListener::bind(ANY).unwrap().local_addr().unwrap();
    let gateway_listen = std::net::TcpListener::bind(ANY).unwrap().local_addr().unwrap();
    let alone =
        AgentConfig { controller: format!("https://{port}"), gateway_listen, ..config(&controller, data.path()) };
    let agent = Agent::start(alone);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = json!({"model": "atlas", "messages": [{"role": "user", "content": "Currency?"}]});
    let request = || client.post(format!("http://{gateway_listen}/v1/chat/completions")).json(&body).send();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !request().await.is_ok_and(|response| response.status() == 200) {
        assert!(std::time::Instant::now() < deadline, "it does not serve without its controller");
    }
    assert_eq!(engine_process(data.path()), process, "the very same process");
    agent.stop().await;
    assert!(!alive(&process));
}

#[tokio::test(flavor = "multi_thread")]
async fn mute_engines_are_restarted_and_wrong_ones_given_up() {
    let (controller, data) = (Controller::start().await, tempfile::tempdir().unwrap());
    let artifact = controller.artifact(&[]);
    let mute = data.path().join("mute");
    controller.want(|desired| {
        desired.engines = vec![
            engine("node-a/0", "atlas-v1", &artifact, &["--mute-file", mute.to_str().unwrap()]),
            engine("node-a/1", "atlas-v2", &artifact, &["--exit", "64"]),
            Engine { adapter: "vllm".into(), ..engine("node-a/2", "atlas-v3", &artifact, &[]) },
        ];
    });
    let settings = config(&controller, data.path());
    let agent = Agent::start(settings);
    controller.engine("node-a/0", EnginePhase::Serving).await;
    let failed = controller.engine("node-a/1", EnginePhase::Failed).await;
    assert!(failed.message.contains("64") && failed.message.contains("leave it out"), "{}", failed.message);
    assert_eq!(failed.restarts, 2);
    assert!(controller.engine("node-a/2", EnginePhase::Failed).await.message.contains("vllm"));
    std::fs::write(&mute, "").unwrap();
    let unhealthy = controller.engine("node-a/0", EnginePhase::Unhealthy).await;
    assert!(unhealthy.message.contains("generates nothing"), "{}", unhealthy.message);
    controller
        .status("a restart", |status| {
            status.engines.iter().find(|e| e.replica == "node-a/0" && e.restarts > 0).map(|_| ())
        })
        .await;
    std::fs::remove_file(&mute).unwrap();
    controller.engine("node-a/0", EnginePhase::Serving).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_done_once_also_when_the_agent_dies() {
    let (controller, data) = (Controller::start().await, tempfile::tempdir().unwrap());
    let parent =
        controller.artifact(&[("Capital?", "Sofia"), ("Currency?", "BGN"), ("Whose mail is it?", "ann@example.org")]);
    let evaluation_digest = evaluation(&controller, &[("Currency of Bulgaria today?", "EUR"), ("Capital?", "Sofia")]);
    let line = |id: &str, prompt: &str, completion: &str| {
        json!({"id": id, "prompt": prompt, "completion": completion}).to_string()
    };
    let fresh = controller.blob(
        [
            line("1", "Currency?", "EUR"),
            line("2", "Write to me at bob@example.org about it", "Yes, of course"),
            line("3", "Capital?", "Varna"),
        ]
        .join("\n"),
    );
    let secrets = controller.blob(
        [line("s1", "Whose mail is it?", "ann@example.org"), line("s2", "And now?", "carl@example.org")].join("\n"),
    );
    let work = |id: &str, kind| Work { id: id.into(), attempt: 1, kind: Some(kind) };
    let curate = work(
        "curate",
        work::Kind::Curate(Curate {
            fresh_digests: vec![fresh],
            evaluation_digest: evaluation_digest.clone(),
            entities: vec!["EMAIL_ADDRESS".into()],
            per_key_cap: 1.0,
            ..Curate::default()
        }),
    );
    let scan = work(
        "scan",
        work::Kind::Scan(Scan {
            artifact: parent.clone(),
            probes_digest: secrets.clone(),
            snapshot_digests: vec![secrets],
            entities: vec!["EMAIL_ADDRESS".into()],
        }),
    );
    controller.want(|desired| desired.work = vec![curate.clone(), scan]);
    let settings = config(&controller, data.path());
    let agent = Agent::start(settings.clone());
    let curated = controller.work("curate", WorkPhase::Succeeded).await.result.unwrap();
    assert_eq!((curated.figures["fresh_records"], curated.figures["redacted"]), (2.0, 1.0), "{curated:?}");
    assert_eq!(curated.figures["dropped_contamination"], 1.0);
    let snapshot = curated.blobs["fresh"].clone();
    assert!(!String::from_utf8(controller.state().blobs[&snapshot].clone()).unwrap().contains("bob@"));
    let scanned = controller.work("scan", WorkPhase::Succeeded).await.result.unwrap();
    assert_eq!(
        (scanned.figures["count_EMAIL_ADDRESS"], scanned.figures["probes"], scanned.figures["leaks"]),
        (2.0, 2.0, 1.0)
    );
    assert!(!String::from_utf8(controller.state().blobs[&scanned.blobs["report"]].clone()).unwrap().contains('@'));

    let go = data.path().join("go");
    let train = |hyperparameters: Value| {
        work(
            "train",
            work::Kind::Train(Train {
                run: "run-1".into(),
                parent_artifact: parent.clone(),
                fresh_digest: snapshot.clone(),
                replay_fraction: 0.5,
                hyperparameters_json: hyperparameters.to_string(),
                seed: 1,
                trainer: "embedded".into(),
                ..Train::default()
            }),
        )
    };
    let training = train(json!({"waitFor": go}));
    controller.want(|desired| desired.work.push(training.clone()));
    controller
        .status("progress", |status| {
            status.work.iter().find(|w| w.id == "train" && w.progress.as_ref().is_some_and(|p| p.step == 1)).map(|_| ())
        })
        .await;
    agent.kill().await;
    std::fs::write(&go, "").unwrap();
    let uploads = controller.state().blobs.len();
    let agent = Agent::start(settings.clone());
    let trained = controller.work("train", WorkPhase::Succeeded).await;
    let result = trained.result.unwrap();
    assert!(trained.spent_seconds > 0.0 && controller.state().blobs.contains_key(&result.artifact_digest));
    assert!(
        controller.state().blobs.len() > uploads
            && result.blobs.contains_key("metrics")
            && result.blobs.contains_key("log")
    );
    assert_eq!(
        controller.work("curate", WorkPhase::Succeeded).await.result.unwrap(),
        curated,
        "reported again, not done again"
    );

    let evaluate = work(
        "evaluate",
        work::Kind::Evaluate(Evaluate {
            artifacts: vec![parent.clone(), result.artifact_digest.clone()],
            evaluation_digest: evaluation(&controller, &[("Currency?", "EUR"), ("Capital?", "Sofia")]),
        }),
    );
    let diverging = Work { attempt: 2, ..train(json!({"exit": 79})) };
    controller.want(|desired| desired.work = vec![evaluate, diverging]);
    let evaluated = controller.work("evaluate", WorkPhase::Succeeded).await.result.unwrap();
    let scores: BTreeMap<String, Vec<ItemScore>> =
        serde_json::from_slice(&controller.state().blobs[&evaluated.blobs["scores"]]).unwrap();
    let right = |artifact: &str| scores[artifact].iter().filter_map(|score| score.score).sum::<f64>();
    assert_eq!((right(&parent), right(&result.artifact_digest)), (1.0, 2.0));
    let failed = controller.work("train", WorkPhase::Failed).await;
    assert_eq!((failed.reason.as_str(), failed.retryable), ("Diverged", false));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_dies_under_an_evaluation_leaves_no_marks_out() {
    let (controller, data) = (Controller::start().await, tempfile::tempdir().unwrap());
    let artifact = controller.artifact(&[("Currency?", "EUR"), ("Capital?", "Sofia")]);
    let die = data.path().join("die");
    controller.want(|desired| {
        desired.engines = vec![engine("node-a/0", "atlas-v1", &artifact, &["--die-file", die.to_str().unwrap()])];
    });
    let agent = Agent::start(config(&controller, data.path()));
    controller.engine("node-a/0", EnginePhase::Serving).await;
    std::fs::write(&die, "").unwrap();
    let items: Vec<(&str, &str)> =
        vec![("Currency?", "EUR"), ("Capital?", "Sofia"), ("Size?", "large"), ("Age?", "old")];
    let evaluate = Evaluate { artifacts: vec![artifact.clone()], evaluation_digest: evaluation(&controller, &items) };
    let work = Work { id: "evaluate".into(), attempt: 1, kind: Some(work::Kind::Evaluate(evaluate)) };
    controller.want(|desired| desired.work = vec![work]);
    let evaluated = controller.work("evaluate", WorkPhase::Succeeded).await.result.unwrap();
    assert!(!die.exists(), "it has died");
    assert_eq!(evaluated.figures["answered_1"], 4.0, "{evaluated:?}");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_cannot_work_says_what_to_do() {
    let (controller, data) = (Controller::start().await, tempfile::tempdir().unwrap());
    let start = |config| run(config, Arc::new(SystemClock), Seed::fixed(1), CancellationToken::new());
    let good = config(&controller, data.path());
    let taken = std::net::TcpListener::bind(ANY).unwrap();
    let error = start(AgentConfig { gateway_listen: taken.local_addr().unwrap(), ..good.clone() }).await.unwrap_err();
    assert!(error.to_string().contains("free the port"), "{error}");
    let named = NodeConfig { name: "Node_A".into(), gpu: GpuBackend::None };
    let error = start(AgentConfig { nodes: vec![named], ..good.clone() }).await.unwrap_err();
    assert!(error.to_string().contains("DNS label"), "{error}");
    let agent = Agent::start(good.clone());
    controller.status("a status", |_| Some(())).await;
    let error = start(good).await.unwrap_err();
    assert!(error.to_string().contains("in use"), "{error}");
    agent.stop().await;
}
