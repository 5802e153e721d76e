use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, as it is stored and sent everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMillis(pub i64);

impl UtcMillis {
    /// This time moved forward by `duration` (saturating; below a millisecond is cut off).
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This time moved back by `duration` (saturating).
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// How long after `earlier` this is; zero when it is not, so that a clock that jumped back yields no negative age.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The start of the window of length `step` that holds this time; windows are aligned to the epoch.
    ///
    /// A `step` below a millisecond is taken as one millisecond.
    #[must_use]
    pub fn window_start(self, step: Duration) -> Self {
        let step = millis(step).max(1);
        Self(self.0.div_euclid(step) * step)
    }

    /// RFC 3339 in UTC with milliseconds; years outside -9999..9999 print as the plain number of milliseconds.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => format!("{timestamp:.3}"),
            Err(_) => format!("{}ms", self.0),
        }
    }

    /// Parses RFC 3339; `None` when the text is not a time.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|timestamp| Self(timestamp.as_millisecond()))
    }
}

impl fmt::Display for UtcMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_aligned_to_the_epoch_also_before_it() {
        let step = Duration::from_millis(100);
        assert_eq!(UtcMillis(250).window_start(step), UtcMillis(200));
        assert_eq!(UtcMillis(-1).window_start(step), UtcMillis(-100));
        assert_eq!(UtcMillis(7).window_start(Duration::ZERO), UtcMillis(7));
    }

    #[test]
    fn a_clock_that_jumped_back_gives_no_negative_age() {
        assert_eq!(UtcMillis(5).since(UtcMillis(9)), Duration::ZERO);
        assert_eq!(UtcMillis(i64::MAX).since(UtcMillis(i64::MIN)), Duration::from_millis(i64::MAX as u64));
    }

    #[test]
    fn text_round_trips() {
        let time = UtcMillis(1_779_000_000_123);
        assert_eq!(UtcMillis::from_rfc3339(&time.to_rfc3339()), Some(time));
        assert_eq!(UtcMillis::from_rfc3339("yesterday"), None);
    }
}
