//! Whether windows beyond a threshold can be chance: the second half of a breach.
//!
//! M of N windows beyond the threshold is what an operator declares to matter. With few samples a window it happens by itself now
//! and then, so [`chance_of`] holds all of the windows' samples together against the reference, in the way that suits the data, and
//! the judge asks for the level that the false-alarm budget leaves. A small drop takes more windows to be proven than N: the last N are
//! tried, longer runs of windows, and the last M.

use std::collections::BTreeMap;

use homeostat_quality::registry::{Metric, Statistic};
use homeostat_quality::{DistributionSketch, Moments, Sketch, Slice};

use crate::calibration::{Part, chance};
use crate::{Breach, Condition, MetricBaseline};

/// By how much longer the next run is that is tried.
const GROWTH: f64 = 1.5;

/// Numbers of windows to be tried of `available` ones: the last N, longer runs, the last M. Every one takes its share of the level.
pub(crate) fn lengths(breach: Breach, available: usize) -> Vec<usize> {
    let (least, most) = (breach.windows as usize, breach.of as usize);
    if available < least {
        return Vec::new();
    }
    let mut lengths = vec![most.min(available)];
    let mut next = (most as f64 * GROWTH).ceil();
    while next <= available as f64 {
        lengths.push(next as usize);
        next = (next * GROWTH).ceil();
    }
    if least < lengths[0] {
        lengths.push(least);
    }
    lengths
}

/// Sketches that share a reference, and their share of all.
pub(crate) struct Observed<'a> {
    pub(crate) share: f64,
    pub(crate) baseline: Option<&'a MetricBaseline>,
    pub(crate) slices: &'a BTreeMap<Slice, Sketch>,
}

