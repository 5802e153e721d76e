//! RetrainingRun: curate, train, evaluate; each a piece of work that an agent does. Its end is always a condition.

mod data;
mod gates;
mod planned;

use std::sync::Arc;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_crds::compliance::ComplianceCheckSpec;
use homeostat_crds::conditions::{reason, run as condition};
use homeostat_crds::model_version::{Artifact, Lineage, ModelVersionSpec};
use homeostat_crds::retraining_run::{ProgressStatus, RetrainingRunStatus, SnapshotStatus};
use homeostat_crds::{ComplianceCheck, LocalReference, MODEL_LABEL, Model, ModelVersion, RetrainingRun};
use homeostat_records::WorkRow;
use homeostat_rollout::gates::{GateOutcome, overall};
use kube::ResourceExt;
use kube::api::PostParams;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;

use super::ReconcileError;
use super::model::validate::{self, Retraining};
use crate::status::{self, ConditionUpdate};
use crate::work::{Outcome, Owner, Standing};
use crate::{Context, evaluation};

/// Advances one run as far as it goes now.
///
/// # Errors
/// When the API or the records do not answer.
pub async fn reconcile(run: Arc<RetrainingRun>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    let held = run.status.clone().unwrap_or_default();
    if status::is_true(&held.conditions, condition::COMPLETE) {
        return Ok(Action::await_change());
    }
    let namespace = run.namespace().ok_or(ReconcileError::Incomplete("namespace"))?;
    let mut new = held.clone();
    new.observed_generation = run.metadata.generation;
    if new.started.is_none() {
        new.started = Some(status::time(ctx.now()));
    }
    let stage = match fetch(&run, &namespace, &ctx).await? {
        Ok(facts) => Box::pin(stages(&run, &facts, &mut new, &ctx)).await?,
        Err(end) => Some(end),
    };
    if let Some(end) = stage {
        finish(&run, &mut new, &end, &ctx).await;
    }
    status::write("retraining_run", &ctx.api(&namespace), &*run, run.status.as_ref(), &new).await?;
    Ok(Action::requeue(Duration::from_secs(5)))
}

/// How a run ended.
struct End {
    reason: String,
    message: String,
}

impl End {
    fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into() }
    }
}

struct Facts {
    namespace: String,
    model: Arc<Model>,
    parent: Arc<ModelVersion>,
    retraining: Retraining,
    evaluation: evaluation::Evaluation,
}

async fn fetch(run: &RetrainingRun, namespace: &str, ctx: &Context) -> Result<Result<Facts, End>, ReconcileError> {
    let Some(model) = ctx.stores.models.get(&ObjectRef::new(&run.spec.model).within(namespace)) else {
        return Ok(Err(End::new(reason::REFERENCE_NOT_FOUND, format!("Model {:?} does not exist", run.spec.model))));
    };
    let Some(parent) = ctx.stores.versions.get(&ObjectRef::new(&run.spec.parent).within(namespace)) else {
        return Ok(Err(End::new(
            reason::REFERENCE_NOT_FOUND,
            format!("ModelVersion {:?} does not exist", run.spec.parent),
        )));
    };
    let parsed = match validate::parse(&model.name_any(), &model.spec, &[]) {
        Ok(parsed) => parsed,
        Err(problem) => return Ok(Err(End::new(reason::INVALID_SPEC, problem))),
    };
    let Some(retraining) = parsed.retraining else {
        let message = format!("Model {:?} has no spec.retraining", run.spec.model);
        return Ok(Err(End::new(reason::INVALID_SPEC, message)));
    };
    let evaluation = match evaluation::of(&model, ctx).await? {
        Ok(Some(evaluation)) => evaluation,
        Ok(None) => {
            let message = "spec.evaluation.golden of the Model is empty: the gates have no references".to_string();
            return Ok(Err(End::new(reason::INVALID_SPEC, message)));
        }
        Err(problem) => return Ok(Err(End::new(reason::REFERENCE_NOT_READY, problem))),
    };
    Ok(Ok(Facts { namespace: namespace.to_string(), model, parent, retraining, evaluation }))
}

