//! Distances between samples, and between shares over the same bins.

use homeostat_quality::special::chi_square_sf;

use super::binning::{Binned, counts, edges_of_different_values, quantile_bins};
use super::{SampleError, TestResult, at_most, check, sorted, squared_deviations};

/// The first Wasserstein distance of two samples, in their unit: the area between the empirical distribution functions.
///
/// # Errors
/// When a sample is empty or holds a value that is not finite.
pub fn wasserstein(reference: &[f64], current: &[f64]) -> Result<f64, SampleError> {
    between_functions(reference, current, f64::abs)
}

/// The energy distance of two samples as scipy defines it: the square root of twice the area between the squared distribution
/// functions' difference (Székely 2002; Rizzo and Székely 2016).
///
/// # Errors
/// When a sample is empty or holds a value that is not finite.
pub fn energy_distance(reference: &[f64], current: &[f64]) -> Result<f64, SampleError> {
    Ok((2.0 * between_functions(reference, current, |gap| gap * gap)?).sqrt())
}

/// [`wasserstein`] in standard deviations of the reference, Evidently's "normed": divided by the population standard deviation,
/// or by .001 where that is less.
///
/// # Errors
/// When a sample is empty or holds a value that is not finite.
pub fn normed_wasserstein(reference: &[f64], current: &[f64]) -> Result<f64, SampleError> {
    check("reference", reference, 1)?;
    let deviation = (squared_deviations(reference) / reference.len() as f64).sqrt();
    Ok(wasserstein(reference, current)? / deviation.max(0.001))
}

fn between_functions(reference: &[f64], current: &[f64], weigh: impl Fn(f64) -> f64) -> Result<f64, SampleError> {
    let (a, b) = sorted(reference, current, 1)?;
    let mut values: Vec<f64> = a.iter().chain(&b).copied().collect();
    values.sort_by(f64::total_cmp);
    let area = values.windows(2).filter(|pair| pair[0] < pair[1]).map(|pair| {
        let gap = at_most(&a, pair[0]) as f64 / a.len() as f64 - at_most(&b, pair[0]) as f64 / b.len() as f64;
        weigh(gap) * (pair[1] - pair[0])
    });
    Ok(area.sum())
}

/// Population stability index: the sum of (r - c) ln(r / c). Infinite where one has a zero that the other has not: use
/// [`Binned::filled`] or [`Binned::floored`] first. At no drift it is about (bins - 1)(1/n + 1/m), so a fixed cut-off such as .1
/// alarms on noise when n is small.
#[must_use]
pub fn psi(bins: &Binned) -> f64 {
    let terms = bins.reference.iter().zip(&bins.current).filter(|(r, c)| r != c);
    terms.map(|(r, c)| (r - c) * (r / c).ln()).sum()
}

/// PSI over at most `bins` quantiles of the reference (fewer when there are not ten values for each) as a test: half a count is added
/// to every bin, and under no drift the index over (1/n + 1/m) is held against chi-square with one degree of freedom less than bins
/// (Yurdakul and Naranjo 2020). Unlike a fixed cut-off it holds its level whatever n is.
///
/// # Errors
/// When a sample is empty or holds a value that is not finite, or there is no bin.
pub fn psi_test(reference: &[f64], current: &[f64], bins: usize) -> Result<TestResult, SampleError> {
    // Chi-square wants ten values a bin.
    let most = (reference.len().min(current.len()) / 10).max(2);
    let binned = quantile_bins(reference, current, bins.min(most))?;
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let k = binned.reference.len() as f64;
    let smooth = |shares: &[f64], n: f64| shares.iter().map(|share| (share * n + 0.5) / (n + 0.5 * k)).collect();
    let index = psi(&Binned { reference: smooth(&binned.reference, n), current: smooth(&binned.current, m) });
    // The half counts shrink differences of shares by n / (n + k / 2), and their squares by both samples' factors.
    let shrunk = n / (n + 0.5 * k) * (m / (m + 0.5 * k));
    let p = chi_square_sf(index / shrunk / (1.0 / n + 1.0 / m), k - 1.0);
    Ok(TestResult { statistic: Some(index), p_value: Some(p) })
}

