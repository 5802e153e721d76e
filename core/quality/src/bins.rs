use serde::{Deserialize, Serialize};

use crate::SketchError;

/// Counts between frozen edges: what two-sample tests (chi-square, PSI, KS on bins) compare a window with its reference by.
///
/// Edges are frozen with the reference; windows that were counted on the same edges merge exactly, in any order. Bin 0 lies below the
/// first edge and the last bin from the last edge up, so that nothing is lost; an edge belongs to the bin above it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Raw")]
pub struct BinnedCounts {
    edges: Vec<f64>,
    counts: Vec<u64>,
    /// Observations that were no number.
    missing: u64,
}

#[derive(Deserialize)]
struct Raw {
    edges: Vec<f64>,
    counts: Vec<u64>,
    missing: u64,
}

impl TryFrom<Raw> for BinnedCounts {
    type Error = SketchError;

    fn try_from(Raw { edges, counts, missing }: Raw) -> Result<Self, SketchError> {
        Self::from_parts(edges, counts, missing)
    }
}

impl BinnedCounts {
    /// No observations, on these edges.
    ///
    /// # Errors
    /// When there is no edge, or edges are not finite and rising.
    pub fn new(edges: Vec<f64>) -> Result<Self, SketchError> {
        let counts = vec![0; edges.len() + 1];
        Self::from_parts(edges, counts, 0)
    }

    /// No observations, on the inner edges that cut `reference` into about `bins` equally full bins. Equal edges fall together, so that few distinct
    /// values make fewer bins.
    ///
    /// # Errors
    /// When no finite value is in the reference or `bins` is below 2.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "ranks are small and positive"
    )]
    pub fn frozen_on(reference: &[f64], bins: usize) -> Result<Self, SketchError> {
        let mut sorted: Vec<f64> = reference.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        if sorted.is_empty() || bins < 2 {
            return Err(SketchError::Decode(format!(
                "{} values do not make {bins} bins: at least one value and two bins",
                sorted.len()
            )));
        }
        // numpy's linear quantiles.
        let quantile = |share: f64| {
            let rank = share * (sorted.len() - 1) as f64;
            let (low, part) = (rank.floor() as usize, rank.fract());
            let high = (low + 1).min(sorted.len() - 1);
            sorted[low] + (sorted[high] - sorted[low]) * part
        };
        let mut edges: Vec<f64> = (1..bins).map(|at| quantile(at as f64 / bins as f64)).collect();
        edges.dedup();
        Self::new(edges)
    }

    pub(crate) fn from_parts(edges: Vec<f64>, counts: Vec<u64>, missing: u64) -> Result<Self, SketchError> {
        let rising = edges.windows(2).all(|pair| pair[0] < pair[1]);
        if edges.is_empty() || !rising || edges.iter().any(|edge| !edge.is_finite()) {
            return Err(SketchError::Decode(
                "its edges are not at least one finite number, each above the one before".to_string(),
            ));
        }
        if counts.len() != edges.len() + 1 {
            return Err(SketchError::Decode(format!(
                "{} edges make {} bins, not {}",
                edges.len(),
                edges.len() + 1,
                counts.len()
            )));
        }
        if counts.iter().try_fold(missing, |sum, count| sum.checked_add(*count)).is_none() {
            return Err(SketchError::Decode("its counts exceed 64 bits".to_string()));
        }
        Ok(Self { edges, counts, missing })
    }

    /// Adds one observation; a value that is no number is counted as missing.
    pub fn observe(&mut self, value: f64) {
        let count = if value.is_nan() {
            &mut self.missing
        } else {
            &mut self.counts[self.edges.partition_point(|edge| *edge <= value)]
        };
        *count = count.saturating_add(1);
    }

    /// Adds all observations of `other`.
    ///
    /// # Errors
    /// When the edges differ; `self` is then unchanged.
    pub fn merge(&mut self, other: &Self) -> Result<(), SketchError> {
        if self.edges != other.edges {
            return Err(SketchError::Decode(
                "counts on other edges do not merge: freeze the reference again".to_string(),
            ));
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, n)| *sum = sum.saturating_add(*n));
        self.missing = self.missing.saturating_add(other.missing);
        Ok(())
    }

    /// The edges, rising.
    #[must_use]
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// Observations of each bin; one more than there are edges.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Number of observations that are in a bin.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.counts.iter().fold(0, |n, count| n.saturating_add(*count))
    }

    /// Observations that were no number.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }
}
