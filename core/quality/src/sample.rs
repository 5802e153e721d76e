use homeostat_clock::UtcMillis;
use serde::{Deserialize, Serialize};

use crate::{ModelKey, Slice};

/// A keyed hash (HMAC-SHA-256, hex) of a person's identifier as it stood in the text, so that an erasure request finds the
/// samples about that person without anybody having stored the identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubjectHmac(pub String);

/// Where a sample's label came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SampleOrigin {
    /// A served request, drawn by the gateway's sampling.
    Traffic,
    /// A request that a user gave feedback on.
    Feedback,
}

/// What a user said the right answer is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Label {
    /// The right answer, redacted.
    pub completion: String,
    /// Whether the served answer was right, graded at the gateway.
    pub correct: bool,
    /// Which feedback key vouched for it; weights are capped per key.
    pub key_id: String,
    /// When the feedback came.
    pub at: UtcMillis,
}

/// One served request as it leaves the agent: redacted, with the means to find it again for erasure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// The gateway's id of the request; the same id twice is the same sample (feedback arrives later).
    pub request_id: String,
    /// The served model.
    pub model: ModelKey,
    /// Name of the `ModelVersion` that answered.
    pub version: String,
    /// Part of the input; empty when unclassified.
    pub slice: Slice,
    /// When it was asked.
    pub at: UtcMillis,
    /// The last user message, redacted.
    pub prompt: String,
    /// The answer that was served, redacted.
    pub completion: String,
    /// Keyed hashes of the persons named in prompt or answer.
    pub subjects: Vec<SubjectHmac>,
    /// What a user said of it, if anyone did.
    pub label: Option<Label>,
    /// Where it came from.
    pub origin: SampleOrigin,
}