/// Kullback-Leibler divergence of the reference from the current shares in nats, both scaled to 1 (scipy's `entropy`); infinite
/// where the current share is zero and the reference's is not, `None` where either adds up to nothing.
#[must_use]
pub fn kullback_leibler(reference: &[f64], current: &[f64]) -> Option<f64> {
    let (p, q) = (scaled(reference)?, scaled(current)?);
    (p.len() == q.len()).then(|| p.iter().zip(&q).map(|(p, q)| relative_entropy(*p, *q)).sum())
}

/// Shannon entropy in nats of shares scaled to 1; `None` where they add up to nothing.
#[must_use]
pub fn entropy(shares: &[f64]) -> Option<f64> {
    Some(scaled(shares)?.iter().filter(|share| **share > 0.0).map(|share| -share * share.ln()).sum())
}

/// Jensen-Shannon distance (the square root of the divergence) of two sets of shares, both scaled to 1, with natural logarithms
/// or those to `base`; `None` where either adds up to nothing.
#[must_use]
pub fn jensen_shannon(reference: &[f64], current: &[f64], base: Option<f64>) -> Option<f64> {
    let (p, q) = (scaled(reference)?, scaled(current)?);
    if p.len() != q.len() {
        return None;
    }
    let half = |from: &[f64]| -> f64 {
        p.iter().zip(&q).zip(from).map(|((p, q), own)| relative_entropy(*own, (p + q) / 2.0)).sum()
    };
    let divergence = (half(&p) + half(&q)) / base.map_or(1.0, f64::ln);
    Some((divergence.max(0.0) / 2.0).sqrt())
}

/// Hellinger distance of two sets of shares, 0 to 1: sqrt(1 - sum sqrt(r c)).
#[must_use]
pub fn hellinger(bins: &Binned) -> f64 {
    let overlap: f64 = bins.reference.iter().zip(&bins.current).map(|(r, c)| (r * c).sqrt()).sum();
    (1.0 - overlap.clamp(0.0, 1.0)).sqrt()
}

/// Total variation distance of two sets of shares, 0 to 1: half the sum of their differences.
#[must_use]
pub fn total_variation(bins: &Binned) -> f64 {
    0.5 * bins.reference.iter().zip(&bins.current).map(|(r, c)| (r - c).abs()).sum::<f64>()
}

/// Evidently's Hellinger distance of numeric columns: over `sturges` edges of the *different* values of both, as densities.
///
/// # Errors
/// When a sample is empty or holds a value that is not finite.
pub fn evidently_hellinger(reference: &[f64], current: &[f64]) -> Result<f64, SampleError> {
    let edges = edges_of_different_values(reference, current)?;
    let (a, b) = sorted(reference, current, 1)?;
    let density = |sample: &[f64]| -> Vec<f64> {
        let counts = counts(sample, &edges);
        let all: f64 = counts.iter().sum();
        counts.iter().zip(edges.windows(2)).map(|(count, edge)| count / (edge[1] - edge[0]) / all).collect()
    };
    let width = (edges[edges.len() - 1] - edges[0]) / (edges.len() - 1) as f64;
    let overlap: f64 = density(&a).iter().zip(density(&b)).map(|(p, q)| (p * q).sqrt() * width).sum();
    Ok((1.0 - overlap.clamp(0.0, 1.0)).sqrt())
}

fn scaled(shares: &[f64]) -> Option<Vec<f64>> {
    let sum: f64 = shares.iter().sum();
    let sound = sum > 0.0 && sum.is_finite() && shares.iter().all(|share| *share >= 0.0);
    sound.then(|| shares.iter().map(|share| share / sum).collect())
}

fn relative_entropy(p: f64, q: f64) -> f64 {
    match (p > 0.0, q > 0.0) {
        (false, _) => 0.0,
        (true, false) => f64::INFINITY,
        (true, true) => p * (p / q).ln(),
    }
}
