//! Stock kubectl against the TLS listener.
//!
//! Needs `kubectl` in the PATH. Without it the test says so and passes, except where the environment says `CI=true`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use homeostat_apiserver::User;
use homeostat_apiserver::serve::{Listener, Token, write_kubeconfig};
use support::Api;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

struct Kubectl {
    folder: PathBuf,
}

impl Kubectl {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("KUBECONFIG", self.folder.join("kubeconfig"))
            .env("HOME", &self.folder)
            .env("KUBE_CACHE_DIR", self.folder.join("cache"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn output(&self, arguments: &[&str]) -> Output {
        tokio::time::timeout(Duration::from_secs(30), self.command(arguments).output()).await.unwrap().unwrap()
    }

    /// Runs it, demands success, gives stdout.
    async fn ok(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments).await;
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "kubectl {arguments:?}\n{out}\n{err}");
        out
    }

    /// Runs it, demands failure, gives stderr.
    async fn fails(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments).await;
        assert!(!output.status.success(), "kubectl {arguments:?} succeeded: {}", text(&output.stdout));
        text(&output.stderr)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.join(name), content).unwrap();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn widget(name: &str, replicas: u32) -> String {
    format!(
        "apiVersion: demo.example.com/v1\nkind: Widget\nmetadata: {{name: {name}, labels: {{app: w}}}}\n\
         spec: {{image: 'nginx:1', replicas: {replicas}, env: [{{name: A, value: '1'}}, {{name: B}}]}}\n"
    )
}

async fn kubectl_is_there() -> bool {
    let there = Command::new("kubectl")
        .args(["version", "--client"])
        .output()
        .await
        .is_ok_and(|output| output.status.success());
    if !there {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "kubectl is not in the PATH, and CI=true demands it");
        eprintln!("SKIPPED: kubectl is not in the PATH; install it to run this test");
    }
    there
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_kubectl_works() {
    if !kubectl_is_there().await {
        return;
    }
    let api = Api::open(Vec::new()).await;
    let folder = api.folder.path().to_owned();
    let token = Token::generate(User { name: "ops".into(), groups: vec!["system:masters".into()] }).unwrap();
    let secret = token.token.clone();
    let address = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&api.server, address, &folder.join("pki"), vec![token]).await.unwrap();
    write_kubeconfig(&folder.join("kubeconfig"), &listener.url(), listener.ca_pem(), &secret).unwrap();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(listener.serve(shutdown.clone()));
    let kubectl = Kubectl { folder };

    crds_and_discovery(&kubectl).await;
    create_and_read(&kubectl).await;
    change(&kubectl).await;
    builtin_kinds(&kubectl).await;
    watch_and_delete(&kubectl).await;

    shutdown.cancel();
    serving.await.unwrap().unwrap();
    api.server.close().await;
}

async fn crds_and_discovery(kubectl: &Kubectl) {
    kubectl.write("crd.yaml", include_str!("fixtures/widget-crd.yaml"));
    assert_eq!(
        kubectl.ok(&["apply", "-f", "crd.yaml"]).await,
        "customresourcedefinition.apiextensions.k8s.io/widgets.demo.example.com created\n"
    );
    assert!(kubectl.ok(&["apply", "-f", "crd.yaml"]).await.contains("unchanged"));
    kubectl.ok(&["wait", "--for=condition=Established", "crd/widgets.demo.example.com", "--timeout=10s"]).await;
    let resources = kubectl.ok(&["api-resources"]).await;
    for line in ["widgets", "namespaces", "configmaps", "leases", "customresourcedefinitions"] {
        assert!(resources.contains(line), "{resources}");
    }
    assert!(kubectl.ok(&["api-versions"]).await.contains("demo.example.com/v1"));
    let explained = kubectl.ok(&["explain", "widget.spec.env"]).await;
    assert!(explained.contains("name\t<string> -required-"), "{explained}");
    assert!(kubectl.ok(&["explain", "configmap"]).await.contains("immutable"));
    assert!(kubectl.ok(&["explain", "crd.spec"]).await.contains("versions"));
}

