//! The evaluation set of a model: its golden Datasets merged, kept as a blob that agents fetch by digest.

use homeostat_crds::{Dataset, Model};
use homeostat_quality::EvaluationSet;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use crate::Context;
use crate::reconcile::ReconcileError;

/// A merged evaluation set and its blob.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation {
    /// sha256 of the blob.
    pub digest: String,
    /// The set.
    pub set: EvaluationSet,
}

/// The model's evaluation set; `Err(problem)` inside when a Dataset is missing or not ready, `None` when there is none to have.
///
/// # Errors
/// When the records do not answer.
pub(crate) async fn of(model: &Model, ctx: &Context) -> Result<Result<Option<Evaluation>, String>, ReconcileError> {
    let namespace = model.namespace().unwrap_or_default();
    if model.spec.evaluation.golden.is_empty() {
        return Ok(Ok(None));
    }
    let successors = ctx.records.successors().await?;
    let mut texts = Vec::new();
    for reference in &model.spec.evaluation.golden {
        let Some(dataset) = ctx.stores.datasets.get(&ObjectRef::<Dataset>::new(&reference.name).within(&namespace))
        else {
            return Ok(Err(format!(
                "spec.evaluation.golden names Dataset {:?}, which does not exist: create it or correct the name",
                reference.name
            )));
        };
        let blobs = dataset.status.as_ref().map(|status| status.blobs.clone()).unwrap_or_default();
        if blobs.is_empty() {
            return Ok(Err(format!("Dataset {:?} of spec.evaluation.golden is not ready yet", reference.name)));
        }
        for blob in successors.all(&blobs) {
            let bytes = ctx.records.blobs().get(&blob).await?;
            texts.push((reference.name.clone(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    let set = match EvaluationSet::merge(texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))) {
        Ok(set) => set,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let bytes = serde_json::to_vec(&set).map_err(|error| ReconcileError::Corrupt {
        what: "an evaluation set".to_string(),
        problem: error.to_string(),
    })?;
    let digest = ctx.records.blobs().put_bytes(&bytes).await?;
    Ok(Ok(Some(Evaluation { digest, set })))
}

/// Reads an evaluation set back from its blob.
///
/// # Errors
/// When the blob is missing or is none.
pub(crate) async fn read(digest: &str, ctx: &Context) -> Result<EvaluationSet, ReconcileError> {
    let successors = ctx.records.successors().await?;
    let bytes = ctx.records.blobs().get(successors.of(digest)).await?;
    serde_json::from_slice(&bytes).map_err(|error| ReconcileError::Corrupt {
        what: format!("evaluation set {digest}"),
        problem: error.to_string(),
    })
}

/// Ids of the items whose references are not the ones of the baseline's set (or which it did not have): the *fresh* ones.
#[must_use]
pub(crate) fn fresh(current: &EvaluationSet, baseline: &EvaluationSet) -> std::collections::BTreeSet<String> {
    let known: std::collections::HashMap<&str, &Vec<String>> =
        baseline.items.iter().map(|item| (item.id.as_str(), &item.references)).collect();
    let is_fresh = |item: &&homeostat_quality::EvaluationItem| known.get(item.id.as_str()) != Some(&&item.references);
    current.items.iter().filter(is_fresh).map(|item| item.id.clone()).collect()
}
