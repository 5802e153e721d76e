//! The split deployment on free ports: a controller with the embedded API, an agent, and what they are told.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use homeostat_clock::Seed;
use homeostat_crds::{CompliancePolicy, Dataset, DecayPolicy, Model, ModelVersion};
use homeostat_records::Records;
use homeostat_tests::controlplane::client;
use homeostat_tests::processes::{self, Process};
use homeostat_tests::supervised::Supervised;
use homeostat_tests::wait::wait_for;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use rand::RngExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::world::{self, Files};

/// Name of the model, and of most that belongs to it.
pub(crate) const MODEL: &str = "desk";
pub(crate) const NAMESPACE: &str = "default";
pub(crate) const NODE: &str = "node-1";
pub(crate) const FEEDBACK_KEY: &str = "the-key-of-the-desk";
const JOIN_TOKEN: &str = "let-the-node-join";
const READY: Duration = Duration::from_secs(60);

/// Everything that stays the same while processes come and go.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) folder: PathBuf,
    program: PathBuf,
    api: u16,
    agents: u16,
    web: u16,
    gateway: u16,
    metrics: u16,
}

impl Stage {
    pub(crate) fn new(folder: &Path, program: &Path, seed: &Seed) -> anyhow::Result<Self> {
        let mut rng = seed.rng("ports");
        // Below the ports that the system gives to connections: one of those might hold ours while nobody listens on it.
        let mut port = || -> anyhow::Result<u16> {
            for _ in 0..200 {
                let port = rng.random_range(10_000..30_000);
                if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                    return Ok(port);
                }
            }
            bail!("no port is free");
        };
        let (folder, program) = (folder.canonicalize()?, program.canonicalize()?);
        Ok(Self { folder, program, api: port()?, agents: port()?, web: port()?, gateway: port()?, metrics: port()? })
    }

    pub(crate) fn controller_data(&self) -> PathBuf {
        self.folder.join("controller")
    }

    /// The folder of reports that are not acknowledged.
    pub(crate) fn spool(&self) -> PathBuf {
        self.folder.join("agent/nodes").join(NODE).join("spool")
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.controller_data().join("kubeconfig")
    }

    pub(crate) fn gateway(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.gateway)
    }

    pub(crate) fn controller(&self) -> Supervised {
        let stage = self.clone();
        Supervised::new("controller", &self.folder.join("controller.log"), move || {
            let mut command = Command::new(&stage.program);
            command.args(["controller", "--embedded-api", "--data"]).arg(stage.controller_data());
            let ports = [("--api-listen", stage.api), ("--agents-listen", stage.agents), ("--web-listen", stage.web)];
            for (flag, port) in ports {
                command.args([flag, &format!("127.0.0.1:{port}")]);
            }
            command.env("HOMEOSTAT_JOIN_TOKEN", JOIN_TOKEN);
            command
        })
    }

    pub(crate) fn agent(&self) -> Supervised {
        let stage = self.clone();
        Supervised::new("agent", &self.folder.join("agent.log"), move || {
            let mut command = Command::new(&stage.program);
            command.args(["agent", "--node", NODE, "--gpu", "none", "--controller"]);
            command.arg(format!("https://127.0.0.1:{}", stage.agents));
            command.arg("--controller-ca").arg(stage.controller_data().join("agents-ca.pem"));
            command.arg("--data").arg(stage.folder.join("agent"));
            command.args(["--gateway-listen", &format!("127.0.0.1:{}", stage.gateway)]);
            command.args(["--metrics-listen", &format!("127.0.0.1:{}", stage.metrics)]);
            command.env("HOMEOSTAT_JOIN_TOKEN", JOIN_TOKEN);
            command
        })
    }

    /// Engines that serve: those of versions, and those that an evaluation has started.
    pub(crate) fn engines(&self) -> Vec<Process> {
        processes::running(&self.program, &["engine", "serve"], &self.folder)
    }

    pub(crate) fn trainers(&self) -> Vec<Process> {
        processes::running(&self.program, &["engine", "train"], &self.folder)
    }

    /// Whatever runs here.
    pub(crate) fn processes(&self) -> Vec<Process> {
        processes::naming(&self.folder)
    }

    /// Opened for a look. Nobody else has it open when the controller is dead, so that its restart finds what it left.
    pub(crate) async fn records(&self) -> anyhow::Result<Records> {
        let data = self.controller_data();
        Ok(Records::open(&Records::sqlite_url(&data.join("records.db")), data.join("blobs")).await?)
    }

    /// A command of the program on the controller's data.
    pub(crate) async fn homeostat(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--data").arg(self.controller_data()).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(READY, command.output()).await??;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        ensure!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        Ok(text(&output.stdout))
    }

    /// Waits until the API answers.
    pub(crate) async fn client(&self) -> anyhow::Result<kube::Client> {
        let answers = async || {
            let client = client(&self.kubeconfig()).await.ok()?;
            Api::<Model>::namespaced(client.clone(), NAMESPACE).get_opt(MODEL).await.ok().map(|_| client)
        };
        wait_for("an answer of the API", READY, answers).await
    }

    /// Waits until users are answered, whatever the answer is.
    pub(crate) async fn open(&self, http: &reqwest::Client) -> anyhow::Result<()> {
        let answers = async || http.get(self.gateway("/health")).send().await.ok().map(|_| ());
        wait_for("an answer of the gateway", READY, answers).await
    }
}

