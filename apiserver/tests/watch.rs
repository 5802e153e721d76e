//! Watches, lists and revisions over the router.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde_json::{Value, json};
use support::{Api, widget_crd};

const WIDGETS: &str = "/apis/demo.example.com/v1/namespaces/default/widgets";

fn widget(name: &str, labels: Value) -> Value {
    json!({
        "apiVersion": "demo.example.com/v1", "kind": "Widget",
        "metadata": {"name": name, "labels": labels}, "spec": {"image": "a:1"},
    })
}

async fn revision(api: &Api) -> u64 {
    let list = api.get(WIDGETS).await;
    list.value["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_watch_goes_on_where_the_list_ended_and_selectors_are_entered_and_left() {
    let api = Api::open(vec![widget_crd()]).await;
    api.post(WIDGETS, widget("x", json!({"s": "1"}))).await;
    let from = revision(&api).await;
    let mut all = api.watch(&format!("{WIDGETS}?watch=true&resourceVersion={from}")).await;
    let mut selected = api.watch(&format!("{WIDGETS}?watch=true&resourceVersion={from}&labelSelector=s%3D1")).await;
    let mut one =
        api.watch(&format!("{WIDGETS}?watch=true&resourceVersion={from}&fieldSelector=metadata.name%3Dy")).await;
    api.post(WIDGETS, widget("y", json!({}))).await;
    api.merge(&format!("{WIDGETS}/y"), json!({"metadata": {"labels": {"s": "1"}}})).await;
    api.merge(&format!("{WIDGETS}/y"), json!({"spec": {"replicas": 2}})).await;
    let left = api.merge(&format!("{WIDGETS}/y"), json!({"metadata": {"labels": {"s": null}}})).await;
    api.delete(&format!("{WIDGETS}/x")).await;
    for wanted in ["ADDED y", "MODIFIED y", "MODIFIED y", "MODIFIED y", "DELETED x"] {
        assert_eq!(all.next_short().await, wanted);
    }
    assert_eq!(selected.next_short().await, "ADDED y");
    assert_eq!(selected.next_short().await, "MODIFIED y");
    let event = selected.next().await.unwrap();
    assert_eq!(event["type"], "DELETED");
    assert_eq!(event["object"]["metadata"]["labels"], json!({"s": "1"}), "as it was in the selection");
    assert_eq!(event["object"]["metadata"]["resourceVersion"], left.value["metadata"]["resourceVersion"]);
    assert_eq!(selected.next_short().await, "DELETED x");
    assert_eq!(one.next_short().await, "ADDED y");
    api.server.close().await;
    assert!(all.next().await.is_none(), "closing ends watches");
}

#[tokio::test]
async fn initial_events_end_with_an_annotated_bookmark() {
    let api = Api::open(vec![widget_crd()]).await;
    api.post(WIDGETS, widget("a", json!({}))).await;
    api.post(WIDGETS, widget("b", json!({}))).await;
    let query =
        "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=4";
    let mut watch = api.watch(&format!("{WIDGETS}?{query}")).await;
    assert_eq!(watch.next_short().await, "ADDED a");
    assert_eq!(watch.next_short().await, "ADDED b");
    let bookmark = watch.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["metadata"]["annotations"], json!({"k8s.io/initial-events-end": "true"}));
    assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], revision(&api).await.to_string());
    api.post(WIDGETS, widget("c", json!({}))).await;
    assert_eq!(watch.next_short().await, "ADDED c");
    // Shortly before the timeout comes a bookmark, then a clean end.
    let last = watch.next().await.unwrap();
    assert_eq!((&last["type"], &last["object"]["metadata"]["annotations"]), (&json!("BOOKMARK"), &Value::Null));
    assert!(watch.next().await.is_none());
    api.server.close().await;
}

