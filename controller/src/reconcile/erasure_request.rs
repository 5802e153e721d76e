//! ErasureRequest: finds what is held about a person, says so, and after approval erases it or hands it out.
//!
//! A request reaches the whole installation, whatever its namespace. It goes in stages, each of which may be begun again after a
//! kill: plan (a search that changes nothing) → approval → samples and tombstones in one transaction → passes over all blobs
//! until one finds nothing → no copy left on any node → the database's own files → versions marked, receipt. Nothing written
//! here, logs and ledger included, holds an identifier or an HMAC.

mod access;
mod deadline;
mod erase;
mod places;
mod search;
mod subject;

use std::sync::Arc;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_crds::ErasureRequest;
use homeostat_crds::conditions::{self, reason};
use homeostat_crds::erasure_request::{BlobRecords, ErasurePlan, ErasureRequestStatus, ModelSamples, RequestKind};
use homeostat_privacy::SubjectKey;
use homeostat_records::Entry;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::ReconcileError;
use crate::Context;
use crate::receipt::{Receipt, ReceiptBlob, sign};
use crate::status::{self, ConditionUpdate};
use search::{Found, Purpose, search};
use subject::Subjects;

pub(crate) use deadline::request_of;

/// `kind` of the ledger entries written here.
const LEDGER_KIND: &str = "erasure";
/// Longest list in a status.
const MOST: usize = 100;

/// Advances one request as far as it goes now.
///
/// # Errors
/// When the API or the records do not answer.
pub async fn reconcile(request: Arc<ErasureRequest>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    let namespace = request.namespace().ok_or(ReconcileError::Incomplete("namespace"))?;
    let held = request.status.clone().unwrap_or_default();
    let case = Case::new(&request, &namespace, &ctx);
    let api = ctx.api::<ErasureRequest>(&namespace);
    let mut new = held.clone();
    new.observed_generation = request.metadata.generation;
    if held.finished.is_some() {
        after_the_end(&case, &mut new).await?;
        status::write("erasure_request", &api, &*request, request.status.as_ref(), &new).await?;
        return Ok(Action::await_change());
    }
    // What is done goes to the ledger: it must follow from what is, or it would be written twice.
    let live = api.get_opt(&case.name).await?;
    if live.and_then(|live| live.resource_version()) != request.resource_version() {
        return Err(ReconcileError::Stale);
    }
    new.deadline = Some(status::time(case.deadline));
    let stage = Box::pin(advance(&case, &mut new)).await?;
    set_stage(&case, &mut new, &stage);
    let changed = held.phase != new.phase;
    if stage.ended && stage.reason != reason::OK {
        case.note("Failed", &stage.message, None).await?;
    }
    status::write("erasure_request", &api, &*request, request.status.as_ref(), &new).await?;
    let key = case.alert_key();
    let alerts = match (stage.ended, stage.reason == reason::OK) {
        (true, true) => Vec::new(),
        (true, false) => deadline::failed(&key, &stage.message, case.deadline, ctx.now()),
        (false, _) => deadline::alerts(&key, stage.phase, &stage.message, case.deadline, ctx.now()),
    };
    ctx.alerting.sync(&key, alerts).await?;
    if changed && stage.reason == reason::OK {
        ctx.events.normal(&*request, stage.phase, "Erasure", &stage.message).await;
    } else if changed {
        ctx.events.warning(&*request, stage.reason, "Erasure", &stage.message).await;
    }
    let waits = matches!(stage.phase, "AwaitingApproval" | "OnHold");
    Ok(Action::requeue(Duration::from_secs(if waits { 60 } else { 5 })))
}

/// Resolves the alerts of requests that are gone. Alerts of a request stand beside those of models.
pub(crate) fn is_gone(key: &homeostat_quality::ModelKey, ctx: &Context) -> Option<bool> {
    let name = request_of(key)?;
    let reference = kube::runtime::reflector::ObjectRef::<ErasureRequest>::new(name).within(&key.namespace);
    Some(ctx.stores.erasures.get(&reference).is_none())
}

/// What the records keep a request under: a request that is deleted and created again under the same name is another one.
pub(crate) fn record_id(request: &ErasureRequest) -> String {
    format!("{}/{}", request.namespace().unwrap_or_default(), work_name(request))
}

/// What its work is named after.
fn work_name(request: &ErasureRequest) -> String {
    let uid = request.uid().unwrap_or_default();
    format!("{}.{}", request.name_any(), uid.split('-').next().unwrap_or_default())
}

/// A request with what hangs on it.
struct Case<'a> {
    request: &'a ErasureRequest,
    namespace: &'a str,
    name: String,
    /// `namespace/name`, for people.
    key: String,
    /// Where the records know it.
    id: String,
    /// What its work is named after.
    work: String,
    deadline: UtcMillis,
    ctx: &'a Context,
}

