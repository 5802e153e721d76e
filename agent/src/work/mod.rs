//! Work that the controller plans and this node does: curate, train, evaluate, scan, erase.
//!
//! ```text
//! work/NAME/checkpoints/     of all attempts
//! work/NAME/ATTEMPT/status   how it ended; once there, the work is never done again
//! work/NAME/ATTEMPT/...      what the kind needs while it runs
//! ```
//! Each id and attempt is done once, also across restarts of the agent: what had ended is only reported again, a trainer
//! that still runs is found again, everything else starts over, which is harmless since results are named by their
//! digests. Work that disappears from the desired state is cancelled and forgotten.

mod curate;
mod engine;
mod erase;
mod evaluate;
mod scan;
mod train;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use homeostat_clock::{Clock, Seed, UtcMillis};
use homeostat_protocol::{DesiredState, Progress, Work, WorkPhase, WorkResult, WorkStatus, work};
use prost::Message as _;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Timing;
use crate::artifacts::{ArtifactError, Artifacts};
use crate::blobs::{BlobError, Blobs};
use crate::board::Engines;
use crate::process::Process;
use crate::spool::write_synced;
use crate::supervisor::{folder_of, with_source};

const STATUS: &str = "status";
const STARTED: &str = "started";

/// When the disk refused to remove the copy of an erased blob, it is asked again after this time.
const FORGET_AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Pieces of work besides trainings that are done at once.
const AT_ONCE: usize = 2;

/// Everything the work of a node shares.
#[derive(Clone)]
pub(crate) struct WorkRunner {
    pub(crate) folder: PathBuf,
    pub(crate) engine_program: PathBuf,
    pub(crate) trainers: Arc<BTreeMap<String, Vec<String>>>,
    pub(crate) blobs: Blobs,
    pub(crate) artifacts: Artifacts,
    pub(crate) board: watch::Receiver<Engines>,
    pub(crate) desired: watch::Receiver<Option<Arc<DesiredState>>>,
    pub(crate) client: reqwest::Client,
    pub(crate) timing: Timing,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seed: Seed,
    pub(crate) keep_engines: bool,
    pub(crate) statuses: watch::Sender<Vec<WorkStatus>>,
    /// Generation of the desired state that the statuses have taken in.
    pub(crate) taken: watch::Sender<u64>,
    pub(crate) training: Arc<Semaphore>,
}

/// Why a piece of work failed.
#[derive(Debug)]
struct Failure {
    /// A condition reason: CamelCase.
    reason: &'static str,
    message: String,
    retryable: bool,
}

impl Failure {
    fn new(reason: &'static str, message: impl Into<String>, retryable: bool) -> Self {
        Self { reason, message: message.into(), retryable }
    }
}

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        let reason = if matches!(error, BlobError::Missing(_)) { "BlobMissing" } else { "TransferFailed" };
        Self::new(reason, with_source(&error), error.transient())
    }
}

impl From<ArtifactError> for Failure {
    fn from(error: ArtifactError) -> Self {
        Self::new("ArtifactUnusable", with_source(&error), error.transient())
    }
}

/// One attempt at one piece of work.
struct Attempt {
    runner: WorkRunner,
    id: String,
    number: u32,
    /// Of all attempts.
    base: PathBuf,
    folder: PathBuf,
}

