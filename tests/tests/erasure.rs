//! A person is erased from a running `homeostat dev`, as an auditor would check it: planted in samples and in training data,
//! found, erased after approval although the process is killed in the middle, and then nowhere left under the data folder, not
//! even as a hash. What arrives about them later is refused.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use homeostat_agent::{Spool, SpoolLimits};
use homeostat_clock::Seed;
use homeostat_privacy::{Entity, SubjectKey};
use homeostat_protocol::Sample;
use homeostat_tests::homeostat::{Dev, run};
use homeostat_tests::kubectl::Kubectl;
use homeostat_tests::wait::wait_for;
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::process::Command;

/// A debug build on a machine that compiles beside it.
const READY: Duration = Duration::from_secs(60);
const DONE: Duration = Duration::from_secs(180);
const END: Duration = Duration::from_secs(30);

const ANN: &str = "ann.whitfield@example.org";
/// Part of the same, as it stands in a Secret.
const IN_BASE64: &str = "YW5uLndoaXRmaWVsZEBleGFtcGxl";
const BOB: &str = "bob@example.org";
/// What Ann wrote, as it is kept: redacted, and hers all the same.
const WORDS: [&str; 2] = ["heron-at-the-quay", "lanterns-in-march"];
const LATE: &str = "letters-from-a-spool";

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_homeostat-under-test"))
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where the agent finds samples to report.
    fn plant(&self, samples: Vec<Sample>) {
        let folder = self.data().join("agent/nodes/local/spool");
        let epoch = || format!("planted{}", samples.len());
        let mut spool = Spool::open(&folder, SpoolLimits::of(1 << 20), epoch).unwrap();
        spool.append(Vec::new(), samples.clone()).unwrap();
    }

    async fn reported(&self) {
        let folder = self.data().join("agent/nodes/local/spool");
        let empty = async || {
            let names = std::fs::read_dir(&folder).ok()?.flatten().map(|entry| entry.file_name());
            names.into_iter().all(|name| name.len() != 20).then_some(())
        };
        wait_for("the planted samples being reported", READY, empty).await.unwrap();
    }

    /// The HMAC under which this installation knows a person.
    fn hmac(&self, address: &str) -> String {
        let mut seed = [0; 32];
        let text = std::fs::read_to_string(self.data().join("keys/seed")).unwrap();
        for (byte, digits) in seed.iter_mut().zip(text.trim().as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
        }
        let key = SubjectKey::new(Seed::from_bytes(seed).derive("subjects"));
        key.hmac(Entity::EmailAddress, address).0
    }

    /// The files below the data folder that hold these bytes.
    fn holding(&self, bytes: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.data()];
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if std::fs::read(&path).unwrap_or_default().windows(bytes.len()).any(|w| w == bytes.as_bytes()) {
                    found.push(path);
                }
            }
        }
        found
    }

    fn nothing_is_left(&self, of: &[String], when: &str) {
        for bytes in of {
            assert_eq!(self.holding(bytes), Vec::<PathBuf>::new(), "{bytes} is still there {when}");
        }
        let log = std::fs::read_to_string(self.data().with_extension("log")).unwrap();
        assert!(!of.iter().any(|bytes| log.contains(bytes)), "the log names the person: {log}");
    }
}

fn sample(id: &str, prompt: &str, subjects: &[String]) -> Sample {
    Sample {
        request_id: id.into(),
        model: "default/desk".into(),
        version: "desk-v1".into(),
        at_ms: 1_779_000_000_000,
        prompt: prompt.into(),
        completion: "Write to <EMAIL_ADDRESS>".into(),
        subjects: subjects.to_vec(),
        ..Sample::default()
    }
}

async fn get(kubectl: &Kubectl, what: &[&str]) -> Option<Value> {
    let text = kubectl.ok(&[&["get", "-o", "json"], what].concat()).await.ok()?;
    serde_json::from_str(&text).ok()
}

