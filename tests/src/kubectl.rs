//! Stock kubectl on a kubeconfig: the system's, or the one inside the control plane's program.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::{controlplane, found};

/// kubectl with a kubeconfig, run in a folder of the test's own that also keeps its cache.
pub struct Kubectl {
    program: PathBuf,
    leading: Vec<String>,
    kubeconfig: PathBuf,
    folder: tempfile::TempDir,
}

impl Kubectl {
    /// The system's kubectl, else that of a control plane that was built before; `None` (after saying so) without either.
    ///
    /// # Errors
    /// When no temporary folder can be made.
    pub fn find(kubeconfig: &Path) -> anyhow::Result<Option<Self>> {
        let Some((program, leading)) = program() else { return Ok(None) };
        Ok(Some(Self { program, leading, kubeconfig: kubeconfig.to_path_buf(), folder: tempfile::tempdir()? }))
    }

    /// Writes a file into the folder in which kubectl runs.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: &str) -> std::io::Result<()> {
        std::fs::write(self.folder.path().join(name), content)
    }

    /// Runs it, at most 30 s.
    ///
    /// # Errors
    /// When it does not start or does not end.
    pub async fn output(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let run = Command::new(&self.program)
            .args(&self.leading)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(30), run).await;
        Ok(output.with_context(|| format!("kubectl {arguments:?} did not end within 30 s"))??)
    }

    /// Runs it, demands success, gives standard output.
    ///
    /// # Errors
    /// With both outputs when it failed.
    pub async fn ok(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.output(arguments).await?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "kubectl {arguments:?}: {}\n{out}\n{err}", output.status);
        Ok(out.into_owned())
    }

    /// Runs it, demands failure, gives standard error.
    ///
    /// # Errors
    /// When it succeeded.
    pub async fn fails(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.output(arguments).await?;
        ensure!(
            !output.status.success(),
            "kubectl {arguments:?} succeeded: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The system's kubectl, else the control plane's program with the argument that makes it kubectl; `None` (after saying so)
/// without either.
fn program() -> Option<(PathBuf, Vec<String>)> {
    let system = found::program("kubectl").map(|program| (program, Vec::new()));
    let ours = || controlplane::program().map(|program| (program, vec!["kubectl".to_string()]));
    found::or_skip("kubectl", "put it into the PATH, or install Go", system.or_else(ours))
}

/// Makes a program `kubectl` in a folder, for shells that have the folder in their PATH; false (after saying so) without one.
///
/// # Errors
/// When it cannot be written.
pub fn put_into(folder: &Path) -> std::io::Result<bool> {
    let Some((program, leading)) = program() else { return Ok(false) };
    let file = folder.join("kubectl");
    std::fs::write(&file, format!("#!/bin/sh\nexec '{}' {} \"$@\"\n", program.display(), leading.join(" ")))?;
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    Ok(true)
}
