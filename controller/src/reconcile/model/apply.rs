//! Step four: carries a plan out. Every action may be repeated; the ledger is written before the status says so.

use homeostat_clock::UtcMillis;
use homeostat_crds::conditions::{reason, run as run_condition, version as condition};
use homeostat_crds::gpu_node::{DrainStatus, GpuNodeStatus};
use homeostat_crds::model::{ModelStatus, RolloutStatus};
use homeostat_crds::retraining_run::RetrainingRunSpec;
use homeostat_crds::{EVIDENCE_ANNOTATION, GpuNode, MODEL_LABEL, Model, ModelVersion, RetrainingRun};
use homeostat_records::Entry;
use homeostat_rollout::{Action, Plan};
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};

use super::fetch::Facts;
use super::judge::Judged;
use super::world::evidence_bytes;
use super::{baseline, validate};
use crate::reconcile::{ReconcileError, gpu_node};
use crate::status::{self, ConditionUpdate};
use crate::{Context, evaluation};

/// How many steering tokens are remembered.
const TOKENS: usize = 16;

/// Carries the actions out and gives the status that follows from them.
pub(super) async fn apply(
    model: &Model,
    facts: &Facts,
    judged: &Judged,
    plan: &Plan,
    ctx: &Context,
) -> Result<ModelStatus, ReconcileError> {
    let mut new = model.status.clone().unwrap_or_default();
    if plan.actions.is_empty() {
        return Ok(new);
    }
    // The cache may be behind by an event. What is to be done must follow from what is, or it would be done (and recorded) twice.
    let live = ctx.api::<Model>(&facts.key.namespace).get(&facts.key.name).await?;
    if live.resource_version() != model.resource_version() {
        return Err(ReconcileError::Stale);
    }
    let evidence = ctx.records.blobs().put_bytes(&evidence_bytes(judged)?).await?;
    let steering = model.spec.steering.as_ref().filter(|_| plan.asked_for);
    let person = steering.and_then(|steering| steering.reason.as_deref());
    for action in &plan.actions {
        carry_out(action, person, model, facts, &evidence, &mut new, ctx).await?;
    }
    Ok(new)
}

