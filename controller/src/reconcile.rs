//! One reconciler a kind, each in five steps: fetch (async), validate, plan (both plain functions), apply (async), status.

pub mod compliance_check;
pub mod compliance_policy;
pub mod dataset;
pub mod decay_policy;
pub mod erasure_request;
pub mod gpu_node;
pub mod model;
pub mod model_version;
pub mod retraining_run;

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;

use crate::Context;

/// Why a reconciliation did not come to its end. It is tried again with backoff.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The Kubernetes API.
    #[error("the Kubernetes API refused or did not answer")]
    Kubernetes(#[from] kube::Error),
    /// The records.
    #[error("the records could not be read or written")]
    Records(#[from] homeostat_records::RecordsError),
    /// The blob store.
    #[error("the blob store could not be read or written")]
    Blob(#[from] homeostat_records::BlobError),
    /// The alerts.
    #[error("the alerts could not be kept")]
    Alerting(#[from] crate::alerting::AlertingError),
    /// The caches are not filled any more.
    #[error("the controller is shutting down")]
    Ending(#[from] tokio::sync::watch::error::RecvError),
    /// The cache was behind: the object has changed since.
    #[error("the object has changed since it was read")]
    Stale,
    /// An object without name or namespace, which the API does not hand out.
    #[error("the object has no {0}")]
    Incomplete(&'static str),
    /// A reconciler touched what is another's; a mistake in the program.
    #[error("status field {field} of {kind} is not for the reconciler {writer} to write")]
    NotTheWriter {
        /// Kind.
        kind: String,
        /// Field.
        field: String,
        /// Who tried.
        writer: String,
    },
    /// Something stored does not read back.
    #[error("{what} does not read back: {problem}")]
    Corrupt {
        /// What.
        what: String,
        /// How.
        problem: String,
    },
}

impl ReconcileError {
    /// Somebody else wrote the object first: not worth a log line.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Stale => true,
            Self::Kubernetes(kube::Error::Api(status)) => status.code == 409,
            _ => false,
        }
    }
}

/// What to do after an error: soon again on a conflict, otherwise after a while.
#[expect(clippy::needless_pass_by_value, reason = "the signature that kube's controller asks for")]
pub fn on_error<K: kube::ResourceExt<DynamicType = ()>>(
    object: Arc<K>,
    error: &ReconcileError,
    _: Arc<Context>,
) -> Action {
    if error.is_conflict() {
        return Action::requeue(Duration::from_millis(100));
    }
    tracing::warn!(
        object.kind = %K::kind(&()),
        object.name = object.name_any(),
        error = error as &dyn std::error::Error,
        "a reconciliation failed; trying again in 5 s"
    );
    Action::requeue(Duration::from_secs(5))
}