/// Ends everything that still runs on a stage, however a test ends.
pub(crate) struct Clearing(pub(crate) Stage);

impl Drop for Clearing {
    fn drop(&mut self) {
        for process in self.0.processes() {
            process.kill_9();
        }
    }
}

/// Trains the first version, or takes the one that is kept in `cache`; its folder and digest.
pub(crate) async fn first_version(program: &Path, cache: &Path, files: &Files) -> anyhow::Result<(PathBuf, String)> {
    let data = std::fs::read(&files.records)?;
    let digest = hex::encode(Sha256::digest(&data));
    let spec = json!({
        "v": 1, "runId": "kills-v1", "architecture": {"layers": 3}, "heldOutFraction": 0.02, "seed": 1,
        "data": [{"path": files.records, "sha256": digest}],
        "hyperparameters": {"steps": 300, "batchSize": 32, "gradientAccumulationSteps": 1,
            "optimizer": {"type": "AdamW", "lr": 6e-3, "weight_decay": 0.01}},
    });
    let folder = cache.join(hex::encode(Sha256::digest(spec["hyperparameters"].to_string() + &digest)));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("spec.json");
    std::fs::write(&path, spec.to_string())?;
    let mut command = Command::new(program);
    command.args(["engine", "train", "--spec"]).arg(&path).env("HOMEOSTAT_OUTPUT_DIR", &folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let status = tokio::time::timeout(Duration::from_secs(300), command.status()).await.context("first training")??;
    ensure!(status.success(), "the first training: {status}");
    let artifact = folder.join("artifact").canonicalize()?;
    let digest = std::fs::read_to_string(artifact.join("_SUCCESS"))?.trim().to_string();
    Ok((artifact, digest))
}

/// Declares the model and all that belongs to it.
pub(crate) async fn declare(
    client: &kube::Client,
    files: &Files,
    (artifact, digest): &(PathBuf, String),
) -> anyhow::Result<()> {
    let keys = [("test".to_string(), ByteString(FEEDBACK_KEY.into()))].into();
    create::<Secret>(client, MODEL, serde_json::to_value(Secret { data: Some(keys), ..Secret::default() })?).await?;
    create_datasets(client, files, 0).await?;
    let policy = json!({
        "window": "3s", "minimumSamples": 20, "breach": {"windows": 2, "of": 3}, "noDataAfter": "2m",
        "falseAlarms": {"alerts": 1, "per": "1m"},
        "metrics": [{"name": "exact_match", "source": "Golden", "below": {"baseline": "5points"}, "action": "Retrain",
            "severity": "critical"}],
    });
    create::<DecayPolicy>(client, MODEL, spec(policy)).await?;
    let compliance = json!({"regulations": ["GDPR"], "entities": [{"name": "EMAIL_ADDRESS"}, {"name": "CREDIT_CARD"}]});
    create::<CompliancePolicy>(client, MODEL, spec(compliance)).await?;
    let version = json!({
        "model": MODEL, "artifact": {"uri": format!("file://{}", artifact.display()), "sha256": digest},
        "lineage": {"dataset": {"name": "records-0"}},
    });
    create::<ModelVersion>(client, "desk-v1", spec(version)).await?;
    create::<Model>(client, MODEL, spec(model())).await
}

fn model() -> Value {
    json!({
        "mode": "Act",
        "initialVersion": "desk-v1",
        "decayPolicyRef": {"name": MODEL},
        "compliancePolicyRef": {"name": MODEL},
        "evaluation": {"golden": [{"name": "golden-0"}], "probesPerSecond": 15},
        "retraining": {
            // What there is before the world changes; each change names its own.
            "dataset": {"name": "records-0"},
            "replay": "60%", "minimumFreshRecords": 20, "cooldown": "1s", "attempts": 2, "deadline": "10m",
            "hyperparameters": {"steps": 160, "batchSize": 32, "gradientAccumulationSteps": 1, "checkpointEverySteps": 20,
                "optimizer": {"type": "AdamW", "lr": 3e-3, "weight_decay": 0.01}},
            "gates": {"recovery": "70%", "retainedLoss": "10%", "sliceLoss": "20%", "minimumItems": 15},
        },
        "rollout": {"steps": [{"weight": 50, "for": "2s"}], "soak": "3s", "minimumRequests": 10, "margin": "15%"},
        "slices": world::slices(),
        "sampling": {"share": "100%"},
        "feedback": {"secretRef": {"name": MODEL}},
    })
}

/// The data sets of the world after so many changes, created if they are not there.
pub(crate) async fn create_datasets(client: &kube::Client, files: &Files, changes: usize) -> anyhow::Result<()> {
    let sets = [("records", "Training", &files.records), ("golden", "Golden", &files.golden)];
    for (name, purpose, path) in sets {
        let dataset = json!({"purpose": purpose, "sources": [{"uri": format!("file://{}", path.display())}]});
        create::<Dataset>(client, &format!("{name}-{changes}"), spec(dataset)).await?;
    }
    Ok(())
}

fn spec(spec: Value) -> Value {
    json!({"spec": spec})
}

async fn create<K>(client: &kube::Client, name: &str, mut object: Value) -> anyhow::Result<()>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    object["metadata"] = json!({"name": name});
    let object: K = serde_json::from_value(object).with_context(|| format!("{name} is no {}", K::kind(&())))?;
    match Api::<K>::namespaced(client.clone(), NAMESPACE).create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        result => result.map(|_| ()).with_context(|| format!("{} {name}", K::kind(&()))),
    }
}
