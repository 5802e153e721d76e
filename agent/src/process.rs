//! Child processes that outlive the agent and are found again by the next one.
//!
//! A child starts through a small shell script that first writes who it is (pid, start time, boot id) into the child's
//! folder and then becomes the program: there is no moment in which a child runs that cannot be found. A pid alone is never
//! believed, since it may belong to another process by now. Children are leaders of their own process group, so that a
//! Ctrl-C in the terminal does not reach them and their own children can be ended with them.
//!
//! ```text
//! FOLDER/process      pid, start time, boot id
//! FOLDER/stdout.log   FOLDER/stderr.log       (of the start before: *.previous.log)
//! FOLDER/exit         exit code, when it was asked to be kept
//! ```

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

const PROCESS: &str = "process";
const EXIT: &str = "exit";
pub(crate) const STDOUT: &str = "stdout.log";
pub(crate) const STDERR: &str = "stderr.log";

/// How often a process that is not our child is looked at.
const LOOK: Duration = Duration::from_millis(100);

const SCRIPT: &str = r#"folder=$1; shift
printf '%s %s %s\n' "$$" "$(cut -d' ' -f22 "/proc/$$/stat")" "$(cat /proc/sys/kernel/random/boot_id)" > "$folder/process.new"
mv "$folder/process.new" "$folder/process"
"#;
const BECOME: &str = "exec \"$@\"";
/// Ends with the child's exit code in a file; a SIGTERM to the group is the child's to handle.
const KEEP_EXIT: &str = r#"trap : TERM INT
nice -n 10 "$@"; code=$?
printf '%s' "$code" > "$folder/exit.new"; mv "$folder/exit.new" "$folder/exit"
exit "$code""#;

/// What is to be started.
pub(crate) struct Launch<'a> {
    /// Where everything about the process is kept.
    pub(crate) folder: &'a Path,
    pub(crate) command: Vec<OsString>,
    pub(crate) environment: Vec<(&'static str, OsString)>,
    /// Run at low priority and keep the exit code for an agent that was restarted meanwhile.
    pub(crate) batch: bool,
}

/// A process that was started here or found again.
#[derive(Debug)]
pub(crate) struct Process {
    folder: PathBuf,
    identity: Identity,
    // `None` when it was found again: somebody else's child.
    child: Option<Child>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    pid: i32,
    start: String,
    boot: String,
}

impl Process {
    /// Starts a process, moving the logs of the one before aside.
    pub(crate) fn start(launch: &Launch<'_>) -> io::Result<Self> {
        fs::create_dir_all(launch.folder)?;
        for leftover in [PROCESS, EXIT] {
            match fs::remove_file(launch.folder.join(leftover)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let script = format!("{SCRIPT}{}", if launch.batch { KEEP_EXIT } else { BECOME });
        let child = Command::new("/bin/sh")
            .arg("-c")
            .arg(script)
            .arg("homeostat-child")
            .arg(launch.folder)
            .args(&launch.command)
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log(launch.folder, STDOUT)?)
            .stderr(log(launch.folder, STDERR)?)
            .process_group(0)
            .kill_on_drop(false)
            .spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        // A child that ended before it could be looked at has no start time left; it is waited for as a child.
        let identity = pid.map(|pid| Identity { pid, start: start_time(pid).unwrap_or_default(), boot: boot_id() });
        let identity = identity.ok_or_else(|| io::Error::other("the child has no process id"))?;
        Ok(Self { folder: launch.folder.to_path_buf(), identity, child: Some(child) })
    }

    /// The process of `folder`, if it still runs.
    pub(crate) fn find(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join(PROCESS)).ok()?;
        let mut parts = text.split_whitespace();
        let pid = parts.next()?.parse().ok().filter(|pid| *pid > 1)?;
        let identity = Identity { pid, start: parts.next()?.to_string(), boot: parts.next()?.to_string() };
        identity.alive().then(|| Self { folder: folder.to_path_buf(), identity, child: None })
    }

    /// Ends what the process of `folder` has left behind: its group may outlive it, and would go on beside its successor.
    pub(crate) fn end_leftovers(folder: &Path) {
        let Ok(text) = fs::read_to_string(folder.join(PROCESS)) else { return };
        let mut parts = text.split_whitespace();
        let pid = parts.next().and_then(|pid| pid.parse::<i32>().ok()).filter(|pid| *pid > 1);
        let (Some(pid), Some(_), Some(boot)) = (pid, parts.next(), parts.next()) else { return };
        // As long as one of a group lives, its number is not given to another process. A process of that number that is not
        // ours therefore means that our group is gone.
        if start_time(pid).is_none() && boot == boot_id() {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    /// Waits until it has ended; the exit code where it is known (128 + n after signal n, as in a shell).
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let Some(child) = &mut self.child else {
            while self.identity.alive() {
                tokio::time::sleep(LOOK).await;
            }
            return exit_code(&self.folder);
        };
        let status = child.wait().await.ok()?;
        status.code().or_else(|| std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| 128 + signal))
    }

    /// Ends it and everything in its group: SIGTERM, and SIGKILL when `grace` has passed.
    pub(crate) async fn stop(mut self, grace: Duration) {
        self.signal(Signal::SIGTERM);
        if tokio::time::timeout(grace, self.ended()).await.is_err() {
            tracing::warn!(pid = self.identity.pid, "a child did not end in time and is killed");
            self.signal(Signal::SIGKILL);
            let _ = tokio::time::timeout(Duration::from_secs(5), self.ended()).await;
        }
        // What it may have left behind in its group.
        let _ = killpg(Pid::from_raw(self.identity.pid), Signal::SIGKILL);
        let _ = fs::remove_file(self.folder.join(PROCESS));
    }

