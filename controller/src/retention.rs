//! Retention: what is old becomes coarse, then goes. Runs and checks keep a bounded history. Each sweep that deleted something
//! leaves a report in the ledger.

use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_crds::conditions;
use homeostat_crds::{ComplianceCheck, ModelVersion, RetrainingRun};
use homeostat_records::Entry;
use k8s_openapi::NamespaceResourceScope;
use kube::api::DeleteParams;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::reconcile::ReconcileError;
use crate::{Context, status};

/// How often old data is looked for.
pub(crate) const EVERY: Duration = Duration::from_secs(600);

const DAY: Duration = Duration::from_secs(86_400);
/// Windows and analyses are deleted at this age, samples and exports of a person's data at the next.
const WINDOWS: Duration = Duration::from_secs(90 * 86_400);
const SAMPLES: Duration = Duration::from_secs(30 * 86_400);
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
    let swept = Swept {
        windows: records.delete_windows(now.minus(WINDOWS)).await?,
        samples: records.delete_samples(now.minus(SAMPLES)).await?,
        analyses: records.delete_analyses(now.minus(WINDOWS)).await?,
        exports: delete_exports(now, ctx).await?,
    };
    if merged > 0 || swept != Swept::default() {
        tracing::info!(
            merged,
            windows = swept.windows,
            samples = swept.samples,
            analyses = swept.analyses,
            exports = swept.exports,
            "old records were merged or deleted"
        );
    }
    if swept != Swept::default() {
        records.append_ledger(swept.report(now)).await?;
    }
    records.blobs().sweep_partials(now.minus(DAY)).await?;
    prune_runs(ctx).await?;
    prune_checks(ctx).await
}

/// What one sweep deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Swept {
    windows: u64,
    samples: u64,
    analyses: u64,
    exports: u64,
}

impl Swept {
    /// The entry for the ledger: how many of what, and from before when.
    fn report(self, now: UtcMillis) -> Entry {
        let Self { windows, samples, analyses, exports } = self;
        let before = |age: Duration| now.minus(age).to_rfc3339();
        Entry {
            at: now,
            actor: "homeostat-controller".to_string(),
            kind: "retention".to_string(),
            model: None,
            object: None,
            summary: format!(
                "Deleted for their age: {samples} samples, {windows} windows, {analyses} analyses, {exports} exports"
            ),
            detail: serde_json::json!({
                "samples": {"deleted": samples, "before": before(SAMPLES)},
                "windows": {"deleted": windows, "before": before(WINDOWS)},
                "analyses": {"deleted": analyses, "before": before(WINDOWS)},
                "exports": {"deleted": exports, "before": before(SAMPLES)},
            }),
            evidence: None,
        }
    }
}

/// Copies of persons' data that they have had time to fetch.
async fn delete_exports(now: UtcMillis, ctx: &Context) -> Result<u64, ReconcileError> {
    let mut deleted = 0;
    for request in ctx.stores.erasures.state() {
        let Some(held) = &request.status else { continue };
        let old = held.finished.as_ref().is_some_and(|at| status::millis(at) < now.minus(SAMPLES));
        if let Some(export) = held.export.as_ref().filter(|_| old) {
            deleted += u64::from(ctx.records.blobs().delete(export).await?);
        }
    }
    Ok(deleted)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_how_many_of_what_and_from_before_when() {
        let now = UtcMillis::from_rfc3339("2026-11-24T00:00:00Z").unwrap();
        let entry = Swept { samples: 3, ..Swept::default() }.report(now);
        assert_eq!(entry.summary, "Deleted for their age: 3 samples, 0 windows, 0 analyses, 0 exports");
        assert_eq!(entry.detail["samples"]["before"], "2026-10-25T00:00:00.000Z");
    }
}
