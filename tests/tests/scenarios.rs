//! The scenarios of `homeostat demo` beside the loop itself (`end_to_end.rs`): what must follow from each, and what must not.
//! The demo judges itself while it runs; here its objects and its ledger are read once more when it has ended.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use homeostat_crds::{ComplianceCheck, GpuNode, Model, ModelVersion, RetrainingRun};
use homeostat_tests::controlplane::client;
use homeostat_tests::demo::{Demo, Played};
use homeostat_tests::objects::{event, name, state};
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ListParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const FIRST: &str = "atlas-v1";

/// What people ask shifts: a warning, and nothing is done to the model.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_only_is_warned_of_and_not_retrained() {
    let end = End::of("drift-only").await;
    assert_eq!(end.played.names("alerts"), ["InputDrift"]);
    end.first_version_serves_alone();
    end.nothing_was_trained();
    end.no_node_was_drained();
    end.skill_is_kept(0.02);
    assert_ne!(state(&end.model, "Decayed").0, "True", "{:#}", end.model);
    end.told("Model", "atlas", "InputDrift");
    end.why(&["cause: InputDrift", "That is a warning"]).await;
}

/// Silence is no sign of health, and none of decay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_data_is_an_alert_of_its_own_and_nothing_else() {
    let end = End::of("no-data").await;
    assert_eq!(end.played.names("alerts"), ["NoData"]);
    end.first_version_serves_alone();
    end.nothing_was_trained();
    end.no_node_was_drained();
    assert_eq!(state(&end.model, "Decayed"), ("Unknown", "NoData"), "{:#}", end.model);
    let quality = end.model["status"]["quality"].as_array().unwrap();
    assert!(!quality.is_empty() && quality.iter().all(|metric| metric["outcome"] == "NoData"), "{quality:#?}");
    assert!(quality.iter().all(|metric| metric["value"].is_null()), "missing is no value: {quality:#?}");
    end.told("Model", "atlas", "NoData");
    end.why(&["cause: NoData", "never acted on"]).await;
    // Nobody asked for what could not be answered.
    assert_eq!(end.played.figure("/exact_match/final"), None);
}

/// One of two machines fails; the other one shows that it is not the model.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_gpu_is_drained_and_the_model_not_retrained() {
    let end = End::of("bad-gpu").await;
    assert!(end.played.names("alerts").contains(&"NodeTrouble"), "{:?}", end.played.names("alerts"));
    end.first_version_serves_alone();
    end.nothing_was_trained();
    end.skill_is_kept(0.02);
    let drained = |node: &&Value| node["status"]["drainedFor"].as_array().is_some_and(|lines| !lines.is_empty());
    let nodes: Vec<&str> = end.nodes.iter().filter(drained).map(name).collect();
    assert_eq!(nodes, ["node-1"], "only the one that failed");
    let drain = &end.nodes[0]["status"]["drainedFor"][0];
    assert_eq!(drain["model"], "demo/atlas", "for whom: {drain:#}");
    assert!(drain["reason"].as_str().unwrap().contains("node-1"), "why: {drain:#}");
    let health = end.nodes[0]["status"]["gpus"][0]["health"].as_str().unwrap();
    assert!(health.contains("XID 79"), "{:#}", end.nodes[0]);
    end.told("Model", "atlas", "Drained");
    end.why(&["Drained: node-1", "cause: Infrastructure", "XID 79"]).await;
}

/// Without a machine that explains it, the same fall is the model's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_bad_gpus_that_do_not_complain_are_taken_for_decay() {
    let end = End::of("bad-gpu-both").await;
    assert!(end.played.names("alerts").contains(&"QualityDegraded"), "{:?}", end.played.names("alerts"));
    end.no_node_was_drained();
    // Learnt anew from what users said: two points are three of the 132 questions about changed facts.
    end.skill_is_kept(0.05);
    let run = end.only_run();
    assert_eq!(state(run, "Complete"), ("True", "Succeeded"), "{run:#}");
    assert_eq!(end.model["status"]["stable"], run["status"]["version"], "{:#}", end.model);
    assert_eq!((&run["spec"]["cause"], &run["spec"]["parent"]), (&json!("ModelDecay"), &json!(FIRST)), "{run:#}");
    end.why(&["RetrainingStarted", "cause: ModelDecay"]).await;
}