#[tokio::test]
async fn compacted_history_is_expired() {
    let api = Api::open(vec![widget_crd()]).await;
    api.post(WIDGETS, widget("a", json!({}))).await;
    let old = revision(&api).await;
    api.post(WIDGETS, widget("b", json!({}))).await;
    api.post(WIDGETS, widget("c", json!({}))).await;
    let page = api.get(&format!("{WIDGETS}?limit=1")).await;
    let next = page.value["metadata"]["continue"].as_str().unwrap().to_owned();
    api.post(WIDGETS, widget("aa", json!({}))).await;
    // A page goes on at the revision of the first one.
    let rest = api.get(&format!("{WIDGETS}?continue={next}")).await;
    let names: Vec<&str> =
        rest.value["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["b", "c"]);
    let exact = api.get(&format!("{WIDGETS}?resourceVersion={old}&resourceVersionMatch=Exact")).await;
    assert_eq!(exact.value["items"].as_array().unwrap().len(), 1);

    api.server.compact().await;
    let mut watch = api.watch(&format!("{WIDGETS}?watch=true&resourceVersion={old}")).await;
    let event = watch.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["code"], &event["object"]["reason"]),
        (&json!("ERROR"), &json!(410), &json!("Expired"))
    );
    assert!(event["object"]["message"].as_str().unwrap().starts_with(&format!("too old resource version: {old} (")));
    assert!(watch.next().await.is_none());
    assert_eq!(api.get(&format!("{WIDGETS}?continue={next}")).await.status, 410);
    let exact = api.get(&format!("{WIDGETS}?resourceVersion={old}&resourceVersionMatch=Exact")).await;
    assert_eq!((exact.status, &exact.value["reason"]), (410, &json!("Expired")));
    api.server.close().await;
}

#[tokio::test]
async fn a_slow_watcher_is_dropped_and_can_go_on() {
    let api = Api::open(vec![widget_crd()]).await;
    api.post(WIDGETS, widget("a", json!({}))).await;
    let from = revision(&api).await;
    let mut slow = api.watch(&format!("{WIDGETS}?watch=true&resourceVersion={from}")).await;
    for turn in 0..1100 {
        api.merge(&format!("{WIDGETS}/a"), json!({"metadata": {"labels": {"turn": turn.to_string()}}})).await;
    }
    let mut seen = 0;
    let mut last = from;
    while let Some(event) = slow.next().await {
        let revision: u64 = event["object"]["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        assert_eq!(revision, last + 1, "nothing is missing before the end");
        last = revision;
        seen += 1;
    }
    assert!(seen < 1100);
    let mut again = api.watch(&format!("{WIDGETS}?watch=true&resourceVersion={last}")).await;
    let next = again.next().await.unwrap();
    assert_eq!(next["object"]["metadata"]["resourceVersion"], (last + 1).to_string());
    api.server.close().await;
}

#[tokio::test]
async fn revisions_are_global_and_survive_a_restart() {
    let api = Api::open(vec![widget_crd()]).await;
    let first = api.post(WIDGETS, widget("a", json!({}))).await;
    let second = api.post("/api/v1/namespaces/default/configmaps", json!({"metadata": {"name": "c"}})).await;
    let number = |value: &Value| value["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(number(&second.value), number(&first.value) + 1);
    let unchanged = api.merge(&format!("{WIDGETS}/a"), json!({"spec": {"image": "a:1"}})).await;
    assert_eq!(unchanged.value, first.value, "a write of nothing keeps the resourceVersion");
    api.delete(&format!("{WIDGETS}/a")).await;
    let before = revision(&api).await;
    let api = api.restart().await;
    assert_eq!(revision(&api).await, before, "the deletion at the head counts");
    // A watch goes on across the restart.
    let mut watch = api.watch(&format!("{WIDGETS}?watch=true&resourceVersion={}", number(&first.value))).await;
    assert_eq!(watch.next_short().await, "DELETED a");
    api.server.compact().await;
    let api = api.restart().await;
    assert_eq!(revision(&api).await, before, "also when its row was compacted away");
    let third = api.post(WIDGETS, widget("a", json!({}))).await;
    assert_eq!(number(&third.value), before + 1);
    api.server.close().await;
}

#[tokio::test]
async fn events_are_one_store_in_two_groups() {
    let api = Api::open(Vec::new()).await;
    let new = "/apis/events.k8s.io/v1/namespaces/default/events";
    let core = "/api/v1/namespaces/default/events";
    let made = api
        .post(new, json!({
            "metadata": {"name": "e"}, "action": "A", "eventTime": "2026-01-01T00:00:00.000000Z", "reason": "R", "note": "n",
            "type": "Normal", "reportingController": "example.com/c", "reportingInstance": "i",
            "regarding": {"kind": "Widget", "name": "w", "namespace": "default"},
        }))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let shown = api.get(&format!("{core}?fieldSelector=involvedObject.name%3Dw,involvedObject.kind%3DWidget")).await;
    let item = &shown.value["items"][0];
    assert_eq!(
        (&item["message"], &item["reportingComponent"], &item["apiVersion"]),
        (&json!("n"), &json!("example.com/c"), &json!("v1"))
    );
    let patched = api
        .merge(&format!("{new}/e"), json!({"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}}))
        .await;
    assert_eq!((&patched.value["note"], &patched.value["series"]["count"]), (&json!("n"), &json!(2)));
    api.server.close().await;
}
