//! Values at fixed mix: the current slices weighted as in the baseline, both sides over the same slices.
//!
//! A slice that says nothing now is left out and the other weights are scaled up, on both sides alike. Quantiles are not
//! weighted: a quantile of a mixture is no mean of quantiles, so all slices are merged instead.

use std::collections::BTreeMap;

use homeostat_quality::registry::{Metric, Statistic};
use homeostat_quality::{Estimate, Sketch, SketchError, Slice};

use crate::{MetricBaseline, PolicyWindow};

/// Below this share of the baseline's mix a comparison says nothing.
pub(crate) const MINIMUM_COVERAGE: f64 = 0.5;

/// The two-sided 95 % point of the normal distribution.
const Z95: f64 = 1.959_963_984_540_054;

/// Current and baseline value over the slices that both have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Compared {
    pub(crate) current: Estimate,
    pub(crate) baseline: Option<Estimate>,
    /// Share of the baseline's mix that is compared; 1 without a baseline.
    pub(crate) coverage: f64,
    /// Slices now that the baseline does not know.
    pub(crate) new_slices: Vec<Slice>,
    /// (slice, baseline value, current value, n).
    pub(crate) slices: Vec<(Slice, Option<f64>, f64, u64)>,
}

/// Why nothing could be compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Incomparable {
    /// No observation.
    Empty,
    /// Only this share of the baseline's mix is observed now.
    Coverage(f64),
    /// Sketches of two sorts.
    Kind,
}

pub(crate) fn merge_windows<'a>(
    windows: impl IntoIterator<Item = &'a PolicyWindow>,
) -> Result<BTreeMap<Slice, Sketch>, SketchError> {
    let mut merged: BTreeMap<Slice, Sketch> = BTreeMap::new();
    for (slice, sketch) in windows.into_iter().flat_map(|window| &window.slices) {
        match merged.get_mut(slice) {
            Some(held) => held.merge(sketch)?,
            None => {
                merged.insert(slice.clone(), sketch.clone());
            }
        }
    }
    Ok(merged)
}

/// Compares `current` with the baseline at the baseline's mix, or merges all slices when there is no baseline.
pub(crate) fn compare(
    metric: &Metric,
    baseline: Option<&MetricBaseline>,
    current: &BTreeMap<Slice, Sketch>,
) -> Result<Compared, Incomparable> {
    match (baseline, metric.statistic) {
        (Some(baseline), Statistic::Mean) => weighted(metric, baseline, current),
        _ => merged(metric, baseline, current),
    }
}

/// Compares groups of observations, each with its own reference, and weighs them by their numbers of observations.
pub(crate) fn compare_groups(
    metric: &Metric,
    groups: &[(Option<&MetricBaseline>, &BTreeMap<Slice, Sketch>)],
) -> Result<Compared, Incomparable> {
    if let [(baseline, current)] = groups {
        return compare(metric, *baseline, current);
    }
    let compared: Vec<Compared> =
        groups.iter().map(|(baseline, current)| compare(metric, *baseline, current)).collect::<Result<_, _>>()?;
    let n: u64 = compared.iter().map(|one| one.current.n).sum();
    let share = |one: &Compared| one.current.n as f64 / n.max(1) as f64;
    let join = |estimate: &dyn Fn(&Compared) -> Option<Estimate>| {
        let mut sum = Estimate { value: 0.0, low: 0.0, high: 0.0, n: 0 };
        let (mut below, mut above) = (0.0, 0.0);
        for one in &compared {
            let (estimate, share) = (estimate(one)?, share(one));
            sum.value += share * estimate.value;
            below += (share * (estimate.value - estimate.low)).powi(2);
            above += (share * (estimate.high - estimate.value)).powi(2);
            sum.n += estimate.n;
        }
        (sum.low, sum.high) = (sum.value - below.sqrt(), sum.value + above.sqrt());
        Some(sum)
    };
    let current = join(&|one| Some(one.current)).ok_or(Incomparable::Empty)?;
    let baseline = join(&|one| one.baseline);
    let coverage = compared.iter().map(|one| share(one) * one.coverage).sum();
    let mut new_slices: Vec<Slice> = compared.iter().flat_map(|one| one.new_slices.clone()).collect();
    new_slices.sort();
    new_slices.dedup();
    let largest = compared.into_iter().max_by_key(|one| one.current.n).ok_or(Incomparable::Empty)?;
    Ok(Compared { current, baseline, coverage, new_slices, slices: largest.slices })
}

