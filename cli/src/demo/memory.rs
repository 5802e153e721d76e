//! How much memory the processes hold, from `/proc`.

use std::collections::BTreeMap;

/// The largest resident size seen, in MiB, by process: `homeostat` (API, controller, dashboard, agents and the demo itself),
/// `engine serve` and `engine train` (the largest of each).
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    peaks: BTreeMap<String, f64>,
}

impl Memory {
    /// Looks once. What cannot be read (another system, a process that has just ended) is left out.
    pub(crate) fn look(&mut self) {
        let own = std::process::id();
        let Ok(processes) = std::fs::read_dir("/proc") else { return };
        for process in processes.flatten() {
            let Some(id) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let read = |file: &str| std::fs::read_to_string(process.path().join(file)).unwrap_or_default();
            let status = read("status");
            let name = if id == own {
                "homeostat".to_owned()
            } else if field(&status, "PPid:") == Some(u64::from(own)) {
                let command = read("cmdline");
                let words: Vec<&str> = command.split('\0').collect();
                let Some(at) = words.iter().position(|word| *word == "engine") else { continue };
                format!("engine {}", words.get(at + 1).copied().unwrap_or_default())
            } else {
                continue;
            };
            if let Some(kib) = field(&status, "VmRSS:") {
                let peak = self.peaks.entry(name).or_default();
                *peak = peak.max((kib as f64 / 1024.0 * 10.0).round() / 10.0);
            }
        }
    }

    /// What was seen.
    pub(crate) fn peaks(&self) -> &BTreeMap<String, f64> {
        &self.peaks
    }
}

fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let mut memory = Memory::default();
        memory.look();
        assert!(memory.peaks().get("homeostat").is_some_and(|mib| *mib > 1.0), "{memory:?}");
        assert_eq!(field("Name:\tx\nPPid:\t12\nVmRSS:\t  2048 kB\n", "VmRSS:"), Some(2048));
    }
}
