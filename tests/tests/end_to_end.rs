//! The whole loop, as `homeostat demo --once` plays it: a served version decays, is found, diagnosed, retrained, checked,
//! tried under traffic and promoted. One body, two back ends: the embedded API with SQLite, and a real kube-apiserver with
//! PostgreSQL. What happened must stand in the report, in the objects as stock kubectl shows them, and in the ledger.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use homeostat_tests::controlplane::ControlPlane;
use homeostat_tests::demo::{Demo, Played};
use homeostat_tests::kubectl::Kubectl;
use homeostat_tests::objects::{condition, event};
use homeostat_tests::services::postgres;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loop_on_the_embedded_api_and_sqlite() {
    let loop_ = Loop::play(&[], None).await;
    loop_.tells().await;
    loop_.played.with_the_embedded_api(async |kubeconfig| loop_.objects(kubeconfig).await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loop_on_a_real_kube_apiserver_and_postgresql() {
    let Some(plane) = ControlPlane::start().await.unwrap() else { return };
    let Some(database) = postgres().await.unwrap() else { return };
    let loop_ = Loop::play(&["--records", database.url.as_str()], Some(plane.kubeconfig())).await;
    loop_.tells().await;
    loop_.objects(plane.kubeconfig()).await;
}

/// The loop, closed.
struct Loop {
    played: Played,
}

impl Loop {
    async fn play(records: &[&str], cluster: Option<&Path>) -> Self {
        let demo = Demo {
            program: Path::new(env!("CARGO_BIN_EXE_homeostat-under-test")),
            cache: &Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo-cache"),
            scenario: "decay",
            records,
            cluster,
        };
        Self { played: demo.play().await.unwrap() }
    }

    /// What must be told, whatever it ran on.
    async fn tells(&self) {
        self.figures();
        self.ledger().await;
    }

    fn figures(&self) {
        let report = &self.played.report;
        assert_eq!(report["passed"], true, "{report:#}");
        assert_eq!(report["scenario"], "decay");
        assert_eq!(report["versions"].as_array().unwrap().len(), 2, "{report:#}");
        assert_eq!(report["versions"][0], "atlas-v1");
        assert_eq!(report["retraining_runs"].as_array().unwrap().len(), 1, "one decay, one retraining: {report:#}");
        assert!(!report["alerts"].as_array().unwrap().is_empty(), "{report:#}");
        let figure = |path: &str| self.played.figure(path).unwrap_or_else(|| panic!("no {path}: {report:#}"));
        let (baseline, decayed) = (figure("/exact_match/baseline"), figure("/exact_match/decayed"));
        assert!(decayed < baseline, "nothing decayed: {report:#}");
        let recovered = (figure("/exact_match/final") - decayed) / (baseline - decayed);
        assert!(recovered >= 0.95, "{recovered} of what was lost is back: {report:#}");
        let lost = figure("/retained_skill/before") - figure("/retained_skill/after");
        assert!(lost <= 0.02 + 1e-9, "{lost} of the other facts is lost: {report:#}");
        for time in ["onset_to_alert", "alert_to_promoted", "onset_to_promoted", "total"] {
            assert!(figure(&format!("/seconds/{time}")) > 0.0, "{report:#}");
        }
    }

    /// The chain holds, and says why the new version is there.
    async fn ledger(&self) {
        let verified = self.played.verify().await.unwrap();
        assert!(verified.contains("the chain holds"), "{verified}");
        let why = self.played.why().await.unwrap();
        for part in ["ModelDecay", "evidence"] {
            assert!(why.contains(part), "no {part:?} in: {why}");
        }
        assert!(!why.contains("not in the blob store"), "{why}");
    }

    /// The story as stock kubectl tells it.
    async fn objects(&self, kubeconfig: &Path) {
        let Some(kubectl) = Kubectl::find(kubeconfig).unwrap() else { return };
        let (new, run) = (self.played.names("versions")[1], self.played.names("retraining_runs")[0]);

        let model = get(&kubectl, &["model", "atlas"]).await;
        assert_eq!(model["status"]["stable"], new, "{model:#}");
        assert_eq!(model["status"]["traffic"], json!([{"version": new, "weight": 100}]), "{model:#}");
        // Owners by uid, as the garbage collector of a cluster reads them.
        let owner = |object: &Value| object["metadata"]["ownerReferences"][0]["uid"].clone();
        let uid = &model["metadata"]["uid"];

        let version = get(&kubectl, &["modelversion", new]).await;
        for type_ in ["ArtifactVerified", "Serving", "Evaluated", "Compliant", "Promoted"] {
            assert_eq!(condition(&version, type_)["status"], "True", "{type_}: {version:#}");
        }
        assert_eq!(version["spec"]["lineage"]["parent"], "atlas-v1");
        assert_eq!(owner(&version), *uid);

        let retraining = get(&kubectl, &["retrainingrun", run]).await;
        let complete = condition(&retraining, "Complete");
        assert_eq!((&complete["status"], &complete["reason"]), (&json!("True"), &json!("Succeeded")), "{retraining:#}");
        assert_eq!(retraining["spec"]["cause"], "ModelDecay");
        assert!(retraining["status"]["snapshot"]["freshRecords"].as_u64().unwrap() > 0, "{retraining:#}");
        assert_eq!(owner(&retraining), *uid);
        let check = get(&kubectl, &["compliancecheck", new]).await;
        assert_eq!(condition(&check, "Complete")["status"], "True", "{check:#}");
        assert_eq!(owner(&check), version["metadata"]["uid"]);
        let node = get(&kubectl, &["gpunode", "node-1"]).await;
        assert!(node["status"]["conditions"].is_array(), "{node:#}");

        // Invariant 2: the demo's people wrote these once, and no controller touches what a person wrote.
        let written = get(&kubectl, &["decaypolicies,compliancepolicies,gpunodes"]).await;
        for object in written["items"].as_array().unwrap() {
            assert_eq!(object["metadata"]["generation"], 1, "its spec was edited: {object:#}");
        }

        let events = get(&kubectl, &["events"]).await;
        let told: Vec<(&str, &str, &str)> = events["items"].as_array().unwrap().iter().map(event).collect();
        for expected in [
            ("Model", "atlas", "Degraded"),
            ("Model", "atlas", "ModelDecay"),
            ("RetrainingRun", run, "Succeeded"),
            ("ModelVersion", new, "Promoted"),
        ] {
            assert!(told.contains(&expected), "no event {expected:?} among {told:?}");
        }
        let described = kubectl.ok(&["-n", "demo", "describe", "model", "atlas"]).await.unwrap();
        for part in ["homeostat-controller", "Degraded", new] {
            assert!(described.contains(part), "no {part:?} in: {described}");
        }
        let table = kubectl.ok(&["-n", "demo", "get", "homeostat"]).await.unwrap();
        assert!(table.contains(&format!("modelversion.homeostat.dev/{new}")), "{table}");
    }
}

async fn get(kubectl: &Kubectl, what: &[&str]) -> Value {
    let text = kubectl.ok(&[&["-n", "demo", "get", "-o", "json"], what].concat()).await.unwrap();
    serde_json::from_str(&text).unwrap()
}
