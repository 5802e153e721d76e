//! The engine as its own process: a stop signal ends it cleanly.

use std::process::Stdio;
use std::time::Duration;

use homeostat_engine::ServeArgs;
use homeostat_engine::architecture::Architecture;
use homeostat_engine::artifact::{self, Lineage, Metrics, Records};
use homeostat_engine::sealed::Digest;
use homeostat_engine::serve::Faults;
use homeostat_engine::weights::Weights;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

type Failure = Box<dyn std::error::Error>;

/// Tells this program, started again, which artifact to serve.
const ARTIFACT: &str = "HOMEOSTAT_TEST_SERVES";

/// Shorter than what requests in flight are given: an idle engine must not wait for them.
const DEADLINE: Duration = Duration::from_secs(8);

#[test]
#[ignore = "it is the process that the other test starts"]
fn served_process() -> Result<(), Failure> {
    let Some(artifact) = std::env::var_os(ARTIFACT) else { return Ok(()) };
    Ok(homeostat_engine::serve(ServeArgs {
        artifact: artifact.into(),
        listen: "127.0.0.1:0".parse()?,
        model_name: "atlas".to_owned(),
        threads: 2,
        max_queue: 8,
        faults: Faults::default(),
    })?)
}

#[tokio::test]
async fn an_idle_engine_ends_cleanly_on_sigterm() -> Result<(), Failure> {
    // Nothing else in this program installs one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir()?;
    let architecture = Architecture { layers: 1, context: 48, ..Architecture::default() };
    let (metrics, lineage) = origin();
    artifact::write(
        folder.path().join("artifact").as_path(),
        &architecture,
        &Weights::initial(&architecture, 1),
        &metrics,
        &lineage,
    )?;
    let mut engine = Command::new(std::env::current_exe()?)
        .args(["served_process", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(ARTIFACT, folder.path().join("artifact"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(engine.stdout.take().ok_or("no stdout")?).lines();
    let listening = async {
        while let Some(line) = lines.next_line().await? {
            // The test harness may have begun the line.
            let event = line.find('{').and_then(|from| serde_json::from_str::<Value>(&line[from..]).ok());
            if let Some(address) = event.as_ref().and_then(|event| event["address"].as_str()) {
                return Ok(address.to_owned());
            }
        }
        Err::<String, Failure>("it ended before it listened".into())
    };
    let address = tokio::time::timeout(DEADLINE, listening).await??;
    // The client keeps its connection open: that must not keep the engine.
    let client = reqwest::Client::new();
    let ready = async {
        while client.get(format!("http://{address}/health")).send().await?.status() != 200 {
            tokio::task::yield_now().await;
        }
        Ok::<(), Failure>(())
    };
    tokio::time::timeout(DEADLINE, ready).await??;

    let pid = engine.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or("it is not running")?;
    kill_process(pid, Signal::TERM)?;
    let ended = tokio::time::timeout(DEADLINE, engine.wait()).await??;
    let mut said = String::new();
    engine.stderr.take().ok_or("no stderr")?.read_to_string(&mut said).await?;
    assert!(ended.success(), "{ended}: {said}");
    assert!(client.get(format!("http://{address}/health")).send().await.is_err(), "the port is closed");
    Ok(())
}

fn origin() -> (Metrics, Lineage) {
    let metrics = Metrics {
        loss: 0.5,
        steps: 1,
        tokens: 1,
        held_out_bits_per_byte: None,
        records: Records::default(),
        expert_load: Vec::new(),
        stopped: "steps".to_owned(),
    };
    let lineage = Lineage {
        run_id: "test".to_owned(),
        attempt: 1,
        parent: None,
        data: Vec::new(),
        replay: Vec::new(),
        spec: Digest::of(b"spec"),
        seed: 1,
        code: "test".to_owned(),
    };
    (metrics, lineage)
}