/// One stage after the other; each begins where its work stands.
async fn stages(
    run: &RetrainingRun,
    facts: &Facts,
    new: &mut RetrainingRunStatus,
    ctx: &Context,
) -> Result<Option<End>, ReconcileError> {
    let name = run.name_any();
    let owner = Owner { namespace: &facts.namespace, object: &name, model: &run.spec.model };
    let started = validate::at(new.started.as_ref());
    let deadline = started.plus(facts.retraining.deadline);
    if ctx.now() > deadline {
        return Ok(Some(End::new(
            reason::DEADLINE_EXCEEDED,
            "it took longer than spec.retraining.deadline of the Model",
        )));
    }

    new.phase = Some("Curating".to_string());
    let curated = match planned::curate(run, facts, &owner, ctx).await? {
        Ok(Standing::Succeeded(outcome)) => outcome,
        Ok(standing) => return Ok(waiting(new, standing, ctx)),
        Err(end) => return Ok(Some(end)),
    };
    note_snapshot(run, new, &curated, ctx)?;
    if curated.count("fresh_records") == 0 {
        let message = "curation left no fresh record; the funnel says why".to_string();
        return Ok(Some(End::new(reason::NO_FRESH_DATA, message)));
    }

    new.phase = Some("Training".to_string());
    let trained = match planned::train(facts, &owner, &curated, deadline, ctx).await? {
        Standing::Succeeded(outcome) => outcome,
        standing => return Ok(waiting(new, standing, ctx)),
    };
    if !status::is_true(&new.conditions, condition::TRAINED) {
        set(run, new, condition::TRAINED, "True", reason::OK, format!("artifact {}", short(&trained.artifact)), ctx);
        if let Some(progress) = &mut new.progress {
            progress.step = progress.total_steps;
            progress.eta_seconds = None;
        }
    }
    let version = create_version(run, facts, &curated, &trained, ctx).await?;
    new.version = Some(version.name_any());
    create_check(run, facts, &version, ctx).await?;

    new.phase = Some("Evaluating".to_string());
    let evaluated = match planned::evaluate(facts, &owner, &trained, ctx).await? {
        Standing::Succeeded(outcome) => outcome,
        standing => return Ok(waiting(new, standing, ctx)),
    };
    new.spent_seconds = curated.spent_seconds + trained.spent_seconds + evaluated.spent_seconds;
    judge(run, facts, &version, &trained, &evaluated, new, ctx).await.map(Some)
}

/// Notes how far the stage is; an end when it failed for good.
fn waiting(new: &mut RetrainingRunStatus, standing: Standing, ctx: &Context) -> Option<End> {
    match standing {
        Standing::Failed { reason, message } => Some(End { reason, message }),
        Standing::Waiting { attempt } => {
            new.attempt = attempt;
            None
        }
        Standing::Running(row) => {
            new.attempt = row.item.attempt;
            // What is shown is how far the training is: the items of an evaluation are no steps of it.
            let held = new.progress.as_ref().and_then(|progress| progress.at.as_ref());
            let due = held.is_none_or(|at| ctx.now().since(status::millis(at)) >= ctx.pace.status_refresh);
            if let Some(progress) = progress(&row, ctx.now()).filter(|_| due && row.item.kind == "train") {
                new.progress = Some(progress);
            }
            None
        }
        Standing::Succeeded(_) => None,
    }
}

fn progress(row: &WorkRow, now: UtcMillis) -> Option<ProgressStatus> {
    let progress = row.progress.as_ref()?;
    let number = |name: &str| progress.get(name).and_then(serde_json::Value::as_f64);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "steps are small counts")]
    let count = |name: &str| number(name).map_or(0, |value| value.max(0.0) as u64);
    let total_steps = count("totalSteps");
    (total_steps > 0).then(|| ProgressStatus {
        step: count("step"),
        total_steps,
        loss: number("loss").map(|loss| (loss * 1e4).round() / 1e4),
        eta_seconds: number("etaSeconds").map(f64::round),
        at: Some(status::time(now)),
    })
}

fn note_snapshot(
    run: &RetrainingRun,
    new: &mut RetrainingRunStatus,
    curated: &Outcome,
    ctx: &Context,
) -> Result<(), ReconcileError> {
    if new.snapshot.is_some() {
        return Ok(());
    }
    let snapshot = SnapshotStatus {
        fresh: curated.blob("fresh")?.to_string(),
        replay: curated.blob("replay")?.to_string(),
        funnel: curated.blob("funnel")?.to_string(),
        fresh_records: curated.count("fresh_records"),
        replay_records: curated.count("replay_records"),
        superseded: curated.count("superseded"),
        redacted: curated.count("redacted"),
    };
    let message = format!(
        "{} fresh and {} replayed records; {} superseded, {} spans redacted",
        snapshot.fresh_records, snapshot.replay_records, snapshot.superseded, snapshot.redacted
    );
    new.snapshot = Some(snapshot);
    set(run, new, condition::CURATED, "True", reason::OK, message, ctx);
    Ok(())
}

