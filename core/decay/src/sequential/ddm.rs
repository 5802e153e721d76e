use super::running::RunningMean;
use super::{Detector, Signal};

/// The drift detection method: the error rate since the start against its best (Gama et al., SBIA 2004), as river 0.26.1's.
#[derive(Clone, Copy, Debug)]
pub struct Ddm {
    warm_start: f64,
    warning_threshold: f64,
    drift_threshold: f64,
    rate: RunningMean,
    /// Rate and deviation where their sum was smallest.
    best: Option<(f64, f64)>,
    signal: Signal,
}

impl Default for Ddm {
    fn default() -> Self {
        Self::new(30, 2.0, 3.0)
    }
}

impl Ddm {
    /// `warm_start`: observations before the first signal; thresholds in standard deviations at the best.
    #[must_use]
    pub fn new(warm_start: u32, warning_threshold: f64, drift_threshold: f64) -> Self {
        Self {
            warm_start: f64::from(warm_start),
            warning_threshold,
            drift_threshold,
            rate: RunningMean::default(),
            best: None,
            signal: Signal::QUIET,
        }
    }
}

impl Detector for Ddm {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::QUIET;
        }
        if self.signal.drift {
            *self = Self::new(self.warm_start as u32, self.warning_threshold, self.drift_threshold);
        }
        self.rate.update(value);
        let rate = self.rate.value;
        let deviation = (rate * (1.0 - rate) / self.rate.n).max(0.0).sqrt();
        if self.rate.n > self.warm_start {
            let sum = rate + deviation;
            let (best_rate, best_deviation) = match self.best {
                Some((rate, deviation)) if sum > rate + deviation => (rate, deviation),
                _ => *self.best.insert((rate, deviation)),
            };
            self.signal.warning = sum > best_rate + self.warning_threshold * best_deviation;
            if sum > best_rate + self.drift_threshold * best_deviation {
                self.signal = Signal::drift(true);
            }
        }
        self.signal
    }
}