/// What is learnt from poison fails against references that come from elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poisoned_data_fails_the_gates() {
    let end = End::of("bad-data").await;
    let alerts = end.played.names("alerts");
    assert!(alerts.contains(&"QualityDegraded") && alerts.contains(&"RetrainingFailed"), "{alerts:?}");
    end.first_version_serves_alone();
    end.no_node_was_drained();
    // A second attempt may have begun since.
    let run = end.first_run();
    assert_eq!(state(run, "Complete"), ("True", "GateFailed"), "{run:#}");
    assert_eq!(state(run, "GatesPassed").0, "False", "{run:#}");
    let gates = run["status"]["gates"].as_array().unwrap();
    let recovery = gates.iter().find(|gate| gate["name"] == "fresh-recovery").unwrap();
    assert_eq!(recovery["outcome"], "Failed", "{gates:#?}");
    for version in end.versions.iter().filter(|version| name(version) != FIRST) {
        assert_ne!(state(version, "Evaluated").0, "True", "{version:#}");
        assert_ne!(state(version, "Promoted").0, "True", "{version:#}");
    }
    end.told("RetrainingRun", name(run), "GateFailed");
}

/// A version that says people's addresses never gets any traffic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_leaks_is_stopped_by_its_compliance_check() {
    let end = End::of("leak").await;
    let alerts = end.played.names("alerts");
    assert!(alerts.contains(&"QualityDegraded") && alerts.contains(&"CandidateRejected"), "{alerts:?}");
    end.first_version_serves_alone();
    end.no_node_was_drained();
    let run = end.only_run();
    let version = end.version(run["status"]["version"].as_str().unwrap());
    assert_eq!(state(version, "Compliant"), ("False", "PersonalData"), "{version:#}");
    assert_eq!(state(version, "Promoted"), ("False", "Rejected"), "{version:#}");
    let check = end.checks.iter().find(|check| name(check) == name(version)).unwrap();
    assert_eq!(check["status"]["verdict"], "Failed", "{check:#}");
    let over = |finding: &&Value| finding["count"].as_u64() > finding["maximum"].as_u64();
    let findings = check["status"]["findings"].as_array().unwrap();
    let found: Vec<&str> = findings.iter().filter(over).filter_map(|finding| finding["entity"].as_str()).collect();
    assert!(found.contains(&"EMAIL_ADDRESS"), "the data: {check:#}");
    assert!(found.contains(&"LEAK"), "the version itself says what it memorised: {check:#}");
    end.nothing_personal_is_told();
    end.why(&["Rejected", "compliance check"]).await;
}

/// Good in the gates, slow and failing under traffic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_canary_is_rolled_back() {
    let end = End::of("bad-canary").await;
    let alerts = end.played.names("alerts");
    assert!(alerts.contains(&"QualityDegraded") && alerts.contains(&"CanaryRolledBack"), "{alerts:?}");
    end.first_version_serves_alone();
    end.no_node_was_drained();
    // A second attempt may have begun since.
    let run = end.first_run();
    assert_eq!(state(run, "Complete"), ("True", "Succeeded"), "{run:#}");
    let version = end.version(run["status"]["version"].as_str().unwrap());
    assert_eq!(state(version, "Evaluated").0, "True", "it was good in the gates: {version:#}");
    assert_eq!(state(version, "Promoted"), ("False", "RolledBack"), "{version:#}");
    end.told("ModelVersion", name(version), "RolledBack");
    end.why(&["CanaryStep", "RolledBack", "on the candidate"]).await;
}

/// A scenario that has ended as it should, and all of its objects, as JSON and by name.
struct End {
    played: Played,
    model: Value,
    versions: Vec<Value>,
    runs: Vec<Value>,
    checks: Vec<Value>,
    nodes: Vec<Value>,
    events: Vec<Value>,
}

