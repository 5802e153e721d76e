//! What a run learns from, and what it replays.

use homeostat_clock::UtcMillis;
use homeostat_crds::dataset::Purpose;
use homeostat_crds::{CompliancePolicy, Dataset, ModelVersion, RetrainingRun};
use homeostat_curation::{Origin, Record, to_jsonl};
use homeostat_quality::{ModelKey, Sample};
use homeostat_records::SampleQuery;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::Facts;
use crate::Context;
use crate::reconcile::model::fetch::learnt_until;
use crate::reconcile::model::validate;
use crate::reconcile::{ReconcileError, compliance_policy};

/// Most feedback records one run takes.
const MOST: u32 = 1_000_000;

/// Blobs and settings of the curation.
pub(super) struct Sources {
    pub(super) fresh: Vec<String>,
    pub(super) replay: Vec<String>,
    /// Names of the entities that are redacted; empty when the Dataset switches redaction off.
    pub(super) entities: Vec<String>,
}

/// Gathers them. Feedback is what there was when the run was created, so that gathering again gives the same.
pub(super) async fn sources(
    run: &RetrainingRun,
    facts: &Facts,
    ctx: &Context,
) -> Result<Result<Sources, String>, ReconcileError> {
    let namespace = &facts.namespace;
    let name = &facts.retraining.dataset;
    let Some(dataset) = ctx.stores.datasets.get(&ObjectRef::<Dataset>::new(name).within(namespace)) else {
        return Ok(Err(format!("Dataset {name:?} of spec.retraining.dataset does not exist")));
    };
    let fresh = match dataset.spec.purpose {
        Purpose::Golden => return Ok(Err(format!("Dataset {name:?} is golden: what marks a model must not train it"))),
        Purpose::Training => dataset.status.as_ref().map(|status| status.blobs.clone()).unwrap_or_default(),
        Purpose::Feedback => feedback(&dataset, run, facts, ctx).await?,
    };
    if fresh.is_empty() {
        return Ok(Err(format!("Dataset {name:?} has no records")));
    }
    let replay = match replay(&facts.parent, namespace, ctx) {
        Ok(replay) => replay,
        Err(problem) => return Ok(Err(problem)),
    };
    let entities = if dataset.spec.cleaning.redact { entities(facts, ctx) } else { Vec::new() };
    // A version's lineage keeps naming what it was trained on; what was rewritten since is learnt from in its new form.
    let successors = ctx.records.successors().await?;
    Ok(Ok(Sources { fresh: successors.all(&fresh), replay: successors.all(&replay), entities }))
}

/// What the model's policy names, or everything that is known when there is no policy.
fn entities(facts: &Facts, ctx: &Context) -> Vec<String> {
    let policy = facts.model.spec.compliance_policy_ref.as_ref().and_then(|reference| {
        ctx.stores
            .compliance_policies
            .get(&ObjectRef::<CompliancePolicy>::new(&reference.name).within(&facts.namespace))
    });
    match policy.and_then(|policy| compliance_policy::parse(&policy).ok()) {
        Some(entities) => entities.iter().map(|(entity, _)| entity.as_str().to_string()).collect(),
        None => homeostat_privacy::Entity::ALL.iter().map(|entity| entity.as_str().to_string()).collect(),
    }
}

fn replay(parent: &ModelVersion, namespace: &str, ctx: &Context) -> Result<Vec<String>, String> {
    let Some(lineage) = &parent.spec.lineage else { return Ok(Vec::new()) };
    let mut blobs = lineage.snapshot.clone();
    if let Some(reference) = &lineage.dataset {
        let dataset = ctx.stores.datasets.get(&ObjectRef::<Dataset>::new(&reference.name).within(namespace));
        let held =
            dataset.and_then(|dataset| dataset.status.as_ref().map(|status| status.blobs.clone())).unwrap_or_default();
        if held.is_empty() {
            let parent = parent.name_any();
            return Err(format!(
                "Dataset {:?} of the lineage of {parent} does not exist or is not ready",
                reference.name
            ));
        }
        blobs.extend(held);
    }
    Ok(blobs)
}

async fn feedback(
    dataset: &Dataset,
    run: &RetrainingRun,
    facts: &Facts,
    ctx: &Context,
) -> Result<Vec<String>, ReconcileError> {
    let mut records = Vec::new();
    for source in dataset.spec.sources.iter().filter_map(|source| source.feedback.as_ref()) {
        let query = SampleQuery {
            model: ModelKey::new(&facts.namespace, &source.model.name),
            labelled_only: true,
            from: learnt_until(&facts.parent),
            // Kubernetes' times have whole seconds: all of the second in which the run was created is in.
            to: validate::at(run.creation_timestamp().as_ref()).plus(std::time::Duration::from_secs(1)),
            limit: MOST,
        };
        records.extend(ctx.records.samples(&query).await?.into_iter().filter_map(record));
    }
    if records.is_empty() {
        return Ok(Vec::new());
    }
    records.sort_by(|a: &Record, b| a.id.cmp(&b.id));
    Ok(vec![ctx.records.blobs().put_bytes(to_jsonl(&records).as_bytes()).await?])
}

/// A labelled sample as a record: the prompt with the answer that its user vouched for.
fn record(sample: Sample) -> Option<Record> {
    let label = sample.label?;
    Some(Record {
        id: sample.request_id,
        prompt: sample.prompt,
        completion: label.completion,
        slice: sample.slice,
        fact: None,
        valid_from: Some(UtcMillis(label.at.0)),
        weight_key: Some(label.key_id),
        origin: Origin::Fresh,
    })
}