async fn create_and_read(kubectl: &Kubectl) {
    kubectl.write("w1.yaml", &widget("w1", 2));
    kubectl.write("w2.yaml", &widget("w2", 2));
    assert_eq!(kubectl.ok(&["apply", "-f", "w1.yaml"]).await, "widget.demo.example.com/w1 created\n");
    assert_eq!(kubectl.ok(&["create", "-f", "w2.yaml"]).await, "widget.demo.example.com/w2 created\n");
    let table = kubectl.ok(&["get", "widgets"]).await;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines, [vec!["NAME", "REPLICAS", "READY", "AGE"], vec!["w1", "2", "0s"], vec!["w2", "2", "0s"]]);
    assert!(kubectl.ok(&["get", "wd", "-o", "wide", "--show-labels", "-l", "app=w"]).await.contains("app=w"));
    assert!(kubectl.ok(&["get", "widgets", "-A", "--chunk-size=1"]).await.contains("w2"));
    assert_eq!(
        kubectl.ok(&["get", "widgets", "--field-selector", "metadata.name=w1", "-o", "name"]).await,
        "widget.demo.example.com/w1\n"
    );
    let yaml = kubectl.ok(&["get", "widget", "w1", "-o", "yaml"]).await;
    assert!(yaml.contains("color: red") && yaml.contains("generation: 1"), "{yaml}");
    assert!(kubectl.fails(&["get", "widget", "nope"]).await.contains("widgets.demo.example.com \"nope\" not found"));
    kubectl.write("bad.yaml", &widget("w3", 2).replace("image", "imagee"));
    let refused = kubectl.fails(&["create", "-f", "bad.yaml"]).await;
    assert!(refused.contains("unknown field \"spec.imagee\""), "{refused}");
    kubectl.write(
        "event.yaml",
        "apiVersion: v1\nkind: Event\nmetadata: {name: e1, namespace: default}\ntype: Normal\nreason: Greeted\nmessage: hello there\n\
         count: 1\nfirstTimestamp: '2026-01-01T00:00:00Z'\nlastTimestamp: '2026-01-01T00:00:00Z'\nsource: {component: t}\n\
         involvedObject: {apiVersion: demo.example.com/v1, kind: Widget, name: w1, namespace: default}\n",
    );
    kubectl.ok(&["create", "-f", "event.yaml"]).await;
    assert!(kubectl.ok(&["events"]).await.contains("hello there"));
    assert!(kubectl.ok(&["get", "events"]).await.contains("widget/w1"));
    let described = kubectl.ok(&["describe", "widget", "w1"]).await;
    assert!(described.contains("Replicas:") && described.contains("Events:"), "{described}");
}

