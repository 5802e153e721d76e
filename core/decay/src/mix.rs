use std::collections::{BTreeMap, BTreeSet};

use homeostat_quality::{Slice, special::chi_square_sf};
use serde::{Deserialize, Serialize};

use crate::explain;

/// How far what people ask now is from what they asked when the baseline was frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MixDrift {
    /// Population stability index, sum of (r - c) ln(r / c) over slices.
    pub psi: f64,
    /// p-value of the two-sample chi-square test of homogeneity: both mixes are samples.
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
/// p-value from which a PSI below its threshold is as good as none.
const P_OVER: f64 = 0.05;
/// What stands in for a share of zero in PSI, as in Evidently.
const ZERO_FILL: f64 = 1e-4;

impl MixDrift {
    /// Whether people clearly ask what they asked before: not the contrary of `drifted`, since between the two, and with few
    /// requests, nothing is said. What had drifted counts as drifted until this is so.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let alike = self.psi < PSI_THRESHOLD / 2.0 || (self.psi < PSI_THRESHOLD && self.p_value >= P_OVER);
        alike && self.n >= MINIMUM_REQUESTS
    }

    /// The shift with its figures, without a full stop.
    #[must_use]
    pub fn describe(&self) -> String {
        let shifts = self.shares.iter().take(3).map(|(slice, then, now)| {
            format!("{} from {:.0} % to {:.0} %", explain::slice(slice), then * 100.0, now * 100.0)
        });
        format!(
            "over {} requests (PSI {:.2}, p = {:.1e}): {}",
            self.n,
            self.psi,
            self.p_value,
            explain::list(&shifts.collect::<Vec<_>>())
        )
    }
}

/// Compares how often each slice is asked for now with how often it was in the baseline's time; `None` where either has no
/// requests.
///
/// PSI is the sum of (r - c) ln(r / c), with 1e-4 for a share of zero. The test is Pearson's chi-square of homogeneity of the
/// two counts, with one degree of freedom less than slices: a baseline of few requests has a mix by chance, too, and a test
/// against its shares as if they were exact would take that for a shift. PSI alone alarms too often at small n and the test
/// alone too often at large n, so both must say so.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub fn mix_drift(baseline: &BTreeMap<Slice, u64>, current: &BTreeMap<Slice, u64>) -> Option<MixDrift> {
    let (n, total): (u64, u64) = (current.values().sum(), baseline.values().sum());
    if n == 0 || total == 0 {
        return None;
    }
    let count = |counts: &BTreeMap<Slice, u64>, slice| counts.get(slice).copied().unwrap_or(0) as f64;
    let slices: BTreeSet<&Slice> = baseline.keys().chain(current.keys()).collect();
    let mut shares = Vec::new();
    let (mut psi, mut statistic, mut asked_for) = (0.0, 0.0, 0_u32);
    let fill = |share: f64| if share > 0.0 { share } else { ZERO_FILL };
    for slice in slices {
        let (then, now) = (count(baseline, slice), count(current, slice));
        if then + now > 0.0 {
            let ratio = (n as f64 / total as f64).sqrt();
            statistic += (then * ratio - now / ratio).powi(2) / (then + now);
            asked_for += 1;
        }
        let (then, now) = (then / total as f64, now / n as f64);
        psi += (fill(then) - fill(now)) * (fill(then) / fill(now)).ln();
        shares.push((slice.clone(), then, now));
    }
    let p_value = chi_square_sf(statistic, f64::from(asked_for.saturating_sub(1)));
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

    fn counts(values: &[u64]) -> BTreeMap<Slice, u64> {
        values.iter().enumerate().map(|(i, count)| (Slice::new(format!("s{i}")), *count)).collect()
    }

    fn drift(then: &[u64], now: &[u64]) -> MixDrift {
        mix_drift(&counts(then), &counts(now)).unwrap()
    }

    #[test]
    fn psi_agrees_with_the_reference_vector() {
        let drift = drift(&[100, 200, 300, 400], &[400, 300, 200, 100]);
        close(drift.psi, 0.912_869_6, 1e-6);
        assert!(drift.drifted && drift.p_value < 1e-80 && !drift.is_over(), "{drift:?}");
        assert_eq!(drift.shares[0], (Slice::new("s0"), 0.1, 0.4));
    }

    #[test]
    fn few_requests_or_small_shifts_are_no_drift() {
        assert_eq!(mix_drift(&counts(&[50, 50]), &counts(&[0, 0])), None);
        assert_eq!(mix_drift(&counts(&[]), &counts(&[5])), None);
        let few = drift(&[500, 500], &[90, 5]);
        assert!(!few.drifted && !few.is_over(), "{few:?}");
        let tiny = drift(&[50_000, 50_000], &[52_000, 48_000]);
        assert!(tiny.p_value < 1e-6 && !tiny.drifted && tiny.is_over(), "{tiny:?}");
        assert!(!drift(&[500, 500], &[100, 104]).drifted);
    }

    #[test]
    fn the_chance_in_a_small_baseline_is_no_drift() {
        // The same shares, known from few requests and from many.
        let (few, many) = (
            drift(&[38, 34, 14, 27, 7], &[68, 68, 65, 101, 58]),
            drift(&[3800, 3400, 1400, 2700, 700], &[68, 68, 65, 101, 58]),
        );
        close(few.psi, many.psi, 1e-9);
        assert!(many.drifted && few.p_value > many.p_value * 1e3, "{few:?} {many:?}");
        let chance = drift(&[32, 30, 14, 28, 16], &[68, 90, 65, 79, 58]);
        assert!(!chance.drifted && chance.is_over(), "{chance:?}");
    }

    #[test]
    fn between_drifted_and_over_nothing_is_said() {
        let between = drift(&[500, 500], &[62, 98]);
        assert!(!between.drifted && !between.is_over(), "{between:?}");
    }

    #[test]
    fn a_slice_nobody_asked_for_before_is_drift() {
        let drift = drift(&[100], &[100, 60]);
        assert!(drift.drifted && drift.psi.is_finite(), "{drift:?}");
    }
}
