//! Erasing: samples, blobs, copies on nodes, the database's files; then versions are marked and the receipt is signed.

use std::collections::{BTreeMap, BTreeSet};

use homeostat_crds::ModelVersion;
use homeostat_crds::conditions::{reason, version as condition};
use homeostat_crds::erasure_request::{ErasedStatus, ErasureRequestStatus};
use homeostat_protocol::{Work, work::Kind};
use homeostat_records::ReplacedBlob;
use prost::Message;

use super::search::{Found, Purpose, search};
use super::{Case, Stage, Subjects, close, places};
use crate::receipt::ReceiptBlob;
use crate::reconcile::ReconcileError;
use crate::status::{self, ConditionUpdate};

/// Most passes over all blobs. Each finds only what older work has written since the one before, so that few are needed.
const PASSES: u32 = 20;

/// Erases as far as it goes now.
pub(super) async fn advance(
    case: &Case<'_>,
    subjects: &Subjects,
    new: &mut ErasureRequestStatus,
) -> Result<Stage, ReconcileError> {
    let records = &case.ctx.records;
    let deleted = records.erase_subjects(&case.id, &subjects.hmacs, case.ctx.now()).await?;
    if deleted > 0 {
        case.note("SamplesErased", &format!("{deleted} samples; what arrives later is refused"), None).await?;
    }
    let samples = records.erased_samples(&case.id).await?;
    let ids: Vec<String> = samples.keys().cloned().collect();
    let pass = *new.pass.get_or_insert(1);
    if pass > PASSES {
        let message = format!(
            "after {PASSES} passes there are still new copies: see what writes them, and create a new ErasureRequest"
        );
        return Ok(Stage::failed(reason::ATTEMPTS_EXHAUSTED, message));
    }
    let found = match search(case, &format!("erase-{pass}"), Purpose::Erase, &subjects.hmacs, &ids).await? {
        Ok(found) => found,
        Err(stage) => return Ok(stage),
    };
    replace(case, &found).await?;
    let replaced = records.replaced_blobs(&case.id).await?;
    new.erased = Some(ErasedStatus {
        samples: samples.len() as u64,
        blobs: replaced.len() as u64,
        records: replaced.iter().map(|blob| blob.removed).sum(),
        refused: records.refused_samples(&case.id).await?,
    });
    if let Some(work) = older_work(case, &replaced).await? {
        let message = format!("work {work} was planned before and may still read what is to go: it ends first");
        return Ok(Stage::wait("Erasing", reason::ERASING, message));
    }
    for blob in &replaced {
        records.blobs().delete(&blob.digest).await?;
    }
    records.blobs().delete_damaged().await?;
    if !found.blobs.is_empty() || found.ids < ids.len() {
        new.pass = Some(pass + 1);
        new.cleared_nodes.clear();
        let message = format!(
            "pass {pass} replaced {} blobs; the next one looks for what was written meanwhile",
            found.blobs.len()
        );
        return Ok(Stage::wait("Erasing", reason::ERASING, message));
    }
    if let Some(waits) = clear_nodes(case, &replaced, new) {
        return Ok(Stage::wait("Erasing", reason::AGENT_SILENT, waits));
    }
    if !records.scrub().await? {
        return Ok(Stage::wait(
            "Erasing",
            reason::ERASING,
            "the records' file is being read; it is cleaned after that",
        ));
    }
    let versions = trained_on(case, &replaced, new);
    mark(case, &versions).await?;
    finish(case, new, &samples, &replaced, versions).await
}

/// Notes the successors of the blobs; from then on whoever names an old one is given the new one.
async fn replace(case: &Case<'_>, found: &Found) -> Result<(), ReconcileError> {
    for blob in &found.blobs {
        let Some(successor) = &blob.successor else {
            return Err(ReconcileError::Corrupt {
                what: "the result of an erasure".to_string(),
                problem: format!("it has no successor of blob {}", blob.digest),
            });
        };
        let replaced = ReplacedBlob {
            digest: blob.digest.clone(),
            successor: successor.clone(),
            request: case.id.clone(),
            removed: blob.records,
            total: blob.of,
            at: case.ctx.now(),
        };
        if case.ctx.records.replace_blob(&replaced).await? {
            let summary = format!("{} of {} records left blob {}, now {successor}", blob.records, blob.of, blob.digest);
            case.note("BlobReplaced", &summary, None).await?;
        }
    }
    Ok(())
}

/// Open work of others that was planned before the blobs were replaced: it names the old ones, and may copy from them.
async fn older_work(case: &Case<'_>, replaced: &[ReplacedBlob]) -> Result<Option<String>, ReconcileError> {
    let Some(last) = replaced.iter().map(|blob| blob.at).max() else { return Ok(None) };
    let open = case.ctx.records.open_work(None).await?;
    let search = |spec: &[u8]| matches!(Work::decode(spec).map(|work| work.kind), Ok(Some(Kind::Erase(_))));
    let older = open.into_iter().find(|row| row.item.created <= last && !search(&row.item.spec));
    Ok(older.map(|row| row.item.id))
}

