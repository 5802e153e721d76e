//! What windows are held against: the frozen baseline, the same hour of the week, or a control that serves at the same time.

use std::borrow::Cow;
use std::collections::BTreeMap;

use homeostat_clock::UtcMillis;
use homeostat_quality::{Sketch, Source};

use crate::{Baseline, BaselineError, BaselineSeries, MetricBaseline, PolicyWindow, SliceBaseline, fixed_mix};

/// Hours of a week.
const HOURS: i64 = 168;

/// What [`crate::analyse_calibrated`] compares with.
#[derive(Clone, Copy, Debug)]
pub enum Reference<'a> {
    /// None yet: rules that need one stay Inconclusive.
    None,
    /// The version's frozen baseline.
    Frozen(&'a Baseline),
    /// Every window with its own hour of the week, for values that follow a daily and weekly rhythm.
    Seasonal(&'a SeasonalBaseline),
    /// Every window with what a control (such as the stable version beside a candidate) showed in the same window, by the rule's
    /// name. Windows without a control are not compared.
    Concurrent(&'a BTreeMap<String, Vec<PolicyWindow>>),
}

/// Windows with what they are held against.
pub(crate) type Group<'a> = (Option<Cow<'a, MetricBaseline>>, Vec<&'a PolicyWindow>);

impl<'a> Reference<'a> {
    /// Parts `windows` into groups that share a reference.
    pub(crate) fn groups(
        self,
        rule: &str,
        stored: &str,
        source: Source,
        windows: &[&'a PolicyWindow],
    ) -> Vec<Group<'a>> {
        match self {
            Self::None => vec![(None, windows.to_vec())],
            Self::Frozen(baseline) => {
                vec![(baseline.metric(stored, source).map(Cow::Borrowed), windows.to_vec())]
            }
            Self::Seasonal(seasonal) => {
                let mut groups: BTreeMap<i64, Group<'a>> = BTreeMap::new();
                for window in windows {
                    let (hour, held) = seasonal.at(window.start, stored, source);
                    groups.entry(hour).or_insert((held.map(Cow::Borrowed), Vec::new())).1.push(window);
                }
                groups.into_values().collect()
            }
            Self::Concurrent(controls) => {
                let beside: Vec<&PolicyWindow> = controls.get(rule).map_or(Vec::new(), |control| {
                    control.iter().filter(|held| windows.iter().any(|window| window.start == held.start)).collect()
                });
                vec![(from_control(stored, source, &beside).map(Cow::Owned), windows.to_vec())]
            }
        }
    }
}

fn from_control(stored: &str, source: Source, windows: &[&PolicyWindow]) -> Option<MetricBaseline> {
    let merged = fixed_mix::merge_windows(windows.iter().copied()).ok()?;
    let n: u64 = merged.values().map(Sketch::n).sum();
    let slices = merged.into_iter().filter(|(_, sketch)| sketch.n() > 0).map(|(slice, sketch)| {
        let weight = sketch.n() as f64 / n as f64;
        (slice, SliceBaseline { sketch, weight })
    });
    (n > 0).then(|| MetricBaseline { metric: stored.to_string(), source, slices: slices.collect() })
}

/// A baseline for every hour of the week in which enough was observed, and the whole of it for the other hours.
#[derive(Clone, Debug, PartialEq)]
pub struct SeasonalBaseline {
    /// All windows together.
    pub whole: Baseline,
    /// By hour of the week, 0 for Monday 00:00 to 01:00 UTC.
    pub hours: BTreeMap<u8, Baseline>,
}

impl SeasonalBaseline {
    /// Freezes windows by the hour of the week in which they begin, metric by metric: an hour holds the metrics of which it has
    /// `minimum_samples`.
    ///
    /// # Errors
    /// When the whole has too few samples of a metric (see [`Baseline::freeze`]).
    pub fn freeze(
        frozen_at: UtcMillis,
        prompts_digest: &str,
        references_digest: &str,
        minimum_samples: u64,
        series: &[BaselineSeries<'_>],
    ) -> Result<Self, BaselineError> {
        let freeze = |series: Vec<BaselineSeries<'_>>| {
            Baseline::freeze(frozen_at, prompts_digest, references_digest, minimum_samples, series)
        };
        let whole = freeze(series.to_vec())?;
        let mut hours: BTreeMap<u8, Baseline> = BTreeMap::new();
        for BaselineSeries { metric, source, windows } in series {
            let mut apart: BTreeMap<u8, Vec<PolicyWindow>> = BTreeMap::new();
            for window in *windows {
                apart.entry(hour_of_week(window.start)).or_default().push(window.clone());
            }
            for (hour, windows) in apart {
                // An hour with too few of a metric is held against the whole.
                let Ok(one) = freeze(vec![BaselineSeries { metric, source: *source, windows: &windows }]) else {
                    continue;
                };
                match hours.get_mut(&hour) {
                    Some(held) => held.metrics.extend(one.metrics),
                    None => drop(hours.insert(hour, one)),
                }
            }
        }
        Ok(Self { whole, hours })
    }

    /// The hour whose reference a window beginning at `start` has (-1 for the whole), and the reference.
    fn at(&self, start: UtcMillis, stored: &str, source: Source) -> (i64, Option<&MetricBaseline>) {
        let hour = hour_of_week(start);
        match self.hours.get(&hour).and_then(|held| held.metric(stored, source)) {
            Some(held) => (i64::from(hour), Some(held)),
            None => (-1, self.whole.metric(stored, source)),
        }
    }
}

/// Hour of the week, 0 (Monday 00:00 UTC) to 167.
#[must_use]
pub fn hour_of_week(at: UtcMillis) -> u8 {
    // 1 January 1970 was a Thursday.
    let hour = (at.0.div_euclid(3_600_000) + 72).rem_euclid(HOURS);
    u8::try_from(hour).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_monday() {
        assert_eq!(hour_of_week(UtcMillis(0)), 72);
        // Monday 6 January 2025, 00:00 UTC.
        assert_eq!(hour_of_week(UtcMillis(1_736_121_600_000)), 0);
        assert_eq!(hour_of_week(UtcMillis(1_736_121_599_999)), 167);
        assert_eq!(hour_of_week(UtcMillis(i64::MIN)), hour_of_week(UtcMillis(i64::MIN + 1)));
    }
}
