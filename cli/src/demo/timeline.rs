//! What the demo says: one line a happening with the seconds since the start, and where to see it. On a terminal progress
//! bars stand below; in a pipe there are lines only.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::settings;

/// Prints to standard output.
pub(crate) struct Timeline {
    started: Instant,
    terminal: bool,
    bar: Option<(String, ProgressBar)>,
    /// In a pipe: the last tenth that was told.
    tenth: u64,
}

impl Timeline {
    /// Starts counting.
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), terminal: std::io::stdout().is_terminal(), bar: None, tenth: 0 }
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// One happening, and the command or page that shows it.
    pub(crate) fn tell(&self, what: &str, see: &str) {
        let seconds = self.elapsed().as_secs_f64();
        self.print(&format!("{seconds:7.1} s  {what}"));
        if !see.is_empty() {
            self.print(&format!("           └ {see}"));
        }
    }

    /// A line without a time.
    pub(crate) fn print(&self, line: &str) {
        match &self.bar {
            Some((_, bar)) if self.terminal => bar.println(line),
            _ => println!("{line}"),
        }
    }

    /// How far something is: a bar on a terminal, a line each tenth in a pipe.
    pub(crate) fn progress(&mut self, what: &str, done: u64, of: u64, note: &str) {
        // Another length is another stage of the same thing.
        if self.bar.as_ref().is_none_or(|(name, bar)| name != what || bar.length() != Some(of)) {
            self.finish();
            let bar = if self.terminal { ProgressBar::new(of) } else { ProgressBar::hidden() };
            if let Ok(style) =
                ProgressStyle::with_template("           {prefix} [{bar:30}] {pos}/{len} {msg} (ETA {eta})")
            {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_prefix(what.to_owned());
            self.bar = Some((what.to_owned(), bar));
            self.tenth = 0;
        }
        let Some((_, bar)) = &self.bar else { return };
        bar.set_length(of);
        bar.set_position(done);
        bar.set_message(note.to_owned());
        let tenth = done * 10 / of.max(1);
        if !self.terminal && tenth > self.tenth {
            self.tenth = tenth;
            let note = if note.is_empty() { String::new() } else { format!(", {note}") };
            self.tell(&format!("{what}: {done} of {of}{note}"), "");
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// The policy in force beside what production would use.
    pub(crate) fn policy(&self) {
        let width = settings::ALL.iter().map(|setting| setting.field.len()).max().unwrap_or_default();
        self.print(&format!("{:<width$}   {:<8} {}", "Policy", "here", "in production"));
        for setting in settings::ALL {
            self.print(&format!("{:<width$}   {:<8} {}", setting.field, setting.demo, setting.production));
        }
    }
}