/// Notes the nodes that hold nothing any more: they have forgotten the old blobs, and their spools were empty since. Gives
/// what is waited for.
fn clear_nodes(case: &Case<'_>, replaced: &[ReplacedBlob], new: &mut ErasureRequestStatus) -> Option<String> {
    let began = new.began.as_ref().map(status::millis)?;
    let fleet = &case.ctx.fleet;
    let mut waits = Vec::new();
    for node in case.ctx.stores.nodes.state() {
        let name = kube::ResourceExt::name_any(&*node);
        if new.cleared_nodes.contains(&name) {
            continue;
        }
        let told = fleet.desired(&name).map(|desired| {
            let all = replaced.iter().all(|blob| desired.forgotten_blobs.contains(&blob.digest));
            (desired.generation, all)
        });
        let state = fleet.node(&name).filter(|state| state.connected && state.last_report.is_some_and(|at| at > began));
        let clear = match (told, state.and_then(|state| state.status)) {
            (Some((generation, true)), Some(status)) => status.observed >= generation && status.spooled_reports == 0,
            _ => false,
        };
        if clear { new.cleared_nodes.push(name) } else { waits.push(name) }
    }
    let first = waits.first()?;
    Some(format!(
        "{} of the nodes may still hold copies, such as {first}: they go as soon as it reports. When its disk is gone for good, delete its GpuNode",
        waits.len()
    ))
}

/// The versions that saw the person: by the blobs that were replaced, and those of the plan.
fn trained_on(case: &Case<'_>, replaced: &[ReplacedBlob], new: &ErasureRequestStatus) -> BTreeSet<String> {
    let affected = |digest: &str| replaced.iter().any(|blob| blob.digest == digest || blob.successor == digest);
    let stores = &case.ctx.stores;
    let mut versions = places::trained_on(&stores.versions.state(), &stores.datasets.state(), &affected);
    versions.extend(new.plan.iter().flat_map(|plan| plan.versions.clone()));
    versions
}

/// Sets the condition TrainedOnErased.
async fn mark(case: &Case<'_>, versions: &BTreeSet<String>) -> Result<(), ReconcileError> {
    for full in versions {
        let Some((namespace, name)) = full.split_once('/') else { continue };
        let api = case.ctx.api::<ModelVersion>(namespace);
        let Some(version) = api.get_opt(name).await? else { continue };
        let mut new = version.status.clone().unwrap_or_default();
        if status::is_true(&new.conditions, condition::TRAINED_ON_ERASED) {
            continue;
        }
        let message = format!("a person whom its training saw was erased (ErasureRequest {})", case.key);
        let update =
            ConditionUpdate { type_: condition::TRAINED_ON_ERASED, status: "True", reason: reason::ERASED, message };
        status::set_condition(&mut new.conditions, version.metadata.generation, case.ctx.now(), update);
        status::write("erasure_request", &api, &version, version.status.as_ref(), &new).await?;
        case.note("VersionMarked", &format!("ModelVersion {full} was trained on what was erased"), None).await?;
    }
    Ok(())
}

async fn finish(
    case: &Case<'_>,
    new: &mut ErasureRequestStatus,
    samples: &BTreeMap<String, String>,
    replaced: &[ReplacedBlob],
    versions: BTreeSet<String>,
) -> Result<Stage, ReconcileError> {
    let plan = new.plan.clone();
    let planned = |digest: &str| {
        let blobs = plan.iter().flat_map(|plan| &plan.blobs);
        blobs.filter(|blob| blob.digest == digest).flat_map(|blob| blob.used_by.clone()).collect::<Vec<String>>()
    };
    let blob = |blob: &ReplacedBlob| ReceiptBlob {
        digest: blob.digest.clone(),
        successor: Some(blob.successor.clone()),
        records: blob.removed,
        of: blob.total,
        used_by: planned(&blob.digest),
    };
    let mut not_covered = vec![
        "Weights: that a trained version holds nothing of the person cannot be proven. The versions listed here are marked."
            .to_string(),
        "Backups, and files outside the installation's data folder and database.".to_string(),
        format!("The Secret with the identifiers ({}): delete it.", case.request.spec.subject_ref.name),
    ];
    not_covered.extend(plan.iter().flat_map(|plan| &plan.files).map(|file| format!("The source {file}: it is yours.")));
    let mut models = BTreeMap::<String, u64>::new();
    for model in samples.values() {
        *models.entry(model.clone()).or_default() += 1;
    }
    let blobs = replaced.iter().map(blob).collect();
    close(case, new, models, blobs, versions.into_iter().collect(), not_covered).await?;
    let erased = new.erased.unwrap_or_default();
    Ok(Stage::done(format!(
        "{} samples were erased, {} records taken out of {} blobs. Now delete Secret {}, and take the person out of your own files (status.plan.files)",
        erased.samples, erased.records, erased.blobs, case.request.spec.subject_ref.name
    )))
}
