use std::collections::{BTreeMap, BTreeSet};

use homeostat_quality::Slice;
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

/// Survival function of the chi-square distribution: the chance of at least `statistic` with `freedom` degrees.
///
/// The regularised upper incomplete gamma function Q(freedom / 2, statistic / 2), by its series below a + 1 and by its
/// continued fraction (modified Lentz) above: Numerical Recipes, third edition, section 6.2.
pub(crate) fn chi_square_sf(statistic: f64, freedom: f64) -> f64 {
    let (a, x) = (freedom / 2.0, statistic / 2.0);
    if a <= 0.0 || x.is_nan() || x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut k) = (1.0 / a, 1.0 / a, a);
        for _ in 0..10_000 {
            k += 1.0;
            term *= x / k;
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        return (1.0 - front * sum).clamp(0.0, 1.0);
    }
    let tiny = 1e-300;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / tiny;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for i in 1..10_000 {
        let i = f64::from(i);
        let step = -i * (i - a);
        b += 2.0;
        d = 1.0 / not_zero(step * d + b, tiny);
        c = not_zero(b + step / c, tiny);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (front * fraction).clamp(0.0, 1.0)
}

fn not_zero(value: f64, tiny: f64) -> f64 {
    if value.abs() < tiny { tiny } else { value }
}

/// ln Gamma(x) for x > 0: shifted above 10, then Stirling's series (Abramowitz and Stegun 6.1.41).
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 10.0 {
        shift += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse
        * (1.0 / 12.0
            - square
                * (1.0 / 360.0
                    - square
                        * (1.0 / 1260.0
                            - square * (1.0 / 1680.0 - square * (1.0 / 1188.0 - square * 691.0 / 360_360.0)))));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - shift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found} is not {expected}");
    }

    #[test]
    fn the_chi_square_tail_agrees_with_scipy() {
        close(chi_square_sf(10.0, 3.0), 0.018_566_135_463_043_25, 1e-12);
        // Goodness of fit from the project's reference answers: seven cells, statistic and p-value of scipy 1.17.1.
        close(chi_square_sf(164.888_933_282_579_44, 6.0), 5.453_188_776_633_536_5e-33, 1e-11);
        // One degree: erfc(1 / sqrt 2). Two degrees: exp(-x / 2).
        close(chi_square_sf(1.0, 1.0), 0.317_310_507_862_914_15, 1e-12);
        close(chi_square_sf(7.0, 2.0), (-3.5_f64).exp(), 1e-13);
        close(chi_square_sf(0.5, 2.0), (-0.25_f64).exp(), 1e-13);
        assert_eq!(chi_square_sf(0.0, 3.0), 1.0);
        assert_eq!(chi_square_sf(5.0, 0.0), 1.0);
        close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-13);
        close(ln_gamma(11.0), 3_628_800_f64.ln(), 1e-14);
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
