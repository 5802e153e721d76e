//! Figures, not checks: `cargo test --release -p homeostat-apiserver --test measure -- --ignored --nocapture`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::{Api, widget_crd};

const WIDGETS: &str = "/apis/demo.example.com/v1/namespaces/default/widgets";

/// User and system time of this process in clock ticks of 10 ms.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn writes_lists_and_idling() {
    let api = Api::open(vec![widget_crd()]).await;
    let start = Instant::now();
    for number in 0..1000 {
        let body = json!({
            "apiVersion": "demo.example.com/v1", "kind": "Widget", "metadata": {"name": format!("w{number}")}, "spec": {"image": "a:1"},
        });
        assert_eq!(api.post(WIDGETS, body).await.status, 201);
    }
    println!("create: {:.0} a second", 1000.0 / start.elapsed().as_secs_f64());
    let start = Instant::now();
    for number in 0..1000 {
        api.merge(&format!("{WIDGETS}/w{number}/status"), json!({"status": {"replicas": number}})).await;
    }
    println!("patch status: {:.0} a second", 1000.0 / start.elapsed().as_secs_f64());
    let start = Instant::now();
    for _ in 0..10 {
        api.get(WIDGETS).await;
    }
    println!("list of 1000: {:.1} ms", start.elapsed().as_secs_f64() * 100.0);
    let mut watches = Vec::new();
    for _ in 0..20 {
        watches.push(api.watch(&format!("{WIDGETS}?watch=true&allowWatchBookmarks=true")).await);
    }
    let before = ticks();
    tokio::time::sleep(Duration::from_secs(10)).await;
    println!("idle with 20 watches: {} ms of CPU in 10 s", (ticks() - before) * 10);
    api.server.close().await;
}