fn merged(
    metric: &Metric,
    baseline: Option<&MetricBaseline>,
    current: &BTreeMap<Slice, Sketch>,
) -> Result<Compared, Incomparable> {
    let whole = |sketches: &mut dyn Iterator<Item = &Sketch>| {
        let mut sum = Sketch::empty(metric.statistic);
        for sketch in sketches {
            sum.merge(sketch).map_err(|_| Incomparable::Kind)?;
        }
        Ok(metric.value(&sum))
    };
    let now = whole(&mut current.values())?.ok_or(Incomparable::Empty)?;
    let then = match baseline {
        Some(baseline) => whole(&mut baseline.slices.values().map(|held| &held.sketch))?,
        None => None,
    };
    let slices = current.iter().filter_map(|(slice, sketch)| {
        let value = metric.value(sketch)?;
        let then = baseline.and_then(|entry| metric.value(&entry.slices.get(slice)?.sketch));
        Some((slice.clone(), then.map(|estimate| estimate.value), value.value, value.n))
    });
    Ok(Compared { current: now, baseline: then, coverage: 1.0, new_slices: Vec::new(), slices: slices.collect() })
}

fn weighted(
    metric: &Metric,
    baseline: &MetricBaseline,
    current: &BTreeMap<Slice, Sketch>,
) -> Result<Compared, Incomparable> {
    let mut shared = Vec::new();
    for (slice, held) in &baseline.slices {
        let Some(now) = current.get(slice).filter(|sketch| sketch.n() > 0) else { continue };
        let (Sketch::Moments(then), Sketch::Moments(now)) = (&held.sketch, now) else { return Err(Incomparable::Kind) };
        // A slice with one graded mark between 0 and 1 has a value but no spread: it cannot be weighed yet.
        let (Some(then_variance), Some(now_variance)) = (then.variance_of_mean(), now.variance_of_mean()) else {
            continue;
        };
        let (Some(then), Some(now)) = (then.mean(), now.mean()) else { continue };
        shared.push((slice, held.weight, then, then_variance, now, now_variance));
    }
    let coverage: f64 = shared.iter().map(|row| row.1).sum();
    if current.values().all(|sketch| sketch.n() == 0) {
        return Err(Incomparable::Empty);
    }
    if coverage < MINIMUM_COVERAGE {
        return Err(Incomparable::Coverage(coverage));
    }
    let fold = |parts: &mut dyn Iterator<Item = (f64, Estimate, f64)>| {
        let (mut value, mut variance, mut n, mut only) = (0.0, 0.0, 0_u64, None);
        for (weight, estimate, spread) in parts {
            let weight = weight / coverage;
            value += weight * estimate.value;
            variance += weight * weight * spread;
            n += estimate.n;
            only = Some(estimate);
        }
        let half = Z95 * f64::sqrt(variance);
        let (low, high) = match only {
            // One slice alone keeps its own, better interval (Wilson's for rates).
            Some(estimate) if shared.len() == 1 => (estimate.low, estimate.high),
            _ => (value - half, value + half),
        };
        let range = metric.range;
        Estimate { value, low: low.clamp(range.0, range.1), high: high.clamp(range.0, range.1), n }
    };
    let now = fold(&mut shared.iter().map(|row| (row.1, row.4, row.5)));
    let then = fold(&mut shared.iter().map(|row| (row.1, row.2, row.3)));
    let new_slices = current.iter().filter(|(slice, sketch)| sketch.n() > 0 && !baseline.slices.contains_key(*slice));
    Ok(Compared {
        current: now,
        baseline: Some(then),
        coverage,
        new_slices: new_slices.map(|(slice, _)| slice.clone()).collect(),
        slices: shared.iter().map(|row| (row.0.clone(), Some(row.2.value), row.4.value, row.4.n)).collect(),
    })
}
