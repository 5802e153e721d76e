//! Step one: everything that the plan for a model depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use homeostat_clock::UtcMillis;
use homeostat_crds::conditions::{run, version as condition};
use homeostat_crds::dataset::Purpose;
use homeostat_crds::{CompliancePolicy, Dataset, DecayPolicy, GpuNode, Model, ModelVersion, RetrainingRun};
use homeostat_decay::{Baseline, Policy};
use homeostat_quality::ModelKey;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::baseline;
use super::series::Observations;
use super::validate::{self, Parsed, digest};
use crate::evaluation::{self, Evaluation};
use crate::reconcile::{ReconcileError, decay_policy, gpu_node};
use crate::{Context, status};

/// What was fetched for one model.
pub(super) struct Facts {
    pub(super) key: ModelKey,
    pub(super) now: UtcMillis,
    pub(super) parsed: Parsed,
    pub(super) policy: Policy,
    /// All versions of the model by age, oldest first.
    pub(super) versions: Vec<Arc<ModelVersion>>,
    /// All runs of the model by age, oldest first.
    pub(super) runs: Vec<Arc<RetrainingRun>>,
    pub(super) evaluation: Option<Evaluation>,
    /// Frozen baseline of the stable version.
    pub(super) baseline: Option<Baseline>,
    /// What was observed of the stable version.
    pub(super) stable: Option<Observations>,
    /// Digest of the fresh data, and how many records it has.
    pub(super) fresh: Option<(String, u64)>,
    /// Whether a CompliancePolicy applies.
    pub(super) compliance: bool,
    /// Whether it asks for a retraining when a person is erased; without a policy nobody has asked for it.
    pub(super) retrain_on_erasure: bool,
}

/// Why a model cannot be looked after: a mistake in it or around it, with the condition reason.
pub(super) struct Invalid {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Invalid {
    fn spec(message: String) -> Self {
        Self { reason: homeostat_crds::conditions::reason::INVALID_SPEC, message }
    }

    fn missing(message: String) -> Self {
        Self { reason: homeostat_crds::conditions::reason::REFERENCE_NOT_FOUND, message }
    }