impl WorkRunner {
    /// Does what the desired state names until `shutdown`.
    ///
    /// # Errors
    /// When a piece of work panicked.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> Result<(), tokio::task::JoinError> {
        let mut desired = self.desired.clone();
        let others = Arc::new(Semaphore::new(AT_ONCE));
        let mut held: BTreeMap<String, (u32, CancellationToken)> = BTreeMap::new();
        let mut running = JoinSet::new();
        let (mut swept, mut forgotten) = (false, true);
        loop {
            let state = desired.borrow_and_update().clone();
            if let Some(state) = state {
                if !swept {
                    swept = true;
                    self.sweep(&state.work).await;
                }
                held.retain(|id, (number, token)| {
                    let kept = state.work.iter().any(|work| work.id == *id && work.attempt == *number);
                    if !kept {
                        token.cancel();
                    }
                    kept
                });
                self.statuses.send_if_modified(|statuses| {
                    let before = statuses.len();
                    statuses.retain(|status| held.contains_key(&status.id));
                    statuses.len() != before
                });
                for work in &state.work {
                    if held.contains_key(&work.id) {
                        continue;
                    }
                    let token = shutdown.child_token();
                    held.insert(work.id.clone(), (work.attempt, token.clone()));
                    let attempt = Attempt::new(&self, work);
                    if let Some(ended) = attempt.ended() {
                        attempt.publish(|status| *status = ended);
                        continue;
                    }
                    attempt.publish(|status| status.phase = WorkPhase::Accepted.into());
                    let gate = match &work.kind {
                        Some(work::Kind::Train(_)) => Arc::clone(&self.training),
                        _ => Arc::clone(&others),
                    };
                    running.spawn(attempt.run(work.clone(), gate, token, shutdown.clone()));
                }
                forgotten = self.forget(&state.forgotten_blobs).await;
                if forgotten {
                    self.taken.send_replace(state.generation);
                }
            }
            tokio::select! {
                changed = desired.changed() => if changed.is_err() { break },
                Some(ended) = running.join_next() => ended?,
                () = tokio::time::sleep(FORGET_AGAIN), if !forgotten => {}
                () = shutdown.cancelled() => break,
            }
        }
        while let Some(ended) = running.join_next().await {
            ended?;
        }
        Ok(())
    }

    /// Removes the copies of erased blobs; whether none is left. The controller takes `taken` as the proof of it.
    async fn forget(&self, digests: &[String]) -> bool {
        let mut gone = true;
        for digest in digests {
            if let Err(error) = self.blobs.forget(digest).await {
                tracing::error!(
                    blob.digest = digest,
                    "a copy of an erased blob is still here: {}",
                    with_source(&error)
                );
                gone = false;
            }
        }
        gone
    }

    /// Ends and removes what was left by work that is no longer wanted.
    async fn sweep(&self, wanted: &[Work]) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        for base in entries.flatten().map(|entry| entry.path()) {
            let of: Option<&Work> = wanted.iter().find(|work| folder_of(&self.folder, &work.id) == base);
            let Some(work) = of else {
                remove(&base, &self.timing).await;
                continue;
            };
            let current = base.join(work.attempt.to_string());
            for folder in std::fs::read_dir(&base).into_iter().flatten().flatten().map(|entry| entry.path()) {
                if folder != current && !folder.ends_with(train::CHECKPOINTS) {
                    remove(&folder, &self.timing).await;
                }
            }
        }
    }
}

impl Attempt {
    fn new(runner: &WorkRunner, work: &Work) -> Self {
        let base = folder_of(&runner.folder, &work.id);
        let folder = base.join(work.attempt.to_string());
        Self { runner: runner.clone(), id: work.id.clone(), number: work.attempt, base, folder }
    }

    async fn run(self, work: Work, gate: Arc<Semaphore>, token: CancellationToken, shutdown: CancellationToken) {
        let done = tokio::select! {
            done = self.perform(&work, &gate) => done,
            () = token.cancelled() => {
                if shutdown.is_cancelled() {
                    if !self.runner.keep_engines {
                        end_processes(&self.folder, &self.runner.timing).await;
                    }
                    return;
                }
                remove(&self.folder, &self.runner.timing).await;
                // Gone altogether, not only this attempt.
                let desired = self.runner.desired.borrow().clone();
                if !desired.is_some_and(|desired| desired.work.iter().any(|work| work.id == self.id)) {
                    remove(&self.base, &self.runner.timing).await;
                }
                tracing::info!(work.id = self.id, attempt = self.number, "work was cancelled");
                return;
            }
        };
        let spent_seconds = self.spent();
        let status = match done {
            Ok(result) => WorkStatus {
                id: self.id.clone(),
                phase: WorkPhase::Succeeded.into(),
                result: Some(result),
                spent_seconds,
                ..WorkStatus::default()
            },
            Err(failure) => WorkStatus {
                id: self.id.clone(),
                phase: WorkPhase::Failed.into(),
                reason: failure.reason.to_string(),
                message: failure.message,
                retryable: failure.retryable,
                spent_seconds,
                ..WorkStatus::default()
            },
        };
        tracing::info!(
            work.id = self.id,
            attempt = self.number,
            reason = status.reason,
            "work has ended: {}",
            if status.reason.is_empty() { "succeeded" } else { &status.message }
        );
        // Before it is reported, so that it is not done again.
        if let Err(error) = write_synced(&self.folder.join(STATUS), &status.encode_to_vec()) {
            tracing::error!(work.id = self.id, "the end of work cannot be kept: {}", with_source(&error));
        }
        self.publish(|held| {
            let progress = held.progress.clone();
            *held = WorkStatus { progress, ..status };
        });
    }

