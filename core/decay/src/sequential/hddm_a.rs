use super::running::RunningMean;
use super::{Detector, Signal};

/// HDDM_A: the mean since the best cut against the mean up to it, by Hoeffding's bound (Frías-Blanco et al., IEEE TKDE 27, 2015), as
/// river 0.26.1's.
#[derive(Clone, Copy, Debug)]
pub struct HddmA {
    drift_confidence: f64,
    warning_confidence: f64,
    two_sided: bool,
    all: RunningMean,
    lowest: RunningMean,
    highest: RunningMean,
    drifted: bool,
}

impl Default for HddmA {
    fn default() -> Self {
        Self::new(0.001, 0.005, false)
    }
}

impl HddmA {
    /// Confidences are chances of error of one comparison; `two_sided` looks for decreases as well.
    #[must_use]
    pub fn new(drift_confidence: f64, warning_confidence: f64, two_sided: bool) -> Self {
        let none = RunningMean::default();
        Self { drift_confidence, warning_confidence, two_sided, all: none, lowest: none, highest: none, drifted: false }
    }

    fn bound(&self, n: f64) -> f64 {
        (1.0 / (2.0 * n) * (1.0 / self.drift_confidence).ln()).sqrt()
    }

    fn has_moved(&self, from: RunningMean, sign: f64, confidence: f64) -> bool {
        if from.n == self.all.n {
            return false;
        }
        let m = (self.all.n - from.n) / from.n * (1.0 / self.all.n);
        sign * (self.all.value - from.value) >= (m / 2.0 * (2.0 / confidence).ln()).sqrt()
    }
}

impl Detector for HddmA {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::QUIET;
        }
        if self.drifted {
            *self = Self::new(self.drift_confidence, self.warning_confidence, self.two_sided);
        }
        self.all.update(value);
        if self.lowest.n == 0.0 {
            self.lowest = self.all;
        }
        if self.highest.n == 0.0 {
            self.highest = self.all;
        }
        let slack = self.bound(self.all.n);
        if self.lowest.value + self.bound(self.lowest.n) >= self.all.value + slack {
            self.lowest = self.all;
        }
        if self.highest.value - self.bound(self.highest.n) <= self.all.value - slack {
            self.highest = self.all;
        }
        let mut signal = Signal::QUIET;
        if self.has_moved(self.lowest, 1.0, self.drift_confidence) {
            signal.drift = true;
        } else {
            signal.warning = self.has_moved(self.lowest, 1.0, self.warning_confidence);
        }
        if self.two_sided {
            if self.has_moved(self.highest, -1.0, self.drift_confidence) {
                signal.drift = true;
            } else if self.has_moved(self.highest, -1.0, self.warning_confidence) {
                signal.warning = true;
            }
        }
        self.drifted = signal.drift;
        signal
    }
}
