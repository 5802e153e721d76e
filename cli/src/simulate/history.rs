//! A history of metrics in a CSV file, as policy windows.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use homeostat_clock::UtcMillis;
use homeostat_decay::{MetricRule, MetricSource, Policy, PolicyWindow};
use homeostat_quality::registry::Unit;
use homeostat_quality::{Moments, Sketch, Slice};
use serde::Deserialize;

/// One row.
#[derive(Debug, Deserialize)]
struct Row {
    time: String,
    metric: String,
    value: Option<f64>,
    #[serde(default)]
    n: Option<u64>,
    #[serde(default)]
    sd: Option<f64>,
    #[serde(default)]
    slice: Option<String>,
}

/// What was observed, by rule and window.
#[derive(Debug)]
pub(super) struct History {
    /// Time of the first row.
    pub(super) first: UtcMillis,
    /// End of the window of the last one.
    pub(super) last: UtcMillis,
    windows: BTreeMap<String, BTreeMap<UtcMillis, BTreeMap<Slice, Sketch>>>,
}

/// Reads a file. Rows need no order.
pub(super) fn read(path: &Path, policy: &Policy) -> anyhow::Result<History> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).context("it cannot be read")?;
    let mut windows: BTreeMap<String, BTreeMap<UtcMillis, BTreeMap<Slice, Sketch>>> = BTreeMap::new();
    let (mut first, mut last): (Option<UtcMillis>, Option<UtcMillis>) = (None, None);
    for (number, row) in (2_u64..).zip(reader.deserialize::<Row>()) {
        let row = row.with_context(|| format!("line {number}"))?;
        let Some(rule) = policy.metrics.iter().find(|rule| rule.name == row.metric) else {
            let names: Vec<&str> = policy.metrics.iter().map(|rule| rule.name.as_str()).collect();
            bail!("line {number}: metric {:?} is no rule of the policy: it has {}", row.metric, names.join(", "));
        };
        let at = time(&row.time).with_context(|| {
            format!(
                "line {number}: time {:?} is neither RFC 3339, such as 2026-01-31T12:00:00Z, nor seconds since 1970",
                row.time
            )
        })?;
        let start = at.window_start(policy.window);
        first = Some(first.map_or(at, |held| held.min(at)));
        let end = start.plus(policy.window);
        last = Some(last.map_or(end, |held| held.max(end)));
        // A value that is missing says that nothing was observed.
        let Some(value) = row.value.filter(|value| value.is_finite()) else { continue };
        let seen = sketch(rule, value, row.n, row.sd).with_context(|| format!("line {number}"))?;
        let slices = windows.entry(row.metric).or_default().entry(start).or_default();
        let slice = Slice::new(row.slice.unwrap_or_default());
        match slices.get_mut(&slice) {
            Some(held) => held.merge(&seen).with_context(|| format!("line {number}"))?,
            None => {
                slices.insert(slice, seen);
            }
        }
    }
    match (first, last) {
        (Some(first), Some(last)) => Ok(History { first, last, windows }),
        _ => bail!("it has no row: the columns are time, metric, value, and optionally n, sd, slice"),
    }
}

fn time(text: &str) -> Option<UtcMillis> {
    if let Some(at) = UtcMillis::from_rfc3339(text) {
        return Some(at);
    }
    let seconds: f64 = text.parse().ok().filter(|seconds: &f64| seconds.abs() < 1e11)?;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be far below 2^63")]
    let millis = (seconds * 1000.0).round() as i64;
    Some(UtcMillis(millis))
}

/// One observation, or `n` whose mean is `value`.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn sketch(rule: &MetricRule, value: f64, n: Option<u64>, sd: Option<f64>) -> anyhow::Result<Sketch> {
    let MetricSource::Agents(metric, _) = rule.source else {
        let mut single = Sketch::Moments(Moments::default());
        single.observe(value);
        return Ok(single);
    };
    let mut seen = Sketch::empty(metric.statistic);
    let Some(n) = n else {
        seen.observe(value);
        return Ok(seen);
    };
    if let Sketch::Distribution(_) = seen {
        bail!("{} is a quantile: give single observations, without n", rule.name);
    }
    let variance = match sd {
        Some(sd) => sd * sd,
        None if metric.unit == Unit::Ratio && (0.0..=1.0).contains(&value) => value * (1.0 - value),
        None if n == 1 => 0.0,
        None => bail!("{} is the mean of {n} observations: give their standard deviation in a column sd", rule.name),
    };
    Ok(Sketch::Moments(Moments { n, sum: n as f64 * value, squares: n as f64 * (variance + value * value) }))
}

impl History {
    /// The windows of a rule that begin at `from` or later and have ended at `now`.
    pub(super) fn windows(&self, rule: &str, from: UtcMillis, now: UtcMillis) -> Vec<PolicyWindow> {
        let held = self.windows.get(rule).into_iter().flat_map(|windows| windows.range(from..now));
        held.map(|(start, slices)| PolicyWindow { start: *start, slices: slices.clone() }).collect()
    }

    /// When the newest observation before `now` was made.
    pub(super) fn newest(&self, rule: &str, now: UtcMillis) -> Option<UtcMillis> {
        self.windows.get(rule)?.range(..now).next_back().map(|(start, _)| *start)
    }

    /// One value a window, of a query.
    pub(super) fn values(
        &self,
        rule: &str,
        from: UtcMillis,
        now: UtcMillis,
        step: Duration,
    ) -> Vec<(UtcMillis, Option<f64>)> {
        let mut values = Vec::new();
        let mut start = from.window_start(step);
        while start.plus(step) <= now {
            let slices = self.windows.get(rule).and_then(|windows| windows.get(&start));
            let sketch = slices.and_then(|slices| slices.values().next());
            let mean = sketch.and_then(|sketch| sketch.estimate(homeostat_quality::registry::Statistic::Mean));
            values.push((start, mean.map(|estimate| estimate.value)));
            start = start.plus(step);
        }
        values
    }
}