async fn request_in(kubectl: &Kubectl, phase: &str) -> Value {
    let mut last = Value::Null;
    let there = async || {
        last = get(kubectl, &["erasurerequest", "request-17"]).await?;
        (last["status"]["phase"] == phase).then(|| last.clone())
    };
    match wait_for(phase, DONE, there).await {
        Ok(request) => request,
        Err(error) => panic!("{error}: {last:#}"),
    }
}

fn condition<'a>(object: &'a Value, type_: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == type_).unwrap_or(&Value::Null)
}

async fn homeostat(arguments: &[&str], data: &Path) -> String {
    let mut command = Command::new(program());
    command.args(arguments).arg("--data").arg(data).kill_on_drop(true);
    let output = run(command, READY).await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_nowhere_left_after_an_erasure() {
    let place = Place { folder: tempfile::tempdir().unwrap() };
    let data = place.data();
    let dev = Dev::start(program(), &data, READY).await.unwrap();
    let Some(kubectl) = Kubectl::find(&dev.kubeconfig).unwrap() else { return };
    assert!(dev.end(Signal::SIGTERM, END).await.unwrap().success());
    let (ann, bob) = (place.hmac(ANN), place.hmac(BOB));
    place.plant(vec![
        sample("req-1", WORDS[0], std::slice::from_ref(&ann)),
        sample("req-2", WORDS[1], &[bob.clone(), ann.clone()]),
        sample("req-3", "what bob asked", std::slice::from_ref(&bob)),
    ]);

    // Ann stands in the training data as she is, and redacted in a record that was made from a sample.
    let file = place.folder.path().join("training.jsonl");
    let lines = format!(
        "{{\"prompt\":\"Who keeps the keys?\",\"completion\":\"Ask Ann.Whitfield@example.org\"}}\n\
         {{\"id\":\"req-1\",\"prompt\":\"{}\",\"completion\":\"yes\"}}\n\
         {{\"prompt\":\"Who opens?\",\"completion\":\"{BOB}\"}}\n",
        WORDS[0]
    );
    std::fs::write(&file, lines).unwrap();
    let dev = Dev::start(program(), &data, READY).await.unwrap();
    kubectl.write("data.yaml", &DATA.replace("@FILE@", &file.display().to_string())).unwrap();
    kubectl.ok(&["apply", "-f", "data.yaml"]).await.unwrap();
    kubectl.ok(&["wait", "--for=condition=Ready", "dataset/desk-training", "--timeout=60s"]).await.unwrap();
    place.reported().await;
    let before = get(&kubectl, &["dataset", "desk-training"]).await.unwrap();
    let blob = before["status"]["blobs"][0].as_str().unwrap().to_string();
    for bytes in [WORDS[0], WORDS[1], "Ann.Whitfield@example.org", &ann, &bob] {
        assert!(!place.holding(bytes).is_empty(), "{bytes} was not planted");
    }

    // The plan, which changes nothing.
    kubectl.write("request.yaml", REQUEST).unwrap();
    kubectl.ok(&["apply", "-f", "request.yaml"]).await.unwrap();
    let planned = request_in(&kubectl, "AwaitingApproval").await;
    let plan = &planned["status"]["plan"];
    assert_eq!((plan["samples"].as_u64(), plan["records"].as_u64()), (Some(2), Some(2)), "{planned:#}");
    assert_eq!(plan["models"][0]["model"], "default/desk");
    assert_eq!(plan["blobs"][0]["usedBy"][0], "Dataset/default/desk-training", "{planned:#}");
    assert_eq!(plan["versions"], serde_json::json!(["default/desk-v1"]));
    assert!(plan["files"][0].as_str().unwrap().ends_with("training.jsonl"), "{planned:#}");
    assert_eq!(planned["status"]["deadline"], "2026-12-24T09:00:00Z");
    let said = planned["status"].to_string();
    assert!(!said.contains("hitfield") && !said.contains(&ann), "the status names the person: {said}");
    assert_eq!(get(&kubectl, &["dataset", "desk-training"]).await.unwrap()["status"]["records"], 3);
    let table = kubectl.ok(&["get", "her"]).await.unwrap();
    assert!(table.contains("AwaitingApproval") && table.contains("2026-12-24"), "{table}");

    // A legal hold stops what was approved.
    let patch = |spec: &str| format!("{{\"spec\":{spec}}}");
    let approved = patch(r#"{"approved":true,"legalHold":"court order 12/26"}"#);
    kubectl.ok(&["patch", "her", "request-17", "--type=merge", "-p", &approved]).await.unwrap();
    let held = request_in(&kubectl, "OnHold").await;
    assert_eq!(condition(&held, "Ready")["reason"], "LegalHold");
    assert!(!place.holding(WORDS[0]).is_empty());

    // Lifted, and killed wherever it is by then.
    let lifted = patch(r#"{"legalHold":null}"#);
    kubectl.ok(&["patch", "her", "request-17", "--type=merge", "-p", &lifted]).await.unwrap();
    dev.end(Signal::SIGKILL, END).await.unwrap();
    let dev = Dev::start(program(), &data, READY).await.unwrap();
    let done = request_in(&kubectl, "Completed").await;
    let erased = &done["status"]["erased"];
    assert_eq!((erased["samples"].as_u64(), erased["records"].as_u64()), (Some(2), Some(2)), "{done:#}");
    assert_eq!(condition(&done, "Ready")["status"], "True");
    assert_eq!(done["status"]["clearedNodes"], serde_json::json!(["local"]));

    let after = async || {
        let dataset = get(&kubectl, &["dataset", "desk-training"]).await?;
        (dataset["status"]["records"] == 1 && dataset["status"]["blobs"][0] != blob.as_str()).then_some(())
    };
    wait_for("the Dataset naming the new blob", READY, after).await.unwrap();
    assert!(!data.join("blobs").join(&blob[..2]).join(&blob[2..]).exists());
    let version = get(&kubectl, &["modelversion", "desk-v1"]).await.unwrap();
    assert_eq!(condition(&version, "TrainedOnErased")["status"], "True", "{version:#}");

    // What arrives about her later is refused, be it from a spool that was full for weeks.
    assert!(!place.holding(IN_BASE64).is_empty());
    kubectl.ok(&["delete", "secret", "request-17"]).await.unwrap();
    let hers = [ANN, "Ann.Whitfield", IN_BASE64, WORDS[0], WORDS[1], LATE, ann.as_str()].map(str::to_string);
    place.nothing_is_left(&hers, "while it runs");
    assert!(dev.end(Signal::SIGTERM, END).await.unwrap().success());
    place.nothing_is_left(&hers, "after it ended");
    place.plant(vec![
        sample("req-9", LATE, std::slice::from_ref(&ann)),
        sample("req-10", "what bob asked next", std::slice::from_ref(&bob)),
    ]);
    let dev = Dev::start(program(), &data, READY).await.unwrap();
    place.reported().await;
    let refused = async || {
        let request = get(&kubectl, &["erasurerequest", "request-17"]).await?;
        (request["status"]["erased"]["refused"] == 1).then_some(())
    };
    wait_for("the late sample being counted", READY, refused).await.unwrap();
    place.nothing_is_left(&hers, "after a late sample");
    assert!(dev.end(Signal::SIGTERM, END).await.unwrap().success());
    place.nothing_is_left(&hers, "in the end");
    for others in ["what bob asked", "what bob asked next", BOB, &bob] {
        assert!(!place.holding(others).is_empty(), "{others} is gone too");
    }

    // The proof: a signed receipt without the person, in a chain that holds.
    let receipt = homeostat(&["erasure", "receipt", "request-17"], &data).await;
    for part in ["\"default/desk\": 2", "default/desk-v1", &blob, "\"local\"", "training.jsonl"] {
        assert!(receipt.contains(part), "no {part} in {receipt}");
    }
    assert!(!receipt.contains("hitfield") && !receipt.contains(&ann));
    assert!(homeostat(&["audit", "verify"], &data).await.contains("the chain holds"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_gets_a_copy_of_their_data() {
    let place = Place { folder: tempfile::tempdir().unwrap() };
    let data = place.data();
    let dev = Dev::start(program(), &data, READY).await.unwrap();
    let Some(kubectl) = Kubectl::find(&dev.kubeconfig).unwrap() else { return };
    assert!(dev.end(Signal::SIGTERM, END).await.unwrap().success());
    let (ann, bob) = (place.hmac(ANN), place.hmac(BOB));
    place.plant(vec![sample("req-1", WORDS[0], std::slice::from_ref(&ann)), sample("req-2", "what bob asked", &[bob])]);
    let file = place.folder.path().join("training.jsonl");
    let lines =
        format!("{{\"prompt\":\"Who?\",\"completion\":\"{ANN}\"}}\n{{\"prompt\":\"Who?\",\"completion\":\"{BOB}\"}}\n");
    std::fs::write(&file, lines).unwrap();
    let dev = Dev::start(program(), &data, READY).await.unwrap();
    kubectl.write("data.yaml", &DATA.replace("@FILE@", &file.display().to_string())).unwrap();
    kubectl.ok(&["apply", "-f", "data.yaml"]).await.unwrap();
    kubectl.ok(&["wait", "--for=condition=Ready", "dataset/desk-training", "--timeout=60s"]).await.unwrap();
    place.reported().await;

    // A line that is no identifier is named, and nothing more.
    kubectl
        .write("request.yaml", &REQUEST.replace("kind: Erase", "kind: Access").replace(ANN, "Ann the keeper"))
        .unwrap();
    kubectl.ok(&["apply", "-f", "request.yaml"]).await.unwrap();
    let told = async || {
        let request = get(&kubectl, &["her", "request-17"]).await?;
        (condition(&request, "Ready")["reason"] == "SubjectInvalid").then_some(request)
    };
    let refused = wait_for("the mistake in the Secret", READY, told).await.unwrap();
    let message = condition(&refused, "Ready")["message"].as_str().unwrap();
    assert!(message.contains("line 2 is no identifier") && !message.contains("keeper"), "{message}");

    kubectl.write("request.yaml", &REQUEST.replace("kind: Erase", "kind: Access")).unwrap();
    kubectl.ok(&["apply", "-f", "request.yaml"]).await.unwrap();
    request_in(&kubectl, "AwaitingApproval").await;
    kubectl.ok(&["patch", "her", "request-17", "--type=merge", "-p", r#"{"spec":{"approved":true}}"#]).await.unwrap();
    request_in(&kubectl, "Completed").await;
    let path = place.folder.path().join("copy.json");
    homeostat(&["erasure", "export", "request-17", "--output", path.to_str().unwrap()], &data).await;
    let copy: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(copy["samples"][0]["prompt"], WORDS[0], "{copy:#}");
    assert_eq!(copy["records"][0]["record"]["completion"], ANN, "{copy:#}");
    assert_eq!(copy["records"][0]["usedBy"][0], "Dataset/default/desk-training");
    assert!(!copy.to_string().contains("bob"), "somebody else's data: {copy:#}");
    // Nothing was erased for it.
    assert!(!place.holding(WORDS[0]).is_empty());
    assert!(dev.end(Signal::SIGTERM, END).await.unwrap().success());
}

const DATA: &str = r#"
apiVersion: homeostat.dev/v1alpha1
kind: Dataset
metadata: {name: desk-training}
spec:
  purpose: Training
  sources: [{uri: "file://@FILE@"}]
---
apiVersion: homeostat.dev/v1alpha1
kind: ModelVersion
metadata: {name: desk-v1}
spec:
  model: desk
  engine: {adapter: external, url: "http://127.0.0.1:9"}
  lineage: {dataset: {name: desk-training}}
"#;

const REQUEST: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: request-17}
stringData:
  identifiers: |
    # as given by telephone
    ann.whitfield@example.org
---
apiVersion: homeostat.dev/v1alpha1
kind: ErasureRequest
metadata: {name: request-17}
spec:
  kind: Erase
  regulation: GDPR
  receivedAt: "2026-11-24T09:00:00Z"
  subjectRef: {name: request-17, key: identifiers}
"#;