async fn change(kubectl: &Kubectl) {
    kubectl.write("w1.yaml", &widget("w1", 3));
    assert_eq!(kubectl.ok(&["apply", "-f", "w1.yaml"]).await, "widget.demo.example.com/w1 configured\n");
    assert!(
        kubectl
            .fails(&["apply", "--server-side", "-f", "w1.yaml"])
            .await
            .contains("server-side apply is not available")
    );
    assert_eq!(kubectl.output(&["diff", "-f", "w2.yaml"]).await.status.code(), Some(0), "nothing differs");
    kubectl.ok(&["apply", "--dry-run=server", "-f", "w2.yaml"]).await;
    kubectl.ok(&["patch", "widget", "w1", "--type=merge", "-p", r#"{"spec":{"replicas":5}}"#]).await;
    kubectl
        .ok(&["patch", "widget", "w1", "--type=json", "-p", r#"[{"op":"replace","path":"/spec/replicas","value":6}]"#])
        .await;
    assert!(
        kubectl
            .fails(&["patch", "widget", "w1", "-p", r#"{"spec":{"replicas":7}}"#])
            .await
            .contains("is not supported by demo.example.com/v1")
    );
    kubectl
        .ok(&[
            "patch",
            "widget",
            "w1",
            "--subresource=status",
            "--type=merge",
            "-p",
            r#"{"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#,
        ])
        .await;
    kubectl.ok(&["wait", "--for=condition=Ready", "widget/w1", "--timeout=10s"]).await;
    kubectl.ok(&["wait", "--for=jsonpath={.spec.replicas}=6", "widget/w1", "--timeout=10s"]).await;
    kubectl.ok(&["label", "widget", "w1", "team=a"]).await;
    kubectl.ok(&["annotate", "widget", "w1", "note=b"]).await;
    kubectl.ok(&["scale", "widget", "w1", "--replicas=4"]).await;
    kubectl.write("editor.sh", "#!/bin/sh\nsed -i 's/replicas: 4/replicas: 9/' \"$1\"\n");
    let edited = kubectl.command(&["edit", "widget", "w1"]).env("EDITOR", "sh editor.sh").output().await.unwrap();
    assert!(edited.status.success(), "{}", text(&edited.stderr));
    assert_eq!(
        kubectl.ok(&["get", "widget", "w1", "-o", "jsonpath={.spec.replicas} {.metadata.labels.team}"]).await,
        "9 a"
    );
    let invalid = kubectl.fails(&["patch", "widget", "w1", "--type=merge", "-p", r#"{"spec":{"color":"blue"}}"#]).await;
    assert!(invalid.contains("color is immutable"), "{invalid}");
}

async fn builtin_kinds(kubectl: &Kubectl) {
    assert_eq!(kubectl.ok(&["create", "ns", "team"]).await, "namespace/team created\n");
    kubectl.ok(&["create", "cm", "c1", "--from-literal=a=b", "-n", "team"]).await;
    kubectl.ok(&["create", "secret", "generic", "s1", "--from-literal=p=q", "-n", "team"]).await;
    assert_eq!(
        kubectl.ok(&["get", "secret", "s1", "-n", "team", "-o", "jsonpath={.data.p} {.type}"]).await,
        "cQ== Opaque"
    );
    kubectl.ok(&["patch", "cm", "c1", "-n", "team", "-p", r#"{"data":{"c":"d"}}"#]).await;
    assert_eq!(kubectl.ok(&["get", "cm", "c1", "-n", "team", "-o", "jsonpath={.data}"]).await, r#"{"a":"b","c":"d"}"#);
    assert!(kubectl.ok(&["get", "ns"]).await.contains("kube-system"));
    assert!(kubectl.ok(&["describe", "ns", "team"]).await.contains("Active"));
    assert_eq!(kubectl.ok(&["auth", "can-i", "create", "widgets.demo.example.com"]).await, "yes\n");
    assert!(kubectl.ok(&["auth", "whoami"]).await.contains("ops"));
    assert!(kubectl.fails(&["create", "cm", "x", "-n", "nowhere"]).await.contains("namespaces \"nowhere\" not found"));
    assert!(kubectl.fails(&["get", "widgets", "--token=wrong"]).await.contains("Unauthorized"));
    assert!(kubectl.ok(&["version"]).await.contains("Server Version"));
    kubectl.ok(&["delete", "ns", "team", "--timeout=20s"]).await;
    assert!(kubectl.fails(&["get", "ns", "team"]).await.contains("not found"));
}

async fn watch_and_delete(kubectl: &Kubectl) {
    let watch = kubectl
        .command(&["get", "widgets", "-w", "--request-timeout=4s", "-o", "name"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    kubectl.ok(&["label", "widget", "w2", "seen=yes"]).await;
    kubectl.ok(&["delete", "widget", "w2"]).await;
    let seen = tokio::time::timeout(Duration::from_secs(20), watch.wait_with_output()).await.unwrap().unwrap();
    assert!(text(&seen.stdout).lines().count() >= 2, "{}", text(&seen.stdout));
    let waiting = kubectl.command(&["wait", "--for=delete", "widget/w1", "--timeout=20s"]).spawn().unwrap();
    kubectl.ok(&["delete", "widgets", "--all"]).await;
    assert!(waiting.wait_with_output().await.unwrap().status.success());
    assert_eq!(kubectl.ok(&["get", "widgets", "-o", "name"]).await, "");
    kubectl.ok(&["delete", "-f", "crd.yaml", "--timeout=20s"]).await;
    kubectl.fails(&["get", "widgets"]).await;
}
