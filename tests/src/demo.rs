//! `homeostat demo --once`, played to its end as a child process, and what it leaves behind: figures, ledger and objects.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use homeostat_apiserver::serve::{Listener, Token, write_kubeconfig};
use homeostat_apiserver::{ApiServer, Config, User};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::homeostat::end_all_of;

/// A debug build that trains on a machine that does other things as well. The first model may have to be trained too.
const PLAY: Duration = Duration::from_secs(15 * 60);
const END: Duration = Duration::from_secs(60);
const COMMAND: Duration = Duration::from_secs(60);

/// Two demos at once would take each other's processor time, which their windows are made of.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A demo to be played.
pub struct Demo<'a> {
    /// The `homeostat` program.
    pub program: &'a Path,
    /// Folder that outlives the test; the first model is kept in it between runs, under the digest of what it was made from.
    pub cache: &'a Path,
    /// Name of the scenario.
    pub scenario: &'a str,
    /// Flags that say where the records are; none for SQLite in the demo's own folder.
    pub records: &'a [&'a str],
    /// The cluster it is played in; none for the embedded API.
    pub cluster: Option<&'a Path>,
}

/// A demo that has ended as it should.
pub struct Played {
    /// What `--report` wrote.
    pub report: Value,
    program: PathBuf,
    records: Vec<String>,
    folder: tempfile::TempDir,
}

impl Demo<'_> {
    /// Plays it to its end, alone in this process.
    ///
    /// # Errors
    /// When it does not end as it should, with all that it said, or leaves a process behind.
    pub async fn play(&self) -> anyhow::Result<Played> {
        let _alone = ALONE.lock().await;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("report.json");
        let mut command = Command::new(self.program);
        command.args(["demo", "--once", "--scenario", self.scenario, "--report"]).arg(&file);
        command.arg("--cache").arg(self.cache).arg("--data").arg(data(folder.path())).args(self.records);
        command.env_remove("KUBECONFIG");
        if let Some(kubeconfig) = self.cluster {
            command.arg("--cluster").env("KUBECONFIG", kubeconfig);
        }
        let log = |name| std::fs::File::create(folder.path().join(name));
        command.stdin(Stdio::null()).stdout(log("out")?).stderr(log("err")?).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{} does not start", self.program.display()))?;
        let ended = match tokio::time::timeout(PLAY, child.wait()).await {
            Ok(status) => Some(status?),
            Err(_) => {
                // Asked to end first, so that it ends its own children.
                if let Some(id) = child.id() {
                    kill(Pid::from_raw(i32::try_from(id)?), Signal::SIGTERM)?;
                }
                let _ = tokio::time::timeout(END, child.wait()).await;
                None
            }
        };
        let told = |name: &str| std::fs::read_to_string(folder.path().join(name));
        let (out, err) = (told("out")?, told("err")?);
        println!("{out}");
        ensure!(
            ended.is_some_and(|status| status.success()),
            "homeostat demo --scenario {}: {ended:?} within {} s\n{out}\n{err}",
            self.scenario,
            PLAY.as_secs()
        );
        let left = end_all_of(folder.path());
        ensure!(left.is_empty(), "outlived homeostat demo: {left:#?}");
        let report: Value = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
        println!("{report:#}");
        let records = self.records.iter().map(ToString::to_string).collect();
        Ok(Played { report, program: self.program.to_path_buf(), records, folder })
    }
}

impl Played {
    /// A figure of the report by its JSON pointer; none where it was not measured.
    #[must_use]
    pub fn figure(&self, pointer: &str) -> Option<f64> {
        self.report.pointer(pointer).and_then(Value::as_f64)
    }

    /// A list of names in the report.
    #[must_use]
    pub fn names(&self, field: &str) -> Vec<&str> {
        self.report[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// What `homeostat audit verify` says: it fails unless the ledger's chain holds.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn verify(&self) -> anyhow::Result<String> {
        self.homeostat(&["audit", "verify"]).await
    }

    /// What `homeostat why` says of the demo's model.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn why(&self) -> anyhow::Result<String> {
        self.homeostat(&["why", "demo/atlas", "--last", "50"]).await
    }

    /// Opens the embedded API's objects once more and serves them to `body`, which gets a kubeconfig. Nothing is written.
    ///
    /// # Errors
    /// When they cannot be opened or served.
    pub async fn with_the_embedded_api<T>(&self, body: impl AsyncFnOnce(&Path) -> T) -> anyhow::Result<T> {
        let folder = self.folder.path();
        // 2026-01-01, standing still.
        let now = Arc::new(|| 1_767_225_600_000);
        let database = data(folder).join("objects.db");
        let api = ApiServer::open(Config { database, crds: homeostat_crds::all(), audit: None, now }).await?;
        let token = Token::generate(User { name: "ops".into(), groups: vec!["system:masters".into()] })?;
        let (secret, kubeconfig) = (token.token.clone(), folder.join("kubeconfig"));
        let address = ([127, 0, 0, 1], 0).into();
        let listener = Listener::bind(&api, address, &folder.join("pki"), vec![token]).await?;
        write_kubeconfig(&kubeconfig, &listener.url(), listener.ca_pem(), &secret)?;
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(listener.serve(shutdown.clone()));
        let given = body(&kubeconfig).await;
        shutdown.cancel();
        serving.await??;
        api.close().await;
        Ok(given)
    }

    async fn homeostat(&self, command: &[&str]) -> anyhow::Result<String> {
        let mut process = Command::new(&self.program);
        process.args(command).arg("--data").arg(data(self.folder.path())).args(&self.records).kill_on_drop(true);
        let output = crate::homeostat::run(process, COMMAND).await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        ensure!(output.status.success(), "homeostat {command:?}: {}", text(&output.stderr));
        Ok(text(&output.stdout))
    }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}
