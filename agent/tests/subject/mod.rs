//! The agent under test, and what a user or a controller would ask of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use homeostat_agent::{AgentConfig, AgentError, GpuBackend, NodeConfig, SimulatedGpus, Timing, run};
use homeostat_clock::{Seed, SystemClock};
use homeostat_protocol::*;
use homeostat_quality::EvaluationSet;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::controller::{Controller, TOKEN};

pub(crate) const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

pub(crate) fn config(controller: &Controller, data: &Path) -> AgentConfig {
    let millis = Duration::from_millis;
    AgentConfig {
        nodes: vec![NodeConfig {
            name: "node-a".into(),
            gpu: GpuBackend::Simulated(SimulatedGpus { gpus: 1, ..SimulatedGpus::default() }),
        }],
        controller: controller.url(),
        controller_ca_pem: controller.ca.clone(),
        join_token: Some(TOKEN.into()),
        data: data.to_path_buf(),
        gateway_listen: ANY,
        metrics_listen: Some(ANY),
        engine_program: env!("CARGO_BIN_EXE_stub-engine").into(),
        trainers: BTreeMap::new(),
        keep_engines: false,
        version: "test".into(),
        spool_bytes: 1 << 20,
        timing: Timing {
            backoff_initial: millis(20),
            backoff_max: millis(100),
            report_every: millis(20),
            status_min: millis(20),
            health_every: millis(50),
            health_deadline: millis(500),
            ready_within: Duration::from_secs(10),
            drain: millis(200),
            grace: Duration::from_secs(2),
            answer_deadline: Duration::from_secs(2),
            ..Timing::default()
        },
    }
}

/// A running agent.
pub(crate) struct Agent {
    running: JoinHandle<Result<(), AgentError>>,
    token: CancellationToken,
}

impl Agent {
    pub(crate) fn start(config: AgentConfig) -> Self {
        let token = CancellationToken::new();
        let running = tokio::spawn(run(config, Arc::new(SystemClock), Seed::fixed(1), token.clone()));
        Self { running, token }
    }

    pub(crate) async fn stop(self) {
        self.token.cancel();
        self.running.await.unwrap().unwrap();
    }

    /// As near to a kill as a test in one process comes: all tasks are dropped where they stand.
    pub(crate) async fn kill(self) {
        self.running.abort();
        let _ = self.running.await;
    }
}

pub(crate) fn engine(replica: &str, version: &str, artifact: &str, arguments: &[&str]) -> Engine {
    Engine {
        replica: replica.into(),
        model: "ml/atlas".into(),
        version: version.into(),
        artifact_digest: artifact.into(),
        adapter: "homeostat".into(),
        arguments: arguments.iter().map(|argument| (*argument).into()).collect(),
        url: String::new(),
    }
}

pub(crate) fn evaluation(controller: &Controller, items: &[(&str, &str)]) -> String {
    let lines: Vec<String> = items
        .iter()
        .map(|(prompt, answer)| {
            json!({"id": prompt, "prompt": prompt, "references": [answer], "slice": "s"}).to_string()
        })
        .collect();
    let set = EvaluationSet::merge([("golden", lines.join("\n").as_str())]).unwrap();
    controller.blob(serde_json::to_vec(&set).unwrap())
}

pub(crate) async fn chat(address: &str, question: &str) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = json!({"model": "atlas", "messages": [{"role": "user", "content": question}]});
    client.post(format!("http://{address}/v1/chat/completions")).json(&body).send().await.unwrap()
}

/// The process of the only engine on node-a.
pub(crate) fn engine_process(data: &Path) -> String {
    let folder = std::fs::read_dir(data.join("nodes/node-a/engines")).unwrap().next().unwrap().unwrap().path();
    std::fs::read_to_string(folder.join("process")).unwrap()
}

pub(crate) fn alive(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.split(' ').next().unwrap()));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}