impl<'a> Case<'a> {
    fn new(request: &'a ErasureRequest, namespace: &'a str, ctx: &'a Context) -> Self {
        let name = request.name_any();
        let deadline = deadline::deadline(status::millis(&request.spec.received_at), request.spec.regulation);
        let (key, id, work) = (format!("{namespace}/{name}"), record_id(request), work_name(request));
        Self { request, namespace, key, name, id, work, deadline, ctx }
    }

    fn alert_key(&self) -> homeostat_quality::ModelKey {
        deadline::alert_key(self.namespace, &self.name)
    }

    /// Puts an entry into the ledger.
    async fn note(&self, what: &str, summary: &str, evidence: Option<&str>) -> Result<(), ReconcileError> {
        tracing::info!(erasure.request = %self.key, step = what, "{summary}");
        let entry = Entry {
            at: self.ctx.now(),
            actor: "homeostat-controller".to_string(),
            kind: LEDGER_KIND.to_string(),
            model: None,
            object: Some(format!("ErasureRequest/{}", self.key)),
            summary: format!("{what}: {summary}"),
            detail: serde_json::json!({"what": what}),
            evidence: evidence.map(str::to_string),
        };
        self.ctx.records.append_ledger(entry).await?;
        Ok(())
    }
}

/// How far a request is.
struct Stage {
    phase: &'static str,
    reason: &'static str,
    message: String,
    ended: bool,
}

impl Stage {
    fn wait(phase: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { phase, reason, message: message.into(), ended: false }
    }

    fn failed(reason: &'static str, message: impl Into<String>) -> Self {
        Self { phase: "Failed", reason, message: message.into(), ended: true }
    }

    fn done(message: String) -> Self {
        Self { phase: "Completed", reason: reason::OK, message, ended: true }
    }
}

async fn advance(case: &Case<'_>, new: &mut ErasureRequestStatus) -> Result<Stage, ReconcileError> {
    let spec = &case.request.spec;
    if let Some(why) = &spec.legal_hold {
        return Ok(Stage::wait("OnHold", reason::LEGAL_HOLD, format!("spec.legalHold is set: {why}")));
    }
    let subjects = match subjects(case).await? {
        Ok(subjects) => subjects,
        Err(problem) => return Ok(Stage::wait("Planning", reason::SUBJECT_INVALID, problem)),
    };
    new.identifiers = Some(subjects.identifiers);
    let plan = match &new.plan {
        Some(plan) => plan.clone(),
        None => match plan(case, &subjects).await? {
            Ok(plan) => {
                case.note("Planned", &sums(&plan), None).await?;
                new.plan.insert(plan).clone()
            }
            Err(stage) => return Ok(stage),
        },
    };
    if !spec.approved {
        let message = format!("{}. Set spec.approved to carry it out", sums(&plan));
        return Ok(Stage::wait("AwaitingApproval", reason::AWAITING_APPROVAL, message));
    }
    if new.began.is_none() {
        new.began = Some(status::time(case.ctx.now()));
        case.note("Approved", "spec.approved was set; who did it stands in the entry of that write", None).await?;
    }
    match spec.kind {
        RequestKind::Erase => erase::advance(case, &subjects, new).await,
        RequestKind::Access => access::advance(case, &subjects, new).await,
    }
}

/// Reads the Secret. Its text goes no further than this.
async fn subjects(case: &Case<'_>) -> Result<Result<Subjects, String>, ReconcileError> {
    let reference = &case.request.spec.subject_ref;
    let api: kube::Api<Secret> = kube::Api::namespaced(case.ctx.client.clone(), case.namespace);
    let Some(secret) = api.get_opt(&reference.name).await? else {
        return Ok(Err(format!(
            "spec.subjectRef names Secret {:?}, which does not exist: create it with the person's identifiers",
            reference.name
        )));
    };
    let place = format!("Secret {:?}, key {:?}", reference.name, reference.key);
    let data = secret.data.unwrap_or_default();
    let Some(value) = data.get(&reference.key) else {
        return Ok(Err(format!("{place}: there is no such key: add it, with one identifier a line")));
    };
    let Ok(text) = std::str::from_utf8(&value.0) else {
        return Ok(Err(format!("{place}: it is not UTF-8 text")));
    };
    let key = SubjectKey::new(case.ctx.seed.derive("subjects"));
    Ok(subject::parse(text, &key).map_err(|problem| format!("{place}: {problem}")))
}

