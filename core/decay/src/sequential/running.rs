//! Running mean and variance in the order of operations of river's `stats.Mean`, `stats.Var` and `stats.EWMean`, so that detectors
//! built on them agree with river's to the last bit.

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunningMean {
    pub(super) n: f64,
    pub(super) value: f64,
}

impl RunningMean {
    pub(super) fn update(&mut self, x: f64) {
        self.n += 1.0;
        self.value += (1.0 / self.n) * (x - self.value);
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunningVariance {
    pub(super) mean: RunningMean,
    sum: f64,
}

impl RunningVariance {
    pub(super) fn update(&mut self, x: f64) {
        let before = self.mean.value;
        self.mean.update(x);
        self.sum += (x - before) * (x - self.mean.value);
    }

    /// The sample variance, 0 for fewer than two values.
    pub(super) fn value(&self) -> f64 {
        if self.mean.n > 1.0 { self.sum / (self.mean.n - 1.0) } else { 0.0 }
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FadingMean {
    pub(super) value: Option<f64>,
}

impl FadingMean {
    pub(super) fn update(&mut self, x: f64, weight: f64) {
        self.value = Some(self.value.map_or(x, |held| weight * x + (1.0 - weight) * held));
    }
}
