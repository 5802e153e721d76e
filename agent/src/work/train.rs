//! Training: a child process under the training contract, found again after a restart of the agent.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_protocol::{Progress, Train, WorkResult};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::curate::{figure, result};
use super::{Attempt, Failure};
use crate::artifacts::verify;
use crate::process::{Launch, Process, STDERR, STDOUT, exit_code, last_line};

pub(super) const CHECKPOINTS: &str = "checkpoints";
const OUTPUT: &str = "output";
const JOB: &str = "job";

/// How often progress is read.
const LOOK: Duration = Duration::from_millis(200);
/// Longest log that is uploaded, in bytes.
const MOST_LOG: u64 = 4 * 1024 * 1024;

impl Attempt {
    /// Trains a version and uploads its artifact.
    pub(super) async fn train(&self, work: &Train) -> Result<WorkResult, Failure> {
        let job = self.folder.join(JOB);
        if Process::find(&job).is_none() {
            Process::end_leftovers(&job);
        }
        let output = self.folder.join(OUTPUT);
        let process = match Process::find(&job) {
            Some(process) => Some(process),
            // It ended while the agent was away, or the artifact waits to be uploaded.
            None if exit_code(&job).is_some() => None,
            None => Some(self.start_training(work, &job, &output).await?),
        };
        let code = match process {
            Some(process) => self.follow(process, work, &job).await?,
            None => exit_code(&job),
        };
        // Only an artifact that is sealed and whole counts, whatever the exit code says.
        let artifact = output.join("artifact");
        match (code, verify(&artifact).await) {
            (Some(0) | None, Ok(_)) => self.hand_in(&job, &artifact).await,
            (Some(0), Err(error)) => Err(Failure::new("ArtifactUnusable", error.to_string(), true)),
            (code, _) => Err(self.explain(code, work, &job).await),
        }
    }

