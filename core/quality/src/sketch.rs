use serde::{Deserialize, Serialize};

use crate::distribution::DistributionSketch;
use crate::registry::Statistic;

/// The two-sided 95 % point of the normal distribution.
pub(crate) const Z95: f64 = 1.959_963_984_540_054;

/// Everything observed in one window, in a form in which windows, replicas and slices can be merged in any order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Sketch {
    /// Count, sum and sum of squares: enough for means and rates with their intervals.
    Moments(Moments),
    /// A DDSketch: quantiles with a stated relative error.
    Distribution(DistributionSketch),
}

/// Count, sum and sum of squares of the observations.
///
/// Counts are exact under every order of merging; the sums are exact for 0/1 data and carry ordinary rounding otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// How many.
    pub n: u64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub squares: f64,
}

/// A value with its 95 % interval and the number of observations behind it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
    /// Number of observations.
    pub n: u64,
}

/// Why two sketches do not merge or bytes are no sketch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SketchError {
    /// Moments with a distribution.
    #[error("a sketch of moments does not merge with a distribution: the two reports disagree on what the metric is")]
    Kind,
    /// Not a sketch.
    #[error("the bytes are no sketch: {0}")]
    Decode(String),
}

impl Sketch {
    /// An empty sketch of the sort in which `metric` is stored.
    #[must_use]
    pub fn empty(statistic: Statistic) -> Self {
        match statistic {
            Statistic::Mean => Self::Moments(Moments::default()),
            Statistic::Quantile(_) => Self::Distribution(DistributionSketch::default()),
        }
    }

    /// Adds one observation. A value that is not finite is no observation and is left out: missing is not zero.
    pub fn observe(&mut self, value: f64) {
        match self {
            Self::Moments(moments) => moments.observe(value),
            Self::Distribution(distribution) => distribution.observe(value),
        }
    }

    /// Adds all observations of `other`.
    ///
    /// # Errors
    /// When one holds moments and the other a distribution; `self` is then unchanged.
    pub fn merge(&mut self, other: &Self) -> Result<(), SketchError> {
        match (self, other) {
            (Self::Moments(a), Self::Moments(b)) => a.merge(b),
            (Self::Distribution(a), Self::Distribution(b)) => a.merge(b),
            _ => return Err(SketchError::Kind),
        }
        Ok(())
    }

    /// Number of observations.
    #[must_use]
    pub fn n(&self) -> u64 {
        match self {
            Self::Moments(moments) => moments.n,
            Self::Distribution(distribution) => distribution.n(),
        }
    }

    /// The statistic with its 95 % interval; `None` when nothing was observed, or when moments are asked for a quantile.
    #[must_use]
    pub fn estimate(&self, statistic: Statistic) -> Option<Estimate> {
        match (self, statistic) {
            (Self::Moments(moments), Statistic::Mean) => moments.mean(),
            (Self::Moments(_), Statistic::Quantile(_)) => None,
            (Self::Distribution(distribution), Statistic::Mean) => distribution.mean(),
            (Self::Distribution(distribution), Statistic::Quantile(q)) => distribution.quantile(q),
        }
    }
}

impl Moments {
    /// Adds one observation; a value that is not finite is left out.
    pub fn observe(&mut self, value: f64) {
        if value.is_finite() {
            self.merge(&Self { n: 1, sum: value, squares: value * value });
        }
    }

    /// Adds all observations of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.n = self.n.saturating_add(other.n);
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// Whether every observation was 0 or 1, as far as the sums can tell: for values within 0 and 1 a square equals its
    /// value only at the two ends.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let within = self.sum >= 0.0 && self.sum <= self.n as f64;
        within && self.squares == self.sum && self.sum.fract() == 0.0
    }

    /// The mean with its 95 % interval; `None` when empty.
    ///
    /// For 0/1 data the interval is Wilson's score interval (Wilson 1927), which keeps its coverage near 0 and 1;
    /// otherwise it is the normal interval from the sample variance. From a single observation that is not 0 or 1 no
    /// interval follows, and the widest finite one is given.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn mean(&self) -> Option<Estimate> {
        if self.n == 0 {
            return None;
        }
        let n = self.n as f64;
        let mean = self.sum / n;
        if self.is_binary() {
            let z2 = Z95 * Z95;
            let centre = (mean + z2 / (2.0 * n)) / (1.0 + z2 / n);
            let half = Z95 / (1.0 + z2 / n) * (mean * (1.0 - mean) / n + z2 / (4.0 * n * n)).sqrt();
            let (low, high) = ((centre - half).max(0.0).min(mean), (centre + half).min(1.0).max(mean));
            return Some(Estimate { value: mean, low, high, n: self.n });
        }
        let Some(variance) = self.variance_of_mean() else {
            return Some(Estimate { value: mean, low: f64::MIN, high: f64::MAX, n: self.n });
        };
        let half = Z95 * variance.sqrt();
        Some(Estimate { value: mean, low: mean - half, high: mean + half, n: self.n })
    }

    /// The variance of the mean, for weighting slices together; `None` when too few observations say nothing about it.
    ///
    /// 0/1 data are smoothed by two successes and two failures (Agresti and Coull 1998), so that a slice in which every
    /// answer was right is not taken for certain.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn variance_of_mean(&self) -> Option<f64> {
        let n = self.n as f64;
        if self.n > 0 && self.is_binary() {
            let rate = (self.sum + 2.0) / (n + 4.0);
            return Some(rate * (1.0 - rate) / (n + 4.0));
        }
        if self.n < 2 {
            return None;
        }
        Some(((self.squares - self.sum * self.sum / n) / (n - 1.0)).max(0.0) / n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        values.iter().for_each(|value| moments.observe(*value));
        moments
    }

    #[test]
    fn rates_have_wilson_intervals() {
        let ones = [1.0; 8];
        let zeros = [0.0; 2];
        let rate = moments(&[ones.as_slice(), zeros.as_slice()].concat()).mean().unwrap();
        // Wilson interval of 8 out of 10, by hand from the formula.
        assert!((rate.value - 0.8).abs() < 1e-12);
        assert!((rate.low - 0.490_162_47).abs() < 1e-6, "{rate:?}");
        assert!((rate.high - 0.943_317_8).abs() < 1e-6, "{rate:?}");
        let all = moments(&ones).mean().unwrap();
        assert!(all.high == 1.0 && all.low < 0.7, "{all:?}");
    }

    #[test]
    fn means_have_normal_intervals() {
        let mean = moments(&[1.0, 2.0, 3.0, 4.0]).mean().unwrap();
        let half = Z95 * (5.0_f64 / 3.0 / 4.0).sqrt();
        assert!((mean.value - 2.5).abs() < 1e-12 && (mean.high - mean.value - half).abs() < 1e-12, "{mean:?}");
    }

    #[test]
    fn missing_is_not_zero() {
        assert_eq!(moments(&[f64::NAN, f64::INFINITY]), Moments::default());
        assert_eq!(Moments::default().mean(), None);
        assert_eq!(moments(&[0.5]).variance_of_mean(), None);
        assert_eq!(Sketch::empty(Statistic::Quantile(0.5)).estimate(Statistic::Quantile(0.5)), None);
    }

    #[test]
    fn moments_and_distributions_do_not_merge() {
        let mut a = Sketch::empty(Statistic::Mean);
        a.observe(1.0);
        let before = a.clone();
        assert_eq!(a.merge(&Sketch::empty(Statistic::Quantile(0.5))), Err(SketchError::Kind));
        assert_eq!(a, before);
    }
}
