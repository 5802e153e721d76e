use std::collections::{BTreeMap, BTreeSet};

use homeostat_quality::{Slice, special::chi_square_sf};
use serde::{Deserialize, Serialize};

/// How far what people ask now is from what they asked when the baseline was frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MixDrift {
    /// Population stability index, sum of (r - c) ln(r / c) over slices.
    pub psi: f64,
    /// p-value of the one-sample chi-square test of the current counts against the baseline's shares.
    pub p_value: f64,
    /// Both say so: PSI at or above .1 and p below .01, with at least 100 requests.
    pub drifted: bool,
    /// (slice, baseline share, current share), largest change first.
    pub shares: Vec<(Slice, f64, f64)>,
    /// Number of requests now.
    pub n: u64,
}

/// PSI from which a mix counts as drifted, together with the test.
const PSI_THRESHOLD: f64 = 0.1;
/// p-value below which the test says that the mix differs.
const P_THRESHOLD: f64 = 0.01;
/// Fewer requests than this never count as drifted.
const MINIMUM_REQUESTS: u64 = 100;
/// What stands in for a share of zero, in PSI and in the test, as in Evidently.
const ZERO_FILL: f64 = 1e-4;

/// Compares how often each slice is asked for now with the baseline's shares; `None` without requests or without shares.
///
/// PSI is the sum of (r - c) ln(r / c), with 1e-4 for a share of zero. The test is Pearson's chi-square against the
/// baseline's shares, with one degree of freedom less than slices. PSI alone alarms too often at small n and the test alone
/// too often at large n, so both must say so.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub fn mix_drift(baseline_shares: &BTreeMap<Slice, f64>, current_counts: &BTreeMap<Slice, u64>) -> Option<MixDrift> {
    let n: u64 = current_counts.values().sum();
    let total: f64 = baseline_shares.values().filter(|share| **share > 0.0).sum();
    if n == 0 || !total.is_finite() || total <= 0.0 {
        return None;
    }
    let slices: BTreeSet<&Slice> = baseline_shares.keys().chain(current_counts.keys()).collect();
    let mut shares: Vec<(Slice, f64, f64)> = slices
        .into_iter()
        .map(|slice| {
            let then = baseline_shares.get(slice).copied().filter(|share| *share > 0.0).unwrap_or(0.0) / total;
            let now = current_counts.get(slice).copied().unwrap_or(0) as f64 / n as f64;
            (slice.clone(), then, now)
        })
        .collect();
    let fill = |share: f64| if share > 0.0 { share } else { ZERO_FILL };
    let psi = shares.iter().map(|(_, then, now)| (fill(*then) - fill(*now)) * (fill(*then) / fill(*now)).ln()).sum();
    let filled: f64 = shares.iter().map(|(_, then, _)| fill(*then)).sum();
    let statistic: f64 = shares
        .iter()
        .map(|(_, then, now)| {
            let expected = n as f64 * fill(*then) / filled;
            (now * n as f64 - expected).powi(2) / expected
        })
        .sum();
    let p_value = chi_square_sf(statistic, shares.len().saturating_sub(1) as f64);
    let drifted = psi >= PSI_THRESHOLD && p_value < P_THRESHOLD && n >= MINIMUM_REQUESTS;
    shares.sort_by(|a, b| (b.2 - b.1).abs().total_cmp(&(a.2 - a.1).abs()).then_with(|| a.0.cmp(&b.0)));
    Some(MixDrift { psi, p_value, drifted, shares, n })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found} is not {expected}");
    }

    fn shares(values: &[f64]) -> BTreeMap<Slice, f64> {
        values.iter().enumerate().map(|(i, share)| (Slice::new(format!("s{i}")), *share)).collect()
    }

    fn counts(values: &[u64]) -> BTreeMap<Slice, u64> {
        values.iter().enumerate().map(|(i, count)| (Slice::new(format!("s{i}")), *count)).collect()
    }

    #[test]
    fn psi_agrees_with_the_reference_vector() {
        let drift = mix_drift(&shares(&[0.1, 0.2, 0.3, 0.4]), &counts(&[400, 300, 200, 100])).unwrap();
        close(drift.psi, 0.912_869_6, 1e-6);
        assert!(drift.drifted && drift.p_value < 1e-100, "{drift:?}");
        assert_eq!(drift.shares[0], (Slice::new("s0"), 0.1, 0.4));
    }

    #[test]
    fn few_requests_or_small_shifts_are_no_drift() {
        assert_eq!(mix_drift(&shares(&[0.5, 0.5]), &counts(&[0, 0])), None);
        assert_eq!(mix_drift(&shares(&[]), &counts(&[5])), None);
        assert!(!mix_drift(&shares(&[0.5, 0.5]), &counts(&[90, 5])).unwrap().drifted);
        let tiny = mix_drift(&shares(&[0.5, 0.5]), &counts(&[52_000, 48_000])).unwrap();
        assert!(tiny.p_value < 1e-6 && !tiny.drifted, "{tiny:?}");
        assert!(!mix_drift(&shares(&[0.5, 0.5]), &counts(&[100, 104])).unwrap().drifted);
    }

    #[test]
    fn a_slice_nobody_asked_for_before_is_drift() {
        let drift = mix_drift(&shares(&[1.0]), &counts(&[100, 60])).unwrap();
        assert!(drift.drifted && drift.psi.is_finite(), "{drift:?}");
    }
}
