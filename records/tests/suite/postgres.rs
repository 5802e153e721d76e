//! A PostgreSQL server of the test's own, in a temporary folder, gone with the test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) struct Server {
    binaries: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl Server {
    /// Starts a server; `None` where there is none to start, which CI=true does not accept.
    pub(crate) fn start() -> Option<Self> {
        let Some(binaries) = newest_binaries() else {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "no PostgreSQL server in /usr/lib/postgresql/*/bin: install the package `postgresql`"
            );
            eprintln!(
                "\n*** THE POSTGRESQL HALF OF THIS SUITE DID NOT RUN: no server in /usr/lib/postgresql/*/bin; \
                 install the package `postgresql` ***\n"
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { binaries, folder, port };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(server.folder.path()));
        }
        run(server
            .program("initdb")
            .args(["--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8"])
            .args(["--locale=C.UTF-8", "-D"])
            .arg(server.data()));
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={} -c fsync=off",
            server.folder.path().display()
        );
        // -w waits until the server answers.
        run(server
            .program("pg_ctl")
            .args(["start", "-w", "-t", "60", "-o", &options, "-D"])
            .arg(server.data())
            .arg("-l")
            .arg(server.folder.path().join("log")));
        Some(server)
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The server's programs refuse to run as root.
    fn program(&self, name: &str) -> Command {
        let path = self.binaries.join(name);
        if !is_root() {
            return Command::new(path);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(path);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stop = self.program("pg_ctl").args(["stop", "-m", "immediate", "-D"]).arg(self.data()).output();
        if let Err(error) = stop {
            eprintln!("the PostgreSQL server in {} was not stopped: {error}", self.data().display());
        }
    }
}

fn newest_binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let bin = entry.path().join("bin");
            Some((entry.file_name().to_str()?.parse().ok()?, bin)).filter(|(_, bin)| bin.join("initdb").exists())
        })
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|metadata| metadata.uid() == 0)
}

/// Runs to the end. Output goes to the test's own, not to a pipe: the server keeps what it inherits open.
fn run(command: &mut Command) {
    let status = command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?} ended with {status}");
}