    fn not_ready(message: String) -> Self {
        Self { reason: homeostat_crds::conditions::reason::REFERENCE_NOT_READY, message }
    }
}

/// Fetches and validates.
pub(super) async fn fetch(
    model: &Model,
    namespace: &str,
    ctx: &Context,
) -> Result<Result<Facts, Invalid>, ReconcileError> {
    let name = model.name_any();
    let held = model.status.clone().unwrap_or_default();
    let key = ModelKey::new(namespace, &name);
    let now = ctx.now();
    let settled = now.minus(ctx.pace.settle);

    let parsed = match validate::parse(&name, &model.spec, &held.steering_done) {
        Ok(parsed) => parsed,
        Err(message) => return Ok(Err(Invalid::spec(message))),
    };
    let policy = match policy_of(model, namespace, ctx) {
        Ok(policy) => policy,
        Err(invalid) => return Ok(Err(invalid)),
    };
    let evaluation = match evaluation::of(model, ctx).await? {
        Ok(evaluation) => evaluation,
        Err(message) => return Ok(Err(Invalid::not_ready(message))),
    };
    if let Err(invalid) = check_references(model, namespace, &parsed, ctx) {
        return Ok(Err(invalid));
    }

    let mut versions: Vec<_> = ctx
        .stores
        .versions
        .state()
        .into_iter()
        .filter(|version| belongs(&**version, namespace) && version.spec.model == name)
        .collect();
    versions.sort_by_key(|version| (version.creation_timestamp(), version.name_any()));
    let mut runs: Vec<_> = ctx
        .stores
        .runs
        .state()
        .into_iter()
        .filter(|run| belongs(&**run, namespace) && run.spec.model == name)
        .collect();
    runs.sort_by_key(|run| (run.creation_timestamp(), run.name_any()));
    if held.stable.is_none() && !versions.iter().any(|version| version.name_any() == model.spec.initial_version) {
        let message = format!(
            "spec.initialVersion is {:?}, but no ModelVersion of that name has spec.model {name:?}: create it or correct the name",
            model.spec.initial_version
        );
        return Ok(Err(Invalid::missing(message)));
    }

    let stable_object =
        held.stable.as_ref().and_then(|stable| versions.iter().find(|version| version.name_any() == *stable));
    let baseline = match stable_object.and_then(|version| version.status.as_ref()?.baseline.as_ref()) {
        Some(frozen) => Some(baseline::read(&frozen.digest, ctx).await?.baseline),
        None => None,
    };
    let stable = match stable_object {
        Some(version) => {
            let mut observed = Observations::fetch(ctx, &key, &version.name_any(), &policy, settled).await?;
            observed.leave_out(&trusted_from(&key, now, ctx));
            Some(observed)
        }
        None => None,
    };
    let fresh = match (&parsed.retraining, stable_object) {
        (Some(retraining), Some(version)) => fresh_data(&retraining.dataset, version, namespace, ctx).await?,
        _ => None,
    };
    let compliance = model.spec.compliance_policy_ref.is_some();
    let retrain_on_erasure = model.spec.compliance_policy_ref.as_ref().is_some_and(|reference| {
        let reference = ObjectRef::<CompliancePolicy>::new(&reference.name).within(namespace);
        ctx.stores.compliance_policies.get(&reference).is_some_and(|policy| policy.spec.retrain_on_erasure)
    });
    Ok(Ok(Facts {
        key,
        now,
        parsed,
        policy,
        versions,
        runs,
        evaluation,
        baseline,
        stable,
        fresh,
        compliance,
        retrain_on_erasure,
    }))
}

/// From when on the model is judged on what a node reports: never while it is drained for the model, since it was mended
/// afterwards.
fn trusted_from(model: &ModelKey, now: UtcMillis, ctx: &Context) -> BTreeMap<String, UtcMillis> {
    let model = model.to_string();
    let from = |node: Arc<GpuNode>| {
        let drained = gpu_node::drains(&node, now).any(|drain| drain.model == model);
        (node.name_any(), if drained { UtcMillis(i64::MAX) } else { gpu_node::mended_at(&node, now) })
    };
    ctx.stores.nodes.state().into_iter().map(from).collect()
}

fn belongs<K: ResourceExt>(object: &K, namespace: &str) -> bool {
    object.namespace().as_deref() == Some(namespace)
}

fn policy_of(model: &Model, namespace: &str, ctx: &Context) -> Result<Policy, Invalid> {
    let name = &model.spec.decay_policy_ref.name;
    let Some(policy) = ctx.stores.decay_policies.get(&ObjectRef::<DecayPolicy>::new(name).within(namespace)) else {
        let message = format!(
            "spec.decayPolicyRef names DecayPolicy {name:?}, which does not exist: create it or correct the name"
        );
        return Err(Invalid::missing(message));
    };
    decay_policy::parse(&policy).map_err(|problem| Invalid::spec(format!("DecayPolicy {name:?}: {problem}")))
}

fn check_references(model: &Model, namespace: &str, parsed: &Parsed, ctx: &Context) -> Result<(), Invalid> {
    if let Some(reference) = &model.spec.compliance_policy_ref
        && ctx
            .stores
            .compliance_policies
            .get(&ObjectRef::<CompliancePolicy>::new(&reference.name).within(namespace))
            .is_none()
    {
        let message = format!(
            "spec.compliancePolicyRef names CompliancePolicy {:?}, which does not exist: create it or correct the name",
            reference.name
        );
        return Err(Invalid::missing(message));
    }
    if let Some(retraining) = &parsed.retraining
        && ctx.stores.datasets.get(&ObjectRef::<Dataset>::new(&retraining.dataset).within(namespace)).is_none()
    {
        let message = format!(
            "spec.retraining.dataset names Dataset {:?}, which does not exist: create it or correct the name",
            retraining.dataset
        );
        return Err(Invalid::missing(message));
    }
    Ok(())
}

/// What a retraining of `parent` started now would learn from.
pub(crate) async fn fresh_data(
    dataset: &str,
    parent: &ModelVersion,
    namespace: &str,
    ctx: &Context,
) -> Result<Option<(String, u64)>, ReconcileError> {
    let Some(dataset) = ctx.stores.datasets.get(&ObjectRef::<Dataset>::new(dataset).within(namespace)) else {
        return Ok(None);
    };
    if dataset.spec.purpose != Purpose::Feedback {
        let blobs = dataset.status.as_ref().map(|status| status.blobs.clone()).unwrap_or_default();
        let parts: Vec<&str> = blobs.iter().map(String::as_str).collect();
        let records = dataset.status.as_ref().and_then(|status| status.records).unwrap_or(0);
        return Ok((!blobs.is_empty()).then(|| (digest(&parts), records)));
    }
    let (mut digests, mut records) = (Vec::new(), 0);
    for source in dataset.spec.sources.iter().filter_map(|source| source.feedback.as_ref()) {
        let model = ModelKey::new(namespace, &source.model.name);
        let summary = ctx.records.labelled_summary(&model, learnt_until(parent)).await?;
        records += summary.records;
        digests.push(summary.digest);
    }
    let parts: Vec<&str> = digests.iter().map(String::as_str).collect();
    Ok((records > 0).then(|| (digest(&parts), records)))
}

/// Feedback until then is in a version already: a retrained one was made from what there was when it was created.
pub(crate) fn learnt_until(version: &ModelVersion) -> UtcMillis {
    let retrained = version.spec.lineage.as_ref().is_some_and(|lineage| lineage.run.is_some());
    if retrained { validate::at(version.creation_timestamp().as_ref()) } else { UtcMillis(0) }
}

impl Facts {
    /// The version of a name.
    pub(super) fn version(&self, name: &str) -> Option<&Arc<ModelVersion>> {
        self.versions.iter().find(|version| version.name_any() == name)
    }

