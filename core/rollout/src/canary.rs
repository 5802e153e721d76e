//! The sequential test of a canary against the stable version that serves beside it.

use homeostat_quality::Moments;
use serde::{Deserialize, Serialize};

/// What both versions did at the same time, since the rollout began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CanaryEvidence {
    /// Failed requests (1) and served ones (0) of the candidate.
    pub candidate_errors: Moments,
    /// The same of the stable version.
    pub stable_errors: Moments,
    /// Whether the answer was right (1) or not (0), from golden probes and labelled traffic, of the candidate.
    pub candidate_quality: Moments,
    /// The same of the stable version.
    pub stable_quality: Moments,
    /// Seconds to the first token of the candidate: (median, 99th percentile), if known.
    pub candidate_ttft: Option<(f64, f64)>,
    /// The same of the stable version.
    pub stable_ttft: Option<(f64, f64)>,
}
