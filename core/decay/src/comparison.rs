use std::borrow::Cow;
use std::collections::BTreeMap;

use homeostat_quality::registry::Metric;
use homeostat_quality::{Sketch, Slice, Source};

use crate::confirm::{Observed, chance_of};
use crate::fixed_mix::{self, Compared, Incomparable};
use crate::{Condition, MetricBaseline, PolicyWindow, Reference};

/// Observations that share a reference.
type Merged<'a> = (Option<Cow<'a, MetricBaseline>>, Cow<'a, BTreeMap<Slice, Sketch>>);

/// Some windows of a rule, merged and held against their reference.
pub(crate) struct Comparison<'a> {
    pub(crate) compared: Compared,
    groups: Vec<Merged<'a>>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn of(
        reference: Reference<'a>,
        rule: &str,
        metric: &Metric,
        source: Source,
        windows: &[&'a PolicyWindow],
    ) -> Result<Self, Incomparable> {
        let groups = reference.groups(rule, metric.stored, source, windows);
        let groups: Vec<_> = groups
            .into_iter()
            .map(|(baseline, windows)| match windows.as_slice() {
                [one] => Ok((baseline, Cow::Borrowed(&one.slices))),
                _ => Ok((baseline, Cow::Owned(fixed_mix::merge_windows(windows)?))),
            })
            .collect::<Result<_, homeostat_quality::SketchError>>()
            .map_err(|_| Incomparable::Kind)?;
        let borrowed: Vec<_> = groups.iter().map(|(baseline, merged)| (baseline.as_deref(), merged.as_ref())).collect();
        let compared = fixed_mix::compare_groups(metric, &borrowed)?;
        Ok(Self { compared, groups })
    }

    /// The threshold of a condition here; `None` when it needs a baseline that there is not.
    pub(crate) fn threshold(&self, condition: Condition) -> Option<f64> {
        condition.threshold(self.compared.baseline.map(|estimate| estimate.value))
    }

    /// Chance of as bad a value when nothing has changed. See [`chance_of`].
    pub(crate) fn chance(&self, metric: &Metric, condition: Condition, threshold: f64, dispersion: f64) -> f64 {
        // A reference that is itself beyond an absolute bound says nothing about the bound.
        let good = self.compared.baseline.is_some_and(|held| !condition.beyond(held.value, threshold));
        let n: u64 = self.groups.iter().flat_map(|(_, merged)| merged.values()).map(Sketch::n).sum();
        let observed: Vec<Observed<'_>> = self
            .groups
            .iter()
            .map(|(baseline, slices)| Observed {
                share: slices.values().map(Sketch::n).sum::<u64>() as f64 / n.max(1) as f64,
                baseline: baseline.as_deref().filter(|_| good),
                slices,
            })
            .collect();
        chance_of(metric, condition, &observed, Some(threshold), dispersion)
    }
}