/// Chance of being as far on the bad side when nothing has changed from the reference, or, without one, when the value is exactly
/// `threshold`; `dispersion` is how many times wider than independent samples they scatter. 1 when nothing can be said.
pub(crate) fn chance_of(
    metric: &Metric,
    condition: Condition,
    observed: &[Observed<'_>],
    threshold: Option<f64>,
    dispersion: f64,
) -> f64 {
    let mut sum = Sum { sign: if condition.is_below() { -1.0 } else { 1.0 }, parts: Vec::new(), distance: 0.0 };
    for group in observed {
        match (metric.statistic, group.baseline) {
            (Statistic::Mean, Some(baseline)) => sum.means(metric, group, baseline),
            (Statistic::Mean, None) => {
                let Some(threshold) = threshold else { return 1.0 };
                sum.mean_alone(metric, group, threshold);
            }
            (Statistic::Quantile(q), Some(baseline)) => sum.quantiles(q, group, baseline),
            (Statistic::Quantile(_), None) => return 1.0,
        }
    }
    for part in &mut sum.parts {
        part.n /= dispersion.max(1.0);
    }
    chance(&sum.parts, sum.distance)
}

struct Sum {
    sign: f64,
    parts: Vec<Part>,
    distance: f64,
}

impl Sum {
    /// Two samples, each with sum and sum of squares, when both have one distribution (pooled mean and variance, which is the score
    /// test for rates).
    fn two(&mut self, weight: f64, range: (f64, f64), now: &Moments, then: &Moments) {
        let (n, m) = (now.n as f64, then.n as f64);
        if n <= 0.0 || m <= 0.0 {
            return;
        }
        let mean = (now.sum + then.sum) / (n + m);
        let variance = ((now.squares + then.squares) / (n + m) - mean * mean).max(0.0);
        let (up, down) = (range.1 - mean, mean - range.0);
        let (worse, better) = if self.sign > 0.0 { (up, down) } else { (down, up) };
        self.parts.push(Part { weight, n, variance, reach: worse });
        self.parts.push(Part { weight, n: m, variance, reach: better });
        self.distance += weight * self.sign * (now.sum / n - then.sum / m);
    }

    fn means(&mut self, metric: &Metric, group: &Observed<'_>, baseline: &MetricBaseline) {
        let shared: Vec<(f64, &Moments, &Moments)> = baseline
            .slices
            .iter()
            .filter_map(|(slice, held)| {
                let (Sketch::Moments(then), Sketch::Moments(now)) = (&held.sketch, group.slices.get(slice)?) else {
                    return None;
                };
                // The same slices as are compared.
                now.variance_of_mean().and(then.variance_of_mean()).map(|_| (held.weight, now, then))
            })
            .collect();
        let coverage: f64 = shared.iter().map(|row| row.0).sum();
        for (weight, now, then) in shared {
            self.two(group.share * weight / coverage, metric.range, now, then);
        }
    }

    fn mean_alone(&mut self, metric: &Metric, group: &Observed<'_>, threshold: f64) {
        let mut all = Moments::default();
        for sketch in group.slices.values() {
            let Sketch::Moments(moments) = sketch else { return };
            all.merge(moments);
        }
        if all.n == 0 {
            return;
        }
        let n = all.n as f64;
        let variance = if all.is_binary() {
            threshold * (1.0 - threshold)
        } else {
            all.squares / n - 2.0 * threshold * all.sum / n + threshold * threshold
        };
        let reach = if self.sign > 0.0 { metric.range.1 - threshold } else { threshold - metric.range.0 };
        self.parts.push(Part { weight: group.share, n, variance, reach });
        self.distance += group.share * self.sign * (all.sum / n - threshold);
    }

    /// A quantile has moved when more observations than before lie beyond where it was: a test of two rates.
    fn quantiles(&mut self, q: f64, group: &Observed<'_>, baseline: &MetricBaseline) {
        let merge = |sketches: &mut dyn Iterator<Item = &Sketch>| {
            let mut all = DistributionSketch::default();
            for sketch in sketches {
                let Sketch::Distribution(distribution) = sketch else { return None };
                all.merge(distribution);
            }
            Some(all)
        };
        let now = merge(&mut group.slices.values());
        let then = merge(&mut baseline.slices.values().map(|held| &held.sketch));
        let (Some(now), Some(then)) = (now, then) else { return };
        let Some(edge) = then.quantile(q) else { return };
        let beyond = |sketch: &DistributionSketch| {
            let count = beyond(sketch, edge.value, self.sign > 0.0) as f64;
            Moments { n: sketch.n(), sum: count, squares: count }
        };
        let (now, then) = (beyond(&now), beyond(&then));
        // More of them is worse, whichever side it is.
        let sign = std::mem::replace(&mut self.sign, 1.0);
        self.two(group.share, (0.0, 1.0), &now, &then);
        self.sign = sign;
    }
}

/// Observations above (or below) the bucket in which `value` is.
fn beyond(sketch: &DistributionSketch, value: f64, above: bool) -> u64 {
    let gamma = (1.0 + DistributionSketch::RELATIVE_ERROR) / (1.0 - DistributionSketch::RELATIVE_ERROR);
    let middle = |index: i32| 2.0 * gamma.powi(index) / (gamma + 1.0);
    let sum = |keep: &dyn Fn(f64) -> bool| -> u64 {
        sketch.buckets.iter().filter(|(index, _)| keep(middle(*index))).map(|(_, count)| count).sum()
    };
    if above {
        sum(&|middle| middle > value * (1.0 + 1e-6))
    } else if value > 0.0 {
        sketch.zeros + sum(&|middle| middle < value * (1.0 - 1e-6))
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_n_are_tried_then_longer_runs_then_the_last_m() {
        let breach = Breach { windows: 3, of: 4 };
        assert_eq!(lengths(breach, 2), Vec::<usize>::new());
        assert_eq!(lengths(breach, 3), [3]);
        assert_eq!(lengths(breach, 20), [4, 6, 9, 14, 3]);
        assert_eq!(lengths(Breach { windows: 1, of: 1 }, 3), [1, 2, 3]);
    }
}
