use super::{Detector, Signal};

/// Page's cumulative sum of standardised observations, two-sided: `allowance` .5 and `limit` 5 give a run of 465 without and of 10.4 with
/// a shift of one standard deviation.
///
/// Standardise on the frozen reference first: (x - mean) / standard deviation. [`Cusum::for_run_length`] finds the limit.
#[derive(Clone, Copy, Debug)]
pub struct Cusum {
    allowance: f64,
    limit: f64,
    high: f64,
    low: f64,
    drifted: bool,
}

impl Cusum {
    /// `allowance`: half the shift to be found, in standard deviations; `limit`: sum at which a drift is signalled.
    #[must_use]
    pub fn new(allowance: f64, limit: f64) -> Self {
        Self { allowance, limit, high: 0.0, low: 0.0, drifted: false }
    }

    /// With the limit at which normal observations without drift run for `run_length` observations on average; `None` when a
    /// figure is not positive and finite, or no limit below 1000 does it.
    #[must_use]
    pub fn for_run_length(allowance: f64, run_length: f64) -> Option<Self> {
        Some(Self::new(allowance, crate::calibration::cusum_limit(allowance, run_length)?))
    }

    /// The limit.
    #[must_use]
    pub fn limit(&self) -> f64 {
        self.limit
    }
}

impl Detector for Cusum {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::QUIET;
        }
        if self.drifted {
            *self = Self::new(self.allowance, self.limit);
        }
        self.high = (self.high + value - self.allowance).max(0.0);
        self.low = (self.low - value - self.allowance).max(0.0);
        self.drifted = self.high > self.limit || self.low > self.limit;
        Signal::drift(self.drifted)
    }
}

/// The cumulative log-likelihood ratio of zeros and ones for an increase of their rate (Page 1954; Moustakides 1986: no detector
/// with as few false alarms finds that increase sooner, in the worst case).
///
/// Scores are small whole numbers in the ratio of the two log-likelihoods, so that the run length without drift is computed exactly
/// (Reynolds and Stoumbos 1999).
#[derive(Clone, Copy, Debug)]
pub struct BernoulliCusum {
    up: i64,
    down: i64,
    limit: i64,
    sum: i64,
    drifted: bool,
}

impl BernoulliCusum {
    /// Finds an increase from rate `from` to `to` with a run of at least `run_length` observations on average at `from`; `None`
    /// unless 0 < `from` < `to` < 1 and the run length is between 1 and 1e12.
    #[must_use]
    pub fn for_run_length(from: f64, to: f64, run_length: f64) -> Option<Self> {
        let (up, down, limit) = crate::calibration::bernoulli_cusum_limit(from, to, run_length)?;
        Some(Self { up, down, limit, sum: 0, drifted: false })
    }

    /// The evidence as a share of what signals a drift, 0 to 1.
    #[must_use]
    pub fn level(&self) -> f64 {
        self.sum as f64 / self.limit as f64
    }
}

impl Detector for BernoulliCusum {
    /// Takes 1 for what should not become more frequent, 0 for the rest; other values count as 1 from one half up.
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::QUIET;
        }
        if self.drifted {
            (self.sum, self.drifted) = (0, false);
        }
        self.sum = (self.sum + if value >= 0.5 { self.up } else { -self.down }).clamp(0, self.limit);
        self.drifted = self.sum >= self.limit;
        Signal::drift(self.drifted)
    }
}