    async fn start_training(&self, work: &Train, job: &Path, output: &Path) -> Result<Process, Failure> {
        let command = self.command(work, job)?;
        self.stage("fetch", 0, 0);
        let parent = if work.parent_artifact.is_empty() {
            Value::Null
        } else {
            let path = self.runner.artifacts.materialise(&work.parent_artifact).await?;
            json!({"path": path, "digest": work.parent_artifact})
        };
        let spec = self.spec(work, parent).await?;
        let io = |error: std::io::Error| {
            Failure::new("StorageFailed", format!("the training's folder cannot be written: {error}"), true)
        };
        let checkpoints = self.base.join(CHECKPOINTS);
        for folder in [job, output, &checkpoints] {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        let spec_path = job.join("spec.json");
        std::fs::write(&spec_path, spec.to_string()).map_err(io)?;
        let mut environment: Vec<(&'static str, OsString)> = vec![
            ("HOMEOSTAT_RUN_ID", self.run_id(work).into()),
            ("HOMEOSTAT_ATTEMPT", self.number.max(1).to_string().into()),
            ("HOMEOSTAT_SPEC", spec_path.into()),
            ("HOMEOSTAT_OUTPUT_DIR", output.into()),
            ("HOMEOSTAT_CHECKPOINT_DIR", checkpoints.clone().into()),
        ];
        if has_checkpoint(&checkpoints) {
            environment.push(("HOMEOSTAT_RESUME_FROM", checkpoints.into()));
        }
        let launch = Launch { folder: job, command, environment, batch: true };
        Process::start(&launch)
            .map_err(|error| Failure::new("TrainerFailed", format!("the trainer cannot be started: {error}"), true))
    }

    fn command(&self, work: &Train, job: &Path) -> Result<Vec<OsString>, Failure> {
        if work.trainer.is_empty() || work.trainer == "embedded" {
            let program = self.runner.engine_program.clone().into();
            return Ok(vec![program, "engine".into(), "train".into(), "--spec".into(), job.join("spec.json").into()]);
        }
        match self.runner.trainers.get(&work.trainer).filter(|command| !command.is_empty()) {
            Some(command) => Ok(command.iter().map(OsString::from).collect()),
            None => {
                let known = self.runner.trainers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let message = format!("this agent has no trainer {:?}, only embedded {known}", work.trainer);
                Err(Failure::new("UnknownTrainer", message, false))
            }
        }
    }

    async fn spec(&self, work: &Train, parent: Value) -> Result<Value, Failure> {
        let object = |field: &str, text: &str| match serde_json::from_str::<Value>(text) {
            Ok(value @ Value::Object(_)) => Ok(value),
            _ => Err(Failure::new("BadSpec", format!("{field} is no JSON object"), false)),
        };
        let architecture = match work.architecture_json.as_str() {
            "" => Value::Null,
            text => object("architecture", text)?,
        };
        let hyperparameters = match work.hyperparameters_json.as_str() {
            "" => json!({}),
            text => object("hyperparameters", text)?,
        };
        let deadline = (work.deadline_ms > 0).then(|| UtcMillis(work.deadline_ms).to_rfc3339());
        Ok(json!({
            "v": 1,
            "runId": self.run_id(work),
            "attempt": self.number.max(1),
            "parent": parent,
            "architecture": architecture,
            "data": self.data(&work.fresh_digest).await?,
            "replay": self.data(&work.replay_digest).await?,
            "replayFraction": work.replay_fraction,
            "heldOutFraction": 0.05,
            "method": "full",
            "hyperparameters": hyperparameters,
            "seed": work.seed,
            "deadline": deadline,
        }))
    }

    async fn data(&self, digest: &str) -> Result<Value, Failure> {
        if digest.is_empty() {
            return Ok(json!([]));
        }
        let path = self.runner.blobs.get(digest).await?;
        // An empty file is no data set: a trainer may refuse one.
        let empty = tokio::fs::metadata(&path).await.is_ok_and(|metadata| metadata.len() == 0);
        Ok(if empty { json!([]) } else { json!([{"path": path, "sha256": digest}]) })
    }

    fn run_id<'a>(&'a self, work: &'a Train) -> &'a str {
        if work.run.is_empty() { &self.id } else { &work.run }
    }

    /// Reads progress until the trainer has ended; its exit code.
    async fn follow(&self, mut process: Process, work: &Train, job: &Path) -> Result<Option<i32>, Failure> {
        let mut lines = Lines { path: job.join(STDOUT), offset: 0, rest: Vec::new() };
        let started = std::time::Instant::now();
        let mut first_step = None;
        loop {
            let ended = tokio::select! {
                code = process.ended() => Some(code),
                () = tokio::time::sleep(LOOK) => None,
            };
            for line in lines.next().await {
                if let Some(mut progress) = progress(&line) {
                    let first = *first_step.get_or_insert(progress.step);
                    progress.eta_seconds = eta(first, &progress, started.elapsed());
                    self.progress(progress);
                }
            }
            if let Some(code) = ended {
                Process::end_leftovers(job);
                return Ok(code.or_else(|| exit_code(job)));
            }
            if work.deadline_ms > 0 && self.runner.clock.now().0 > work.deadline_ms {
                process.stop(self.runner.timing.grace).await;
                let message = format!("training was not done by {}", UtcMillis(work.deadline_ms));
                return Err(Failure::new("DeadlineExceeded", message, false));
            }
        }
    }

    async fn hand_in(&self, job: &Path, artifact: &Path) -> Result<WorkResult, Failure> {
        self.stage("upload", 0, 0);
        let digest = self.runner.artifacts.upload(artifact).await?;
        let mut blobs = BTreeMap::new();
        let metrics = artifact.join("metrics.json");
        if metrics.exists() {
            blobs.insert("metrics".to_string(), self.runner.blobs.put_file(&metrics).await?);
        }
        blobs.insert("log".to_string(), self.runner.blobs.put(log(job).await).await?);
        let mut figures = BTreeMap::from([("train_seconds".to_string(), self.spent())]);
        let last = tokio::fs::read_to_string(job.join(STDOUT)).await.unwrap_or_default();
        if let Some(progress) = last.lines().rev().find_map(progress) {
            figures.insert("steps".to_string(), figure(progress.step));
            figures.extend(progress.loss.map(|loss| ("loss".to_string(), loss)));
        }
        Ok(result(digest, blobs, figures))
    }

    async fn explain(&self, code: Option<i32>, work: &Train, job: &Path) -> Failure {
        let (reason, what, retryable) = match code {
            Some(64) => ("BadSpec", "the trainer refused its specification (64)", false),
            Some(65) => ("BadData", "the trainer refused its data (65)", false),
            Some(66) => ("MissingInput", "the trainer misses an input (66)", false),
            Some(75) => ("TrainerInterrupted", "the trainer asks to be tried again (75)", true),
            Some(78) => ("IncompatibleCheckpoint", "the checkpoint does not fit (78); it was removed", true),
            Some(79) => ("Diverged", "training diverged (79): lower the learning rate", false),
            Some(143) => ("TrainerInterrupted", "the trainer was told to end and kept a checkpoint (143)", true),
            Some(137) => ("TrainerKilled", "the trainer was killed (137), perhaps for want of memory", true),
            Some(_) => ("TrainerFailed", "the trainer ended unexpectedly", true),
            None => ("TrainerVanished", "the trainer ended while the agent was away", true),
        };
        if code == Some(78) {
            let _ = tokio::fs::remove_dir_all(self.base.join(CHECKPOINTS)).await;
        }
        // Our own trainer's words hold no text of records; another's might.
        let embedded = work.trainer.is_empty() || work.trainer == "embedded";
        let words = embedded.then(|| last_line(&job.join(STDERR))).flatten();
        let detail = match (words, code) {
            (Some(words), _) => format!("{what}: {words}"),
            (None, Some(code)) if reason == "TrainerFailed" => format!("{what} ({code}); see its log"),
            (None, _) => what.to_string(),
        };
        Failure::new(reason, detail, retryable)
    }
}

/// Whether a trainer has left a checkpoint. Hidden ones are those that it was writing when it was killed.
fn has_checkpoint(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| !name.as_encoded_bytes().starts_with(b"."))
}

