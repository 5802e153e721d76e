//! Windows of the records as the analysis wants them: grouped to policy windows, replicas merged or apart.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_decay::{MetricSource, Policy, PolicyWindow, SeriesState};
use homeostat_quality::{ModelKey, Sketch, Slice, Source, Window};
use homeostat_records::WindowQuery;

use crate::Context;
use crate::reconcile::ReconcileError;

/// All that was observed of one version within the policy's horizon.
pub(super) struct Observations {
    /// Its windows, all metrics and sources.
    pub(super) windows: Vec<Window>,
    policy: Policy,
    newest: BTreeMap<(Source, String), Option<UtcMillis>>,
    queries: BTreeMap<String, SeriesState>,
}

/// How far back the analysis looks.
fn horizon(policy: &Policy) -> Duration {
    policy.no_data_after + policy.window * (policy.breach.of + 2)
}

impl Observations {
    /// Fetches what the policy asks for.
    pub(super) async fn fetch(
        ctx: &Context,
        model: &ModelKey,
        version: &str,
        policy: &Policy,
        now: UtcMillis,
    ) -> Result<Self, ReconcileError> {
        let from = now.minus(horizon(policy)).window_start(policy.window);
        let windows = ctx.records.windows(&all(model, version, from, now)).await?;
        let mut newest = BTreeMap::new();
        let mut queries = BTreeMap::new();
        for rule in &policy.metrics {
            match &rule.source {
                MetricSource::Agents(metric, source) => {
                    if let Entry::Vacant(entry) = newest.entry((*source, metric.stored.to_string())) {
                        let at = ctx.records.newest_window(model, Some(version), *source, Some(metric.stored)).await?;
                        entry.insert(at);
                    }
                }
                MetricSource::PromQl(query) => {
                    queries.insert(rule.name.clone(), ask(ctx, query, model, version, from, now, policy.window).await);
                }
            }
        }
        Ok(Self { windows, policy: policy.clone(), newest, queries })
    }

    /// Leaves out what copies on these nodes did before these times: it says nothing about what users get from now on.
    pub(super) fn leave_out(&mut self, nodes: &BTreeMap<String, UtcMillis>) {
        let before = |window: &Window| nodes.get(window.key.replica.rsplit_once('/')?.0);
        self.windows.retain(|window| before(window).is_none_or(|until| window.key.start >= *until));
    }

    /// One series a rule, of all replicas or of one.
    pub(super) fn series(&self, replica: Option<&str>) -> BTreeMap<String, SeriesState> {
        let series = |rule: &homeostat_decay::MetricRule| match &rule.source {
            MetricSource::Agents(metric, source) => {
                let windows = group(&self.windows, metric.stored, *source, replica, self.policy.window);
                let newest = self.newest.get(&(*source, metric.stored.to_string())).copied().flatten();
                Some((rule.name.clone(), SeriesState::Windows { windows, newest }))
            }
            MetricSource::PromQl(_) => self.queries.get(&rule.name).map(|state| (rule.name.clone(), state.clone())),
        };
        self.policy.metrics.iter().filter_map(series).collect()
    }

