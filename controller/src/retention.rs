//! Retention: what is old becomes coarse, then goes. Runs and checks keep a bounded history.

use std::time::Duration;

use homeostat_crds::conditions;
use homeostat_crds::{ComplianceCheck, ModelVersion, RetrainingRun};
use k8s_openapi::NamespaceResourceScope;
use kube::api::DeleteParams;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::reconcile::ReconcileError;
use crate::{Context, status};

/// How often old data is looked for.
pub(crate) const EVERY: Duration = Duration::from_secs(600);

const DAY: Duration = Duration::from_secs(86_400);
/// Windows older than this are merged to windows of [`COARSE_MS`]: no policy looks back as far.
const FINE: Duration = Duration::from_secs(7 * 86_400);
const COARSE_MS: i64 = 900_000;
/// Finished runs (and checks) that are kept per model.
const HISTORY: usize = 20;

/// Makes old windows coarse and deletes what is older than it is kept.
///
/// # Errors
/// When the records or the API do not answer; what was done stays done.
pub(crate) async fn sweep(ctx: &Context) -> Result<(), ReconcileError> {
    let now = ctx.now();
    let records = &ctx.records;
    let merged = records.compact_windows(now.minus(FINE), COARSE_MS).await?;
    let windows = records.delete_windows(now.minus(DAY * 90)).await?;
    let samples = records.delete_samples(now.minus(DAY * 30)).await?;
    let analyses = records.delete_analyses(now.minus(DAY * 90)).await?;
    if merged + windows + samples + analyses > 0 {
        tracing::info!(merged, windows, samples, analyses, "old records were merged or deleted");
    }
    records.blobs().sweep_partials(now.minus(DAY)).await?;
    prune_runs(ctx).await?;
    prune_checks(ctx).await
}

async fn prune_runs(ctx: &Context) -> Result<(), ReconcileError> {
    let mut runs = ctx.stores.runs.state();
    runs.retain(|run| {
        run.status.as_ref().is_some_and(|held| status::is_true(&held.conditions, conditions::run::COMPLETE))
    });
    let owner = |run: &RetrainingRun| (run.namespace().unwrap_or_default(), run.spec.model.clone());
    runs.sort_by_key(|run| (owner(run), std::cmp::Reverse(run.creation_timestamp())));
    for group in runs.chunk_by(|a, b| owner(a) == owner(b)) {
        for old in group.iter().skip(HISTORY) {
            delete(ctx, &**old).await?;
        }
    }
    Ok(())
}

async fn prune_checks(ctx: &Context) -> Result<(), ReconcileError> {
    let mut checks = ctx.stores.checks.state();
    checks.retain(|check| {
        check.status.as_ref().is_some_and(|held| status::is_true(&held.conditions, conditions::COMPLETE))
    });
    let owner = |check: &ComplianceCheck| (check.namespace().unwrap_or_default(), check.spec.model.clone());
    checks.sort_by_key(|check| (owner(check), std::cmp::Reverse(check.creation_timestamp())));
    for group in checks.chunk_by(|a, b| owner(a) == owner(b)) {
        for old in group.iter().skip(HISTORY).filter(|check| !serves(ctx, check)) {
            delete(ctx, &**old).await?;
        }
    }
    Ok(())
}

/// Whether the checked version still runs somewhere: its check is evidence then, whatever its age.
fn serves(ctx: &Context, check: &ComplianceCheck) -> bool {
    let of_check = |version: &&std::sync::Arc<ModelVersion>| {
        version.name_any() == check.spec.version && version.namespace() == check.namespace()
    };
    let versions = ctx.stores.versions.state();
    versions
        .iter()
        .find(of_check)
        .is_some_and(|version| version.status.as_ref().is_some_and(|held| !held.assignments.is_empty()))
}

async fn delete<K>(ctx: &Context, object: &K) -> Result<(), ReconcileError>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api = ctx.api::<K>(&object.namespace().unwrap_or_default());
    match api.delete(&object.name_any(), &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
        Err(error) => Err(error.into()),
    }
}