    async fn perform(&self, work: &Work, gate: &Semaphore) -> Result<WorkResult, Failure> {
        let io = |error: std::io::Error| {
            let message = format!("the agent's data folder cannot be written ({error}): free space on its disk");
            Failure::new("StorageFailed", message, true)
        };
        // A closed semaphore would be a fault of ours; nobody closes it.
        let _permit = gate.acquire().await.map_err(|_| Failure::new("Stopped", "the agent is stopping", true))?;
        std::fs::create_dir_all(&self.folder).map_err(io)?;
        if !self.folder.join(STARTED).exists() {
            std::fs::write(self.folder.join(STARTED), self.runner.clock.now().0.to_string()).map_err(io)?;
        }
        self.publish(|status| status.phase = WorkPhase::Running.into());
        match &work.kind {
            Some(work::Kind::Curate(curate)) => self.curate(curate).await,
            Some(work::Kind::Train(train)) => self.train(train).await,
            Some(work::Kind::Evaluate(evaluate)) => self.evaluate(evaluate).await,
            Some(work::Kind::Scan(scan)) => self.scan(scan).await,
            Some(work::Kind::Erase(erase)) => self.erase(erase).await,
            None => Err(Failure::new("UnknownWork", "this agent does not know that kind of work: update it", false)),
        }
    }

    /// How it ended, if it has.
    fn ended(&self) -> Option<WorkStatus> {
        let bytes = std::fs::read(self.folder.join(STATUS)).ok()?;
        WorkStatus::decode(bytes.as_slice()).ok().filter(|status| status.id == self.id)
    }

    /// Seconds since it was first started.
    fn spent(&self) -> f64 {
        let started = std::fs::read_to_string(self.folder.join(STARTED)).ok().and_then(|text| text.parse().ok());
        started.map_or(0.0, |started| self.runner.clock.now().since(UtcMillis(started)).as_secs_f64())
    }

    fn progress(&self, progress: Progress) {
        let spent = self.spent();
        self.publish(|status| {
            status.progress = Some(progress);
            status.spent_seconds = spent;
        });
    }

    fn stage(&self, stage: &str, step: usize, total: usize) {
        self.progress(Progress {
            step: step as u64,
            total_steps: total as u64,
            stage: stage.to_string(),
            ..Progress::default()
        });
    }

    fn publish(&self, change: impl FnOnce(&mut WorkStatus)) {
        self.runner.statuses.send_if_modified(|statuses| {
            let at = statuses.iter().position(|status| status.id == self.id).unwrap_or_else(|| {
                statuses.push(WorkStatus { id: self.id.clone(), ..WorkStatus::default() });
                statuses.len() - 1
            });
            let Some(status) = statuses.get_mut(at) else { return false };
            let before = status.clone();
            change(status);
            *status != before
        });
    }
}

/// Ends every process that runs in a folder below `folder`.
async fn end_processes(folder: &Path, timing: &Timing) {
    let mut folders = vec![folder.to_path_buf()];
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            folders.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
            folders.push(path);
        }
    }
    for folder in &folders {
        match Process::find(folder) {
            Some(process) => process.stop(timing.grace).await,
            None => Process::end_leftovers(folder),
        }
    }
}

async fn remove(folder: &Path, timing: &Timing) {
    end_processes(folder, timing).await;
    let _ = tokio::fs::remove_dir_all(folder).await;
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value)
        .map_err(|error| Failure::new("Internal", format!("a result cannot be written: {error}"), false))
}

/// The result of a computation that would hold up an async thread.
async fn blocking<T: Send + 'static>(compute: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(compute).await;
    done.map_err(|error| Failure::new("Internal", format!("the computation ended unexpectedly: {error}"), false))
}
