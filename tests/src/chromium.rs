//! Pages as a browser shows them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::found;

/// A headless Chromium with a profile of its own.
pub struct Chromium {
    program: std::path::PathBuf,
    profile: tempfile::TempDir,
}

impl Chromium {
    /// The one in the PATH; `None` (after saying so) without it.
    ///
    /// # Errors
    /// When no temporary folder can be made.
    pub fn find() -> anyhow::Result<Option<Self>> {
        let program = found::program("chromium").or_else(|| found::program("google-chrome"));
        let Some(program) = found::or_skip("chromium", "apt-get install chromium", program) else { return Ok(None) };
        Ok(Some(Self { program, profile: tempfile::tempdir()? }))
    }

    /// The page's document after its scripts have run for `settle`, as HTML.
    ///
    /// # Errors
    /// When the browser fails or does not end within a minute.
    pub async fn document(&self, url: &str, settle: Duration) -> anyhow::Result<String> {
        self.run(&[&format!("--virtual-time-budget={}", settle.as_millis()), "--dump-dom", url]).await
    }

    /// Writes a PNG of the page.
    ///
    /// # Errors
    /// When the browser fails, does not end within a minute or writes nothing.
    pub async fn screenshot(&self, url: &str, file: &Path, width: u32, height: u32, dark: bool) -> anyhow::Result<()> {
        let size = format!("--window-size={width},{height}");
        let to = format!("--screenshot={}", file.display());
        let mut arguments = vec![size.as_str(), to.as_str()];
        if dark {
            arguments.push("--blink-settings=preferredColorScheme=0");
        }
        arguments.push(url);
        self.run(&arguments).await?;
        ensure!(file.exists(), "chromium wrote no {}", file.display());
        Ok(())
    }

    async fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let run = Command::new(&self.program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--hide-scrollbars",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
            ])
            .arg(format!("--user-data-dir={}", self.profile.path().display()))
            .args(arguments)
            .kill_on_drop(true)
            .output();
        let output =
            tokio::time::timeout(Duration::from_secs(60), run).await.context("chromium did not end within 60 s")??;
        ensure!(output.status.success(), "chromium {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