/// The version is named like its run: planning it again makes the same one.
async fn create_version(
    run: &RetrainingRun,
    facts: &Facts,
    curated: &Outcome,
    trained: &Outcome,
    ctx: &Context,
) -> Result<ModelVersion, ReconcileError> {
    let name = run.name_any();
    let spec = ModelVersionSpec {
        model: run.spec.model.clone(),
        artifact: Some(Artifact { uri: "blob:".to_string(), sha256: trained.artifact.clone() }),
        engine: facts.parent.spec.engine.clone(),
        lineage: Some(Lineage {
            parent: Some(run.spec.parent.clone()),
            run: Some(name.clone()),
            dataset: None,
            snapshot: vec![curated.blob("fresh")?.to_string(), curated.blob("replay")?.to_string()],
        }),
        placement: facts.parent.spec.placement.clone(),
    };
    let mut version = ModelVersion::new(&name, spec);
    version.metadata.namespace = Some(facts.namespace.clone());
    version.labels_mut().insert(MODEL_LABEL.to_string(), run.spec.model.clone());
    version.metadata.owner_references =
        kube::Resource::controller_owner_ref(&*facts.model, &()).map(|owner| vec![owner]);
    let api = ctx.api::<ModelVersion>(&facts.namespace);
    match api.create(&PostParams::default(), &version).await {
        Ok(version) => Ok(version),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(api.get(&name).await?),
        Err(error) => Err(error.into()),
    }
}

/// One check a version, when the Model has a CompliancePolicy.
async fn create_check(
    run: &RetrainingRun,
    facts: &Facts,
    version: &ModelVersion,
    ctx: &Context,
) -> Result<(), ReconcileError> {
    let Some(policy) = &facts.model.spec.compliance_policy_ref else { return Ok(()) };
    let raw = match data::sources(run, facts, ctx).await? {
        Ok(sources) => sources.fresh,
        Err(_) => Vec::new(),
    };
    let spec = ComplianceCheckSpec {
        model: run.spec.model.clone(),
        version: version.name_any(),
        policy_ref: LocalReference::new(&policy.name),
        snapshot: version.spec.lineage.as_ref().map(|lineage| lineage.snapshot.clone()).unwrap_or_default(),
        raw,
    };
    let mut check = ComplianceCheck::new(&version.name_any(), spec);
    check.metadata.namespace = Some(facts.namespace.clone());
    check.labels_mut().insert(MODEL_LABEL.to_string(), run.spec.model.clone());
    check.metadata.owner_references = kube::Resource::controller_owner_ref(version, &()).map(|owner| vec![owner]);
    match ctx.api::<ComplianceCheck>(&facts.namespace).create(&PostParams::default(), &check).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

async fn judge(
    run: &RetrainingRun,
    facts: &Facts,
    version: &ModelVersion,
    trained: &Outcome,
    evaluated: &Outcome,
    new: &mut RetrainingRunStatus,
    ctx: &Context,
) -> Result<End, ReconcileError> {
    let results = gates::judge(run, facts, trained, evaluated, ctx).await?;
    let explanations: Vec<&str> = results
        .iter()
        .filter(|result| result.outcome != GateOutcome::Passed)
        .map(|result| result.explanation.as_str())
        .collect();
    let outcome = overall(&results);
    let (state, why, message) = match outcome {
        GateOutcome::Passed => ("True", reason::GATES_PASSED, format!("all {} gates passed", results.len())),
        GateOutcome::Failed => ("False", reason::GATE_FAILED, explanations.join(" ")),
        GateOutcome::Inconclusive => ("Unknown", reason::GATES_INCONCLUSIVE, explanations.join(" ")),
    };
    new.gates = results.iter().map(gates::status).collect();
    set(run, new, condition::GATES_PASSED, state, why, message.clone(), ctx);

    let mut status = version.status.clone().unwrap_or_default();
    let update = ConditionUpdate {
        type_: homeostat_crds::conditions::version::EVALUATED,
        status: state,
        reason: why,
        message: message.clone(),
    };
    status::set_condition(&mut status.conditions, version.metadata.generation, ctx.now(), update);
    status::write("retraining_run", &ctx.api(&facts.namespace), version, version.status.as_ref(), &status).await?;
    Ok(match outcome {
        GateOutcome::Passed => End::new(reason::SUCCEEDED, format!("{} passed its gates", version.name_any())),
        GateOutcome::Failed => End::new(reason::GATE_FAILED, message),
        GateOutcome::Inconclusive => End::new(reason::GATES_INCONCLUSIVE, message),
    })
}

async fn finish(run: &RetrainingRun, new: &mut RetrainingRunStatus, end: &End, ctx: &Context) {
    let succeeded = end.reason == reason::SUCCEEDED;
    new.phase = Some(if succeeded { "Succeeded" } else { "Failed" }.to_string());
    new.finished = Some(status::time(ctx.now()));
    set(run, new, condition::COMPLETE, "True", &end.reason, end.message.clone(), ctx);
    if succeeded {
        ctx.events.normal(run, &end.reason, "Retrain", &end.message).await;
    } else {
        ctx.events.warning(run, &end.reason, "Retrain", &end.message).await;
    }
}

fn set(
    run: &RetrainingRun,
    new: &mut RetrainingRunStatus,
    type_: &str,
    status: &str,
    reason: &str,
    message: String,
    ctx: &Context,
) {
    let update = ConditionUpdate { type_, status, reason, message };
    status::set_condition(&mut new.conditions, run.metadata.generation, ctx.now(), update);
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
