//! Dataset: reads its sources into blobs, so that what is used is what was looked at.

use std::sync::Arc;
use std::time::Duration;

use homeostat_crds::conditions::{self, reason};
use homeostat_crds::dataset::{DatasetSource, DatasetStatus, Purpose};
use homeostat_crds::{Dataset, Model};
use homeostat_quality::EvaluationSet;
use homeostat_records::Successors;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;

use super::ReconcileError;
use crate::Context;
use crate::status::{self, ConditionUpdate};

/// Largest file that is read as a source, in bytes.
const LARGEST: u64 = 2 << 30;

/// Reads and checks the sources.
///
/// # Errors
/// When the API or the records do not answer.
pub async fn reconcile(dataset: Arc<Dataset>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    let namespace = dataset.namespace().ok_or(ReconcileError::Incomplete("namespace"))?;
    let held = dataset.status.clone().unwrap_or_default();
    // The spec is immutable and blobs are content-addressed: once read, always read.
    if !held.blobs.is_empty() && status::is_true(&held.conditions, conditions::READY) {
        if let Some(new) = without_erased(&dataset, &held, &ctx.records.successors().await?, &ctx) {
            status::write("dataset", &ctx.api(&namespace), &*dataset, dataset.status.as_ref(), &new).await?;
        }
        return Ok(Action::await_change());
    }
    let read = match dataset.spec.purpose {
        Purpose::Feedback => check_models(&dataset, &namespace, &ctx),
        Purpose::Training | Purpose::Golden => read_sources(&dataset, &ctx).await?,
    };
    let ready = read.is_ok();
    let new = plan(&dataset, held, read, &ctx);
    status::write("dataset", &ctx.api(&namespace), &*dataset, dataset.status.as_ref(), &new).await?;
    Ok(if ready { Action::await_change() } else { Action::requeue(Duration::from_secs(10)) })
}

/// The status after blobs were rewritten without a person; `None` when none was.
fn without_erased(
    dataset: &Dataset,
    held: &DatasetStatus,
    successors: &Successors,
    ctx: &Context,
) -> Option<DatasetStatus> {
    let blobs = successors.all(&held.blobs);
    if blobs == held.blobs {
        return None;
    }
    let erased: u64 = held.blobs.iter().map(|digest| successors.removed(digest)).sum();
    let mut new = DatasetStatus { blobs, ..held.clone() };
    new.records = held.records.map(|records| records.saturating_sub(erased));
    let message = format!("{} records; {erased} more were erased at the request of a person", new.records.unwrap_or(0));
    let update = ConditionUpdate { type_: conditions::READY, status: "True", reason: reason::OK, message };
    status::set_condition(&mut new.conditions, dataset.metadata.generation, ctx.now(), update);
    Some(new)
}

struct Content {
    blobs: Vec<String>,
    records: Option<u64>,
}

struct Problem {
    reason: &'static str,
    message: String,
}

fn check_models(dataset: &Dataset, namespace: &str, ctx: &Context) -> Result<Content, Problem> {
    for source in &dataset.spec.sources {
        let Some(feedback) = &source.feedback else { continue };
        if ctx.stores.models.get(&ObjectRef::<Model>::new(&feedback.model.name).within(namespace)).is_none() {
            let message = format!(
                "spec.sources names Model {:?}, which does not exist: create it or correct the name",
                feedback.model.name
            );
            return Err(Problem { reason: reason::REFERENCE_NOT_FOUND, message });
        }
    }
    Ok(Content { blobs: Vec::new(), records: None })
}

async fn read_sources(dataset: &Dataset, ctx: &Context) -> Result<Result<Content, Problem>, ReconcileError> {
    let mut content = Content { blobs: Vec::new(), records: Some(0) };
    let successors = ctx.records.successors().await?;
    for (index, source) in dataset.spec.sources.iter().enumerate() {
        match read_source(index, source, dataset.spec.purpose).await {
            Ok((bytes, records)) => {
                let digest = ctx.records.blobs().put_bytes(&bytes).await?;
                let successor = successors.of(&digest).to_string();
                if successor != digest {
                    // The file still holds a person who was erased from this very blob.
                    ctx.records.blobs().delete(&digest).await?;
                }
                let erased = successors.removed(&digest);
                content.blobs.push(successor);
                content.records = content.records.map(|sum| sum + records.saturating_sub(erased));
            }
            Err(problem) => return Ok(Err(problem)),
        }
    }
    Ok(Ok(content))
}

async fn read_source(index: usize, source: &DatasetSource, purpose: Purpose) -> Result<(Vec<u8>, u64), Problem> {
    let field = format!("spec.sources[{index}]");
    let invalid = |message: String| Problem { reason: reason::INVALID_SPEC, message };
    let unreadable = |message: String| Problem { reason: reason::ARTIFACT_UNREADABLE, message };
    let uri = source.uri.as_deref().ok_or_else(|| invalid(format!("{field}.uri is missing")))?;
    let path = uri
        .strip_prefix("file://")
        .ok_or_else(|| invalid(format!("{field}.uri is {uri:?}: write file:///path/to/lines.jsonl")))?;
    let explain = |error: std::io::Error| {
        unreadable(format!("{field}.uri: {path} cannot be read ({error}): check the path and who may read it"))
    };
    let size = tokio::fs::metadata(path).await.map_err(explain)?.len();
    if size > LARGEST {
        return Err(invalid(format!(
            "{field}.uri: {path} has {size} bytes, more than {LARGEST}: split it into several sources"
        )));
    }
    let bytes = tokio::fs::read(path).await.map_err(explain)?;
    if let Some(declared) = &source.sha256 {
        let found = crate::digest::sha256_hex(&bytes);
        if found != *declared {
            let message = format!(
                "{field}.sha256 is {declared}, but {path} has {found}: the file was changed, or the digest is another file's"
            );
            return Err(Problem { reason: reason::DIGEST_MISMATCH, message });
        }
    }
    let text =
        std::str::from_utf8(&bytes).map_err(|error| invalid(format!("{field}.uri: {path} is not UTF-8 ({error})")))?;
    let records = match purpose {
        Purpose::Golden => {
            EvaluationSet::merge([(path, text)]).map(|set| set.items.len()).map_err(|error| error.to_string())
        }
        _ => homeostat_curation::read_jsonl(path, text).map(|records| records.len()).map_err(|error| error.to_string()),
    };
    let records = records.map_err(|problem| invalid(format!("{field}.uri: {problem}")))?;
    Ok((bytes, records as u64))
}

fn plan(dataset: &Dataset, held: DatasetStatus, read: Result<Content, Problem>, ctx: &Context) -> DatasetStatus {
    let mut new = held;
    let generation = dataset.metadata.generation;
    new.observed_generation = generation;
    let (state, reason, message) = match read {
        Ok(content) => {
            let message = match content.records {
                Some(records) => format!("{records} records were read"),
                None => "records come from feedback".to_string(),
            };
            new.blobs = content.blobs;
            new.records = content.records;
            ("True", reason::OK, message)
        }
        Err(problem) => ("False", problem.reason, problem.message),
    };
    let update = ConditionUpdate { type_: conditions::READY, status: state, reason, message };
    status::set_condition(&mut new.conditions, generation, ctx.now(), update);
    new
}
