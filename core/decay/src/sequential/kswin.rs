use std::collections::VecDeque;

use super::{Detector, PythonRandom, Signal};
use crate::two_sample::KsMethod;

/// KSWIN: a Kolmogorov-Smirnov test of the newest observations against a sample of those before (Raab, Heusinger, Schleif 2020), as
/// river 0.26.1's with a seed, down to Python's sampling.
#[derive(Clone, Debug)]
pub struct Kswin {
    alpha: f64,
    size: usize,
    newest: usize,
    seed: u64,
    random: PythonRandom,
    window: VecDeque<f64>,
    drifted: bool,
}

impl Kswin {
    /// `alpha`: p-value at or below which the window has changed; `size`: observations in the window; `newest`: how many of them
    /// are compared with as many of the others, at most half of `size`.
    #[must_use]
    pub fn new(alpha: f64, size: u32, newest: u32, seed: u64) -> Self {
        let size = size.max(2) as usize;
        let newest = (newest.max(1) as usize).min(size / 2);
        Self {
            alpha,
            size,
            newest,
            seed,
            random: PythonRandom::new(seed),
            window: VecDeque::with_capacity(size),
            drifted: false,
        }
    }

    /// River's defaults: alpha .005, window 100, newest 30.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self::new(0.005, 100, 30, seed)
    }
}

impl Detector for Kswin {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::QUIET;
        }
        if self.drifted {
            self.window.clear();
            self.random = PythonRandom::new(self.seed);
            self.drifted = false;
        }
        if self.window.len() == self.size {
            self.window.pop_front();
        }
        self.window.push_back(value);
        if self.window.len() == self.size {
            let older = self.size - self.newest;
            let drawn = self.random.sample(older, self.newest);
            let mut then: Vec<f64> = drawn.into_iter().map(|index| self.window[index]).collect();
            let mut now: Vec<f64> = self.window.range(older..).copied().collect();
            then.sort_by(f64::total_cmp);
            now.sort_by(f64::total_cmp);
            let test = crate::two_sample::of_sorted(&then, &now, KsMethod::Auto);
            self.drifted = test.p_value.is_some_and(|p| p <= self.alpha) && test.statistic > 0.1;
        }
        Signal::drift(self.drifted)
    }
}
