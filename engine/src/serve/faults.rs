//! Faults on demand: a GPU that flips bits, a release that is slow or fails. For the demo and for tests.
//!
//! What can be asked for, by flags or by `POST /fault`, and what it does to weights and requests. It deliberately holds
//! nothing: what is in force, and the model that goes with it, is kept by [`injection`](super::injection).

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::errors::ApiError;
use crate::chance::Chance;
use crate::weights::Weights;

/// Which faults to inject from the start, and whether they can be changed; none by default.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Fault injection (demo and tests)")]
pub struct Faults {
    /// Replace this share of the weights by noise after the artifact was verified
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0, hide_short_help = true, value_parser = share)]
    pub corrupt_weights: f64,
    /// Delay each request by this many milliseconds
    #[arg(long, value_name = "N", default_value_t = 0, hide_short_help = true)]
    pub inject_latency_ms: u64,
    /// Answer this share of the requests with status 500
    #[arg(long, value_name = "P", default_value_t = 0.0, hide_short_help = true, value_parser = share)]
    pub inject_error_rate: f64,
    /// Let POST /fault replace the faults while serving: {"corrupt_weights":0.1,"latency_ms":50,"error_rate":0.2}
    ///
    /// What the request leaves out is 0; {} is healthy again, on the verified weights.
    #[arg(long, hide_short_help = true)]
    pub allow_faults: bool,
}

impl Faults {
    /// The faults to start with.
    pub(super) fn initial(&self) -> Levels {
        Levels {
            corrupt_weights: self.corrupt_weights,
            latency_ms: self.inject_latency_ms,
            error_rate: self.inject_error_rate,
        }
    }

    /// Says loudly, at the start, which faults are on or can be switched on.
    pub(super) fn warn(&self) {
        if self.allow_faults {
            warning("--allow-faults is on: whoever reaches this address can make the engine fail with POST /fault");
        }
        if self.initial() != Levels::default() {
            self.initial().warn();
        }
    }
}

/// How much goes wrong; the default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Levels {
    /// Share of the weights that are noise.
    pub(super) corrupt_weights: f64,
    /// Milliseconds that each request is delayed by.
    pub(super) latency_ms: u64,
    /// Share of the requests that fail.
    pub(super) error_rate: f64,
}

/// The body of `POST /fault`, before its values are checked: a wrong one is to be named by its field.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    corrupt_weights: Value,
    latency_ms: Value,
    error_rate: Value,
}

impl Levels {
    /// Parses the body of `POST /fault`.
    ///
    /// # Errors
    /// [`ApiError::Invalid`] with the field when it is no JSON object, has an unknown field, or a value is out of range.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let asked: Asked = serde_json::from_slice(body).map_err(|error| ApiError::Invalid {
            field: "body",
            message: format!("a fault is a JSON object with corrupt_weights, latency_ms and error_rate: {error}"),
        })?;
        let share = |field, value: &Value| match value.as_f64() {
            Some(share) if (0.0..=1.0).contains(&share) => Ok(share),
            None if value.is_null() => Ok(0.0),
            _ => Err(ApiError::Invalid { field, message: format!("{field} is {value}: use a number from 0 to 1") }),
        };
        let milliseconds = |field, value: &Value| match value.as_u64() {
            Some(milliseconds) => Ok(milliseconds),
            None if value.is_null() => Ok(0),
            _ => Err(ApiError::Invalid {
                field,
                message: format!("{field} is {value}: use a whole number of milliseconds from 0"),
            }),
        };
        Ok(Self {
            corrupt_weights: share("corrupt_weights", &asked.corrupt_weights)?,
            latency_ms: milliseconds("latency_ms", &asked.latency_ms)?,
            error_rate: share("error_rate", &asked.error_rate)?,
        })
    }

    /// Says loudly that these are in force now.
    pub(super) fn warn(&self) {
        let Self { corrupt_weights, latency_ms, error_rate } = self;
        if *self == Self::default() {
            warning("fault injection is off: the verified weights answer, without delay");
        } else {
            warning(&format!(
                "fault injection is on: corrupt weights {corrupt_weights}, latency {latency_ms} ms, error rate \
                 {error_rate}"
            ));
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
        (self.latency_ms > 0).then(|| Duration::from_millis(self.latency_ms))
    }

    /// Whether request number `count` fails.
    pub(super) fn fails(&self, count: &AtomicU64) -> bool {
        self.error_rate > 0.0
            && Chance::new(0, "errors", count.fetch_add(1, Ordering::Relaxed)).unit() < self.error_rate
    }
}

/// A line on standard error, whatever the log level; `eprintln!` would panic when nobody reads it any more.
fn warning(text: &str) {
    let _ = writeln!(std::io::stderr(), "WARNING: {text}");
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
            Levels { corrupt_weights: fraction, ..Levels::default() }.corrupt(&mut weights);
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

    #[test]
    fn what_a_fault_leaves_out_is_nothing_and_the_demo_s_form_is_understood() {
        for healthy in ["{}", r#"{"corrupt_weights":0.0,"latency_ms":0,"error_rate":0}"#, r#"{"latency_ms":null}"#] {
            assert_eq!(Levels::parse(healthy.as_bytes()), Ok(Levels::default()), "{healthy}");
        }
        let canary = br#"{"corrupt_weights":0.0,"latency_ms":900,"error_rate":0.4}"#;
        let expected = Levels { corrupt_weights: 0.0, latency_ms: 900, error_rate: 0.4 };
        assert_eq!(Levels::parse(canary), Ok(expected));
        assert_eq!(serde_json::to_string(&expected).unwrap().as_bytes(), canary);
    }
}