    /// Resident memory in bytes; `None` when it has ended.
    pub(crate) fn resident_bytes(&self) -> Option<i64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.identity.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse::<i64>().ok().map(|kib| kib * 1024)
    }

    fn signal(&self, signal: Signal) {
        // A child that was not waited for keeps its pid, so this cannot hit another process.
        if self.child.is_some() || self.identity.alive() {
            let _ = killpg(Pid::from_raw(self.identity.pid), signal);
        }
    }
}

impl Identity {
    fn alive(&self) -> bool {
        !self.start.is_empty() && start_time(self.pid).as_ref() == Some(&self.start) && self.boot == boot_id()
    }
}

/// The exit code that was kept in `folder`.
pub(crate) fn exit_code(folder: &Path) -> Option<i32> {
    fs::read_to_string(folder.join(EXIT)).ok()?.trim().parse().ok()
}

/// The first line of the log that `pick` makes something of; reads at most 64 KiB.
pub(crate) fn first_line<T>(log: &Path, pick: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut text = Vec::new();
    File::open(log).ok()?.take(64 * 1024).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    // A line without its end may still grow.
    let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    whole.lines().find_map(pick)
}

/// The last line of a log that says something, cut to 300 characters.
pub(crate) fn last_line(log: &Path) -> Option<String> {
    let text = fs::read(log).ok()?;
    let text = String::from_utf8_lossy(text.get(text.len().saturating_sub(8 * 1024)..)?).into_owned();
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(300).collect())
}

/// Waits until `condition` gives something.
pub(crate) async fn eventually<T>(within: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let since = Instant::now();
    loop {
        if let Some(found) = condition() {
            return Some(found);
        }
        if since.elapsed() > within {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn log(folder: &Path, name: &str) -> io::Result<File> {
    let path = folder.join(name);
    match fs::rename(&path, folder.join(name.replace(".log", ".previous.log"))) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::create(path)
}

/// Start time of a process in clock ticks since the boot; `None` when there is no such process or it only waits to be
/// collected.
fn start_time(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18).map(str::to_string)).flatten()
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch<'a>(folder: &'a Path, command: &[&str], batch: bool) -> Launch<'a> {
        Launch { folder, command: command.iter().map(OsString::from).collect(), environment: Vec::new(), batch }
    }

    async fn found(folder: &Path) -> Process {
        eventually(Duration::from_secs(5), || Process::find(folder)).await.unwrap()
    }

    #[tokio::test]
    async fn a_process_is_found_again_and_ended_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let script = "trap '' TERM; sleep 1000 & echo $!; wait";
        drop(Process::start(&launch(folder.path(), &["sh", "-c", script], false)).unwrap());
        let log = folder.path().join(STDOUT);
        let grandchild: i32 =
            eventually(Duration::from_secs(5), || first_line(&log, |line| line.parse().ok())).await.unwrap();
        let process = found(folder.path()).await;
        assert!(process.resident_bytes().unwrap() > 0);
        process.stop(Duration::from_millis(50)).await;
        assert!(Process::find(folder.path()).is_none());
        eventually(Duration::from_secs(5), || start_time(grandchild).is_none().then_some(())).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_killed_batch_leaves_behind_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let script = "echo $$; while :; do sleep 0.01; done";
        let mut process = Process::start(&launch(folder.path(), &["sh", "-c", script], true)).unwrap();
        let log = folder.path().join(STDOUT);
        let inner: i32 =
            eventually(Duration::from_secs(5), || first_line(&log, |line| line.parse().ok())).await.unwrap();
        let wrapper = found(folder.path()).await.identity.pid;
        assert_ne!(inner, wrapper);
        nix::sys::signal::kill(Pid::from_raw(wrapper), Signal::SIGKILL).unwrap();
        assert_eq!(process.ended().await, Some(137));
        assert!(start_time(inner).is_some(), "it goes on by itself");
        Process::end_leftovers(folder.path());
        eventually(Duration::from_secs(5), || start_time(inner).is_none().then_some(())).await.unwrap();
    }

    #[tokio::test]
    async fn the_exit_code_of_a_batch_survives_whoever_started_it() {
        let folder = tempfile::tempdir().unwrap();
        drop(Process::start(&launch(folder.path(), &["sh", "-c", "read x < /dev/null; exit 79"], true)).unwrap());
        let code = eventually(Duration::from_secs(5), || exit_code(folder.path())).await;
        assert_eq!(code, Some(79));
    }

    #[tokio::test]
    async fn a_batch_told_to_end_keeps_the_code_it_ends_with() {
        let folder = tempfile::tempdir().unwrap();
        let script = "trap 'exit 143' TERM; echo ready; while :; do sleep 0.01; done";
        drop(Process::start(&launch(folder.path(), &["sh", "-c", script], true)).unwrap());
        let log = folder.path().join(STDOUT);
        eventually(Duration::from_secs(5), || first_line(&log, |line| (line == "ready").then_some(()))).await.unwrap();
        found(folder.path()).await.stop(Duration::from_secs(5)).await;
        assert_eq!(exit_code(folder.path()), Some(143));
    }

    #[tokio::test]
    async fn another_process_with_the_same_pid_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let me = std::process::id();
        fs::write(folder.path().join(PROCESS), format!("{me} 1 {}\n", boot_id())).unwrap();
        assert!(Process::find(folder.path()).is_none());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_ends_with_127() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::start(&launch(folder.path(), &["/nowhere/homeostat"], false)).unwrap();
        assert_eq!(process.ended().await, Some(127));
        assert!(last_line(&folder.path().join(STDERR)).unwrap().contains("/nowhere/homeostat"));
    }
}
