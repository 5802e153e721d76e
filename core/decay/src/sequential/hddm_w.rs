use super::running::FadingMean;
use super::{Detector, Signal};

/// HDDM_W: exponentially weighted means before and after the best cut, by McDiarmid's bound (Frías-Blanco et al., IEEE TKDE 27,
/// 2015), as river 0.26.1's.
#[derive(Clone, Copy, Debug)]
pub struct HddmW {
    drift_confidence: f64,
    warning_confidence: f64,
    weight: f64,
    two_sided: bool,
    all: Weighted,
    rising: Cut,
    falling: Cut,
    drifted: bool,
}

/// A weighted mean with the factor of its bound.
#[derive(Clone, Copy, Debug)]
struct Weighted {
    mean: FadingMean,
    bound: f64,
}

impl Weighted {
    const EMPTY: Self = Self { mean: FadingMean { value: None }, bound: 1.0 };

    fn update(&mut self, x: f64, weight: f64) {
        self.mean.update(x, weight);
        self.bound = weight * weight + (1.0 - weight).powi(2) * self.bound;
    }

    fn slack(&self, confidence: f64) -> f64 {
        mcdiarmid(self.bound, confidence)
    }
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    at: f64,
    before: Weighted,
    after: Weighted,
}

impl HddmW {
    /// Confidences are chances of error of one comparison; `weight` is that of the newest observation; `two_sided` looks for
    /// decreases as well.
    #[must_use]
    pub fn new(drift_confidence: f64, warning_confidence: f64, weight: f64, two_sided: bool) -> Self {
        let cut = |at| Cut { at, before: Weighted::EMPTY, after: Weighted::EMPTY };
        Self {
            drift_confidence,
            warning_confidence,
            weight,
            two_sided,
            all: Weighted::EMPTY,
            rising: cut(f64::INFINITY),
            falling: cut(f64::NEG_INFINITY),
            drifted: false,
        }
    }
}

impl Default for HddmW {
    fn default() -> Self {
        Self::new(0.001, 0.005, 0.05, false)
    }
}

fn mcdiarmid(bound: f64, confidence: f64) -> f64 {
    (bound * (1.0 / confidence).ln() / 2.0).sqrt()
}

/// Whether the mean of `high` is above that of `low` by more than chance.
fn is_above(low: &Weighted, high: &Weighted, confidence: f64) -> bool {
    let (Some(from), Some(to)) = (low.mean.value, high.mean.value) else { return false };
    to - from > mcdiarmid(low.bound + high.bound, confidence)
}

impl Detector for HddmW {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::QUIET;
        }
        if self.drifted {
            *self = Self::new(self.drift_confidence, self.warning_confidence, self.weight, self.two_sided);
        }
        self.all.update(value, self.weight);
        let slack = self.all.slack(self.drift_confidence);
        let mean = self.all.mean.value.unwrap_or(value);
        if mean + slack < self.rising.at {
            self.rising = Cut { at: mean + slack, before: self.all, after: Weighted::EMPTY };
        } else {
            self.rising.after.update(value, self.weight);
        }
        let mut signal = Signal::QUIET;
        if is_above(&self.rising.before, &self.rising.after, self.drift_confidence) {
            signal.drift = true;
        } else {
            signal.warning = is_above(&self.rising.before, &self.rising.after, self.warning_confidence);
        }
        if mean - slack > self.falling.at {
            self.falling = Cut { at: mean - slack, before: self.all, after: Weighted::EMPTY };
        } else {
            self.falling.after.update(value, self.weight);
        }
        if self.two_sided {
            if is_above(&self.falling.after, &self.falling.before, self.drift_confidence) {
                signal.drift = true;
            } else if is_above(&self.falling.after, &self.falling.before, self.warning_confidence) {
                signal.warning = true;
            }
        }
        self.drifted = signal.drift;
        signal
    }
}
