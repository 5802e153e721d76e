//! Garbage collection, namespaces, CRDs, identities and audit.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use homeostat_apiserver::{ApiServer, Audit, AuditedWrite, Config, OpenError, User};
use serde_json::{Value, json};
use support::{Api, START_MS, crd, widget_crd};
use tower::ServiceExt as _;

const WIDGETS: &str = "/apis/demo.example.com/v1/namespaces/default/widgets";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn widget(name: &str, finalizers: Value) -> Value {
    json!({
        "apiVersion": "demo.example.com/v1", "kind": "Widget",
        "metadata": {"name": name, "finalizers": finalizers}, "spec": {"image": "a:1"},
    })
}

fn owned(name: &str, owners: &[&Value]) -> Value {
    let owner = |of: &&Value| json!({"apiVersion": of["apiVersion"], "kind": of["kind"], "name": of["metadata"]["name"], "uid": of["metadata"]["uid"]});
    json!({"metadata": {"name": name, "ownerReferences": owners.iter().map(owner).collect::<Vec<_>>()}})
}

#[tokio::test]
async fn dependents_go_after_their_last_owner() {
    let api = Api::open(vec![widget_crd()]).await;
    let a = api.post(WIDGETS, widget("a", json!([]))).await.value;
    let b = api.post(WIDGETS, widget("b", json!([]))).await.value;
    api.post(MAPS, owned("of-a", &[&a])).await;
    api.post(MAPS, owned("of-both", &[&a, &b])).await;
    assert_eq!(api.delete(&format!("{WIDGETS}/a")).await.value["status"], "Success");
    api.until(&format!("{MAPS}/of-a"), 404).await;
    assert_eq!(api.get(&format!("{MAPS}/of-both")).await.status, 200);
    api.delete(&format!("{WIDGETS}/b")).await;
    api.until(&format!("{MAPS}/of-both"), 404).await;
    // An owner that is not there any more.
    api.post(MAPS, owned("late", &[&a])).await;
    api.until(&format!("{MAPS}/late"), 404).await;
    // An owner of a kind that is not served here is left alone.
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "u"}});
    api.post(MAPS, owned("of-pod", &[&pod])).await;
    let c = api.post(WIDGETS, widget("c", json!([]))).await.value;
    api.post(MAPS, owned("of-c", &[&c])).await;
    let foreground = json!({"propagationPolicy": "Foreground"});
    let going = api.json("DELETE", &format!("{WIDGETS}/c"), foreground).await.value;
    assert_eq!(going["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    api.until(&format!("{WIDGETS}/c"), 404).await;
    assert_eq!(api.get(&format!("{MAPS}/of-c")).await.status, 404, "dependents went first");
    let d = api.post(WIDGETS, widget("d", json!([]))).await.value;
    api.post(MAPS, owned("of-d", &[&d])).await;
    api.json("DELETE", &format!("{WIDGETS}/d?propagationPolicy=Orphan"), Value::Null).await;
    api.until(&format!("{WIDGETS}/d"), 404).await;
    let orphan = api.get(&format!("{MAPS}/of-d")).await;
    assert_eq!((orphan.status, &orphan.value["metadata"]["ownerReferences"]), (200, &Value::Null));
    assert_eq!(api.get(&format!("{MAPS}/of-pod")).await.status, 200);
    api.server.close().await;
}

#[tokio::test]
async fn finalizers_hold_an_object_and_generation_counts() {
    let api = Api::open(vec![widget_crd()]).await;
    let path = format!("{WIDGETS}/f");
    api.post(WIDGETS, widget("f", json!(["example.com/f"]))).await;
    let status =
        api.merge(&format!("{path}/status"), json!({"status": {"replicas": 1}, "spec": {"replicas": 9}})).await.value;
    assert_eq!((&status["metadata"]["generation"], &status["spec"]["replicas"]), (&json!(1), &json!(1)));
    let main = api.merge(&path, json!({"status": {"replicas": 7}, "spec": {"replicas": 2}})).await.value;
    assert_eq!((&main["metadata"]["generation"], &main["status"]["replicas"]), (&json!(2), &json!(1)));
    let going = api.delete(&path).await.value;
    assert_eq!(
        (&going["metadata"]["generation"], going["metadata"]["deletionTimestamp"].is_string()),
        (&json!(3), true)
    );
    let absent = json!([{"op": "test", "path": "/metadata/finalizers", "value": null}]).to_string();
    assert_eq!(api.send("PATCH", &path, Some("application/json-patch+json"), None, absent).await.status, 422);
    assert_eq!(api.merge(&path, json!({"metadata": {"finalizers": null}})).await.status, 200);
    assert_eq!(api.get(&path).await.status, 404);
    api.server.close().await;
}

#[tokio::test]
async fn a_namespace_takes_its_objects_along() {
    let api = Api::open(vec![widget_crd()]).await;
    let widgets = "/apis/demo.example.com/v1/namespaces/t/widgets";
    assert_eq!(api.post(widgets, widget("w", json!([]))).await.value["message"], "namespaces \"t\" not found");
    api.post("/api/v1/namespaces", json!({"metadata": {"name": "t"}})).await;
    api.post(widgets, widget("held", json!(["example.com/f"]))).await;
    api.post("/api/v1/namespaces/t/configmaps", json!({"metadata": {"name": "c"}})).await;
    let going = api.delete("/api/v1/namespaces/t").await.value;
    assert_eq!(going["status"]["phase"], "Terminating");
    let refused = api.post(widgets, widget("late", json!([]))).await;
    assert_eq!((refused.status, &refused.value["reason"]), (403, &json!("Forbidden")));
    let said = "widgets.demo.example.com \"late\" is forbidden: unable to create new content in namespace t because it is being terminated";
    assert_eq!(refused.value["message"], said);
    assert_eq!(refused.value["details"]["causes"][0]["reason"], "NamespaceTerminating");
    api.until("/api/v1/namespaces/t/configmaps/c", 404).await;
    // The deletion goes on after a restart.
    let api = api.restart().await;
    assert_eq!(api.get("/api/v1/namespaces/t").await.status, 200, "a finalizer holds it");
    api.merge(&format!("{widgets}/held"), json!({"metadata": {"finalizers": null}})).await;
    api.until("/api/v1/namespaces/t", 404).await;
    api.server.close().await;
}

#[tokio::test]
async fn crds_come_and_go_live() {
    let api = Api::open(Vec::new()).await;
    assert_eq!(api.get(WIDGETS).await.status, 404);
    let document = serde_json::to_value(widget_crd()).unwrap();
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    assert_eq!(api.post(crds, document).await.status, 201);
    assert_eq!(api.post(WIDGETS, widget("a", json!([]))).await.status, 201);
    let changed = json!([{"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size", "value": {"type": "integer", "default": 3}}]);
    let path = format!("{crds}/widgets.demo.example.com");
    let answer = api.send("PATCH", &path, Some("application/json-patch+json"), None, changed.to_string()).await;
    assert_eq!((answer.status, &answer.value["metadata"]["generation"]), (200, &json!(2)), "{}", answer.text);
    assert_eq!(api.post(WIDGETS, widget("b", json!([]))).await.value["spec"]["size"], 3);
    let broken = json!([{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations", "value": [{"rule": "self.(("}]}]);
    assert_eq!(
        api.send("PATCH", &path, Some("application/json-patch+json"), None, broken.to_string()).await.status,
        422
    );
    api.delete(&path).await;
    api.until(&path, 404).await;
    assert_eq!(api.get(WIDGETS).await.status, 404);
    api.server.close().await;
}

#[tokio::test]
async fn events_are_forgotten_after_an_hour() {
    let api = Api::open(Vec::new()).await;
    let events = "/api/v1/namespaces/default/events";
    let event = |name: &str| json!({"metadata": {"name": name}, "involvedObject": {"kind": "W", "namespace": "default"}, "reason": "R"});
    api.post(events, event("old")).await;
    api.clock.store(START_MS + 50 * 60 * 1000, Ordering::SeqCst);
    api.post(events, event("new")).await;
    api.clock.store(START_MS + 61 * 60 * 1000, Ordering::SeqCst);
    // The first sweep comes at the opening.
    let api = api.restart().await;
    api.until(&format!("{events}/old"), 404).await;
    assert_eq!(api.get(&format!("{events}/new")).await.status, 200);
    api.server.close().await;
}

#[derive(Default)]
struct Recorder(Mutex<Vec<AuditedWrite>>);

impl Audit for Recorder {
    fn record(&self, write: AuditedWrite) {
        self.0.lock().unwrap().push(write);
    }
}

#[tokio::test]
async fn every_write_is_audited_with_who_did_it() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Arc::new(Recorder::default());
    let audit: Arc<dyn Audit> = Arc::clone(&recorder) as _;
    let database = folder.path().join("new/objects.db");
    let config = Config { database, crds: vec![widget_crd()], audit: Some(audit), now: Arc::new(|| START_MS) };
    let server = ApiServer::open(config).await.unwrap();
    recorder.0.lock().unwrap().clear();
    let send = async |router: axum::Router, method: &str, path: String, content: &str, body: String| {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content)
            .body(axum::body::Body::from(body))
            .unwrap();
        router.oneshot(request).await.unwrap().status().as_u16()
    };
    let ann = server.in_process(User::new("ann@example.com"));
    let bob = server.in_process(User::new("bob@example.com"));
    let created = send(
        ann,
        "POST",
        format!("{WIDGETS}?fieldManager=web"),
        "application/json",
        widget("a", json!([])).to_string(),
    )
    .await;
    let patched = send(
        bob.clone(),
        "PATCH",
        format!("{WIDGETS}/a/status"),
        "application/merge-patch+json",
        json!({"status": {"replicas": 1}}).to_string(),
    )
    .await;
    let failed =
        send(bob.clone(), "POST", WIDGETS.to_owned(), "application/json", widget("a", json!([])).to_string()).await;
    let deleted = send(bob, "DELETE", format!("{WIDGETS}/a"), "application/json", String::new()).await;
    let nobody = send(server.router(), "GET", WIDGETS.to_owned(), "application/json", String::new()).await;
    assert_eq!([created, patched, failed, deleted, nobody], [201, 200, 409, 200, 401]);
    let writes = recorder.0.lock().unwrap().clone();
    let short: Vec<_> =
        writes.iter().map(|write| (write.user.name.as_str(), write.verb, write.subresource.as_str())).collect();
    assert_eq!(
        short,
        [("ann@example.com", "create", ""), ("bob@example.com", "patch", "status"), ("bob@example.com", "delete", "")]
    );
    assert_eq!(
        (writes[0].field_manager.as_str(), writes[0].resource.as_str(), writes[0].namespace.as_str()),
        ("web", "widgets", "default")
    );
    assert!(writes[0].resource_version < writes[1].resource_version && writes[0].uid == writes[2].uid);
    server.close().await;
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("objects.db");
    let config = |crds| Config { database: path.clone(), crds, audit: None, now: Arc::new(|| START_MS) };
    let server = ApiServer::open(config(Vec::new())).await.unwrap();
    let second = ApiServer::open(config(Vec::new())).await.err().unwrap();
    assert!(matches!(second, OpenError::InUse { .. }), "{second}");
    server.close().await;
    let bad =
        crd("metadata: {name: x.y}\nspec: {group: g, scope: Cluster, names: {plural: ps, kind: P}, versions: []}");
    let refused = ApiServer::open(config(vec![bad])).await.err().unwrap();
    assert!(matches!(&refused, OpenError::Crd { name, .. } if name == "x.y"), "{refused}");

    std::fs::write(&path, vec![7; 8192]).unwrap();
    let corrupt = ApiServer::open(config(Vec::new())).await.err().unwrap();
    assert!(matches!(corrupt, OpenError::Corrupt { .. }), "{corrupt:?}");
    let line = corrupt.to_string();
    assert!(line.contains("objects.db") && line.contains("move the file away") && !line.contains('\n'), "{line}");
}