async fn carry_out(
    action: &Action,
    person: Option<&str>,
    model: &Model,
    facts: &Facts,
    evidence: &str,
    new: &mut ModelStatus,
    ctx: &Context,
) -> Result<(), ReconcileError> {
    let now = facts.now;
    let (what, why) = match action {
        Action::StartRetraining { name, parent, cause, data } => {
            if !may_retrain(name, facts, ctx).await? {
                return Ok(());
            }
            // The run itself is what keeps it from being planned again: said before, or a kill in between would leave a retraining
            // that nobody has decided.
            let (what, why) = ("RetrainingStarted", format!("{name} retrains {parent}: {cause}"));
            ctx.records.append_ledger(entry(person, facts, what, &why, action, evidence)).await?;
            create_run(model, facts, (name, parent, cause, data), evidence, ctx).await?;
            tracing::info!(model.name = %facts.key, decision = what, "{why}");
            ctx.events.normal(model, what, "Plan", &why).await;
            return Ok(());
        }
        Action::SetCanary { version, step, weight } => {
            if is_decided(version, facts, ctx).await? {
                return Err(ReconcileError::Stale);
            }
            let started = new.rollout.as_ref().filter(|held| held.phase == "Canary").map(|held| held.started.clone());
            new.candidate = Some(version.clone());
            new.rollout = Some(RolloutStatus {
                phase: "Canary".to_string(),
                step: u32::try_from(*step).ok(),
                weight: *weight,
                since: status::time(now),
                started: started.unwrap_or_else(|| status::time(now)),
            });
            ("CanaryStep", format!("{version} gets {weight} % of the traffic"))
        }
        Action::Promote { version, reason } => {
            decide(version, facts, "True", reason::PROMOTED, reason, ctx).await?;
            if new.stable.as_deref() != Some(version) {
                new.last_known_good = new.stable.replace(version.clone());
                new.stable_since = Some(status::time(now));
            }
            new.candidate = Some(version.clone());
            let at = status::time(now);
            new.rollout = Some(RolloutStatus {
                phase: "Soaking".to_string(),
                step: None,
                weight: 100,
                since: at.clone(),
                started: at,
            });
            ("Promoted", reason.clone())
        }
        Action::RollBack { version, reason } => {
            decide(version, facts, "False", reason::ROLLED_BACK, reason, ctx).await?;
            (new.candidate, new.rollout) = (None, None);
            ("RolledBack", reason.clone())
        }
        Action::Reject { version, reason } => {
            decide(version, facts, "False", reason::REJECTED, reason, ctx).await?;
            (new.candidate, new.rollout) = (None, None);
            ("Rejected", reason.clone())
        }
        Action::Restore { version, reason } => {
            if let Some(left) = new.stable.replace(version.clone()) {
                decide(&left, facts, "False", reason::ROLLED_BACK, reason, ctx).await?;
            }
            new.stable_since = Some(status::time(now));
            (new.last_known_good, new.candidate, new.rollout) = (None, None, None);
            ("Restored", reason.clone())
        }
        Action::Drain { nodes, reason } => {
            for node in nodes {
                drain(node, &facts.key.to_string(), reason, ctx).await?;
            }
            ("Drained", format!("{}: {reason}", nodes.join(", ")))
        }
        Action::FreezeBaseline { version, reason } => match freeze(version, facts, new, ctx).await? {
            Ok(()) => {
                if new.candidate.as_deref() == Some(version) {
                    (new.candidate, new.rollout) = (None, None);
                }
                ("BaselineFrozen", reason.clone())
            }
            Err(problem) => {
                tracing::debug!(model.name = %facts.key, version.name = version, problem, "the baseline waits");
                return Ok(());
            }
        },
        Action::Acknowledge { token } => {
            if !new.steering_done.contains(token) {
                new.steering_done.push(token.clone());
            }
            let surplus = new.steering_done.len().saturating_sub(TOKENS);
            new.steering_done.drain(..surplus);
            return Ok(());
        }
        Action::AskForHelp { reason, message } => {
            // Said once: the alert keeps firing by itself.
            if new.last_decision.as_ref().is_some_and(|last| last.why == *message) {
                return Ok(());
            }
            ctx.events.warning(model, reason, "AskForHelp", message).await;
            ("HelpNeeded", format!("{reason}: {message}"))
        }
    };
    tracing::info!(model.name = %facts.key, decision = what, "{why}");
    ctx.events.normal(model, what, "Plan", &why).await;
    ctx.records.append_ledger(entry(person, facts, what, &why, action, evidence)).await?;
    Ok(())
}

/// `person` is the reason that a person gave, when one asked for the action.
fn entry(person: Option<&str>, facts: &Facts, what: &str, why: &str, action: &Action, evidence: &str) -> Entry {
    Entry {
        at: facts.now,
        actor: "homeostat-controller".to_string(),
        kind: "decision".to_string(),
        model: Some(facts.key.to_string()),
        object: Some(format!("Model/{}", facts.key.name)),
        summary: format!("{what}: {why}"),
        detail: serde_json::json!({"what": what, "action": action, "steeringReason": person}),
        evidence: Some(evidence.to_string()),
    }
}

/// Whether no retraining is under way, and this one has not been there yet.
async fn may_retrain(name: &str, facts: &Facts, ctx: &Context) -> Result<bool, ReconcileError> {
    // One retraining in flight per lineage, asked of the API itself: fresh data grows by the second, so that a run the cache does
    // not know yet would not be found by its name.
    let api = ctx.api::<RetrainingRun>(&facts.key.namespace);
    let runs = api.list(&ListParams::default().fields(&format!("spec.model={}", facts.key.name))).await?;
    let open = |run: &RetrainingRun| {
        !run.status.as_ref().is_some_and(|held| status::is_true(&held.conditions, run_condition::COMPLETE))
    };
    Ok(!runs.items.iter().any(|run| run.name_any() == name || open(run)))
}

