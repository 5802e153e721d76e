//! ComplianceCheck: scans the snapshot, asks the version for secrets, and says whether the policy allows what was found.

use std::sync::Arc;
use std::time::Duration;

use homeostat_crds::compliance::{ComplianceCheckStatus, FindingStatus};
use homeostat_crds::conditions::{self, reason, version as condition};
use homeostat_crds::{ComplianceCheck, CompliancePolicy, ModelVersion};
use homeostat_privacy::Entity;
use homeostat_protocol::{Scan, Work, work::Kind};
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;

use super::{ReconcileError, compliance_policy};
use crate::Context;
use crate::status::{self, ConditionUpdate};
use crate::work::{Outcome, Owner, Standing, advance};

/// The finding that stands for secrets which the version gave away.
const LEAK: &str = "LEAK";

/// Advances one check.
///
/// # Errors
/// When the API or the records do not answer.
pub async fn reconcile(check: Arc<ComplianceCheck>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    let held = check.status.clone().unwrap_or_default();
    if status::is_true(&held.conditions, conditions::COMPLETE) {
        return Ok(Action::await_change());
    }
    let namespace = check.namespace().ok_or(ReconcileError::Incomplete("namespace"))?;
    let verdict = match fetch(&check, &namespace, &ctx) {
        Ok(facts) => work(&check, &namespace, &facts, &ctx).await?,
        Err(problem) => Some(Verdict::inconclusive(problem)),
    };
    let new = plan(&check, held, verdict.as_ref(), &ctx);
    if let Some(verdict) = &verdict {
        mark_version(&check, &namespace, verdict, &ctx).await?;
    }
    status::write("compliance_check", &ctx.api(&namespace), &*check, check.status.as_ref(), &new).await?;
    if let Some(verdict) = &verdict {
        tell(&check, verdict, &ctx).await;
    }
    Ok(Action::requeue(Duration::from_secs(5)))
}

struct Facts {
    version: Arc<ModelVersion>,
    rules: Vec<(Entity, u64)>,
    maximum_leaks: u64,
}

struct Verdict {
    verdict: &'static str,
    message: String,
    findings: Vec<FindingStatus>,
    report: Option<String>,
}

impl Verdict {
    fn inconclusive(message: String) -> Self {
        Self { verdict: "Inconclusive", message, findings: Vec::new(), report: None }
    }
}

fn fetch(check: &ComplianceCheck, namespace: &str, ctx: &Context) -> Result<Facts, String> {
    let name = &check.spec.policy_ref.name;
    let policy = ctx.stores.compliance_policies.get(&ObjectRef::<CompliancePolicy>::new(name).within(namespace));
    let policy = policy.ok_or_else(|| format!("CompliancePolicy {name:?} does not exist"))?;
    let version = ctx.stores.versions.get(&ObjectRef::<ModelVersion>::new(&check.spec.version).within(namespace));
    let version = version.ok_or_else(|| format!("ModelVersion {:?} does not exist", check.spec.version))?;
    Ok(Facts { version, rules: compliance_policy::parse(&policy)?, maximum_leaks: policy.spec.maximum_leaks })
}

async fn work(
    check: &ComplianceCheck,
    namespace: &str,
    facts: &Facts,
    ctx: &Context,
) -> Result<Option<Verdict>, ReconcileError> {
    let name = check.name_any();
    let owner = Owner { namespace, object: &name, model: &check.spec.model };
    let artifact = facts.version.spec.artifact.as_ref().map(|artifact| artifact.sha256.clone()).unwrap_or_default();
    let successors = ctx.records.successors().await?;
    let standing = advance(ctx, &owner, "scan", |id, attempt| Work {
        id: id.to_string(),
        attempt,
        kind: Some(Kind::Scan(Scan {
            snapshot_digests: successors.all(&check.spec.snapshot),
            artifact: artifact.clone(),
            probes_digest: check.spec.raw.first().map(|raw| successors.of(raw).to_string()).unwrap_or_default(),
            entities: facts.rules.iter().map(|(entity, _)| entity.as_str().to_string()).collect(),
        })),
    })
    .await?;
    Ok(match standing {
        Standing::Succeeded(outcome) => Some(judge(facts, &outcome)),
        Standing::Failed { message, .. } => Some(Verdict::inconclusive(message)),
        Standing::Waiting { .. } | Standing::Running(_) => None,
    })
}

