//! Progress lines: JSON on standard output, one object a line, at most two a second.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::TrainError;
use crate::clock;
use crate::sealed::Digest;

const PERIOD: Duration = Duration::from_millis(500);

/// Writes progress lines.
pub(super) struct Progress<'a> {
    out: &'a mut (dyn Write + Send),
    last: Option<Instant>,
    started: Instant,
}

/// What a progress line says.
pub(super) struct Report {
    pub(super) step: u64,
    pub(super) total: u64,
    pub(super) tokens: u64,
    /// Nats per learnt byte; none before the first step.
    pub(super) loss: Option<f64>,
    pub(super) learning_rate: f64,
    pub(super) held_out_bits_per_byte: Option<f64>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(out: &'a mut (dyn Write + Send)) -> Self {
        Self { out, last: None, started: Instant::now() }
    }

    /// Writes `report`, unless a line was written within the last half second; the first, the last step's and those
    /// with a held-out value are always written.
    pub(super) fn report(&mut self, report: &Report) -> Result<(), TrainError> {
        let due = self.last.is_none_or(|last| last.elapsed() >= PERIOD);
        if !due && report.step != report.total && report.held_out_bits_per_byte.is_none() {
            return Ok(());
        }
        self.last = Some(Instant::now());
        let mut metrics = json!({"learning_rate": report.learning_rate});
        if let Some(loss) = report.loss {
            metrics["loss"] = loss.into();
        }
        if let Some(value) = report.held_out_bits_per_byte {
            metrics["held_out_bits_per_byte"] = value.into();
        }
        self.line(&json!({"v": 1, "event": "progress", "step": report.step, "total_steps": report.total,
            "tokens": report.tokens, "metrics": metrics, "ts": timestamp()}))
    }

    /// Says that a checkpoint was written.
    pub(super) fn checkpoint(&mut self, step: u64) -> Result<(), TrainError> {
        self.line(&json!({"v": 1, "event": "checkpoint", "step": step, "ts": timestamp()}))
    }

    /// Says that training continues from a checkpoint.
    pub(super) fn resumed(&mut self, step: u64) -> Result<(), TrainError> {
        self.line(&json!({"v": 1, "event": "resumed", "step": step, "ts": timestamp()}))
    }

    /// The last line.
    pub(super) fn done(&mut self, digest: &Digest) -> Result<(), TrainError> {
        let seconds = self.started.elapsed().as_secs_f64();
        self.line(&json!({"v": 1, "event": "done", "artifact_digest": digest, "seconds": seconds, "ts": timestamp()}))
    }

    fn line(&mut self, line: &Value) -> Result<(), TrainError> {
        let write = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        write.map_err(|source| TrainError::Io { path: PathBuf::from("the progress lines on standard output"), source })
    }
}

fn timestamp() -> String {
    format!("{:.3}", clock::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_rare_but_the_first_and_the_last_are_never_left_out() {
        let mut out = Vec::new();
        let mut progress = Progress::new(&mut out);
        for step in 0..=100 {
            let report =
                Report { step, total: 100, tokens: 7, loss: None, learning_rate: 0.1, held_out_bits_per_byte: None };
            progress.report(&report).unwrap();
        }
        let lines: Vec<Value> =
            String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!((2..=3).contains(&lines.len()), "{lines:?}");
        assert_eq!((&lines[0]["step"], &lines[lines.len() - 1]["step"]), (&json!(0), &json!(100)));
        assert!(lines[0]["ts"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    }
}
