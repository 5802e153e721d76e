//! Faults on demand: a GPU that flips bits, a release that is slow or fails. For the demo and for tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::chance::Chance;
use crate::weights::Weights;

/// Which faults to inject; none by default.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Fault injection (demo and tests)")]
pub struct Faults {
    /// Replace this share of the weights by noise after the artifact was verified
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0, hide = true, value_parser = share)]
    pub corrupt_weights: f64,
    /// Delay each request by this many milliseconds
    #[arg(long, value_name = "N", default_value_t = 0, hide = true)]
    pub inject_latency_ms: u64,
    /// Answer this share of the requests with status 500
    #[arg(long, value_name = "P", default_value_t = 0.0, hide = true, value_parser = share)]
    pub inject_error_rate: f64,
}

impl Faults {
    /// Says loudly which faults are on.
    pub(super) fn warn(&self) {
        let Self { corrupt_weights, inject_latency_ms, inject_error_rate } = self;
        if *corrupt_weights > 0.0 || *inject_latency_ms > 0 || *inject_error_rate > 0.0 {
            eprintln!(
                "WARNING: fault injection is on: corrupt-weights {corrupt_weights}, inject-latency-ms \
                 {inject_latency_ms}, inject-error-rate {inject_error_rate}"
            );
        }
    }

    /// Replaces weights by noise of their tensor's own size, always the same ones.
    pub(super) fn corrupt(&self, weights: &mut Weights) {
        if self.corrupt_weights <= 0.0 {
            return;
        }
        let mut chance = Chance::new(0, "corruption", 0);
        for values in weights.each_mut() {
            let size = (values.iter().map(|value| value * value).sum::<f32>() / values.len().max(1) as f32).sqrt();
            for value in values {
                if chance.unit() < self.corrupt_weights {
                    *value = size * chance.normal() as f32;
                }
            }
        }
    }

    pub(super) fn latency(&self) -> Option<Duration> {
        (self.inject_latency_ms > 0).then(|| Duration::from_millis(self.inject_latency_ms))
    }

    /// Whether request number `count` fails.
    pub(super) fn fails(&self, count: &AtomicU64) -> bool {
        self.inject_error_rate > 0.0
            && Chance::new(0, "errors", count.fetch_add(1, Ordering::Relaxed)).unit() < self.inject_error_rate
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("use a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::Architecture;

    #[test]
    fn the_given_share_of_weights_changes_always_the_same_way() {
        let architecture = Architecture { layers: 1, ..Architecture::default() };
        let original = Weights::initial(&architecture, 1);
        let corrupt = |fraction| {
            let mut weights = original.clone();
            Faults { corrupt_weights: fraction, ..Faults::default() }.corrupt(&mut weights);
            weights
        };
        assert_eq!(corrupt(0.0), original);
        assert_eq!(corrupt(0.1), corrupt(0.1));
        let mut both = (corrupt(0.1), original.clone());
        let pairs = both.0.each_mut().zip(both.1.each_mut()).flat_map(|(a, b)| a.iter().zip(b.iter()));
        let changed = pairs.filter(|(a, b)| a != b).count() as f64 / original.count() as f64;
        assert!((changed - 0.1).abs() < 0.01, "{changed}");
        assert!(share("1.5").is_err() && share("0.5") == Ok(0.5));
    }
}
