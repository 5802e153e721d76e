use std::time::Duration;

use homeostat_clock::Rng;
use rand::Rng as _;

/// Waits that double from `initial` to `most`, each spread by a fifth up or down so that many waiters do not march in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    initial: Duration,
    most: Duration,
    next: Duration,
    rng: Rng,
}

impl Backoff {
    pub(crate) fn new(initial: Duration, most: Duration, rng: Rng) -> Self {
        Self { initial, most, next: initial, rng }
    }

    /// How long to wait after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.most);
        // 80 % to 120 %, in per mille.
        let spread = 800 + u32::try_from(self.rng.next_u64() % 401).unwrap_or(200);
        wait * spread / 1000
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.initial;
    }
}

#[cfg(test)]
mod tests {
    use homeostat_clock::Seed;

    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_start_again_after_a_reset() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, second * 60, Seed::fixed(1).rng("backoff"));
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = backoff.next().as_secs_f64() / f64::from(expected);
            assert!((0.8..=1.2).contains(&wait), "{expected}: {wait}");
        }
        backoff.reset();
        assert!(backoff.next() <= second * 6 / 5);
    }
}