    /// The replicas that reported.
    pub(super) fn replicas(&self) -> Vec<String> {
        let mut names: Vec<String> = self.windows.iter().map(|window| window.key.replica.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Requests per slice in the last N policy windows.
    pub(super) fn traffic_counts(&self, now: UtcMillis) -> BTreeMap<Slice, u64> {
        let from = now.minus(self.policy.window * self.policy.breach.of);
        let mut counts = BTreeMap::new();
        for window in &self.windows {
            let key = &window.key;
            if key.source == Source::Traffic && key.metric == "error_rate" && key.start >= from {
                *counts.entry(key.slice.clone()).or_default() += window.sketch.n();
            }
        }
        counts
    }
}

/// All windows of a version that begin in a span.
pub(super) fn all(model: &ModelKey, version: &str, from: UtcMillis, to: UtcMillis) -> WindowQuery {
    WindowQuery {
        model: model.clone(),
        version: Some(version.to_string()),
        replica: None,
        source: None,
        metrics: Vec::new(),
        from,
        to,
    }
}

/// Windows of one metric and source, merged to policy windows. Sketches of another sort than the first are left out.
pub(super) fn group(
    windows: &[Window],
    stored: &str,
    source: Source,
    replica: Option<&str>,
    step: Duration,
) -> Vec<PolicyWindow> {
    let mut grouped: BTreeMap<UtcMillis, BTreeMap<Slice, Sketch>> = BTreeMap::new();
    for Window { key, sketch } in windows {
        if key.source != source || key.metric != stored || replica.is_some_and(|wanted| wanted != key.replica) {
            continue;
        }
        let slices = grouped.entry(key.start.window_start(step)).or_default();
        match slices.get_mut(&key.slice) {
            Some(held) => {
                if let Err(error) = held.merge(sketch) {
                    tracing::warn!(metric = stored, error = %error, "left out a window that does not merge");
                }
            }
            None => {
                slices.insert(key.slice.clone(), sketch.clone());
            }
        }
    }
    grouped.into_iter().map(|(start, slices)| PolicyWindow { start, slices }).collect()
}

async fn ask(
    ctx: &Context,
    query: &str,
    model: &ModelKey,
    version: &str,
    from: UtcMillis,
    to: UtcMillis,
    step: Duration,
) -> SeriesState {
    let Some(prometheus) = &ctx.prometheus else {
        let reason = "no Prometheus is configured: start the controller with --prometheus URL".to_string();
        return SeriesState::Failed { reason };
    };
    let query = query.replace("$model", &model.to_string()).replace("$version", version);
    match prometheus.range(&query, from, to, step).await {
        Ok(values) => SeriesState::Values { values },
        Err(error) => SeriesState::Failed { reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use homeostat_quality::{Moments, WindowKey};

    use super::*;

    fn window(start: i64, replica: &str, value: f64) -> Window {
        let key = WindowKey {
            model: ModelKey::new("ml", "atlas"),
            version: "v1".into(),
            replica: replica.into(),
            source: Source::Golden,
            metric: "exact_match".into(),
            slice: Slice::new("capital"),
            start: UtcMillis(start),
            step_ms: 1000,
        };
        let mut sketch = Sketch::Moments(Moments::default());
        sketch.observe(value);
        Window { key, sketch }
    }

    #[test]
    fn windows_group_to_policy_windows_with_replicas_merged_or_apart() {
        let windows = [window(0, "a/0", 1.0), window(1000, "b/0", 0.0), window(4000, "a/0", 1.0)];
        let step = Duration::from_secs(3);
        let merged = group(&windows, "exact_match", Source::Golden, None, step);
        assert_eq!(merged.iter().map(|window| window.start.0).collect::<Vec<_>>(), [0, 3000]);
        assert_eq!(merged[0].slices[&Slice::new("capital")].n(), 2);
        assert_eq!(group(&windows, "exact_match", Source::Golden, Some("b/0"), step).len(), 1);
        assert_eq!(group(&windows, "exact_match", Source::Traffic, None, step).len(), 0);
    }

    #[test]
    fn drained_nodes_are_left_out_and_mended_ones_begin_anew() {
        let policy = Policy {
            window: Duration::from_secs(3),
            minimum_samples: 1,
            breach: homeostat_decay::Breach { windows: 1, of: 1 },
            no_data_after: Duration::from_secs(9),
            false_alarms: homeostat_decay::FalseAlarmBudget::default(),
            metrics: Vec::new(),
        };
        let windows = vec![
            window(0, "a/ml.v1.0", 1.0),
            window(0, "b/ml.v1.0", 0.0),
            window(0, "c/ml.v1.0", 0.0),
            window(9000, "c/ml.v1.0", 1.0),
        ];
        let mut observed = Observations { windows, policy, newest: BTreeMap::new(), queries: BTreeMap::new() };
        observed
            .leave_out(&BTreeMap::from([("b".to_string(), UtcMillis(i64::MAX)), ("c".to_string(), UtcMillis(6000))]));
        assert_eq!(observed.replicas(), ["a/ml.v1.0", "c/ml.v1.0"]);
        assert_eq!(observed.windows.len(), 2);
    }
}
