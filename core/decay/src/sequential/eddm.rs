use super::running::RunningVariance;
use super::{Detector, Signal};

/// The early drift detection method: the distance between errors against its longest (Baena-García et al. 2006), as river 0.26.1's.
///
/// Only the value 1 is an error. A warning stands until the next error is weighed.
#[derive(Clone, Copy, Debug)]
pub struct Eddm {
    warm_start: u64,
    alpha: f64,
    beta: f64,
    distances: RunningVariance,
    n: u64,
    errors: u64,
    last_error: u64,
    longest: f64,
    signal: Signal,
}

impl Default for Eddm {
    fn default() -> Self {
        Self::new(30, 0.95, 0.9)
    }
}

impl Eddm {
    /// `warm_start`: errors before the first signal; `alpha` and `beta`: share of the longest distance below which to warn and to
    /// signal drift.
    #[must_use]
    pub fn new(warm_start: u32, alpha: f64, beta: f64) -> Self {
        Self {
            warm_start: u64::from(warm_start),
            alpha,
            beta,
            distances: RunningVariance::default(),
            n: 0,
            errors: 0,
            last_error: 0,
            longest: -1.0,
            signal: Signal::QUIET,
        }
    }
}

impl Detector for Eddm {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::QUIET;
        }
        if self.signal.drift {
            *self = Self::new(self.warm_start as u32, self.alpha, self.beta);
        }
        self.n += 1;
        if value != 1.0 {
            return self.signal;
        }
        self.errors += 1;
        self.distances.update((self.n - self.last_error) as f64);
        if self.n > self.warm_start {
            let distance = self.distances.mean.value + 2.0 * self.distances.value().max(0.0).sqrt();
            if distance > self.longest {
                self.longest = distance;
            } else if self.errors > self.warm_start {
                let level = distance / self.longest;
                if level < self.beta {
                    self.signal.drift = true;
                } else {
                    self.signal.warning = level < self.alpha;
                }
            }
        }
        self.last_error = self.n;
        self.signal
    }
}
