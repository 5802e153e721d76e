//! Processes of this machine, as `/proc` tells of them.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running process; those that have ended and only wait to be collected are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: i32,
    /// Its command line.
    pub arguments: Vec<String>,
}

impl Process {
    /// What follows `flag` on its command line.
    #[must_use]
    pub fn flag(&self, flag: &str) -> Option<&str> {
        let mut rest = self.arguments.iter().skip_while(|argument| *argument != flag);
        rest.nth(1).map(String::as_str)
    }

    /// Ends it, as a lack of memory would.
    pub fn kill_9(&self) {
        let _ = kill(Pid::from_raw(self.id), Signal::SIGKILL);
    }
}

/// Processes whose command line names `folder`, or something in it.
#[must_use]
pub fn naming(folder: &Path) -> Vec<Process> {
    let folder = folder.to_string_lossy();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let processes = ids.filter_map(|id| {
        // Empty for those that have ended.
        let line = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let arguments = String::from_utf8_lossy(&line);
        let arguments = arguments.trim_end_matches('\0').split('\0').map(str::to_string).collect();
        Some(Process { id, arguments })
    });
    processes.filter(|process| process.arguments.iter().any(|argument| argument.contains(&*folder))).collect()
}

/// Those of them that run `program` with `words` as its first arguments: not the shell that waits for it.
#[must_use]
pub fn running(program: &Path, words: &[&str], folder: &Path) -> Vec<Process> {
    let mut processes = naming(folder);
    processes.retain(|process| {
        process.arguments.first().is_some_and(|first| Path::new(first) == program)
            && process.arguments.get(1..=words.len()).is_some_and(|first| first == words)
            && std::fs::read_link(format!("/proc/{}/exe", process.id)).is_ok_and(|exe| exe == program)
    });
    processes
}