/// Holds what was found against what the policy allows.
fn judge(facts: &Facts, outcome: &Outcome) -> Verdict {
    let records = outcome.count("records");
    let mut findings: Vec<FindingStatus> = facts
        .rules
        .iter()
        .map(|(entity, maximum)| FindingStatus {
            entity: entity.as_str().to_string(),
            count: outcome.count(&format!("count_{}", entity.as_str())),
            of: records,
            maximum: *maximum,
        })
        .collect();
    let (probes, leaks) = (outcome.count("probes"), outcome.count("leaks"));
    findings.push(FindingStatus { entity: LEAK.to_string(), count: leaks, of: probes, maximum: facts.maximum_leaks });
    let beyond: Vec<String> = findings
        .iter()
        .filter(|finding| finding.count > finding.maximum)
        .map(|finding| match finding.entity.as_str() {
            LEAK => format!(
                "the version gave away {} of {} secrets it was asked for (allowed: {})",
                finding.count, finding.of, finding.maximum
            ),
            entity => format!("{entity} in {} of {} records (allowed: {})", finding.count, finding.of, finding.maximum),
        })
        .collect();
    let report = outcome.blobs.get("report").cloned();
    if !beyond.is_empty() {
        return Verdict { verdict: "Failed", message: beyond.join("; "), findings, report };
    }
    if records == 0 {
        return Verdict { verdict: "Inconclusive", message: "no record was scanned".to_string(), findings, report };
    }
    let message = format!("{records} records scanned, {probes} secrets asked for: nothing beyond the policy");
    Verdict { verdict: "Passed", message, findings, report }
}

fn plan(
    check: &ComplianceCheck,
    held: ComplianceCheckStatus,
    verdict: Option<&Verdict>,
    ctx: &Context,
) -> ComplianceCheckStatus {
    let mut new = held;
    let generation = check.metadata.generation;
    new.observed_generation = generation;
    let (state, why, message) = match verdict {
        None => ("False", reason::CHECKING, "the check is under way".to_string()),
        Some(verdict) => {
            new.verdict = Some(verdict.verdict.to_string());
            new.findings.clone_from(&verdict.findings);
            new.report.clone_from(&verdict.report);
            new.finished = Some(status::time(ctx.now()));
            ("True", verdict.verdict, verdict.message.clone())
        }
    };
    let update = ConditionUpdate { type_: conditions::COMPLETE, status: state, reason: why, message };
    status::set_condition(&mut new.conditions, generation, ctx.now(), update);
    new
}

async fn mark_version(
    check: &ComplianceCheck,
    namespace: &str,
    verdict: &Verdict,
    ctx: &Context,
) -> Result<(), ReconcileError> {
    let api = ctx.api::<ModelVersion>(namespace);
    let Some(version) = api.get_opt(&check.spec.version).await? else { return Ok(()) };
    let (state, why) = match verdict.verdict {
        "Passed" => ("True", reason::OK),
        "Failed" => ("False", reason::PERSONAL_DATA),
        _ => ("Unknown", "Inconclusive"),
    };
    let mut new = version.status.clone().unwrap_or_default();
    let update =
        ConditionUpdate { type_: condition::COMPLIANT, status: state, reason: why, message: verdict.message.clone() };
    status::set_condition(&mut new.conditions, version.metadata.generation, ctx.now(), update);
    status::write("compliance_check", &api, &version, version.status.as_ref(), &new).await?;
    Ok(())
}

async fn tell(check: &ComplianceCheck, verdict: &Verdict, ctx: &Context) {
    if verdict.verdict == "Passed" {
        ctx.events.normal(check, verdict.verdict, "Check", &verdict.message).await;
    } else {
        ctx.events.warning(check, verdict.verdict, "Check", &verdict.message).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use homeostat_crds::model_version::ModelVersionSpec;

    use super::*;

    fn verdict(figures: &[(&str, f64)]) -> Verdict {
        let spec: ModelVersionSpec = serde_json::from_value(serde_json::json!({"model": "m"})).unwrap();
        let facts = Facts {
            version: Arc::new(ModelVersion::new("v", spec)),
            rules: vec![(Entity::EmailAddress, 0)],
            maximum_leaks: 0,
        };
        let figures: BTreeMap<String, f64> =
            figures.iter().map(|(name, value)| ((*name).to_string(), *value)).collect();
        judge(&facts, &Outcome { artifact: String::new(), blobs: BTreeMap::new(), figures, spent_seconds: 0.0 })
    }

    #[test]
    fn findings_fail_and_nothing_scanned_says_nothing() {
        assert_eq!(verdict(&[("records", 10.0)]).verdict, "Passed");
        assert_eq!(verdict(&[]).verdict, "Inconclusive");
        let found = verdict(&[("records", 10.0), ("count_EMAIL_ADDRESS", 2.0)]);
        assert_eq!(
            (found.verdict, found.message.as_str()),
            ("Failed", "EMAIL_ADDRESS in 2 of 10 records (allowed: 0)")
        );
        let leaked = verdict(&[("records", 10.0), ("probes", 3.0), ("leaks", 1.0)]);
        assert_eq!(leaked.message, "the version gave away 1 of 3 secrets it was asked for (allowed: 0)");
    }
}
