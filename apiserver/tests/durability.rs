//! An acknowledged write is there after `kill -9`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::body::Body;
use homeostat_apiserver::{ApiServer, Config, User};
use serde_json::{Value, json};
use tower::ServiceExt as _;

const FILE: &str = "HOMEOSTAT_DURABILITY_TEST_FILE";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn open(path: &str) -> ApiServer {
    let config = Config { database: path.into(), crds: Vec::new(), audit: None, now: Arc::new(|| support::START_MS) };
    ApiServer::open(config).await.unwrap()
}

/// Not a test of its own: what the other test starts as a process, and kills.
#[tokio::test]
async fn child_that_writes_until_it_is_killed() {
    let Ok(path) = std::env::var(FILE) else { return };
    let router = open(&path).await.in_process(User::new("tester"));
    for number in 0_u64.. {
        let body = json!({"metadata": {"name": format!("c{number}")}, "data": {"n": "x".repeat(2000)}}).to_string();
        let request = http::Request::post(MAPS).body(Body::from(body)).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 201);
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged c{number}").unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("objects.db").to_str().unwrap().to_owned();
    let mut last = None;
    let mut known = 0;
    for round in 0..3_u64 {
        let file = format!("{path}{round}");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes_until_it_is_killed", "--nocapture"])
            .env(FILE, &file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let acknowledged = lines.filter_map(|line| line.split("acknowledged ").nth(1).map(str::to_owned));
        for name in acknowledged {
            known += 1;
            let number: u64 = name.trim_start_matches('c').parse().unwrap();
            last = Some(number);
            // std's kill is SIGKILL; what was in the pipe by then is still read.
            if number == 40 + 13 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let server = open(&file).await;
        let request = http::Request::get(MAPS).body(Body::empty()).unwrap();
        let answer = server.in_process(User::new("tester")).oneshot(request).await.unwrap();
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let list: Value = serde_json::from_slice(&bytes).unwrap();
        let items = list["items"].as_array().unwrap().len() as u64;
        // At most the one write more that was committed and not yet told.
        let told = last.unwrap() + 1;
        assert!(items == told || items == told + 1, "{items} are there, {told} were acknowledged");
        server.close().await;
    }
    assert!(known > 100);
}
