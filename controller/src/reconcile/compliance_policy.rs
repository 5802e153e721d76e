//! CompliancePolicy: parsed once, so that a mistake shows on the policy itself.

use std::sync::Arc;

use homeostat_crds::CompliancePolicy;
use homeostat_privacy::Entity;
use kube::runtime::controller::Action;

use super::{ReconcileError, decay_policy};
use crate::Context;
use crate::status;

/// Accepts or refuses a policy.
///
/// # Errors
/// When the API does not answer.
pub async fn reconcile(policy: Arc<CompliancePolicy>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    let namespace = policy.metadata.namespace.as_deref().ok_or(ReconcileError::Incomplete("namespace"))?;
    let mut new = policy.status.clone().unwrap_or_default();
    decay_policy::accept(&mut new, policy.metadata.generation, parse(&policy).map(|_| ()), &ctx);
    status::write("compliance_policy", &ctx.api(namespace), &*policy, policy.status.as_ref(), &new).await?;
    Ok(Action::await_change())
}

/// The entities of a policy with the number of records each may occur in.
///
/// # Errors
/// A sentence that names the field, its value and what there is.
pub fn parse(policy: &CompliancePolicy) -> Result<Vec<(Entity, u64)>, String> {
    let rules = policy.spec.entities.iter().enumerate();
    rules
        .map(|(index, rule)| match rule.name.parse::<Entity>() {
            Ok(entity) => Ok((entity, rule.maximum)),
            Err(problem) => Err(format!("spec.entities[{index}].name: {problem}")),
        })
        .collect()
}
