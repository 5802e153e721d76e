//! The program itself, as a child process.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running `homeostat dev`; it is killed when this is dropped.
pub struct Dev {
    /// For kubectl.
    pub kubeconfig: PathBuf,
    /// Link that signs in to the dashboard.
    pub dashboard: String,
    /// Where users of models connect, up to and with `/v1`.
    pub gateway: String,
    process: Child,
}

impl Dev {
    /// Starts it on free ports and returns once it has printed where everything is.
    ///
    /// # Errors
    /// When it ends instead (with what it said), or takes longer than `deadline`.
    pub async fn start(program: &Path, data: &Path, deadline: Duration) -> anyhow::Result<Self> {
        Self::spawn(command(program, data, &[]), &data.with_extension("log"), deadline).await
    }

    /// Starts it by a command of the caller's, its log in the given file, and returns once it has printed where everything is.
    ///
    /// # Errors
    /// When it ends instead (with what it said), or takes longer than `deadline`.
    pub async fn spawn(mut command: Command, log: &Path, deadline: Duration) -> anyhow::Result<Self> {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{command:?} does not start"))?;
        let mut lines = BufReader::new(process.stdout.take().context("no standard output")?).lines();
        let mut found: Vec<String> = Vec::new();
        let reading = async {
            while let Some(line) = lines.next_line().await? {
                let last = line.starts_with("Data:");
                found.push(line);
                if last {
                    return Ok::<bool, std::io::Error>(true);
                }
            }
            Ok(false)
        };
        let ready = tokio::time::timeout(deadline, reading).await;
        if !matches!(ready, Ok(Ok(true))) {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            bail!("homeostat dev is not ready after {} s: {found:?} {log}", deadline.as_secs());
        }
        // Whatever it prints later must have somewhere to go.
        tokio::spawn(async move { lines.into_inner().read_to_end(&mut Vec::new()).await });
        let value = |name: &str| {
            let line = found.iter().find_map(|line| line.strip_prefix(name));
            line.map(|text| text.trim().to_string()).with_context(|| format!("no line {name} in {found:?}"))
        };
        let kubeconfig = value("kubectl:")?.trim_start_matches("export KUBECONFIG=").into();
        Ok(Self { kubeconfig, dashboard: value("Dashboard:")?, gateway: value("Gateway:")?, process })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id().unwrap_or(0)
    }

    /// Sends a signal and waits for the end.
    ///
    /// # Errors
    /// When it has not ended after `deadline`.
    pub async fn end(mut self, signal: Signal, deadline: Duration) -> anyhow::Result<ExitStatus> {
        kill(Pid::from_raw(i32::try_from(self.id())?), signal)?;
        let ended = tokio::time::timeout(deadline, self.process.wait()).await;
        Ok(ended
            .with_context(|| format!("homeostat dev did not end within {} s of {signal}", deadline.as_secs()))??)
    }
}

/// `homeostat dev` on free ports, with further arguments.
#[must_use]
pub fn command(program: &Path, data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(["dev", "--gpu", "none", "--data"]).arg(data);
    for flag in ["--api-listen", "--web-listen", "--gateway-listen"] {
        if !arguments.contains(&flag) {
            command.args([flag, "127.0.0.1:0"]);
        }
    }
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command that is expected to end by itself.
///
/// # Errors
/// When it does not end within `deadline`.
pub async fn run(mut command: Command, deadline: Duration) -> anyhow::Result<Output> {
    let output = tokio::time::timeout(deadline, command.output()).await;
    Ok(output.with_context(|| format!("{command:?} did not end within {} s", deadline.as_secs()))??)
}

/// Process ids of the children of a process.
#[must_use]
pub fn children(parent: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()).collect()
}

/// Kills every process whose command line names a folder of the test's own, and gives those command lines: a part that was
/// killed itself could not end its engines.
#[must_use]
pub fn end_all_of(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let mut ended = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&folder) {
            let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
            ended.push(line);
        }
    }
    ended
}
