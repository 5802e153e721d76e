//! What a SQLite file must survive, and what opening says when it cannot.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use homeostat_clock::UtcMillis;
use homeostat_records::{Entry, OpenError, Records};

async fn open(folder: &Path) -> Result<Records, OpenError> {
    Records::open(&Records::sqlite_url(&folder.join("records.db")), folder.join("blobs")).await
}

fn entry(n: i64) -> Entry {
    Entry {
        at: UtcMillis(n),
        actor: "controller".into(),
        kind: "decision".into(),
        model: None,
        object: None,
        summary: format!("entry {n}"),
        detail: serde_json::Value::Null,
        evidence: None,
    }
}

/// Not a test of its own: the process that the next test kills. It writes until then and says what was acknowledged.
#[tokio::test]
async fn writer() {
    let Ok(folder) = std::env::var("HOMEOSTAT_TEST_WRITER") else { return };
    let records = open(Path::new(&folder)).await.unwrap();
    for sequence in 1.. {
        records.apply_report("n1", "e1", sequence, &[], &[], UtcMillis(0)).await.unwrap();
        let row = records.append_ledger(entry(1)).await.unwrap();
        eprintln!("acknowledged {sequence} {}", row.hash);
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--nocapture"])
        .env("HOMEOSTAT_TEST_WRITER", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let last = lines.filter(|line| line.starts_with("acknowledged")).nth(25).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let mut words = last.split(' ').skip(1);
    let sequence: u64 = words.next().unwrap().parse().unwrap();
    let hash = words.next().unwrap();

    let records = open(folder.path()).await.unwrap();
    assert!(records.acknowledged("n1", "e1").await.unwrap() >= sequence);
    assert_eq!(records.verify_ledger(Some(hash)).await.unwrap().problem, None);
    records.append_ledger(entry(2)).await.unwrap();
    assert_eq!(records.verify_ledger(Some(hash)).await.unwrap().problem, None);
}

fn one_line(error: &OpenError, parts: &[&str]) {
    let text = error.to_string();
    assert!(!text.contains('\n') && !text.contains("hunter2"), "{text}");
    assert!(parts.iter().all(|part| text.contains(part)), "{text} lacks one of {parts:?}");
}

#[tokio::test]
async fn a_damaged_file_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    std::fs::write(&path, "this is no database, whatever its name says".repeat(200)).unwrap();
    let error = open(folder.path()).await.unwrap_err();
    one_line(&error, &[path.to_str().unwrap(), "restore a backup"]);

    // A good file with its middle overwritten.
    std::fs::remove_file(&path).unwrap();
    let records = open(folder.path()).await.unwrap();
    for n in 0..30 {
        records.append_ledger(entry(n)).await.unwrap();
    }
    records.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[4096..end].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let error = open(folder.path()).await.unwrap_err();
    one_line(&error, &[path.to_str().unwrap(), "move it aside"]);
}

#[tokio::test]
async fn wrong_addresses_are_told_without_passwords() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder.path().join("blobs");
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://homeostat:hunter2@127.0.0.1:{unused}/records");
    let error = Records::open(&url, blobs.clone()).await.unwrap_err();
    one_line(&error, &[&format!("127.0.0.1:{unused}/records"), "check that it runs"]);
    let error = Records::open("mysql://root:hunter2@db/records", blobs.clone()).await.unwrap_err();
    one_line(&error, &["mysql", "sqlite:///PATH"]);
    let error = Records::open("records.db", blobs).await.unwrap_err();
    one_line(&error, &["sqlite:///PATH"]);
}
