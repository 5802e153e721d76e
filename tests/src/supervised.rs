//! A process that is started again whenever it ends, as a service manager would, and killed when a test says so.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

/// One service.
pub struct Supervised {
    name: &'static str,
    command: Box<dyn Fn() -> Command + Send + Sync>,
    log: PathBuf,
    child: Option<Child>,
}

impl Supervised {
    /// Not yet started. Everything that it says in all its lives is added to `log`.
    pub fn new(name: &'static str, log: &Path, command: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        Self { name, command: Box::new(command), log: log.to_path_buf(), child: None }
    }

    /// Begins a life. In a file and not a pipe: what outlives it may go on writing.
    ///
    /// # Errors
    /// When it cannot be started, or ended by itself since the last start, with the end of its log.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.ensure_well()?;
        let log = || -> std::io::Result<File> { OpenOptions::new().create(true).append(true).open(&self.log) };
        let mut command = (self.command)();
        command.stdin(Stdio::null()).stdout(log()?).stderr(log()?).kill_on_drop(true);
        self.child = Some(command.spawn().with_context(|| format!("{} does not start", self.name))?);
        Ok(())
    }

    /// That it has not ended by itself.
    ///
    /// # Errors
    /// When it has, with the end of its log.
    pub fn ensure_well(&mut self) -> anyhow::Result<()> {
        let ended = match &mut self.child {
            Some(child) => child.try_wait()?,
            None => None,
        };
        ensure!(ended.is_none(), "the {} ended by itself ({ended:?}): {}", self.name, self.last_words());
        Ok(())
    }

    /// Kills it, and returns when it is gone.
    ///
    /// # Errors
    /// When it had ended by itself.
    pub async fn kill_9(&mut self) -> anyhow::Result<()> {
        self.ensure_well()?;
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Errors
    /// When it had ended by itself, or has not ended after `deadline`.
    pub async fn end(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        self.ensure_well()?;
        let mut child = self.child.take().with_context(|| format!("the {} does not run", self.name))?;
        kill(Pid::from_raw(i32::try_from(child.id().unwrap_or(0))?), Signal::SIGTERM)?;
        let ended = tokio::time::timeout(deadline, child.wait()).await;
        Ok(ended.with_context(|| format!("the {} did not end: {}", self.name, self.last_words()))??)
    }

    /// The end of its log.
    #[must_use]
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(25).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}
