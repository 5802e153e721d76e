use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::Estimate;
use crate::sketch::Z95;

/// DDSketch (Masson, Rim, Lee, VLDB 2019) with relative error [`DistributionSketch::RELATIVE_ERROR`] on positive values.
///
/// Counts are exact under every order of merging.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DistributionSketch {
    /// Observations that are zero, negative or too small to have a bucket.
    pub zeros: u64,
    /// (bucket index, count), sorted by index.
    pub buckets: Vec<(i32, u64)>,
    /// Sum of the observations.
    pub sum: f64,
}

impl DistributionSketch {
    /// A quantile of positive values is off by at most this share of itself.
    pub const RELATIVE_ERROR: f64 = 0.01;
    /// Smaller values count as zero.
    pub const SMALLEST: f64 = 1e-9;
    /// Larger values count as this one.
    pub const LARGEST: f64 = 1e12;
    /// Width of a bucket on the logarithmic scale: bucket i holds (gamma^(i-1), gamma^i].
    const GAMMA: f64 = (1.0 + Self::RELATIVE_ERROR) / (1.0 - Self::RELATIVE_ERROR);

    /// Adds one observation; a value that is not finite is left out.
    pub fn observe(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.sum += value;
        if value < Self::SMALLEST {
            self.zeros = self.zeros.saturating_add(1);
            return;
        }
        let index = Self::index(value);
        match self.buckets.binary_search_by_key(&index, |bucket| bucket.0) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(1),
            Err(at) => self.buckets.insert(at, (index, 1)),
        }
    }

    /// Adds all observations of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.zeros = self.zeros.saturating_add(other.zeros);
        self.sum += other.sum;
        let mut merged = Vec::with_capacity(self.buckets.len().max(other.buckets.len()));
        let (mut a, mut b) = (self.buckets.iter().peekable(), other.buckets.iter().peekable());
        loop {
            let next = match (a.peek(), b.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(left), Some(right)) => left.0.cmp(&right.0),
            };
            let left = if next == Ordering::Greater { None } else { a.next() };
            let right = if next == Ordering::Less { None } else { b.next() };
            let count = left.map_or(0, |bucket| bucket.1).saturating_add(right.map_or(0, |bucket| bucket.1));
            merged.extend(left.or(right).map(|bucket| (bucket.0, count)));
        }
        self.buckets = merged;
    }

    /// Number of observations.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.buckets.iter().fold(self.zeros, |n, bucket| n.saturating_add(bucket.1))
    }

    /// The mean, exact; its interval takes the spread from the buckets. `None` when empty.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn mean(&self) -> Option<Estimate> {
        let count = self.n();
        if count == 0 {
            return None;
        }
        let n = count as f64;
        let mean = self.sum / n;
        if count == 1 {
            return Some(Estimate { value: mean, low: f64::MIN, high: f64::MAX, n: count });
        }
        let spread = self.zeros as f64 * mean * mean
            + self.buckets.iter().map(|(index, k)| *k as f64 * (Self::value(*index) - mean).powi(2)).sum::<f64>();
        let half = Z95 * (spread / (n - 1.0) / n).sqrt();
        Some(Estimate { value: mean, low: mean - half, high: mean + half, n: count })
    }

    /// The quantile `q` (clamped to 0..1) with its 95 % interval; `None` when empty or `q` is no number.
    ///
    /// The value is the observation of rank floor(q (n - 1)) as in the DDSketch paper, within the relative error. The
    /// interval is the one between order statistics that follows from the binomial distribution of how many observations
    /// lie below the quantile (Conover, Practical Nonparametric Statistics, section 3.2). When so few observations lie
    /// beyond the quantile that the binomial bound is past the last one, the largest observation stands in. Both ends are
    /// widened by the relative error.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..n")]
    pub fn quantile(&self, q: f64) -> Option<Estimate> {
        let count = self.n();
        if count == 0 || q.is_nan() {
            return None;
        }
        let (n, q) = (count as f64, q.clamp(0.0, 1.0));
        let half = Z95 * (n * q * (1.0 - q)).sqrt();
        let last = (count - 1) as f64;
        let rank = |rank: f64| rank.clamp(0.0, last) as u64;
        Some(Estimate {
            value: self.at_rank(rank((q * last).floor())),
            low: self.at_rank(rank((n * q - half).floor() - 1.0)) * (1.0 - Self::RELATIVE_ERROR),
            high: self.at_rank(rank((n * q + half).ceil())) * (1.0 + Self::RELATIVE_ERROR),
            n: count,
        })
    }

    /// The observation of this zero-based rank, as its bucket's middle.
    fn at_rank(&self, rank: u64) -> f64 {
        let mut seen = self.zeros;
        if rank < seen {
            return 0.0;
        }
        for (index, count) in &self.buckets {
            seen = seen.saturating_add(*count);
            if rank < seen {
                return Self::value(*index);
            }
        }
        self.buckets.last().map_or(0.0, |bucket| Self::value(bucket.0))
    }

    /// The bucket of a value of at least [`Self::SMALLEST`].
    #[expect(clippy::cast_possible_truncation, reason = "the logarithm of a clamped value is small")]
    pub(crate) fn index(value: f64) -> i32 {
        (value.clamp(Self::SMALLEST, Self::LARGEST).ln() / Self::GAMMA.ln()).ceil() as i32
    }

    /// The value that is within the relative error of everything in the bucket.
    fn value(index: i32) -> f64 {
        2.0 * Self::GAMMA.powi(index) / (Self::GAMMA + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_ramp() {
        let mut sketch = DistributionSketch::default();
        (1..=1000).for_each(|i| sketch.observe(f64::from(i) / 1000.0));
        let median = sketch.quantile(0.5).unwrap();
        assert!((median.value - 0.5).abs() <= 0.01 * 0.5 + 1e-9, "{median:?}");
        // Order statistics 469 and 531 of 1000 bound the median with 95 %.
        assert!((median.low - 0.469).abs() < 0.008 && (median.high - 0.532).abs() < 0.008, "{median:?}");
        let p99 = sketch.quantile(0.99).unwrap();
        assert!((p99.value - 0.99).abs() < 0.0105 && p99.high <= 1.01 && p99.low < p99.value, "{p99:?}");
        assert!((sketch.mean().unwrap().value - 0.5005).abs() < 1e-9);
    }

    #[test]
    fn odd_values_have_a_place() {
        let mut sketch = DistributionSketch::default();
        [0.0, -3.0, 1e-12, f64::NAN, f64::INFINITY, 1e300].iter().for_each(|value| sketch.observe(*value));
        assert_eq!((sketch.zeros, sketch.n()), (3, 4));
        assert_eq!(sketch.quantile(0.0).map(|estimate| estimate.value), Some(0.0));
        assert!(sketch.quantile(1.0).unwrap().value >= 0.98e12);
        assert_eq!(sketch.quantile(f64::NAN), None);
    }
}
