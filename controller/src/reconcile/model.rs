//! Model: the loop itself. Fetch what is recorded, judge it, plan by `core/rollout`, carry the plan out, say so.

mod alerts;
mod apply;
pub(crate) mod baseline;
pub(crate) mod fetch;
mod judge;
mod report;
mod series;
pub(crate) mod validate;
mod world;

use std::sync::Arc;
use std::time::Duration;

use homeostat_crds::Model;
use homeostat_crds::conditions::model as condition;
use homeostat_rollout::plan;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;

use super::{ReconcileError, erasure_request};
use crate::Context;
use crate::status::{self, ConditionUpdate};

/// Looks after one model.
///
/// # Errors
/// When the API or the records do not answer.
pub async fn reconcile(model: Arc<Model>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    let namespace = model.namespace().ok_or(ReconcileError::Incomplete("namespace"))?;
    let facts = match fetch::fetch(&model, &namespace, &ctx).await? {
        Ok(facts) => facts,
        Err(invalid) => return refuse(&model, &namespace, &invalid, &ctx).await,
    };
    apply::forget_lifted_drains(facts.now, &ctx).await?;
    let judged = judge::judge(&model, &facts, &ctx);
    let world = world::world(&model, &facts, &judged, &ctx).await?;
    let plan = plan(&world);
    let applied = apply::apply(&model, &facts, &judged, &plan, &ctx).await?;
    let firing = ctx.records.firing().await?;
    let alerts = alerts::alerts(&model, &facts, &judged, &plan, &firing, &ctx);
    ctx.alerting.sync(&facts.key, alerts).await?;
    report::report(&model, &facts, &judged, &plan, applied, &ctx).await?;
    Ok(Action::requeue(next_look(&facts, &plan, &ctx)))
}

/// Resolves what still fires for models, and for requests of persons, that are gone.
///
/// # Errors
/// When the records do not answer.
pub async fn resolve_alerts_of_deleted(ctx: &Context) -> Result<(), ReconcileError> {
    for alert in ctx.records.firing().await? {
        let Some(key) = &alert.model else { continue };
        if let Some(gone) = erasure_request::is_gone(key, ctx) {
            if gone {
                ctx.alerting.sync(key, Vec::new()).await?;
            }
            continue;
        }
        if ctx.stores.models.get(&ObjectRef::<Model>::new(&key.name).within(&key.namespace)).is_none() {
            ctx.alerting.sync(key, Vec::new()).await?;
        }
    }
    Ok(())
}

/// A window's end at the latest, or when the plan asks to be woken.
fn next_look(facts: &fetch::Facts, plan: &homeostat_rollout::Plan, ctx: &Context) -> Duration {
    let window = facts.policy.window.min(Duration::from_secs(60));
    let wake = plan.decision.wake.or(plan.decision.due).map(|at| at.since(ctx.now()) + Duration::from_millis(50));
    wake.filter(|wake| !wake.is_zero()).map_or(window, |wake| wake.min(window)).max(Duration::from_millis(250))
}

/// A model with a mistake in it keeps serving what it serves; nothing else is done until the mistake is mended.
async fn refuse(
    model: &Model,
    namespace: &str,
    invalid: &fetch::Invalid,
    ctx: &Context,
) -> Result<Action, ReconcileError> {
    let mut new = model.status.clone().unwrap_or_default();
    let generation = model.metadata.generation;
    let update = ConditionUpdate {
        type_: condition::READY,
        status: "False",
        reason: invalid.reason,
        message: invalid.message.clone(),
    };
    status::set_condition(&mut new.conditions, generation, ctx.now(), update);
    if status::write("model", &ctx.api(namespace), model, model.status.as_ref(), &new).await?.is_some() {
        ctx.events.warning(model, invalid.reason, "Validate", &invalid.message).await;
    }
    Ok(Action::requeue(Duration::from_secs(5)))
}
