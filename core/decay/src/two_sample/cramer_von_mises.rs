use homeostat_quality::special::ln_gamma;

use super::{SampleError, TestResult, midranks, sorted};
use crate::special::bessel_k_quarter_scaled;

/// Samples up to this size are judged by all arrangements.
const EXACT_UP_TO: usize = 20;

/// The two-sample Cramér-von Mises test, as scipy 1.17.1 `cramervonmises_2samp` (method auto): exact for up to 20 values a sample,
/// by the limiting distribution above. There the p-value is 1 minus a series cut at 1e-7, so it is good to about that, absolutely.
///
/// # Errors
/// When a sample has fewer than two values or holds one that is not finite.
pub fn cramer_von_mises(reference: &[f64], current: &[f64]) -> Result<TestResult, SampleError> {
    let (a, b) = sorted(reference, current, 2)?;
    let (n, m) = (a.len() as f64, b.len() as f64);
    let (ranks, _) = midranks(&a, &b);
    let from_own = |ranks: &[f64]| -> f64 {
        ranks.iter().enumerate().map(|(index, rank)| (rank - (index + 1) as f64).powi(2)).sum()
    };
    let u = n * from_own(&ranks[..a.len()]) + m * from_own(&ranks[a.len()..]);
    let (product, all) = (n * m, n + m);
    let statistic = u / (product * all) - (4.0 * product - 1.0) / (6.0 * all);
    let p = if a.len().max(b.len()) > EXACT_UP_TO {
        asymptotic(statistic, n, m)
    } else {
        exact(u, a.len() as i64, b.len() as i64)
    };
    Ok(TestResult { statistic: Some(statistic), p_value: Some(p) })
}

fn asymptotic(statistic: f64, n: f64, m: f64) -> f64 {
    let (k, all) = (n * m, n + m);
    let expected = (1.0 + 1.0 / all) / 6.0;
    let variance = (all + 1.0) * (4.0 * k * all - 3.0 * (n * n + m * m) - 2.0 * k) / (45.0 * all * all * 4.0 * k);
    let standardised = 1.0 / 6.0 + (statistic - expected) / (45.0 * variance).sqrt();
    if standardised.is_nan() || standardised < 0.003 {
        return 1.0;
    }
    (1.0 - limiting_cdf(standardised)).max(0.0)
}

/// Csörgő and Faraway 1996, equation 1.2, terms until one is below 1e-7.
fn limiting_cdf(x: f64) -> f64 {
    let mut sum = 0.0;
    for k in 0..1000 {
        let k = f64::from(k);
        let y = 4.0 * k + 1.0;
        let q = y * y / (16.0 * x);
        let front = (ln_gamma(k + 0.5) - ln_gamma(k + 1.0)).exp() / (std::f64::consts::PI.powf(1.5) * x.sqrt());
        // exp(-q) K(q) = exp(-2 q) times the scaled function.
        let term = front * y.sqrt() * (-2.0 * q).exp() * bessel_k_quarter_scaled(q);
        sum += term;
        if term < 1e-7 {
            break;
        }
    }
    sum
}

/// Share of all arrangements with a statistic at least as large (Xiao, Gordon, Yakovlev, J. Stat. Software 17(8), 2006).
fn exact(u: f64, m: i64, n: i64) -> f64 {
    let multiple = m / gcd(m, n) * n;
    let (a, b) = (multiple / m, multiple / n);
    let product = (m * n) as f64;
    let zeta = ((multiple * multiple * (m + n)) as f64 * (6.0 * u - product * (4.0 * product - 1.0))
        / (6.0 * product * product))
        .floor();
    // Of each count of values seen from either sample: how many paths lead there with which sum of squares, sorted by the sum.
    let mut columns: Vec<Vec<(i64, f64)>> = vec![Vec::new(); m as usize + 1];
    for right in 0..=n {
        for up in 0..=m {
            let at = up as usize;
            let mut paths = if right == 0 && up == 0 {
                vec![(0, 1.0)]
            } else {
                let from_left = if right == 0 { Vec::new() } else { std::mem::take(&mut columns[at]) };
                merge(&from_left, if up == 0 { &[] } else { &columns[at - 1] })
            };
            let square = (a * up - b * right).pow(2);
            paths.iter_mut().for_each(|(sum, _)| *sum += square);
            columns[at] = paths;
        }
    }
    let last = &columns[m as usize];
    let all: f64 = last.iter().map(|(_, count)| count).sum();
    last.iter().filter(|(sum, _)| *sum as f64 >= zeta).map(|(_, count)| count).sum::<f64>() / all
}

/// Two sorted lists of (sum, count) as one, counts of equal sums added.
fn merge(a: &[(i64, f64)], b: &[(i64, f64)]) -> Vec<(i64, f64)> {
    let mut merged = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        match (a.get(i), b.get(j)) {
            (Some(x), Some(y)) if x.0 == y.0 => {
                merged.push((x.0, x.1 + y.1));
                (i, j) = (i + 1, j + 1);
            }
            (Some(x), y) if y.is_none_or(|y| x.0 < y.0) => {
                merged.push(*x);
                i += 1;
            }
            (_, Some(y)) => {
                merged.push(*y);
                j += 1;
            }
            (_, None) => break,
        }
    }
    merged
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
