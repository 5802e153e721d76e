//! The gates between training and canary: is the candidate better where the world changed, and no worse elsewhere?
//!
//! References come from golden sets only, never from the data under test. *Retained* prompts are those whose reference is
//! the one of the parent's baseline, *fresh* the others.

use std::collections::BTreeSet;

use homeostat_quality::ItemScore;
use serde::{Deserialize, Serialize};

/// What the gates require.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatePolicy {
    /// On fresh prompts: at least this share of the gap between incumbent and perfect is closed, 0 to 1.
    pub recovery: f64,
    /// On retained prompts: at most this much is lost (0.02 is two points).
    pub retained_loss: f64,
    /// On no slice is more lost than this.
    pub slice_loss: f64,
    /// Fewer paired items than this is Inconclusive.
    pub minimum_items: u64,
    /// Confidence of the paired bootstrap interval, e.g. 0.95.
    pub confidence: f64,
}

/// The paired marks of incumbent and candidate on the same items, and which of them are fresh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairedScores {
    /// Marks of the incumbent.
    pub incumbent: Vec<ItemScore>,
    /// Marks of the candidate.
    pub candidate: Vec<ItemScore>,
    /// Ids of the fresh items.
    pub fresh: BTreeSet<String>,
}

/// How one gate came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GateOutcome {
    /// Passed.
    Passed,
    /// Failed.
    Failed,
    /// Not enough items to say: holds, neither passes nor fails.
    Inconclusive,
}

/// One gate's result, with the figures a person needs to believe it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GateResult {
    /// `fresh-recovery`, `retained-loss`, `slice-loss`, `improvement`.
    pub name: String,
    /// How it came out.
    pub outcome: GateOutcome,
    /// The measured figure.
    pub value: Option<f64>,
    /// The bound.
    pub threshold: f64,
    /// The paired bootstrap interval of the difference, where there is one.
    pub interval: Option<(f64, f64)>,
    /// Number of paired items.
    pub n: u64,
    /// One sentence.
    pub explanation: String,
}