/// New whole lines of a file that grows.
struct Lines {
    path: PathBuf,
    offset: u64,
    rest: Vec<u8>,
}

impl Lines {
    async fn next(&mut self) -> Vec<String> {
        let mut new = Vec::new();
        let read = async {
            let mut file = tokio::fs::File::open(&self.path).await?;
            file.seek(std::io::SeekFrom::Start(self.offset)).await?;
            file.take(1024 * 1024).read_to_end(&mut new).await
        };
        // Not there yet, or not readable for the moment: nothing new.
        if read.await.is_err() {
            return Vec::new();
        }
        self.offset += new.len() as u64;
        self.rest.append(&mut new);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            // Whoever writes a megabyte without an end of line reports no progress.
            if self.rest.len() > 1024 * 1024 {
                self.rest.clear();
            }
            return Vec::new();
        };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        String::from_utf8_lossy(&whole).lines().map(str::to_string).collect()
    }
}

/// What a progress line says; `None` for every other line.
fn progress(line: &str) -> Option<Progress> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value.get("event")?.as_str()? == "progress").then_some(())?;
    Some(Progress {
        step: value.get("step")?.as_u64()?,
        total_steps: value.get("total_steps").and_then(Value::as_u64).unwrap_or(0),
        loss: value.pointer("/metrics/loss").and_then(Value::as_f64),
        eta_seconds: None,
        stage: "train".to_string(),
    })
}

/// Seconds left, if it goes on as since `first`.
fn eta(first: u64, progress: &Progress, elapsed: Duration) -> Option<f64> {
    let done = progress.step.checked_sub(first).filter(|done| *done > 0)?;
    let left = progress.total_steps.checked_sub(progress.step)?;
    Some(elapsed.as_secs_f64() / figure(done) * figure(left))
}

/// The end of both logs.
async fn log(job: &Path) -> Vec<u8> {
    let mut log = Vec::new();
    for name in [STDERR, STDOUT] {
        let Ok(mut file) = tokio::fs::File::open(job.join(name)).await else { continue };
        let length = file.metadata().await.map_or(0, |metadata| metadata.len());
        let start = length.saturating_sub(MOST_LOG / 2);
        if file.seek(std::io::SeekFrom::Start(start)).await.is_ok() {
            let _ = file.take(MOST_LOG / 2).read_to_end(&mut log).await;
        }
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_progress_lines_are_progress() {
        let line =
            r#"{"v":1,"event":"progress","step":10,"total_steps":40,"tokens":9,"metrics":{"loss":1.5},"ts":"x"}"#;
        let read = progress(line).unwrap();
        assert_eq!((read.step, read.total_steps, read.loss), (10, 40, Some(1.5)));
        assert_eq!(eta(0, &read, Duration::from_secs(5)), Some(15.0));
        assert_eq!(eta(10, &read, Duration::from_secs(5)), None);
        for other in ["", "noise", r#"{"event":"done"}"#, r#"{"event":"progress"}"#] {
            assert!(progress(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_half_written_checkpoint_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!has_checkpoint(&folder.path().join("none")));
        std::fs::create_dir(folder.path().join(".step-00000050.partial")).unwrap();
        assert!(!has_checkpoint(folder.path()), "to resume from it is to fail");
        std::fs::create_dir(folder.path().join("step-00000050")).unwrap();
        assert!(has_checkpoint(folder.path()));
    }

    #[tokio::test]
    async fn lines_are_read_whole_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut lines = Lines { path: path.clone(), offset: 0, rest: Vec::new() };
        assert!(lines.next().await.is_empty());
        std::fs::write(&path, "one\ntw").unwrap();
        assert_eq!(lines.next().await, ["one"]);
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(lines.next().await, ["two"]);
    }
}