/// What is held about the person, found without changing anything.
async fn plan(case: &Case<'_>, subjects: &Subjects) -> Result<Result<ErasurePlan, Stage>, ReconcileError> {
    let ctx = case.ctx;
    let samples = ctx.records.subject_samples(&subjects.hmacs).await?;
    let ids: Vec<String> = samples.keys().cloned().collect();
    let found = match search(case, "plan", Purpose::Plan, &subjects.hmacs, &ids).await? {
        Ok(found) => found,
        Err(stage) => return Ok(Err(stage)),
    };
    let places = places::places(ctx);
    let affected = |digest: &str| found.blobs.iter().any(|blob| blob.digest == digest);
    let versions = places::trained_on(&ctx.stores.versions.state(), &ctx.stores.datasets.state(), &affected);
    let mut files: Vec<String> =
        found.blobs.iter().filter_map(|blob| places.files.get(&blob.digest)).cloned().collect();
    files.sort();
    files.dedup();
    Ok(Ok(ErasurePlan {
        at: status::time(ctx.now()),
        samples: samples.len() as u64,
        models: by_model(samples.values()).into_iter().take(MOST).collect(),
        records: found.blobs.iter().map(|blob| blob.records).sum(),
        blobs: blobs(&found, &places),
        versions: versions.into_iter().take(MOST).collect(),
        files: files.into_iter().take(MOST).collect(),
    }))
}

fn blobs(found: &Found, places: &places::Places) -> Vec<BlobRecords> {
    let blob = |blob: &search::Holding| BlobRecords {
        digest: blob.digest.clone(),
        records: blob.records,
        of: blob.of,
        used_by: places.of(&blob.digest).into_iter().take(MOST).collect(),
    };
    found.blobs.iter().take(MOST).map(blob).collect()
}

fn by_model<'a>(models: impl Iterator<Item = &'a String>) -> Vec<ModelSamples> {
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    for model in models {
        *counts.entry(model.clone()).or_default() += 1;
    }
    counts.into_iter().map(|(model, samples)| ModelSamples { model, samples }).collect()
}

/// The plan in one sentence, without a full stop.
fn sums(plan: &ErasurePlan) -> String {
    format!(
        "{} samples, {} records in {} blobs, {} versions whose training saw the person",
        plan.samples,
        plan.records,
        plan.blobs.len(),
        plan.versions.len()
    )
}

fn set_stage(case: &Case<'_>, new: &mut ErasureRequestStatus, stage: &Stage) {
    let ready = stage.ended && stage.reason == reason::OK;
    new.phase = Some(stage.phase.to_string());
    if stage.ended {
        new.finished = Some(status::time(case.ctx.now()));
    }
    let update = ConditionUpdate {
        type_: conditions::READY,
        status: if ready { "True" } else { "False" },
        reason: stage.reason,
        message: stage.message.clone(),
    };
    status::set_condition(&mut new.conditions, case.request.metadata.generation, case.ctx.now(), update);
}

/// A finished request still counts what is refused for it.
async fn after_the_end(case: &Case<'_>, new: &mut ErasureRequestStatus) -> Result<(), ReconcileError> {
    if let Some(erased) = &mut new.erased {
        erased.refused = case.ctx.records.refused_samples(&case.id).await?;
    }
    if case.request.spec.kind == RequestKind::Access {
        access::clean_up(case).await?;
    }
    Ok(())
}

/// Signs what was done, keeps it as a blob, and puts it into the ledger.
async fn close(
    case: &Case<'_>,
    new: &mut ErasureRequestStatus,
    samples: std::collections::BTreeMap<String, u64>,
    blobs: Vec<ReceiptBlob>,
    versions: Vec<String>,
    not_covered: Vec<String>,
) -> Result<(), ReconcileError> {
    let (spec, ctx) = (&case.request.spec, case.ctx);
    let corrupt = |problem: String| ReconcileError::Corrupt { what: "a receipt".to_string(), problem };
    let receipt = Receipt {
        v: 1,
        request: case.key.clone(),
        uid: case.request.uid().unwrap_or_default(),
        kind: spec.kind.as_str().to_string(),
        regulation: spec.regulation.as_str().to_string(),
        received: status::millis(&spec.received_at),
        deadline: case.deadline,
        began: new.began.as_ref().map_or(ctx.now(), status::millis),
        finished: ctx.now(),
        identifiers: new.identifiers.unwrap_or(0),
        samples,
        blobs,
        versions,
        nodes: new.cleared_nodes.clone(),
        passes: new.pass.unwrap_or(0),
        export: new.export.clone(),
        not_covered,
        ledger: ctx.records.ledger_head().await?,
    };
    let signed = sign(&receipt, &ctx.seed).map_err(|error| corrupt(error.to_string()))?;
    let bytes = serde_json::to_vec(&signed).map_err(|error| corrupt(error.to_string()))?;
    let digest = ctx.records.blobs().put_bytes(&bytes).await?;
    let late = if ctx.now() > case.deadline { ", after the deadline" } else { "" };
    let summary = format!("{} was answered{late}; the receipt is signed with {}", case.key, signed.public_key);
    case.note("Completed", &summary, Some(&digest)).await?;
    new.receipt = Some(digest);
    Ok(())
}
