//! The whole loop, as `homeostat demo --once` plays it: a served version decays, is found, diagnosed, retrained, checked,
//! tried under traffic and promoted. One body, two back ends: the embedded API with SQLite, and a real kube-apiserver with
//! PostgreSQL. What happened must stand in the report, in the objects as stock kubectl shows them, and in the ledger.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use homeostat_apiserver::serve::{Listener, Token, write_kubeconfig};
use homeostat_apiserver::{ApiServer, Config, User};
use homeostat_tests::controlplane::ControlPlane;
use homeostat_tests::kubectl::Kubectl;
use homeostat_tests::services::postgres;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

/// A debug build that trains on a machine that does other things as well. The first model may have to be trained too.
const LOOP: Duration = Duration::from_secs(15 * 60);
const END: Duration = Duration::from_secs(60);
const COMMAND: Duration = Duration::from_secs(60);

/// Two loops at once would take each other's processor time, which the demo's windows are made of.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_homeostat-under-test"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loop_on_the_embedded_api_and_sqlite() {
    let _alone = ALONE.lock().await;
    let played = Played::play(&[], None).await;
    played.body(&[], None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loop_on_a_real_kube_apiserver_and_postgresql() {
    let _alone = ALONE.lock().await;
    let Some(plane) = ControlPlane::start().await.unwrap() else { return };
    let Some(database) = postgres().await.unwrap() else { return };
    let records = ["--records", database.url.as_str()];
    let played = Played::play(&[&["--cluster"], records.as_slice()].concat(), Some(plane.kubeconfig())).await;
    played.body(&records, Some(plane.kubeconfig())).await;
}

/// A demo that has ended.
struct Played {
    folder: tempfile::TempDir,
    report: Value,
}

impl Played {
    /// Plays it to its end as a child process.
    async fn play(arguments: &[&str], kubeconfig: Option<&Path>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.json");
        // Kept between runs: the first model is the same, and the demo names it by its digest.
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo-cache");
        let mut command = Command::new(program());
        command.args(["demo", "--once", "--scenario", "decay", "--report"]).arg(&file).arg("--cache").arg(cache);
        command.arg("--data").arg(data(folder.path())).args(arguments).env_remove("KUBECONFIG");
        command.envs(kubeconfig.map(|path| ("KUBECONFIG", path)));
        let log = |name| std::fs::File::create(folder.path().join(name)).unwrap();
        let mut child =
            command.stdin(Stdio::null()).stdout(log("out")).stderr(log("err")).kill_on_drop(true).spawn().unwrap();
        let ended = match tokio::time::timeout(LOOP, child.wait()).await {
            Ok(status) => Some(status.unwrap()),
            Err(_) => {
                // Asked to end first, so that it ends its own children.
                kill(Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()), Signal::SIGTERM).unwrap();
                let _ = tokio::time::timeout(END, child.wait()).await;
                None
            }
        };
        let told = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        println!("{}", told("out"));
        assert!(
            ended.is_some_and(|status| status.success()),
            "homeostat demo: {ended:?} within {} s\n{}\n{}",
            LOOP.as_secs(),
            told("out"),
            told("err")
        );
        let report = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        println!("{report:#}");
        Self { folder, report }
    }

    /// What must hold, whatever it ran on.
    async fn body(&self, records: &[&str], kubeconfig: Option<&Path>) {
        self.nothing_is_left_running();
        self.figures();
        self.ledger(records).await;
        match kubeconfig {
            Some(kubeconfig) => self.objects(kubeconfig).await,
            None => self.with_the_embedded_api(async |kubeconfig| self.objects(kubeconfig).await).await,
        }
    }

    fn nothing_is_left_running(&self) {
        let ours = self.folder.path().to_str().unwrap();
        let left: Vec<String> = processes().into_iter().filter(|line| line.contains(ours)).collect();
        assert!(left.is_empty(), "outlived homeostat demo: {left:#?}");
    }

    fn figures(&self) {
        let report = &self.report;
        assert_eq!(report["passed"], true, "{report:#}");
        assert_eq!(report["scenario"], "decay");
        assert_eq!(report["versions"].as_array().unwrap().len(), 2, "{report:#}");
        assert_eq!(report["versions"][0], "atlas-v1");
        assert_eq!(report["retraining_runs"].as_array().unwrap().len(), 1, "one decay, one retraining: {report:#}");
        assert!(!report["alerts"].as_array().unwrap().is_empty(), "{report:#}");
        let figure = |path: &str| report.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {path}"));
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
    async fn ledger(&self, records: &[&str]) {
        let verified = self.homeostat(&["audit", "verify"], records).await;
        assert!(verified.contains("the chain holds"), "{verified}");
        let why = self.homeostat(&["why", "demo/atlas", "--last", "50"], records).await;
        for part in ["ModelDecay", "evidence"] {
            assert!(why.contains(part), "no {part:?} in: {why}");
        }
        assert!(!why.contains("not in the blob store"), "{why}");
    }

    async fn homeostat(&self, command: &[&str], records: &[&str]) -> String {
        let mut process = Command::new(program());
        process.args(command).arg("--data").arg(data(self.folder.path())).args(records).kill_on_drop(true);
        let output = tokio::time::timeout(COMMAND, process.output()).await.unwrap().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Opens the objects that the demo has kept once more.
    async fn with_the_embedded_api(&self, body: impl AsyncFnOnce(&Path)) {
        let folder = self.folder.path();
        // 2026-01-01, standing still: nothing is written.
        let now = Arc::new(|| 1_767_225_600_000);
        let database = data(folder).join("objects.db");
        let api = ApiServer::open(Config { database, crds: homeostat_crds::all(), audit: None, now }).await.unwrap();
        let token = Token::generate(User { name: "ops".into(), groups: vec!["system:masters".into()] }).unwrap();
        let (secret, kubeconfig) = (token.token.clone(), folder.join("kubeconfig"));
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::bind(&api, address, &folder.join("pki"), vec![token]).await.unwrap();
        write_kubeconfig(&kubeconfig, &listener.url(), listener.ca_pem(), &secret).unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(listener.serve(shutdown.clone()));
        body(&kubeconfig).await;
        shutdown.cancel();
        serving.await.unwrap().unwrap();
        api.close().await;
    }

    /// The story as stock kubectl tells it.
    async fn objects(&self, kubeconfig: &Path) {
        let Some(kubectl) = Kubectl::find(kubeconfig).unwrap() else { return };
        let new = self.report["versions"][1].as_str().unwrap();
        let run = self.report["retraining_runs"][0].as_str().unwrap();

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

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

async fn get(kubectl: &Kubectl, what: &[&str]) -> Value {
    let text = kubectl.ok(&[&["-n", "demo", "get", "-o", "json"], what].concat()).await.unwrap();
    serde_json::from_str(&text).unwrap()
}

fn condition<'a>(object: &'a Value, type_: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().unwrap();
    conditions.iter().find(|condition| condition["type"] == type_).unwrap_or(&Value::Null)
}

/// Kind and name of what it is about, and its reason.
fn event(event: &Value) -> (&str, &str, &str) {
    let object = &event["involvedObject"];
    (
        object["kind"].as_str().unwrap_or_default(),
        object["name"].as_str().unwrap_or_default(),
        event["reason"].as_str().unwrap_or_default(),
    )
}

/// Command lines of all processes.
fn processes() -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let number = |name: &OsStr| name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let lines = all.filter(|entry| number(&entry.file_name())).filter_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| !line.is_empty()).collect()
}