    /// The version on its way: the first one, the one in the rollout, or the oldest that nobody has decided about.
    pub(super) fn candidate(&self, model: &Model) -> Option<&Arc<ModelVersion>> {
        let held = model.status.as_ref();
        if let Some(version) = held.and_then(|status| status.candidate.as_ref()).and_then(|name| self.version(name)) {
            return Some(version);
        }
        let Some(stable) = held.and_then(|status| status.stable.as_ref()) else {
            return self.version(&model.spec.initial_version);
        };
        let undecided = |version: &&Arc<ModelVersion>| {
            let conditions = version.status.as_ref().map_or(&[][..], |status| &status.conditions);
            version.spec.lineage.as_ref().is_some_and(|lineage| lineage.parent.as_ref() == Some(stable))
                && status::condition(conditions, condition::PROMOTED).is_none()
        };
        self.versions.iter().find(undecided)
    }

    /// Nodes on which a version answers.
    pub(super) fn nodes_serving(&self, version: &str) -> BTreeSet<String> {
        let assignments =
            self.version(version).and_then(|version| version.status.as_ref()).map(|status| status.assignments.clone());
        assignments
            .unwrap_or_default()
            .into_iter()
            .filter(|held| held.phase == "Serving")
            .map(|held| held.node)
            .collect()
    }

    /// Why the stable version counts as trained on an erased person, if it does.
    pub(super) fn trained_on_erased(&self, model: &Model) -> Option<&Condition> {
        let stable = model.status.as_ref()?.stable.as_ref()?;
        let conditions = &self.version(stable)?.status.as_ref()?.conditions;
        status::condition(conditions, condition::TRAINED_ON_ERASED).filter(|held| held.status == "True")
    }

    /// Whether a run is under way.
    pub(super) fn running(&self) -> Option<&Arc<RetrainingRun>> {
        self.runs.iter().find(|object| {
            let conditions = object.status.as_ref().map_or(&[][..], |status| &status.conditions);
            !status::is_true(conditions, run::COMPLETE)
        })
    }
}
