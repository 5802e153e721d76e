//! The sentences of verdicts and diagnoses.

use std::time::Duration;

use homeostat_quality::registry::Metric;
use homeostat_quality::{Estimate, Slice};

/// A value without a known unit: four significant places are enough to act on.
pub(crate) fn plain(value: f64) -> String {
    if value != 0.0 && (value.abs() >= 1e6 || value.abs() < 1e-3) {
        format!("{value:.3e}")
    } else {
        format!("{value:.3}")
    }
}

/// `90s`, `15m`, `1h`, `1h30m`: as durations are written in resources.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds == 0 {
        return format!("{}ms", duration.as_millis());
    }
    let (hours, minutes, rest) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
    let mut text = String::new();
    for (figure, unit) in [(hours, 'h'), (minutes, 'm'), (rest, 's')] {
        if figure > 0 {
            text.push_str(&format!("{figure}{unit}"));
        }
    }
    text
}

/// `0.812 (95 % interval 0.780 to 0.841, n = 812)`.
pub(crate) fn estimate(metric: &Metric, estimate: &Estimate) -> String {
    let show = |value| metric.unit.show(value);
    let Estimate { value, low, high, n } = *estimate;
    if low <= f64::MIN || high >= f64::MAX {
        return format!("{} (n = {n})", show(value));
    }
    format!("{} (95 % interval {} to {}, n = {n})", show(value), show(low), show(high))
}

/// A slice's name for people.
pub(crate) fn slice(slice: &Slice) -> String {
    if slice.as_str().is_empty() { "unclassified requests".to_string() } else { format!("slice {slice}") }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}
