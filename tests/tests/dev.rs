//! `homeostat dev` as a person meets it: ready soon, usable with stock kubectl, clear about mistakes, and nothing that was
//! acknowledged is lost by kill -9.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use homeostat_crds::{DecayPolicy, GpuNode};
use homeostat_tests::controlplane::client;
use homeostat_tests::homeostat::{Dev, children, command, run};
use homeostat_tests::kubectl::Kubectl;
use homeostat_tests::tls;
use homeostat_tests::wait::wait_for;
use kube::api::{Api, ListParams, PostParams};
use nix::sys::signal::Signal;
use tokio::process::Command;

/// A debug build on a machine that compiles beside it.
const READY: Duration = Duration::from_secs(30);
const END: Duration = Duration::from_secs(20);

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_homeostat-under-test"))
}

const POLICY: &str = "
apiVersion: homeostat.dev/v1alpha1
kind: DecayPolicy
metadata: {name: atlas}
spec:
  metrics:
  - {name: exact_match, source: Golden, below: {baseline: 3points}, action: Retrain, severity: critical}
";

const MODEL: &str = "
apiVersion: homeostat.dev/v1alpha1
kind: Model
metadata: {name: atlas}
spec: {initialVersion: atlas-v1, decayPolicyRef: {name: atlas}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_works_and_a_restart_finds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let dev = Dev::start(program(), &data, READY).await.unwrap();
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&dev.kubeconfig).unwrap());
    assert_eq!(mode & 0o777, 0o600, "the kubeconfig holds a token");
    only_the_token_lets_in(&dev.kubeconfig).await;
    if let Some(kubectl) = Kubectl::find(&dev.kubeconfig).unwrap() {
        use_kubectl(&kubectl).await;
    }
    // The agent of the same process registers its node.
    let nodes: Api<GpuNode> = Api::all(client(&dev.kubeconfig).await.unwrap());
    let registered = async || nodes.get_opt("local").await.ok().flatten();
    wait_for("the registration of the node", READY, registered).await.unwrap();
    dashboard(&dev.dashboard).await;

    let offspring = children(dev.id());
    assert!(dev.end(Signal::SIGTERM, END).await.unwrap().success());
    for child in offspring {
        assert!(!Path::new(&format!("/proc/{child}")).exists(), "child {child} outlived homeostat dev");
    }

    let dev = Dev::start(program(), &data, READY).await.unwrap();
    let nodes: Api<GpuNode> = Api::all(client(&dev.kubeconfig).await.unwrap());
    assert!(nodes.get_opt("local").await.unwrap().is_some());
    if let Some(kubectl) = Kubectl::find(&dev.kubeconfig).unwrap() {
        assert!(kubectl.ok(&["get", "models", "-o", "name"]).await.unwrap().contains("model.homeostat.dev/atlas"));
    }
    assert!(dev.end(Signal::SIGINT, END).await.unwrap().success());
}

