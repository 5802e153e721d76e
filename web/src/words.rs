//! Times, ages and figures as people read them. Pure: "now" comes in.

use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_quality::registry;

/// A point in time with everything a page shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// RFC 3339, for machines.
    pub(crate) iso: String,
    /// `5 min ago`, `in 2 h`.
    pub(crate) relative: String,
    /// `2026-11-24 14:02:05 UTC`
    pub(crate) absolute: String,
}

impl Moment {
    pub(crate) fn new(time: UtcMillis, now: UtcMillis) -> Self {
        let iso = time.to_rfc3339();
        let absolute = format!("{} {} UTC", iso.get(..10).unwrap_or(&iso), iso.get(11..19).unwrap_or(""));
        Self { relative: relative(time, now), iso, absolute }
    }
}

impl std::fmt::Display for Moment {
    /// As HTML; made of digits, letters and punctuation that need no escaping.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, r#"<time datetime="{}" title="{}">{}</time>"#, self.iso, self.absolute, self.relative)
    }
}

impl askama::filters::HtmlSafe for Moment {}

/// The time of a Kubernetes object.
pub(crate) fn millis(time: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Time) -> UtcMillis {
    UtcMillis(time.0.as_millisecond())
}

/// `just now`, `42 s ago`, `in 5 min`: as seen from `now`.
pub(crate) fn relative(time: UtcMillis, now: UtcMillis) -> String {
    if time > now {
        return format!("in {}", length(time.since(now)));
    }
    match now.since(time) {
        age if age < Duration::from_secs(2) => "just now".to_string(),
        age => format!("{} ago", length(age)),
    }
}

/// A length in its largest sensible unit: `42 s`, `5 min`, `3 h`, `2 days`.
pub(crate) fn length(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5_999 => format!("{} min", (seconds + 30) / 60),
        6_000..=172_799 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} days", (seconds + 43_200) / 86_400),
    }
}

/// `14:02` on the day of `now`, else `2026-11-24 14:02`.
pub(crate) fn clock_time(time: UtcMillis, now: UtcMillis) -> String {
    let (iso, today) = (time.to_rfc3339(), now.to_rfc3339());
    match (iso.get(..10), iso.get(11..16)) {
        (Some(day), Some(clock)) if today.starts_with(day) => clock.to_string(),
        (Some(day), Some(clock)) => format!("{day} {clock}"),
        _ => iso,
    }
}

/// A metric's value in its unit; a plain number for a metric that the registry does not know (PromQL).
pub(crate) fn value(metric: &str, value: f64) -> String {
    match registry::metric(metric) {
        Some(metric) => metric.unit.show(value),
        None => number(value),
    }
}

/// A number with as many digits as matter.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_string(),
        size if !size.is_finite() => "no number".to_string(),
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.001 => format!("{value:.3}"),
        _ => format!("{value:.2e}"),
    }
}

/// `1 model`, `3 models`.
pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// `12 345`: with narrow spaces between groups of thousands.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// The beginning of a digest, enough for people to tell two apart.
pub(crate) fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

/// Bytes in GiB or MiB.
pub(crate) fn bytes(n: i64) -> String {
    let mib = n as f64 / f64::from(1 << 20);
    if mib >= 1024.0 { format!("{:.0} GiB", mib / 1024.0) } else { format!("{mib:.0} MiB") }
}

/// `GatesInconclusive` → `gates inconclusive`: a constant of the API as a person reads it.
pub(crate) fn spaced(constant: &str) -> String {
    let mut text = String::new();
    for c in constant.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.push(if text.is_empty() { c } else { c.to_ascii_lowercase() });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_their_largest_sensible_unit() {
        let now = UtcMillis(1_779_000_000_000);
        let ago = |seconds: u64| relative(now.minus(Duration::from_secs(seconds)), now);
        assert_eq!(ago(0), "just now");
        assert_eq!(ago(42), "42 s ago");
        assert_eq!(ago(300), "5 min ago");
        assert_eq!(ago(7_200), "2 h ago");
        assert_eq!(ago(6 * 86_400), "6 days ago");
        assert_eq!(relative(now.plus(Duration::from_secs(240)), now), "in 4 min");
    }

    #[test]
    fn a_moment_carries_its_absolute_time() {
        let moment = Moment::new(UtcMillis(1_779_000_000_000), UtcMillis(1_779_000_060_000));
        assert_eq!(moment.absolute, "2026-05-17 06:40:00 UTC");
        assert_eq!(moment.relative, "60 s ago");
        assert_eq!(clock_time(UtcMillis(1_779_000_000_000), UtcMillis(1_779_000_060_000)), "06:40");
        assert_eq!(clock_time(UtcMillis(1_779_000_000_000), UtcMillis(1_779_900_060_000)), "2026-05-17 06:40");
    }

    #[test]
    fn figures_have_units() {
        assert_eq!(value("exact_match", 0.9341), "0.934");
        assert_eq!(value("ttft_p99", 0.812), "812ms");
        assert_eq!(value("queue_depth", 12.0), "12.0");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(grouped(12), "12");
        assert_eq!(spaced("RolledBack"), "Rolled back");
    }
}
