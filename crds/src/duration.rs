//! Durations and margins as people write them: `15m`, `30d`, `3points`, `10%`, `800ms`.

use std::time::Duration;

/// Pattern of a duration in a schema.
pub const DURATION_PATTERN: &str = "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$";

/// Pattern of a percentage in a schema.
pub const PERCENT_PATTERN: &str = "^[0-9]+(\\.[0-9]+)?%$";

/// Why a text is no duration, percentage or threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: write {example}")]
pub struct ParseError {
    text: String,
    what: &'static str,
    example: &'static str,
}

/// A distance from a baseline or a plain value, as written in a policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// A plain number in the metric's unit; durations become seconds.
    Plain(f64),
    /// `3points`: hundredths of a ratio.
    Points(f64),
    /// `10%`: a share.
    Percent(f64),
}

/// Parses `250ms`, `15s`, `30m`, `24h`, `30d`.
///
/// # Errors
/// Names the text and shows how to write one.
pub fn duration(text: &str) -> Result<Duration, ParseError> {
    let fail = || ParseError {
        text: text.to_string(),
        what: "duration",
        example: "a number and ms, s, m, h or d, such as 15m",
    };
    let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(fail)?;
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| fail())?;
    let seconds = number
        * match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(fail()),
        };
    Duration::try_from_secs_f64(seconds).map_err(|_| fail())
}

/// Parses `50%` into 0.5.
///
/// # Errors
/// Names the text and shows how to write one.
pub fn percent(text: &str) -> Result<f64, ParseError> {
    let fail = || ParseError { text: text.to_string(), what: "percentage", example: "a number and %, such as 50%" };
    let number: f64 = text.strip_suffix('%').ok_or_else(fail)?.parse().map_err(|_| fail())?;
    if number.is_finite() { Ok(number / 100.0) } else { Err(fail()) }
}

/// Parses a threshold: `0.9`, `800ms`, `3points`, `10%`.
///
/// # Errors
/// Names the text and shows how to write one.
pub fn quantity(text: &str) -> Result<Quantity, ParseError> {
    let fail = || ParseError {
        text: text.to_string(),
        what: "threshold",
        example: "a number such as 0.9, a duration such as 800ms, 3points or 10%",
    };
    if let Some(points) = text.strip_suffix("points").or_else(|| text.strip_suffix("point")) {
        return finite(points).map(|value| Quantity::Points(value / 100.0)).ok_or_else(fail);
    }
    if text.ends_with('%') {
        return percent(text).map(Quantity::Percent).map_err(|_| fail());
    }
    if let Some(number) = finite(text) {
        return Ok(Quantity::Plain(number));
    }
    duration(text).map(|value| Quantity::Plain(value.as_secs_f64())).map_err(|_| fail())
}

/// Writes a duration the way it is parsed, in the largest unit that divides it.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis >= size && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

fn finite(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_thresholds_parse() {
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(quantity("3points"), Ok(Quantity::Points(0.03)));
        assert_eq!(quantity("800ms"), Ok(Quantity::Plain(0.8)));
        assert_eq!(quantity("0.9"), Ok(Quantity::Plain(0.9)));
        assert_eq!(quantity("10%"), Ok(Quantity::Percent(0.1)));
        assert_eq!(format_duration(Duration::from_secs(5400)), "90m");
    }

    #[test]
    fn refusals_show_how_to_write_it() {
        for text in ["", "15", "m", "-3s", "1e400s", "15 parsecs"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
        assert_eq!(
            percent("half").map_err(|error| error.to_string()),
            Err("\"half\" is no percentage: write a number and %, such as 50%".into())
        );
        assert!(quantity("NaN").is_err());
        assert!(quantity("soon").is_err());
    }
}
