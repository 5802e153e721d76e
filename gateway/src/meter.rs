//! Folds single observations into windows.
//!
//! A window closes when its end has passed; what is observed later goes into the window of its arrival, so that a closed
//! window never changes. Nothing is invented: a window without observations does not exist.

use std::collections::BTreeMap;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_quality::registry::{METRICS, Statistic};
use homeostat_quality::{ModelKey, Sketch, Slice, Source, Window, WindowKey};

/// Most windows open at once; beyond it observations are left out and counted.
const MOST_OPEN: usize = 10_000;

/// What an observation is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The served model.
    pub model: ModelKey,
    /// Name of the `ModelVersion`.
    pub version: String,
    /// `node/index`.
    pub replica: String,
    /// Part of the input.
    pub slice: Slice,
}

/// The windows that are open.
#[derive(Debug)]
pub struct Meter {
    step: Duration,
    open: BTreeMap<WindowId, Sketch>,
    left_out: u64,
}

type WindowId = (UtcMillis, i64, Source, &'static str, Subject);

impl Meter {
    /// A meter with windows of length `step` (at least a millisecond).
    #[must_use]
    pub fn new(step: Duration) -> Self {
        Self { step: step.max(Duration::from_millis(1)), open: BTreeMap::new(), left_out: 0 }
    }

    /// Changes the length of windows that open from now on.
    pub fn set_step(&mut self, step: Duration) {
        self.step = step.max(Duration::from_millis(1));
    }

    /// Adds one observation of the stored metric `metric`; a name that is not in the registry is left out and counted.
    pub fn observe(&mut self, subject: &Subject, source: Source, metric: &str, value: f64, now: UtcMillis) {
        let Some(row) = METRICS.iter().find(|row| row.stored == metric) else {
            self.left_out += 1;
            return;
        };
        let step_ms = i64::try_from(self.step.as_millis()).unwrap_or(i64::MAX);
        let id = (now.window_start(self.step), step_ms, source, row.stored, subject.clone());
        if self.open.len() >= MOST_OPEN && !self.open.contains_key(&id) {
            self.left_out += 1;
            return;
        }
        self.open.entry(id).or_insert_with(|| empty(row.statistic)).observe(value);
    }

    /// Takes out the windows whose end has passed, oldest first.
    pub fn close(&mut self, now: UtcMillis) -> Vec<Window> {
        let ended = |start: &UtcMillis, step: i64| start.0.saturating_add(step) <= now.0;
        let ids: Vec<WindowId> = self.open.keys().filter(|id| ended(&id.0, id.1)).cloned().collect();
        ids.into_iter().filter_map(|id| self.open.remove(&id).and_then(|sketch| window(id, sketch))).collect()
    }

    /// Takes out all windows, also those that have not ended: for a shutdown.
    pub fn close_all(&mut self) -> Vec<Window> {
        std::mem::take(&mut self.open).into_iter().filter_map(|(id, sketch)| window(id, sketch)).collect()
    }

    /// Observations that had no place.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

fn empty(statistic: Statistic) -> Sketch {
    Sketch::empty(statistic)
}

fn window((start, step_ms, source, metric, subject): WindowId, sketch: Sketch) -> Option<Window> {
    let Subject { model, version, replica, slice } = subject;
    let key = WindowKey { model, version, replica, source, metric: metric.to_string(), slice, start, step_ms };
    (sketch.n() > 0).then_some(Window { key, sketch })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(slice: &str) -> Subject {
        Subject {
            model: ModelKey::new("ml", "atlas"),
            version: "atlas-v1".into(),
            replica: "node-a/0".into(),
            slice: Slice::new(slice),
        }
    }

    #[test]
    fn windows_are_aligned_and_close_when_they_end() {
        let mut meter = Meter::new(Duration::from_millis(1000));
        meter.observe(&subject("a"), Source::Traffic, "latency", 0.5, UtcMillis(1_999));
        meter.observe(&subject("a"), Source::Traffic, "latency", 0.7, UtcMillis(2_000));
        assert!(meter.close(UtcMillis(1_999)).is_empty());
        let closed = meter.close(UtcMillis(2_000));
        assert_eq!(closed.len(), 1);
        assert_eq!((closed[0].key.start, closed[0].key.step_ms), (UtcMillis(1_000), 1_000));
        assert_eq!(closed[0].sketch.n(), 1);
        assert_eq!(meter.close_all().len(), 1);
        assert!(meter.close_all().is_empty());
    }

    #[test]
    fn sources_slices_and_metrics_never_mix() {
        let mut meter = Meter::new(Duration::from_secs(1));
        for (slice, source, metric) in [
            ("a", Source::Traffic, "error_rate"),
            ("b", Source::Traffic, "error_rate"),
            ("a", Source::Golden, "error_rate"),
            ("a", Source::Golden, "exact_match"),
        ] {
            meter.observe(&subject(slice), source, metric, 1.0, UtcMillis(0));
        }
        assert_eq!(meter.close_all().len(), 4);
    }

    #[test]
    fn unknown_metrics_and_values_that_are_none_make_no_window() {
        let mut meter = Meter::new(Duration::from_secs(1));
        meter.observe(&subject("a"), Source::Traffic, "ttft_p99", 1.0, UtcMillis(0));
        meter.observe(&subject("a"), Source::Traffic, "latency", f64::NAN, UtcMillis(0));
        assert_eq!(meter.left_out(), 1);
        assert!(meter.close_all().is_empty());
    }
}
