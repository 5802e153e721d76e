//! Why a training ended without an artifact, and the exit code that says so.

use std::path::PathBuf;

use crate::artifact::ArtifactError;
use crate::sealed::SealError;

/// Why a training ended without an artifact.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The spec or the environment asks for something impossible.
    #[error("{0}")]
    Spec(String),
    /// A data file or the parent is not what its digest or format says.
    #[error("{0}")]
    Data(String),
    /// The parent artifact cannot be used.
    #[error("parent.path is {}: it cannot be used", path.display())]
    Parent {
        /// Its folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: ArtifactError,
    },
    /// An input is not there.
    #[error("{field} is {}: there is no such file; provide it or correct the path", path.display())]
    Missing {
        /// The field of the spec.
        field: String,
        /// The missing path.
        path: PathBuf,
    },
    /// The machine failed: a disk, a pipe. Trying again may help.
    #[error("cannot access {}", path.display())]
    Io {
        /// What was accessed.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The output or a checkpoint could not be written.
    #[error("cannot write {what}")]
    Write {
        /// What was to be written.
        what: &'static str,
        /// Why.
        #[source]
        source: ArtifactError,
    },
    /// The workers could not be started, or one of them broke off.
    #[error("a worker thread failed: {0}")]
    Worker(String),
    /// The deadline passed; a checkpoint was written if there is a place for it.
    #[error("the deadline passed after step {step} of {steps}: continue from the checkpoint with a later deadline")]
    Deadline {
        /// Steps done.
        step: u64,
        /// Steps asked for.
        steps: u64,
    },
    /// The checkpoint to resume from is of another training or damaged.
    #[error("the checkpoint {} does not fit: {what}; start without it", path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The loss or a gradient is no number any more.
    #[error("training diverged at step {step}: {what} is not finite; lower optimizer.lr")]
    Diverged {
        /// The step.
        step: u64,
        /// What was not finite.
        what: &'static str,
    },
    /// SIGTERM came; a checkpoint was written if there is a place for it.
    #[error("stopped by a signal after step {step}")]
    Interrupted {
        /// Steps done.
        step: u64,
    },
}

impl TrainError {
    /// The exit code of the contract.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Spec(_) => 64,
            Self::Data(_) => 65,
            Self::Parent { source: ArtifactError::Seal(SealError::Unsealed { .. }), .. } | Self::Missing { .. } => 66,
            Self::Parent { .. } => 65,
            Self::Io { .. } | Self::Write { .. } | Self::Worker(_) | Self::Deadline { .. } => 75,
            Self::Checkpoint { .. } => 78,
            Self::Diverged { .. } => 79,
            Self::Interrupted { .. } => 143,
        }
    }
}
