//! The custom resource definitions on both APIs: established by `kubectl apply -f crds/yaml`, and the same bad manifests and
//! changes get errors that name the field and the remedy. One body, two back ends.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use homeostat_apiserver::serve::{Listener, Token, write_kubeconfig};
use homeostat_apiserver::{ApiServer, Config, User};
use homeostat_tests::controlplane::ControlPlane;
use homeostat_tests::kubectl::Kubectl;
use homeostat_tests::workspace;
use kube::Client;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

#[path = "crds/manifests.rs"]
mod manifests;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_embedded_api() {
    let folder = tempfile::tempdir().unwrap();
    // 2026-01-01, standing still.
    let now = Arc::new(|| 1_767_225_600_000);
    let config = Config { database: folder.path().join("objects.db"), crds: Vec::new(), audit: None, now };
    let api = ApiServer::open(config).await.unwrap();
    let token = Token::generate(User { name: "ops".into(), groups: vec!["system:masters".into()] }).unwrap();
    let (secret, kubeconfig) = (token.token.clone(), folder.path().join("kubeconfig"));
    let address = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&api, address, &folder.path().join("pki"), vec![token]).await.unwrap();
    write_kubeconfig(&kubeconfig, &listener.url(), listener.ca_pem(), &secret).unwrap();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(listener.serve(shutdown.clone()));

    body(&Client::new(api.in_process(User::new("test")), "default"), &kubeconfig).await;

    shutdown.cancel();
    serving.await.unwrap().unwrap();
    api.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_real_kube_apiserver() {
    let Some(plane) = ControlPlane::start().await.unwrap() else { return };
    body(&plane.client(), plane.kubeconfig()).await;
}

async fn body(client: &Client, kubeconfig: &Path) {
    apply_definitions(client, kubeconfig).await;
    let mut complaints = Vec::new();
    for case in manifests::bad() {
        let answer = create(client, &case.manifest).await;
        complaints.extend(case.complaint(&answer));
    }
    for case in manifests::forbidden_changes() {
        let created = create(client, &case.manifest).await;
        assert!(created.is_ok(), "{}: {created:?}", case.what);
        let answer = patch(client, &case.manifest, &case.patch).await;
        complaints.extend(case.complaint(&answer));
    }
    for case in manifests::permitted_changes() {
        let created = create(client, &case.manifest).await;
        assert!(created.is_ok(), "{}: {created:?}", case.what);
        if let Err(message) = patch(client, &case.manifest, &case.patch).await {
            complaints.push(format!("{}: refused: {message}", case.what));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

async fn apply_definitions(client: &Client, kubeconfig: &Path) {
    let Some(kubectl) = Kubectl::find(kubeconfig).unwrap() else {
        for crd in homeostat_crds::all() {
            request(
                client,
                "POST",
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                "application/json",
                &json!(crd),
            )
            .await
            .unwrap();
        }
        return;
    };
    let folder = workspace().join("crds/yaml").display().to_string();
    let applied = kubectl.ok(&["apply", "-f", &folder]).await.unwrap();
    for crd in homeostat_crds::all() {
        let name = crd.metadata.name.unwrap();
        assert!(applied.contains(&format!("{name} created")), "{applied}");
        kubectl.ok(&["wait", "--for=condition=Established", &format!("crd/{name}"), "--timeout=20s"]).await.unwrap();
    }
    assert_eq!(
        kubectl.ok(&["apply", "-f", &folder]).await.unwrap().matches(" unchanged").count(),
        homeostat_crds::all().len()
    );
    // kubectl's own view of them, down to a field.
    let resources = kubectl.ok(&["api-resources", "--api-group=homeostat.dev"]).await.unwrap();
    for crd in homeostat_crds::all() {
        assert!(resources.contains(&crd.spec.names.kind), "{resources}");
    }
    let explained = kubectl.ok(&["explain", "model.spec.retraining.budget"]).await.unwrap();
    assert!(explained.contains("gpuHours"), "{explained}");
    bad_manifest_by_kubectl(&kubectl).await;
}

/// What a person sees who applies a file with a mistake.
async fn bad_manifest_by_kubectl(kubectl: &Kubectl) {
    let model = "apiVersion: homeostat.dev/v1alpha1\nkind: Model\nmetadata: {name: atlas}\n\
                 spec: {initialVersion: atlas-v1, decayPolicyRef: {name: atlas}, mode: Automatic}\n";
    kubectl.write("model.yaml", model).unwrap();
    let error = kubectl.fails(&["apply", "-f", "model.yaml"]).await.unwrap();
    for part in ["spec.mode", "Automatic", "Observe", "Alert", "Act"] {
        assert!(error.contains(part), "{error}");
    }
}

async fn create(client: &Client, manifest: &Value) -> Result<Value, String> {
    let path = format!("{}?fieldValidation=Strict", collection(manifest));
    request(client, "POST", &path, "application/json", manifest).await
}

async fn patch(client: &Client, manifest: &Value, patch: &Value) -> Result<Value, String> {
    let path = format!("{}/{}", collection(manifest), manifest["metadata"]["name"].as_str().unwrap());
    request(client, "PATCH", &path, "application/merge-patch+json", patch).await
}

fn collection(manifest: &Value) -> String {
    let plurals: BTreeMap<String, String> =
        homeostat_crds::all().into_iter().map(|crd| (crd.spec.names.kind, crd.spec.names.plural)).collect();
    let plural = &plurals[manifest["kind"].as_str().unwrap()];
    let namespace = if plural == "gpunodes" { "" } else { "namespaces/default/" };
    format!("/apis/homeostat.dev/v1alpha1/{namespace}{plural}")
}

async fn request(client: &Client, method: &str, path: &str, content: &str, body: &Value) -> Result<Value, String> {
    let request = http::Request::builder().method(method).uri(path).header("content-type", content);
    let request = request.body(serde_json::to_vec(body).unwrap()).unwrap();
    client.request::<Value>(request).await.map_err(|error| match error {
        kube::Error::Api(status) => status.message,
        other => format!("no status: {other}"),
    })
}
