//! The sequential test of a canary against the stable version that serves beside it.
//!
//! It may be asked after every request: the error it allows is for the whole rollout, not for one look. Latency is compared
//! by a plain ratio, which is no test, and therefore with an absolute floor.

use homeostat_quality::{Moments, registry::Unit};
use serde::{Deserialize, Serialize};

use crate::evidence_process::{Count, ln_e_value};

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

/// What is asked of a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryPolicy {
    /// With fewer requests than this on either version nothing is said.
    pub minimum_requests: u64,
    /// With fewer graded answers than this on either version nothing is said; 0: quality is not asked for.
    pub minimum_graded: u64,
    /// By so much the candidate's error rate may exceed the stable version's.
    pub error_margin: f64,
    /// By so much the candidate's share of right answers may fall below the stable version's.
    pub quality_margin: f64,
    /// The chance, over a whole rollout, that a candidate within both margins is failed by the tests.
    pub alpha: f64,
    /// The bound on the time to the first token; `None`: it is not asked for.
    pub latency: Option<LatencyBound>,
}

/// How much slower a candidate may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LatencyBound {
    /// The candidate's 99th percentile may be at most this multiple of the stable version's.
    pub ratio: f64,
    /// Up to so many seconds it is quick enough, whatever the ratio.
    pub floor: f64,
}

/// What the evidence says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum CanaryVerdict {
    /// Enough data; it looks worse than the margins allow, but not surely.
    Continue {
        /// A full sentence with figures.
        why: String,
    },
    /// Enough data, and within all margins.
    Pass {
        /// A full sentence with figures.
        why: String,
    },
    /// Surely worse than the margins allow.
    Fail {
        /// A full sentence with figures.
        reason: String,
    },
    /// Too little data to say anything.
    Inconclusive {
        /// A full sentence with figures.
        why: String,
    },
}

impl Default for CanaryPolicy {
    fn default() -> Self {
        Self {
            minimum_requests: 50,
            minimum_graded: 20,
            error_margin: 0.01,
            quality_margin: 0.02,
            alpha: 0.05,
            latency: Some(LatencyBound { ratio: 2.0, floor: 0.5 }),
        }
    }
}

/// From so many requests on the 99th percentile stands by itself; below it is the slowest one or two requests, and the median
/// must agree.
const REQUESTS_FOR_A_TAIL: u64 = 200;

/// Judges what has been seen in the rollout so far.
///
/// Errors and quality are each tested one-sidedly at alpha / 2 by an e-process for two Bernoulli rates with a non-inferiority
/// margin; see the crate's `evidence_process` for the formula and its sources. A sure failure is told as soon as it is sure,
/// also below the minimum of requests.
#[must_use]
pub fn judge(evidence: &CanaryEvidence, policy: &CanaryPolicy) -> CanaryVerdict {
    let errors = Comparison {
        what: "requests failed",
        candidate: bad(&evidence.candidate_errors),
        stable: bad(&evidence.stable_errors),
        margin: policy.error_margin,
    };
    let quality = Comparison {
        what: "answers were wrong",
        candidate: wrong(&evidence.candidate_quality),
        stable: wrong(&evidence.stable_quality),
        margin: policy.quality_margin,
    };
    let tested: &[&Comparison] = if policy.minimum_graded > 0 { &[&errors, &quality] } else { &[&errors] };
    let bar = (2.0 / policy.alpha.clamp(1e-9, 1.0)).ln();
    let requests = evidence.candidate_errors.n;
    let worse: Vec<String> = tested.iter().filter(|test| test.ln_e() >= bar).map(|test| test.sentence()).collect();
    let slow = slower(evidence, policy).filter(|_| requests >= policy.minimum_requests);
    if !worse.is_empty() || slow.is_some() {
        let sentences: Vec<String> = worse.into_iter().chain(slow).collect();
        return CanaryVerdict::Fail { reason: sentences.join(" ") };
    }
    if let Some(why) = missing(evidence, policy) {
        return CanaryVerdict::Inconclusive { why };
    }
    let suspect: Vec<String> =
        tested.iter().filter(|test| test.excess() > test.margin).map(|test| test.sentence()).collect();
    if !suspect.is_empty() {
        let why = format!("{} That may still be chance.", suspect.join(" "));
        return CanaryVerdict::Continue { why };
    }
    CanaryVerdict::Pass { why: tested.iter().map(|test| test.sentence()).collect::<Vec<_>>().join(" ") }
}

struct Comparison {
    what: &'static str,
    candidate: Count,
    stable: Count,
    margin: f64,
}

impl Comparison {
    fn ln_e(&self) -> f64 {
        ln_e_value(self.candidate, self.stable, self.margin)
    }

    /// By how much the candidate's observed rate is above the stable version's.
    fn excess(&self) -> f64 {
        let rate = |count: Count| if count.n > 0.0 { count.bad / count.n } else { 0.0 };
        rate(self.candidate) - rate(self.stable)
    }

    fn sentence(&self) -> String {
        let Self { what, candidate, stable, margin } = self;
        format!(
            "{:.0} of {:.0} {what} on the candidate and {:.0} of {:.0} on the stable version; up to {:.1} points more are allowed.",
            candidate.bad,
            candidate.n,
            stable.bad,
            stable.n,
            margin * 100.0
        )
    }
}

fn missing(evidence: &CanaryEvidence, policy: &CanaryPolicy) -> Option<String> {
    let few = |candidate: u64, stable: u64, minimum: u64, what: &str| {
        (candidate.min(stable) < minimum).then(|| {
            format!("{candidate} {what} on the candidate and {stable} on the stable version are too few: {minimum} are needed on each.")
        })
    };
    let CanaryEvidence { candidate_errors, stable_errors, candidate_quality, stable_quality, .. } = evidence;
    few(candidate_errors.n, stable_errors.n, policy.minimum_requests.max(1), "requests")
        .or_else(|| few(candidate_quality.n, stable_quality.n, policy.minimum_graded, "graded answers"))
        .or_else(|| {
            let unknown = evidence.candidate_ttft.is_none() || evidence.stable_ttft.is_none();
            (policy.latency.is_some() && unknown)
                .then(|| "The time to the first token is not known of both versions.".to_string())
        })
}

fn slower(evidence: &CanaryEvidence, policy: &CanaryPolicy) -> Option<String> {
    let bound = policy.latency?;
    let ((median, tail), (stable_median, stable_tail)) = (evidence.candidate_ttft?, evidence.stable_ttft?);
    let beyond = |candidate: f64, stable: f64| candidate > bound.ratio * stable && candidate > bound.floor;
    let requests = evidence.candidate_errors.n.min(evidence.stable_errors.n);
    let sure = requests >= REQUESTS_FOR_A_TAIL || beyond(median, stable_median);
    (beyond(tail, stable_tail) && sure).then(|| {
        let show = |value| Unit::Seconds.show(value);
        format!(
            "The 99th percentile of the time to the first token is {} on the candidate and {} on the stable version; {} times that or {} are allowed.",
            show(tail),
            show(stable_tail),
            bound.ratio,
            show(bound.floor)
        )
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn bad(errors: &Moments) -> Count {
    let n = errors.n as f64;
    let bad = if errors.sum.is_finite() { errors.sum.clamp(0.0, n) } else { 0.0 };
    Count { bad, n }
}

fn wrong(quality: &Moments) -> Count {
    let right = bad(quality);
    Count { bad: right.n - right.bad, n: right.n }
}