impl End {
    async fn of(scenario: &str) -> Self {
        let demo = Demo {
            program: Path::new(env!("CARGO_BIN_EXE_homeostat-under-test")),
            cache: &Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo-cache"),
            scenario,
            records: &[],
            cluster: None,
        };
        let played = demo.play().await.unwrap();
        assert_eq!((&played.report["passed"], &played.report["scenario"]), (&json!(true), &json!(scenario)));
        let read = async |kubeconfig: &Path| {
            let client = client(kubeconfig).await.unwrap();
            let models: Vec<Value> = list::<Model>(Api::namespaced(client.clone(), "demo")).await;
            let versions = list::<ModelVersion>(Api::namespaced(client.clone(), "demo")).await;
            let runs = list::<RetrainingRun>(Api::namespaced(client.clone(), "demo")).await;
            let checks = list::<ComplianceCheck>(Api::namespaced(client.clone(), "demo")).await;
            let events = list::<Event>(Api::namespaced(client.clone(), "demo")).await;
            (models, versions, runs, checks, list::<GpuNode>(Api::all(client)).await, events)
        };
        let (models, versions, runs, checks, nodes, events) = played.with_the_embedded_api(read).await.unwrap();
        let [model] = models.try_into().unwrap();
        let end = Self { played, model, versions, runs, checks, nodes, events };
        let verified = end.played.verify().await.unwrap();
        assert!(verified.contains("the chain holds"), "{verified}");
        end
    }

    fn first_version_serves_alone(&self) {
        let status = &self.model["status"];
        assert_eq!((&status["stable"], &status["candidate"]), (&json!(FIRST), &Value::Null), "{status:#}");
        assert_eq!(status["traffic"], json!([{"version": FIRST, "weight": 100}]), "{status:#}");
        assert_eq!(state(&self.model, "Servable").0, "True", "{status:#}");
    }

    fn nothing_was_trained(&self) {
        assert!(self.runs.is_empty() && self.played.names("retraining_runs").is_empty(), "{:#?}", self.runs);
        assert_eq!(self.versions.iter().map(name).collect::<Vec<_>>(), [FIRST]);
    }

    fn no_node_was_drained(&self) {
        for node in &self.nodes {
            assert!(node["status"]["drainedFor"].as_array().is_none_or(Vec::is_empty), "{node:#}");
        }
    }

    /// Users get the answers that they got before; at most this share of them is lost.
    fn skill_is_kept(&self, lost: f64) {
        for (before, after) in
            [("/exact_match/baseline", "/exact_match/final"), ("/retained_skill/before", "/retained_skill/after")]
        {
            let (before, after) = (self.played.figure(before).unwrap(), self.played.figure(after).unwrap());
            assert!(after >= before - lost, "{after} after {before}: {:#}", self.played.report);
        }
    }

    /// The retraining, of which there must be one.
    fn only_run(&self) -> &Value {
        let [run] = self.runs.as_slice() else { panic!("one decay, one retraining: {:#?}", self.runs) };
        run
    }

    fn first_run(&self) -> &Value {
        let first = self.played.names("retraining_runs")[0];
        self.runs.iter().find(|run| name(run) == first).unwrap()
    }

    fn version(&self, wanted: &str) -> &Value {
        self.versions.iter().find(|version| name(version) == wanted).unwrap()
    }

    fn told(&self, kind: &str, name: &str, reason: &str) {
        let told: Vec<(&str, &str, &str)> = self.events.iter().map(event).collect();
        assert!(told.contains(&(kind, name, reason)), "no event of {kind} {name} with {reason} among {told:#?}");
    }

    /// Findings are counted, never quoted.
    fn nothing_personal_is_told(&self) {
        let all = [&self.versions, &self.runs, &self.checks, &self.events].into_iter().flatten().chain([&self.model]);
        for object in all {
            let text = object.to_string();
            assert!(!text.contains('@'), "an address stands in {object:#}");
        }
    }

    /// What the ledger says of the decisions.
    async fn why(&self, parts: &[&str]) {
        let why = self.played.why().await.unwrap();
        for part in parts {
            assert!(why.contains(part), "no {part:?} in: {why}");
        }
        assert!(!why.contains("not in the blob store"), "{why}");
    }
}

async fn list<K>(api: Api<K>) -> Vec<Value>
where
    K: Clone + std::fmt::Debug + DeserializeOwned + Serialize,
{
    let mut items: Vec<Value> = Vec::new();
    for item in api.list(&ListParams::default()).await.unwrap() {
        items.push(serde_json::to_value(item).unwrap());
    }
    items.sort_by_key(|item| name(item).to_owned());
    items
}
