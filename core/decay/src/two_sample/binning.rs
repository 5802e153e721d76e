use super::contingency::categories;
use super::{SampleError, check, sorted};

/// Shares of both samples over the same bins.
#[derive(Clone, Debug, PartialEq)]
pub struct Binned {
    /// Share of the reference in each bin; they add up to 1.
    pub reference: Vec<f64>,
    /// Share of the current sample in each bin.
    pub current: Vec<f64>,
}

impl Binned {
    /// Both with zeros replaced as Evidently does before a logarithm: by 1e-4, or by a millionth of the smallest other share when
    /// that is at most 1e-4.
    #[must_use]
    pub fn filled(&self) -> Self {
        let fill = |shares: &[f64]| {
            let smallest = shares.iter().copied().filter(|share| *share != 0.0).fold(f64::INFINITY, f64::min);
            let zero = if smallest <= 1e-4 { smallest / 1e6 } else { 1e-4 };
            shares.iter().map(|share| if *share == 0.0 { zero } else { *share }).collect()
        };
        Self { reference: fill(&self.reference), current: fill(&self.current) }
    }

    /// Both with shares below `least` raised to it.
    #[must_use]
    pub fn floored(&self, least: f64) -> Self {
        let floor = |shares: &[f64]| shares.iter().map(|share| share.max(least)).collect();
        Self { reference: floor(&self.reference), current: floor(&self.current) }
    }
}

/// More different values than this in the reference, and it is cut into bins of equal width.
const MOST_CATEGORIES: usize = 20;

/// Shares as Evidently 0.7.23 bins a numeric column: with more than 20 different values in the reference by numpy's `sturges` edges
/// over both samples together, otherwise by value (in their order).
///
/// # Errors
/// When a sample is empty or holds a value that is not finite.
pub fn evidently_bins(reference: &[f64], current: &[f64]) -> Result<Binned, SampleError> {
    let (a, b) = sorted(reference, current, 1)?;
    let mut values = a.clone();
    values.dedup();
    if values.len() > MOST_CATEGORIES {
        let low = a[0].min(b[0]);
        let high = a[a.len() - 1].max(b[b.len() - 1]);
        let edges = sturges_edges(low, high, a.len() + b.len());
        return Ok(Binned { reference: shares(&a, &edges), current: shares(&b, &edges) });
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    let (reference, current) = categories(&a, &b).into_values().map(|(then, now)| (then / n, now / m)).unzip();
    Ok(Binned { reference, current })
}

/// Shares over `bins` quantiles of the reference (linear interpolation), the outer edges at infinity, equal edges merged: the
/// credit-scoring form of PSI (Siddiqi 2005). Bins are closed on the right.
///
/// # Errors
/// When a sample is empty, holds a value that is not finite, or there is no bin.
pub fn quantile_bins(reference: &[f64], current: &[f64], bins: usize) -> Result<Binned, SampleError> {
    let (a, b) = sorted(reference, current, 1)?;
    if bins == 0 {
        return Err(SampleError::Shape { what: "there are 0 bins".to_string(), remedy: "give at least 1" });
    }
    let mut edges: Vec<f64> = (1..bins)
        .map(|i| {
            // numpy's linear quantile, including its choice of the nearer end to interpolate from.
            let position = i as f64 / bins as f64 * (a.len() - 1) as f64;
            let (below, share) = (position.floor() as usize, position.fract());
            let (low, high) = (a[below], a[(below + 1).min(a.len() - 1)]);
            if share >= 0.5 { high - (high - low) * (1.0 - share) } else { low + (high - low) * share }
        })
        .collect();
    edges.dedup();
    let count = |sample: &[f64]| -> Vec<f64> {
        let mut before = 0;
        let ends = edges.iter().map(|edge| super::at_most(sample, *edge)).chain([sample.len()]);
        ends.map(|end| {
            let inside = end - before;
            before = end;
            inside as f64 / sample.len() as f64
        })
        .collect()
    };
    Ok(Binned { reference: count(&a), current: count(&b) })
}

/// numpy's `histogram_bin_edges(..., 'sturges')` for `n` values from `low` to `high`.
pub(super) fn sturges_edges(low: f64, high: f64, n: usize) -> Vec<f64> {
    let width = (high - low) / ((n as f64).log2() + 1.0);
    let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
    let bins = if width > 0.0 { ((high - low) / width).ceil().max(1.0) } else { 1.0 };
    let step = (high - low) / bins;
    let bins = bins as usize;
    (0..=bins).map(|i| if i == bins { high } else { i as f64 * step + low }).collect()
}

/// Counts of `sorted` between edges, each bin closed on the left and the last one on both sides.
pub(super) fn counts(sorted: &[f64], edges: &[f64]) -> Vec<f64> {
    let last = edges.len() - 1;
    let before = |index: usize| {
        if index == last {
            super::at_most(sorted, edges[index])
        } else {
            sorted.partition_point(|value| *value < edges[index])
        }
    };
    (0..last).map(|index| before(index + 1).saturating_sub(before(index)) as f64).collect()
}

fn shares(sorted: &[f64], edges: &[f64]) -> Vec<f64> {
    counts(sorted, edges).into_iter().map(|count| count / sorted.len() as f64).collect()
}

/// The numbers of different values of both samples together, as Evidently cuts them for its Hellinger distance.
pub(super) fn edges_of_different_values(reference: &[f64], current: &[f64]) -> Result<Vec<f64>, SampleError> {
    check("reference", reference, 1)?;
    check("current", current, 1)?;
    let mut values: Vec<f64> = reference.iter().chain(current).copied().collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    Ok(sturges_edges(values[0], values[values.len() - 1], values.len()))
}
