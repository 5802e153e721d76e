//! Baselines: frozen from a version's own windows, kept as a blob, named in its status.

use homeostat_clock::UtcMillis;
use homeostat_crds::ModelVersion;
use homeostat_crds::model_version::BaselineStatus;
use homeostat_decay::{Baseline, BaselineError, BaselineSeries, MetricSource};
use homeostat_quality::{Sketch, Source, registry};
use kube::ResourceExt;
use serde::{Deserialize, Serialize};

use super::fetch::Facts;
use super::series::{all, group};
use crate::reconcile::ReconcileError;
use crate::{Context, status};

/// The blob: the baseline, and the evaluation set whose references it knew.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BaselineDocument {
    /// The figures.
    pub(crate) baseline: Baseline,
    /// Blob of the evaluation set, if there was one.
    pub(crate) evaluation: Option<String>,
}

/// Reads a baseline.
pub(crate) async fn read(digest: &str, ctx: &Context) -> Result<BaselineDocument, ReconcileError> {
    let bytes = ctx.records.blobs().get(digest).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| ReconcileError::Corrupt { what: format!("baseline {digest}"), problem: error.to_string() })
}

/// Freezes the baseline of `version` from its windows since `since`, and names it in its status. `Ok(Err)` when there is too
/// little to freeze yet.
pub(super) async fn freeze(
    version: &ModelVersion,
    facts: &Facts,
    since: UtcMillis,
    ctx: &Context,
) -> Result<Result<(), BaselineError>, ReconcileError> {
    let until = facts.now.minus(ctx.pace.settle).window_start(facts.policy.window);
    let windows = ctx.records.windows(&all(&facts.key, &version.name_any(), since, until)).await?;
    let mut series = Vec::new();
    for (stored, source) in watched(facts) {
        series.push((stored, source, group(&windows, stored, source, None, facts.policy.window)));
    }
    let (prompts, references) = facts
        .evaluation
        .as_ref()
        .map(|evaluation| (evaluation.set.prompts_digest.as_str(), evaluation.set.references_digest.as_str()))
        .unwrap_or_default();
    let parts = series.iter().map(|(metric, source, windows)| BaselineSeries { metric, source: *source, windows });
    let baseline = match Baseline::freeze(facts.now, prompts, references, facts.policy.minimum_samples, parts) {
        Ok(baseline) => baseline,
        Err(error) => return Ok(Err(error)),
    };
    // Feedback comes when users please, and its rules have no baseline for good once this is frozen without them: it is waited
    // for as long as the policy allows silence, and no longer.
    let patience = facts.parsed.rollout.soak + facts.policy.no_data_after;
    let lacking = series.iter().find(|(metric, source, _)| baseline.metric(metric, *source).is_none());
    if let Some((metric, source, windows)) = lacking.filter(|_| facts.now.since(since) <= patience) {
        let n = windows.iter().flat_map(|window| window.slices.values()).map(Sketch::n).sum();
        let (metric, minimum) = ((*metric).to_string(), facts.policy.minimum_samples);
        return Ok(Err(BaselineError::TooFew { metric, source_name: *source, n, minimum }));
    }
    let n = baseline.n();
    let document = BaselineDocument {
        baseline,
        evaluation: facts.evaluation.as_ref().map(|evaluation| evaluation.digest.clone()),
    };
    let bytes = serde_json::to_vec(&document)
        .map_err(|error| ReconcileError::Corrupt { what: "a baseline".to_string(), problem: error.to_string() })?;
    let digest = ctx.records.blobs().put_bytes(&bytes).await?;
    let mut new = version.status.clone().unwrap_or_default();
    new.baseline = Some(BaselineStatus { digest, n, frozen_at: status::time(facts.now) });
    status::write("model", &ctx.api(&facts.key.namespace), version, version.status.as_ref(), &new).await?;
    Ok(Ok(()))
}

/// What a baseline holds: every metric of the policy, and the requests per slice, by which a shift of the mix is known.
fn watched(facts: &Facts) -> Vec<(&'static str, Source)> {
    let mut watched: Vec<(&'static str, Source)> = Vec::new();
    for rule in &facts.policy.metrics {
        if let MetricSource::Agents(metric, source) = &rule.source
            && !watched.contains(&(metric.stored, *source))
        {
            watched.push((metric.stored, *source));
        }
    }
    if let Some(requests) = registry::metric("error_rate")
        && watched.iter().any(|(_, source)| *source == Source::Traffic)
        && !watched.contains(&(requests.stored, Source::Traffic))
    {
        watched.push((requests.stored, Source::Traffic));
    }
    watched
}
