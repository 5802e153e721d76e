//! Checkpoints: sealed folders `step-<number>` that a run continues from exactly.
//!
//! A checkpoint holds the weights, the optimizer's state and the step. It needs no generator state and no data cursor:
//! both follow from the seed and the step.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::TrainError;
use crate::architecture::Architecture;
use crate::sealed::{self, Digest};
use crate::weights::Weights;

const STATE: &str = "state.json";
const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.bpk";
/// Older checkpoints are removed.
const KEPT: usize = 2;

/// Where a run stands between two steps, beside weights and optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct State {
    /// The digest of the spec it belongs to.
    pub(super) spec: Digest,
    /// Steps done.
    pub(super) step: u64,
    /// Bytes read.
    pub(super) tokens: u64,
    /// Smoothed loss in nats; none before the first step.
    pub(super) loss: Option<f64>,
    /// Lowest held-out loss, for early stopping.
    pub(super) best: Option<f64>,
    /// Evaluations since then.
    pub(super) since_best: u64,
}

/// A checkpoint read back.
pub(super) struct Checkpoint {
    pub(super) state: State,
    pub(super) weights: Weights,
    /// The optimizer's own format.
    pub(super) optimizer: Vec<u8>,
}

/// Writes a checkpoint into `folder` and removes all but the newest two.
pub(super) fn write(folder: &Path, checkpoint: &Checkpoint) -> Result<(), TrainError> {
    let wrong = |source| TrainError::Write { what: "a checkpoint", source };
    let state = serde_json::to_vec(&checkpoint.state)
        .map_err(|source| wrong(crate::ArtifactError::Json { file: STATE, source }))?;
    let files = BTreeMap::from([
        (STATE.to_owned(), state),
        (MODEL.to_owned(), checkpoint.weights.to_safetensors().map_err(|error| wrong(error.into()))?),
        (OPTIMIZER.to_owned(), checkpoint.optimizer.clone()),
    ]);
    let destination = folder.join(format!("step-{:08}", checkpoint.state.step));
    sealed::write(&destination, &files).map_err(|error| wrong(error.into()))?;
    for old in list(folder).into_iter().skip(KEPT) {
        // One that cannot be removed costs only space.
        let _ = fs::remove_dir_all(old);
    }
    Ok(())
}

/// The newest checkpoint in `folder` that is whole and belongs to `spec`, if any.
pub(super) fn find(folder: &Path, spec: &Digest, architecture: &Architecture) -> Option<Checkpoint> {
    list(folder).into_iter().find_map(|path| read(&path, spec, architecture).ok())
}

/// The checkpoint at `path`, or the newest one in the folder `path`.
///
/// # Errors
/// When there is none, or it does not belong to `spec`.
pub(super) fn demand(path: &Path, spec: &Digest, architecture: &Architecture) -> Result<Checkpoint, TrainError> {
    if !path.exists() {
        return Err(TrainError::Missing { field: "HOMEOSTAT_RESUME_FROM".to_owned(), path: path.to_owned() });
    }
    let newest = list(path).into_iter().next().unwrap_or_else(|| path.to_owned());
    read(&newest, spec, architecture)
}

fn read(path: &Path, spec: &Digest, architecture: &Architecture) -> Result<Checkpoint, TrainError> {
    let unfit = |what: String| TrainError::Checkpoint { path: path.to_owned(), what };
    let mut files = sealed::read(path).map_err(|error| unfit(error.to_string()))?.files;
    let mut take = |name: &str| files.remove(name).ok_or_else(|| unfit(format!("it lists no {name}")));
    let state: State = serde_json::from_slice(&take(STATE)?).map_err(|error| unfit(format!("{STATE}: {error}")))?;
    if state.spec != *spec {
        return Err(unfit(format!("it belongs to the training {}, this one is {spec}", state.spec)));
    }
    let weights = Weights::parse(architecture, &take(MODEL)?).map_err(|error| unfit(error.to_string()))?;
    Ok(Checkpoint { state, weights, optimizer: take(OPTIMIZER)? })
}

/// The checkpoints in `folder`, the newest first.
fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let is_checkpoint =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("step-"));
    let mut found: Vec<PathBuf> = entries.filter(is_checkpoint).collect();
    found.sort();
    found.reverse();
    found
}
