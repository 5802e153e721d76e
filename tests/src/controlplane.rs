//! A real Kubernetes API: kube-apiserver and etcd, as built from `tests/controlplane/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin};

use crate::{found, tls, workspace};

/// A running control plane on a temporary folder. It ends when this is dropped, or when the test's process ends in any way.
pub struct ControlPlane {
    kubeconfig: PathBuf,
    client: kube::Client,
    // Fields are dropped in this order: the process sees its input close, is killed, and only then its folder goes.
    _stdin: ChildStdin,
    _process: Child,
    _folder: tempfile::TempDir,
}

impl ControlPlane {
    /// Starts one, building the program first where needed. `None` (after saying so) where it cannot be built.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start() -> anyhow::Result<Option<Self>> {
        let built = tokio::task::spawn_blocking(program).await?;
        let Some(program) = found::or_skip("the real control plane", "install Go 1.26 or newer", built) else {
            return Ok(None);
        };
        Self::start_program(&program).await.map(Some)
    }

    async fn start_program(program: &Path) -> anyhow::Result<Self> {
        tls();
        let folder = tempfile::tempdir()?;
        let mut process = tokio::process::Command::new(program)
            .args(["up", "--max-life", "30m", "--dir"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} does not start", program.display()))?;
        let (Some(stdin), Some(stdout), Some(mut stderr)) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            bail!("the control plane has no pipes");
        };
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout);
        let ready = tokio::time::timeout(Duration::from_secs(150), stdout.read_line(&mut line)).await;
        ready.context("the control plane is not ready after 150 s")??;
        let Some(kubeconfig) = line.trim_end().strip_prefix("ready KUBECONFIG=").map(PathBuf::from) else {
            let mut reason = String::new();
            stderr.read_to_string(&mut reason).await?;
            bail!("the control plane ended: {line}{reason}");
        };
        let client = client(&kubeconfig).await?;
        Ok(Self { kubeconfig, client, _stdin: stdin, _process: process, _folder: folder })
    }

    /// A client with all rights, default namespace `default`.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// The kubeconfig of the same user.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }
}

/// A client of the cluster that a kubeconfig names.
///
/// # Errors
/// When the file is no kubeconfig.
pub async fn client(kubeconfig: &Path) -> anyhow::Result<kube::Client> {
    tls();
    let read = kube::config::Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(read, &kube::config::KubeConfigOptions::default()).await?;
    Ok(kube::Client::try_from(config)?)
}

/// The control plane's program, built when it is not there yet: minutes. `None`, with the reason on standard error, when that
/// is not possible.
#[must_use]
pub fn program() -> Option<PathBuf> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(build).clone()
}

fn build() -> Option<PathBuf> {
    let script = workspace().join("tests/controlplane/build");
    let output = Command::new(&script).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    match output {
        Ok(output) if output.status.success() => Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())),
        Ok(_) => None,
        Err(error) => {
            eprintln!("{} does not start: {error}", script.display());
            None
        }
    }
}
