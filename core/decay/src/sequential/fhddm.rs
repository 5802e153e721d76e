use std::collections::VecDeque;

use super::{Detector, Signal};

/// The fast Hoeffding drift detection method: the mean of a sliding window against its highest (Pesaranghader and Viktor 2016), as
/// river 0.26.1's with its long window alone.
///
/// It signals when the mean *falls*: feed it successes as 1 to detect a loss.
#[derive(Clone, Debug)]
pub struct Fhddm {
    size: usize,
    epsilon: f64,
    window: VecDeque<f64>,
    sum: f64,
    highest: f64,
    drifted: bool,
}

impl Default for Fhddm {
    fn default() -> Self {
        Self::new(100, 0.000_001)
    }
}

impl Fhddm {
    /// `size`: observations in the window; `confidence`: chance that goes into Hoeffding's bound.
    #[must_use]
    pub fn new(size: u32, confidence: f64) -> Self {
        let size = size.max(1) as usize;
        let epsilon = ((1.0 / confidence).ln() / (2.0 * size as f64)).sqrt();
        Self { size, epsilon, window: VecDeque::with_capacity(size), sum: 0.0, highest: 0.0, drifted: false }
    }
}

impl Detector for Fhddm {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::QUIET;
        }
        if self.drifted {
            self.window.clear();
            (self.sum, self.highest, self.drifted) = (0.0, 0.0, false);
        }
        self.window.push_back(value);
        self.sum += value;
        if self.window.len() == self.size {
            let mean = self.sum / self.size as f64;
            self.highest = self.highest.max(mean);
            self.drifted = self.highest - mean > self.epsilon;
            self.sum -= self.window.pop_front().unwrap_or_default();
        }
        Signal::drift(self.drifted)
    }
}
