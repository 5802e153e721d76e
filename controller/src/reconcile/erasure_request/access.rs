//! Access: the person's data as they are stored, in one blob.

use std::collections::BTreeMap;

use homeostat_crds::erasure_request::ErasureRequestStatus;
use serde_json::Value;

use super::search::{Purpose, search};
use super::{Case, Stage, Subjects, close, places};
use crate::receipt::ReceiptBlob;
use crate::reconcile::ReconcileError;
use crate::work::{ATTEMPTS, Owner, id_of};

/// The work that gathers.
const COLLECT: &str = "collect";

/// Gathers as far as it goes now.
pub(super) async fn advance(
    case: &Case<'_>,
    subjects: &Subjects,
    new: &mut ErasureRequestStatus,
) -> Result<Stage, ReconcileError> {
    let records = &case.ctx.records;
    let samples = records.subject_records(&subjects.hmacs).await?;
    let ids: Vec<String> = samples.iter().map(|sample| sample.request_id.clone()).collect();
    let found = match search(case, COLLECT, Purpose::Collect, &subjects.hmacs, &ids).await? {
        Ok(found) => found,
        Err(stage) => return Ok(stage),
    };
    let corrupt = |problem: String| ReconcileError::Corrupt { what: "gathered records".to_string(), problem };
    let places = places::places(case.ctx);
    let mut lines: Vec<Value> = Vec::new();
    if let Some(digest) = &found.collected {
        for line in String::from_utf8_lossy(&records.blobs().get(digest).await?).lines() {
            let mut line: Value = serde_json::from_str(line).map_err(|error| corrupt(error.to_string()))?;
            let used_by = line["blob"].as_str().map(|blob| places.of(blob)).unwrap_or_default();
            line["usedBy"] = used_by.into();
            lines.push(line);
        }
    }
    let mut models = BTreeMap::<String, u64>::new();
    for sample in &samples {
        *models.entry(sample.model.to_string()).or_default() += 1;
    }
    let export = serde_json::json!({
        "v": 1,
        "request": case.key,
        "made": case.ctx.now().to_rfc3339(),
        "samples": serde_json::to_value(&samples).map_err(|error| corrupt(error.to_string()))?,
        "records": lines,
    });
    let digest = records.blobs().put_bytes(export.to_string().as_bytes()).await?;
    let summary = format!("{} samples and {} records are ready to be handed out", samples.len(), lines.len());
    case.note("ExportReady", &summary, Some(&digest)).await?;
    new.export = Some(digest);
    let blob = |blob: &super::search::Holding| ReceiptBlob {
        digest: blob.digest.clone(),
        successor: None,
        records: blob.records,
        of: blob.of,
        used_by: places.of(&blob.digest),
    };
    let not_covered = vec![
        "What a trained version may have kept in its weights, backups, and files outside the installation.".to_string(),
    ];
    let blobs = found.blobs.iter().map(blob).collect();
    close(case, new, models, blobs, Vec::new(), not_covered).await?;
    Ok(Stage::done(format!(
        "{summary}: `homeostat erasure export {}` writes them to a file. They are deleted after 30 days",
        case.key
    )))
}

/// Deletes what the search has gathered: the export holds it now.
pub(super) async fn clean_up(case: &Case<'_>) -> Result<(), ReconcileError> {
    let owner = Owner { namespace: case.namespace, object: &case.work, model: "" };
    for attempt in 1..=ATTEMPTS {
        let row = case.ctx.records.work(&id_of(&owner, COLLECT, attempt)).await?;
        let digest = row.as_ref().and_then(|row| row.result.as_ref()?.pointer("/blobs/records")?.as_str());
        if let Some(digest) = digest {
            case.ctx.records.blobs().delete(digest).await?;
        }
    }
    Ok(())
}