async fn create_run(
    model: &Model,
    facts: &Facts,
    (name, parent, cause, data): (&str, &str, &str, &str),
    evidence: &str,
    ctx: &Context,
) -> Result<(), ReconcileError> {
    let spec = RetrainingRunSpec {
        model: facts.key.name.clone(),
        parent: parent.to_string(),
        cause: cause.to_string(),
        data: Some(data.to_string()),
        configuration: facts.parsed.retraining.as_ref().map(|retraining| retraining.plan.configuration.clone()),
        evidence: Some(evidence.to_string()),
    };
    let mut run = RetrainingRun::new(name, spec);
    run.metadata.namespace = Some(facts.key.namespace.clone());
    run.labels_mut().insert(MODEL_LABEL.to_string(), facts.key.name.clone());
    run.annotations_mut().insert(EVIDENCE_ANNOTATION.to_string(), evidence.to_string());
    run.metadata.owner_references = kube::Resource::controller_owner_ref(model, &()).map(|owner| vec![owner]);
    match ctx.api::<RetrainingRun>(&facts.key.namespace).create(&PostParams::default(), &run).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Whether the API knows a decision about a version. The cache may not yet, and what was taken back must not begin again.
pub(super) async fn is_decided(version: &str, facts: &Facts, ctx: &Context) -> Result<bool, ReconcileError> {
    let live = ctx.api::<ModelVersion>(&facts.key.namespace).get_opt(version).await?;
    let conditions = live.and_then(|live| live.status).map(|status| status.conditions).unwrap_or_default();
    Ok(status::condition(&conditions, condition::PROMOTED).is_some())
}

/// Writes the condition Promoted of a version.
async fn decide(
    version: &str,
    facts: &Facts,
    state: &str,
    reason: &str,
    message: &str,
    ctx: &Context,
) -> Result<(), ReconcileError> {
    let Some(object) = facts.version(version) else { return Ok(()) };
    let mut new = object.status.clone().unwrap_or_default();
    let update = ConditionUpdate { type_: condition::PROMOTED, status: state, reason, message: message.to_string() };
    status::set_condition(&mut new.conditions, object.metadata.generation, facts.now, update);
    status::write("model", &ctx.api(&facts.key.namespace), &**object, object.status.as_ref(), &new).await?;
    ctx.events.normal(&**object, reason, "Rollout", message).await;
    Ok(())
}

async fn freeze(
    version: &str,
    facts: &Facts,
    held: &ModelStatus,
    ctx: &Context,
) -> Result<Result<(), String>, ReconcileError> {
    let Some(object) = facts.version(version) else { return Ok(Err(format!("{version} is gone"))) };
    let since = validate::at(held.stable_since.as_ref());
    let frozen = baseline::freeze(object, facts, since, ctx).await?;
    if let (Ok(()), Some(evaluation)) = (&frozen, &facts.evaluation) {
        // The set that the baseline knew must stay readable: the gates compare against it.
        evaluation::read(&evaluation.digest, ctx).await?;
    }
    Ok(frozen.map_err(|error| error.to_string()))
}

/// Takes drains out of the status that a person has lifted by `spec.mendedAt`, those of deleted models included.
pub(super) async fn forget_lifted_drains(now: UtcMillis, ctx: &Context) -> Result<(), ReconcileError> {
    let api: Api<GpuNode> = Api::all(ctx.client.clone());
    for node in ctx.stores.nodes.state() {
        let Some(held) = &node.status else { continue };
        let in_force: Vec<DrainStatus> = gpu_node::drains(&node, now).cloned().collect();
        if in_force.len() < held.drained_for.len() {
            let new = GpuNodeStatus { drained_for: in_force, ..held.clone() };
            status::write("model", &api, &*node, node.status.as_ref(), &new).await?;
            ctx.events.normal(&*node, "Mended", "Drain", "spec.mendedAt lifts the drain").await;
        }
    }
    Ok(())
}

async fn drain(node: &str, model: &str, reason: &str, ctx: &Context) -> Result<(), ReconcileError> {
    let api: Api<GpuNode> = Api::all(ctx.client.clone());
    let Some(object) = api.get_opt(node).await? else { return Ok(()) };
    let mut new = object.status.clone().unwrap_or_default();
    new.drained_for = gpu_node::drains(&object, ctx.now()).cloned().collect();
    if new.drained_for.iter().any(|held| held.model == model) {
        return Ok(());
    }
    new.drained_for.push(DrainStatus {
        model: model.to_string(),
        reason: reason.chars().take(500).collect(),
        since: status::time(ctx.now()),
    });
    status::write("model", &api, &object, object.status.as_ref(), &new).await?;
    ctx.events.warning(&object, "Drained", "Drain", reason).await;
    Ok(())
}
