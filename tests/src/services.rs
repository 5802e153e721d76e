//! PostgreSQL, Prometheus and Alertmanager on free ports and temporary folders. Each starter gives `None`, after saying so,
//! where the program is missing.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::ensure;
use tokio::process::{Child, Command};

use crate::wait::wait_for;
use crate::{found, free_port, tls};

const READY: Duration = Duration::from_secs(30);

/// A service; it ends when this is dropped.
pub struct Service {
    /// Where it listens: `http://127.0.0.1:PORT`, or `postgres://postgres@127.0.0.1:PORT/postgres`.
    pub url: String,
    // The process goes before its folder.
    _process: Child,
    _folder: tempfile::TempDir,
}

/// Prometheus with the given configuration. Alerts reach an Alertmanager within a second.
///
/// # Errors
/// When it does not become ready.
pub async fn prometheus(configuration: &str) -> anyhow::Result<Option<Service>> {
    let Some(program) = found::or_skip("prometheus", "apt-get install prometheus", found::program("prometheus")) else {
        return Ok(None);
    };
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, configuration)?;
    let mut command = Command::new(program);
    command
        .arg(flag("--config.file", &file))
        .arg(flag("--storage.tsdb.path", &folder.path().join("data")))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--rules.alert.resend-delay=1s");
    over_http(command, folder, port, "/-/ready").await.map(Some)
}

/// Alertmanager with the given configuration, alone.
///
/// # Errors
/// When it does not become ready.
pub async fn alertmanager(configuration: &str) -> anyhow::Result<Option<Service>> {
    let program = found::program("prometheus-alertmanager").or_else(|| found::program("alertmanager"));
    let Some(program) = found::or_skip("alertmanager", "apt-get install prometheus-alertmanager", program) else {
        return Ok(None);
    };
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let file = folder.path().join("alertmanager.yml");
    std::fs::write(&file, configuration)?;
    let mut command = Command::new(program);
    command
        .arg(flag("--config.file", &file))
        .arg(flag("--storage.path", &folder.path().join("data")))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=");
    over_http(command, folder, port, "/-/ready").await.map(Some)
}

/// PostgreSQL with trust on loopback.
///
/// # Errors
/// When the cluster cannot be made or does not become ready.
pub async fn postgres() -> anyhow::Result<Option<Service>> {
    let Some(bin) = found::or_skip("postgresql", "apt-get install postgresql", postgres_bin()) else { return Ok(None) };
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    // The server refuses to run as root, and then needs a folder of its own user.
    let root = std::fs::metadata("/proc/self")?.uid() == 0;
    if root {
        let given = Command::new("chown").arg("postgres:").arg(folder.path()).status().await?;
        ensure!(given.success(), "the folder could not be given to the user postgres");
    }
    let data = folder.path().join("data");
    let mut initdb = as_postgres(root, &bin.join("initdb"));
    let made = initdb.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "--no-sync"]).output().await?;
    ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let process = as_postgres(root, &bin.join("postgres"))
        .arg("-D")
        .arg(&data)
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-c", "fsync=off", "-k"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let ready = bin.join("pg_isready");
    wait_for("PostgreSQL becoming ready", READY, async || {
        let asked = Command::new(&ready).args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]).status().await;
        asked.is_ok_and(|status| status.success()).then_some(())
    })
    .await?;
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    Ok(Some(Service { url, _process: process, _folder: folder }))
}

fn flag(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

async fn over_http(mut command: Command, folder: tempfile::TempDir, port: u16, ready: &str) -> anyhow::Result<Service> {
    tls();
    let process =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
    let url = format!("http://127.0.0.1:{port}");
    let client = reqwest::Client::new();
    wait_for(&format!("{url}{ready} answering"), READY, async || {
        client.get(format!("{url}{ready}")).send().await.is_ok_and(|answer| answer.status().is_success()).then_some(())
    })
    .await?;
    Ok(Service { url, _process: process, _folder: folder })
}

/// The newest version that Debian's packages installed.
fn postgres_bin() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let bins = versions.filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin"))).filter(|(_, bin)| bin.join("initdb").exists())
    });
    bins.max_by_key(|(version, _)| *version).map(|(_, bin)| bin)
}

/// `setpriv` replaces itself with the program, so that a kill reaches it.
fn as_postgres(root: bool, program: &Path) -> Command {
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program).current_dir("/");
    command
}