async fn use_kubectl(kubectl: &Kubectl) {
    kubectl.write("policy.yaml", POLICY).unwrap();
    kubectl.write("model.yaml", MODEL).unwrap();
    assert!(
        kubectl
            .ok(&["apply", "-f", "policy.yaml", "-f", "model.yaml"])
            .await
            .unwrap()
            .contains("model.homeostat.dev/atlas created")
    );
    let condition = "--for=condition=Accepted=True";
    kubectl.ok(&["wait", condition, "decaypolicy/atlas", "--timeout=20s"]).await.unwrap();
    let table = kubectl.ok(&["get", "decaypolicies"]).await.unwrap();
    assert!(table.contains("READY") && table.contains("REASON") && table.contains("True"), "{table}");
    // The version does not exist yet: condition and event name the field, the reason and the remedy.
    let told = async || {
        let text = kubectl.ok(&["describe", "model", "atlas"]).await.ok()?;
        (text.contains("Conditions:") && text.contains("homeostat-controller")).then_some(text)
    };
    let text = wait_for("condition and event in kubectl describe", READY, told).await.unwrap();
    for part in ["ReferenceNotFound", "spec.initialVersion is \"atlas-v1\"", "create it or correct the name"] {
        assert_eq!(text.matches(part).count(), 2, "{part}: {text}");
    }
    let explained = kubectl.ok(&["explain", "model.spec.rollout.steps"]).await.unwrap();
    assert!(explained.contains("weight") && explained.contains("Per cent of the traffic"), "{explained}");
    assert!(kubectl.ok(&["api-resources"]).await.unwrap().contains("decaypolicies"));
    // The short name, a label, a patch and a deletion.
    kubectl.ok(&["label", "hm", "atlas", "team=ml"]).await.unwrap();
    kubectl.ok(&["patch", "hm", "atlas", "--type=merge", "-p", r#"{"spec":{"mode":"Alert"}}"#]).await.unwrap();
    assert_eq!(
        kubectl.ok(&["get", "hm", "-l", "team=ml", "-o", "jsonpath={.items[0].spec.mode}"]).await.unwrap(),
        "Alert"
    );
    kubectl.ok(&["create", "configmap", "gone", "--from-literal=a=b"]).await.unwrap();
    kubectl.ok(&["delete", "configmap", "gone", "--wait"]).await.unwrap();
    let error = kubectl.fails(&["--token=wrong", "get", "models"]).await.unwrap();
    assert!(error.contains("Unauthorized"), "{error}");
}

async fn only_the_token_lets_in(kubeconfig: &Path) {
    tls();
    let read = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(read, &Default::default()).await.unwrap();
    config.auth_info = kube::config::AuthInfo::default();
    let stranger: Api<GpuNode> = Api::all(kube::Client::try_from(config).unwrap());
    match stranger.list(&ListParams::default()).await {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, 401, "{status:?}"),
        other => panic!("without a token: {other:?}"),
    }
}

async fn dashboard(link: &str) {
    tls();
    let base = link.split("/sign-in").next().unwrap();
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let stranger = browser.get(base).send().await.unwrap();
    assert_ne!(stranger.status(), 200, "the dashboard opens without signing in");
    let signed_in = browser.get(link).send().await.unwrap();
    assert!(signed_in.status().is_success() || signed_in.status().is_redirection(), "{link}: {}", signed_in.status());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut acknowledged: Vec<String> = Vec::new();
    for (round, kill_after) in [3, 17, 42].into_iter().enumerate() {
        let dev = Dev::start(program(), &data, READY).await.unwrap();
        let policies: Api<DecayPolicy> = Api::default_namespaced(client(&dev.kubeconfig).await.unwrap());
        for name in &acknowledged {
            assert!(policies.get_opt(name).await.unwrap().is_some(), "{name} was acknowledged and is gone");
        }
        let count = Arc::new(AtomicUsize::new(0));
        let writer = tokio::spawn(write_until_refused(policies, round, Arc::clone(&count)));
        let enough = async || (count.load(Ordering::Relaxed) >= kill_after).then_some(());
        wait_for("writes being acknowledged", READY, enough).await.unwrap();
        // The writer does not stop for it: the kill comes in the middle of a write.
        dev.end(Signal::SIGKILL, END).await.unwrap();
        let written = writer.await.unwrap();
        acknowledged.extend(written);
    }
    let dev = Dev::start(program(), &data, READY).await.unwrap();
    let policies: Api<DecayPolicy> = Api::default_namespaced(client(&dev.kubeconfig).await.unwrap());
    let there = policies.list(&ListParams::default()).await.unwrap();
    for name in &acknowledged {
        assert!(
            there.iter().any(|policy| policy.metadata.name.as_ref() == Some(name)),
            "{name} was acknowledged and is gone"
        );
    }
    assert!(dev.end(Signal::SIGTERM, END).await.unwrap().success());
}

/// Creates policies one after the other, and gives the names of those that were acknowledged.
async fn write_until_refused(policies: Api<DecayPolicy>, round: usize, count: Arc<AtomicUsize>) -> Vec<String> {
    let mut written = Vec::new();
    loop {
        let name = format!("policy-{round}-{}", written.len());
        let mut policy: DecayPolicy = serde_saphyr::from_str(POLICY).unwrap();
        policy.metadata.name = Some(name.clone());
        if policies.create(&PostParams::default(), &policy).await.is_err() {
            return written;
        }
        written.push(name);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs it, and demands a non-zero exit and one line that contains all parts.
async fn refuses(command: Command, parts: &[&str]) {
    let output = run(command, READY).await.unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it succeeded: {text}");
    assert!(!text.contains("panicked"), "{text}");
    let said: Vec<&str> = text.lines().filter(|line| line.starts_with("homeostat: ")).collect();
    assert_eq!(said.len(), 1, "one line: {text}");
    for part in parts {
        assert!(said[0].contains(part), "no {part:?} in: {text}");
    }
}

#[tokio::test]
async fn a_used_port_is_named_with_its_flag() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--api-listen", "--web-listen", "--gateway-listen"] {
        refuses(command(program(), folder.path(), &[flag, &address]), &[flag, &address]).await;
    }
}

#[tokio::test]
async fn a_bad_flag_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (["--api-listen", "here"], "--api-listen"),
        (["--gpu", "many"], "--gpu"),
        (["--no-such-flag", "x"], "--no-such-flag"),
    ] {
        let output = run(command(program(), folder.path(), &arguments), READY).await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(part) && text.contains("--help"), "{text}");
    }
}

#[tokio::test]
async fn a_corrupt_database_is_named() {
    for file in ["objects.db", "records.db"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), "this is no database, however long it gets".repeat(100)).unwrap();
        refuses(command(program(), folder.path(), &[]), &[file]).await;
    }
}

#[tokio::test]
async fn an_unreachable_postgresql_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = homeostat_tests::free_port().unwrap();
    let mut controller = Command::new(program());
    controller.args(["controller", "--embedded-api", "--api-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0"]);
    controller.args(["--agents-listen", "127.0.0.1:0", "--data"]).arg(folder.path()).kill_on_drop(true);
    controller.env("HOMEOSTAT_RECORDS", format!("postgres://homeostat:hunter2@127.0.0.1:{nobody}/homeostat"));
    let output = run(controller, Duration::from_secs(60)).await.unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && !text.contains("panicked"), "{text}");
    assert!(text.contains(&format!("127.0.0.1:{nobody}")), "{text}");
    assert!(!text.contains("hunter2"), "the password is printed: {text}");
}
