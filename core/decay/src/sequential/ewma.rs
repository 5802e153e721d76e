use super::{Detector, Signal};

/// An exponentially weighted moving average of standardised observations (Roberts 1959; Lucas and Saccucci 1990), two-sided, with
/// asymptotic limits: `weight` .1 and `limit` 2.7 give a run of 379 without and of 9.8 with a shift of one standard deviation.
///
/// Standardise on the frozen reference first: (x - mean) / standard deviation.
#[derive(Clone, Copy, Debug)]
pub struct Ewma {
    weight: f64,
    /// Largest distance of the average from zero.
    bound: f64,
    average: f64,
    drifted: bool,
}

impl Ewma {
    /// `weight` of the newest observation, above 0 to 1; `limit` in standard deviations of the average.
    #[must_use]
    pub fn new(weight: f64, limit: f64) -> Self {
        let weight = weight.clamp(f64::MIN_POSITIVE, 1.0);
        Self { weight, bound: limit * (weight / (2.0 - weight)).sqrt(), average: 0.0, drifted: false }
    }

    /// The average now.
    #[must_use]
    pub fn average(&self) -> f64 {
        self.average
    }
}

impl Detector for Ewma {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::QUIET;
        }
        if self.drifted {
            (self.average, self.drifted) = (0.0, false);
        }
        self.average += self.weight * (value - self.average);
        self.drifted = self.average.abs() > self.bound;
        Signal::drift(self.drifted)
    }
}
