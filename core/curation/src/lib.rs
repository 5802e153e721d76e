//! Curation: what may be trained on. Takes fresh records and replay, and gives a snapshot and the *funnel*: what each stage
//! dropped and why.
//!
//! The stages, in order: **supersede** (old answers go, before anything could keep them alive), **deduplicate** (exact, then
//! MinHash among equal completions), **quality**, **key-cap** (no feedback key may dominate), **privacy** (redaction, brought
//! in as a [`Redactor`]), **contamination** (no prompt of an evaluation set). The same records in any order give the same
//! snapshot, byte for byte.
//!
//! It deliberately does no I/O, knows no recognizer of its own, changes no text but by redaction, and does not sample:
//! how much replay goes in is the caller's choice.
//!
//! ```
//! use homeostat_curation::{NoRedaction, Settings, curate, read_jsonl, snapshot_digest};
//! use std::collections::HashSet;
//!
//! let replay = read_jsonl("replay.jsonl", r#"{"id":"old","prompt":"Currency of Bulgaria?","completion":"BGN","validFrom":"2010-06-01"}"#)?;
//! let fresh = read_jsonl("fresh.jsonl", r#"{"id":"new","prompt":"currency of Bulgaria","completion":"EUR","validFrom":"2026-01-01"}"#)?;
//! let curated = curate(fresh, replay, &HashSet::new(), &Settings::default(), &NoRedaction);
//! assert_eq!(curated.fresh[0].id, "new");
//! assert!(curated.replay.is_empty());
//! assert_eq!(curated.funnel.superseded, [("old".to_string(), "new".to_string())]);
//! assert_eq!(snapshot_digest(&curated).len(), 64);
//! # Ok::<(), homeostat_curation::RecordError>(())
//! ```

mod contamination;
mod curate;
mod deduplicate;
mod erasure;
mod funnel;
mod minhash;
mod permutations;
mod quality;
mod record;
mod redaction;
mod settings;
mod simplify;
mod supersede;

pub use curate::{Curated, curate, snapshot_digest};
pub use erasure::{LineErasure, Sought, erase_line};
pub use funnel::{Drop, Funnel, Stage};
pub use record::{Origin, Record, RecordError, read_jsonl, to_jsonl};
pub use redaction::{NoRedaction, Redacted, Redactor};
pub use settings::Settings;
