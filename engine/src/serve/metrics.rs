//! Counters in the Prometheus text format.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the histograms' buckets, in seconds.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Completed,
    /// The client went away.
    Cancelled,
    /// The queue was full.
    Rejected,
    /// The request was wrong.
    Invalid,
    /// The server failed, or was told to.
    Failed,
}

const OUTCOMES: [(Outcome, &str); 5] = [
    (Outcome::Completed, "completed"),
    (Outcome::Cancelled, "cancelled"),
    (Outcome::Rejected, "rejected"),
    (Outcome::Invalid, "invalid"),
    (Outcome::Failed, "failed"),
];

/// Everything that `/metrics` shows.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    outcomes: [AtomicU64; OUTCOMES.len()],
    pub(super) running: AtomicI64,
    pub(super) prompt_tokens: AtomicU64,
    pub(super) generation_tokens: AtomicU64,
    pub(super) time_to_first_token: Histogram,
    pub(super) request_duration: Histogram,
}

#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    microseconds: AtomicU64,
}

impl Metrics {
    pub(super) fn ended(&self, outcome: Outcome) {
        if let Some(place) = OUTCOMES.iter().position(|(known, _)| *known == outcome) {
            self.outcomes[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The page, with `waiting` requests in the queue.
    pub(super) fn page(&self, waiting: usize) -> String {
        let mut page = String::new();
        let mut write = |name: &str, kind: &str, help: &str, lines: String| {
            // Writing to a string cannot fail.
            let _ =
                write!(page, "# HELP homeostat_engine_{name} {help}\n# TYPE homeostat_engine_{name} {kind}\n{lines}");
        };
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let single = |name: &str, value: i64| format!("homeostat_engine_{name} {value}\n");
        let outcomes = OUTCOMES.iter().zip(&self.outcomes).map(|((_, outcome), count)| {
            format!("homeostat_engine_requests_total{{outcome=\"{outcome}\"}} {}\n", load(count))
        });
        write("requests_total", "counter", "Requests by how they ended.", outcomes.collect());
        let running = self.running.load(Ordering::Relaxed);
        write("requests_running", "gauge", "Requests being computed.", single("requests_running", running));
        let waiting = single("requests_waiting", waiting as i64);
        write("requests_waiting", "gauge", "Requests in the queue.", waiting);
        for (name, counter, help) in [
            ("prompt_tokens_total", &self.prompt_tokens, "Bytes of prompts read."),
            ("generation_tokens_total", &self.generation_tokens, "Bytes generated."),
        ] {
            write(name, "counter", help, single(name, load(counter) as i64));
        }
        for (name, histogram, help) in [
            ("time_to_first_token_seconds", &self.time_to_first_token, "From arrival to the first byte."),
            ("request_duration_seconds", &self.request_duration, "From arrival to the last byte."),
        ] {
            write(name, "histogram", help, histogram.lines(name));
        }
        page
    }
}

impl Histogram {
    pub(super) fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        if let Some(place) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.buckets[place].fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(duration.as_micros() as u64, Ordering::Relaxed);
    }

    fn lines(&self, name: &str) -> String {
        let mut lines = String::new();
        let mut sum = 0;
        let mut bucket = |bound: &str, count: u64| {
            let _ = writeln!(lines, "homeostat_engine_{name}_bucket{{le=\"{bound}\"}} {count}");
        };
        for (bound, count) in BOUNDS.iter().zip(&self.buckets) {
            sum += count.load(Ordering::Relaxed);
            bucket(&bound.to_string(), sum);
        }
        let count = self.count.load(Ordering::Relaxed);
        bucket("+Inf", count);
        let seconds = self.microseconds.load(Ordering::Relaxed) as f64 / 1e6;
        let _ = write!(lines, "homeostat_engine_{name}_sum {seconds}\nhomeostat_engine_{name}_count {count}\n");
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let metrics = Metrics::default();
        for milliseconds in [1, 2, 20_000] {
            metrics.request_duration.observe(Duration::from_millis(milliseconds));
        }
        metrics.ended(Outcome::Rejected);
        let page = metrics.page(3);
        for line in [
            "homeostat_engine_request_duration_seconds_bucket{le=\"0.001\"} 1",
            "homeostat_engine_request_duration_seconds_bucket{le=\"0.0025\"} 2",
            "homeostat_engine_request_duration_seconds_bucket{le=\"10\"} 2",
            "homeostat_engine_request_duration_seconds_bucket{le=\"+Inf\"} 3",
            "homeostat_engine_request_duration_seconds_sum 20.003",
            "homeostat_engine_requests_total{outcome=\"rejected\"} 1",
            "homeostat_engine_requests_waiting 3",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
    }
}
