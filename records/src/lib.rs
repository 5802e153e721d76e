//! The records: everything that is a time series, a queue or a history, in SQLite or PostgreSQL.
//!
//! [`Records`] is one concrete type with one SQL text for both databases; each noun has its file. Large things are
//! [`Blobs`], files addressed by their sha256, and the tables only name their digests.
//!
//! It deliberately decides nothing (that is `core/`), holds no desired state (that is the Kubernetes API), and never sees
//! text that was not redacted. It takes no clock: every time comes in as an argument.
//!
//! The flow: an agent's report comes in by [`Records::apply_report`], which stores its windows and samples and the
//! acknowledgement in one transaction; analysis reads [`Records::windows`] and writes [`Records::append_analysis`]; each
//! decision goes to [`Records::append_ledger`]; planned work waits in [`Records::ensure_work`] for its agent.
//! [`Records::changed`] wakes whoever waits for any of it.

mod agents;
mod alerts;
mod analyses;
mod blobs;
mod compaction;
mod db;
mod erasure;
mod error;
mod ledger;
mod open;
mod progress;
mod reports;
mod samples;
mod verify;
mod windows;
mod work;

pub use agents::AgentRow;
pub use alerts::AlertRow;
pub use analyses::AnalysisRow;
pub use blobs::{BlobError, BlobStat, Blobs};
pub use db::Records;
pub use erasure::{ReplacedBlob, Successors, subject_mark};
pub use error::{RecordsError, Result};
pub use ledger::{Entry, LedgerQuery, LedgerRow};
pub use open::OpenError;
pub use progress::ProgressPoint;
pub use reports::Applied;
pub use samples::{FreshSummary, SampleQuery};
pub use verify::{LedgerProblem, Verification};
pub use windows::WindowQuery;
pub use work::{WorkItem, WorkPhase, WorkRow, WorkUpdate};
