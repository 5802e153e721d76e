//! The gates of a run: paired marks of parent and candidate on the model's evaluation set.

use std::collections::{BTreeMap, BTreeSet};

use homeostat_crds::RetrainingRun;
use homeostat_crds::retraining_run::GateStatus;
use homeostat_quality::ItemScore;
use homeostat_rollout::gates::{GateOutcome, GateResult, PairedScores, evaluate};
use kube::ResourceExt;

use super::Facts;
use crate::reconcile::ReconcileError;
use crate::reconcile::model::baseline;
use crate::work::Outcome;
use crate::{Context, evaluation};

/// Judges the candidate.
pub(super) async fn judge(
    run: &RetrainingRun,
    facts: &Facts,
    trained: &Outcome,
    evaluated: &Outcome,
    ctx: &Context,
) -> Result<Vec<GateResult>, ReconcileError> {
    let bytes = ctx.records.blobs().get(evaluated.blob("scores")?).await?;
    let corrupt =
        |problem: String| ReconcileError::Corrupt { what: "the scores of an evaluation".to_string(), problem };
    let mut scores: BTreeMap<String, Vec<ItemScore>> =
        serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
    let incumbent = facts.parent.spec.artifact.as_ref().map(|artifact| artifact.sha256.clone()).unwrap_or_default();
    let mut take =
        |artifact: &str| scores.remove(artifact).ok_or_else(|| corrupt(format!("no marks for artifact {artifact}")));
    let paired = PairedScores {
        incumbent: take(&incumbent)?,
        candidate: take(&trained.artifact)?,
        fresh: fresh(facts, ctx).await?,
    };
    Ok(evaluate(&facts.retraining.gates, &paired, &ctx.seed.child(&format!("gates/{}", run.name_any()))))
}

/// The items whose reference changed since the parent's baseline; none is known without a baseline.
async fn fresh(facts: &Facts, ctx: &Context) -> Result<BTreeSet<String>, ReconcileError> {
    let frozen = facts.parent.status.as_ref().and_then(|status| status.baseline.as_ref());
    let Some(frozen) = frozen else { return Ok(BTreeSet::new()) };
    match baseline::read(&frozen.digest, ctx).await?.evaluation {
        Some(digest) => Ok(evaluation::fresh(&facts.evaluation.set, &evaluation::read(&digest, ctx).await?)),
        None => Ok(BTreeSet::new()),
    }
}

/// One gate's result for the status.
pub(super) fn status(result: &GateResult) -> GateStatus {
    GateStatus {
        name: result.name.clone(),
        outcome: match result.outcome {
            GateOutcome::Passed => "Passed",
            GateOutcome::Failed => "Failed",
            GateOutcome::Inconclusive => "Inconclusive",
        }
        .to_string(),
        value: result.value,
        threshold: result.threshold,
        n: result.n,
        explanation: result.explanation.clone(),
    }
}
