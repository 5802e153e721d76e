use std::collections::BTreeMap;

use homeostat_clock::UtcMillis;
use homeostat_quality::registry::{Metric, metric};
use homeostat_quality::{Estimate, Sketch, SketchError, Slice, Source};
use serde::{Deserialize, Serialize};

use crate::PolicyWindow;
use crate::fixed_mix;

/// What a version was like when it was found good: frozen once per version, never rolling, never renewed on a breach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// When it was frozen.
    pub frozen_at: UtcMillis,
    /// Digest of the prompts and graders it was measured with; another one means "probe changed".
    pub prompts_digest: String,
    /// Digest of the references it was measured with; another one alone means "the world changed".
    pub references_digest: String,
    /// One entry a metric and source.
    pub metrics: Vec<MetricBaseline>,
}

/// One metric of a baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricBaseline {
    /// Stored metric name.
    pub metric: String,
    /// Where the observations came from.
    pub source: Source,
    /// Per slice: what was observed, and the slice's share of all observations, which is the fixed mix.
    pub slices: BTreeMap<Slice, SliceBaseline>,
}

/// One slice of one metric of a baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SliceBaseline {
    /// All observations in the baseline's windows.
    pub sketch: Sketch,
    /// Share of the slice, 0 to 1; all of a metric's add up to 1.
    pub weight: f64,
}

/// Why no baseline was frozen. It is tried again when more has been observed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// Too little was observed of a metric.
    #[error(
        "{source_name} {metric} has {n} of the {minimum} samples a baseline needs: wait for more, or lower minimumSamples"
    )]
    TooFew {
        /// Stored metric name.
        metric: String,
        /// Its source.
        source_name: Source,
        /// Samples there are.
        n: u64,
        /// Samples needed.
        minimum: u64,
    },
    /// Windows of one metric that are not of one sort.
    #[error("the windows of {metric} do not merge")]
    Mixed {
        /// Stored metric name.
        metric: String,
        /// Why.
        #[source]
        source: SketchError,
    },
}

/// The windows of one metric from one source, for [`Baseline::freeze`].
#[derive(Clone, Debug, PartialEq)]
pub struct BaselineSeries<'a> {
    /// Stored metric name.
    pub metric: &'a str,
    /// Where the observations came from.
    pub source: Source,
    /// The windows since the version took over.
    pub windows: &'a [PolicyWindow],
}

impl Baseline {
    /// Freezes what was observed: per metric and slice all windows merged, and each slice's share as its weight.
    ///
    /// Feedback comes when users please: a feedback metric with fewer than `minimum_samples` is left out, and rules that
    /// compare with it stay Inconclusive.
    ///
    /// # Errors
    /// When a golden or traffic metric has fewer than `minimum_samples`, or windows of a metric do not merge. A baseline is
    /// frozen whole or not at all, since it is frozen once.
    pub fn freeze<'a>(
        frozen_at: UtcMillis,
        prompts_digest: &str,
        references_digest: &str,
        minimum_samples: u64,
        series: impl IntoIterator<Item = BaselineSeries<'a>>,
    ) -> Result<Self, BaselineError> {
        let mut metrics = Vec::new();
        for BaselineSeries { metric, source, windows } in series {
            let merged = fixed_mix::merge_windows(windows)
                .map_err(|error| BaselineError::Mixed { metric: metric.to_string(), source: error })?;
            let n: u64 = merged.values().map(Sketch::n).sum();
            if n < minimum_samples.max(1) {
                if source == Source::Feedback {
                    continue;
                }
                let minimum = minimum_samples.max(1);
                return Err(BaselineError::TooFew { metric: metric.to_string(), source_name: source, n, minimum });
            }
            #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
            let slices = merged
                .into_iter()
                .filter(|(_, sketch)| sketch.n() > 0)
                .map(|(slice, sketch)| {
                    let weight = sketch.n() as f64 / n as f64;
                    (slice, SliceBaseline { sketch, weight })
                })
                .collect();
            metrics.push(MetricBaseline { metric: metric.to_string(), source, slices });
        }
        Ok(Self {
            frozen_at,
            prompts_digest: prompts_digest.to_string(),
            references_digest: references_digest.to_string(),
            metrics,
        })
    }

    /// The entry of a stored metric from a source.
    #[must_use]
    pub fn metric(&self, stored: &str, source: Source) -> Option<&MetricBaseline> {
        self.metrics.iter().find(|entry| entry.metric == stored && entry.source == source)
    }

    /// Requests per slice in the traffic of the baseline's time, for [`crate::mix_drift`]; empty when no traffic metric was
    /// frozen. Of several the one with most observations is taken, since errors have no first token.
    #[must_use]
    pub fn traffic_counts(&self) -> BTreeMap<Slice, u64> {
        let traffic = self.metrics.iter().filter(|entry| entry.source == Source::Traffic);
        traffic
            .max_by_key(|entry| entry.n())
            .map(|entry| entry.slices.iter().map(|(slice, held)| (slice.clone(), held.sketch.n())).collect())
            .unwrap_or_default()
    }

    /// Number of observations behind it, over all metrics.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.metrics.iter().map(MetricBaseline::n).sum()
    }
}

impl MetricBaseline {
    /// Number of observations.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.slices.values().map(|held| held.sketch.n()).sum()
    }

    /// The value of a registry metric read from this entry, at the baseline's own mix.
    #[must_use]
    pub fn value(&self, of: &Metric) -> Option<Estimate> {
        let current = self.slices.iter().map(|(slice, held)| (slice.clone(), held.sketch.clone())).collect();
        fixed_mix::compare(of, Some(self), &current).ok().and_then(|compared| compared.baseline)
    }

    /// As [`MetricBaseline::value`], for the metric of that name.
    #[must_use]
    pub fn value_of(&self, name: &str) -> Option<Estimate> {
        self.value(metric(name)?)
    }
}
