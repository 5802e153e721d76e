//! What each agent is told: the whole desired state of a node, computed anew from the objects and the open work.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use homeostat_crds::compliance::{GuardAction, GuardFailure, GuardSpec};
use homeostat_crds::model_version::{Adapter, Assignment};
use homeostat_crds::{CompliancePolicy, Model, ModelVersion};
use homeostat_protocol::{DesiredState, Engine, Guard, Probe, Route, Sampling, SliceRule, Target, Work};
use homeostat_quality::ModelKey;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use prost::Message;
use sha2::{Digest, Sha256};

use crate::reconcile::model::validate::{self, Parsed};
use crate::reconcile::{ReconcileError, compliance_policy, decay_policy, erasure_request};
use crate::{Context, evaluation};

/// Lengths of reported windows, longest first.
const STEPS: [Duration; 4] =
    [Duration::from_secs(60), Duration::from_secs(10), Duration::from_secs(5), Duration::from_secs(1)];

/// Computes and sends the desired state of every node.
///
/// # Errors
/// When the API or the records do not answer.
pub(crate) async fn push(ctx: &Context) -> Result<(), ReconcileError> {
    assign_work(ctx).await?;
    let models = models(ctx).await?;
    let keys = feedback_keys(ctx, &models).await?;
    let step = report_step(ctx);
    let forgotten_blobs = forgotten_blobs(ctx).await?;
    for node in ctx.fleet.nodes().into_keys() {
        let mut state = DesiredState {
            feedback_keys: keys.clone(),
            window_ms: i64::try_from(step.as_millis()).unwrap_or(60_000),
            subject_key: ctx.seed.derive("subjects").to_vec().into(),
            forgotten_blobs: forgotten_blobs.clone(),
            ..DesiredState::default()
        };
        for model in &models {
            model.add_to(&node, &mut state);
        }
        for row in ctx.records.open_work(Some(&node)).await? {
            match Work::decode(row.item.spec.as_slice()) {
                Ok(work) => state.work.push(work),
                Err(error) => {
                    tracing::error!(work.id = row.item.id, error = %error, "stored work does not read back; it is left out")
                }
            }
        }
        ctx.fleet.set_desired(&node, state);
    }
    Ok(())
}

/// Blobs of which no copy may stay on any node, as long as a request waits for that.
async fn forgotten_blobs(ctx: &Context) -> Result<Vec<String>, ReconcileError> {
    let mut forgotten = Vec::new();
    for request in ctx.stores.erasures.state() {
        let phase = request.status.as_ref().and_then(|status| status.phase.as_deref());
        if phase == Some("Erasing") {
            let id = erasure_request::record_id(&request);
            forgotten.extend(ctx.records.replaced_blobs(&id).await?.into_iter().map(|blob| blob.digest));
        }
    }
    forgotten.sort();
    Ok(forgotten)
}

/// Gives open work to a connected node: one that has none, or the one with the least; away from a node that is lost.
async fn assign_work(ctx: &Context) -> Result<(), ReconcileError> {
    let nodes = ctx.fleet.nodes();
    let open = ctx.records.open_work(None).await?;
    let mut load: BTreeMap<&str, usize> =
        nodes.iter().filter(|(_, node)| node.connected).map(|(name, _)| (name.as_str(), 0)).collect();
    for holder in open.iter().filter_map(|row| row.item.agent.as_deref()) {
        if let Some(count) = load.get_mut(holder) {
            *count += 1;
        }
    }
    for row in &open {
        if row.item.agent.as_deref().is_some_and(|holder| !ctx.is_lost(nodes.get(holder))) {
            continue;
        }
        let Some(node) = load.iter().min_by_key(|(name, count)| (**count, **name)).map(|(name, _)| *name) else {
            return Ok(());
        };
        ctx.records.assign_work(&row.item.id, node, ctx.now()).await?;
        *load.entry(node).or_default() += 1;
    }
    Ok(())
}

/// The longest reported window that divides every policy's window at least three times, so that breaches show in time.
fn report_step(ctx: &Context) -> Duration {
    let windows: Vec<Duration> = ctx
        .stores
        .decay_policies
        .state()
        .iter()
        .filter_map(|policy| decay_policy::parse(policy).ok())
        .map(|policy| policy.window)
        .collect();
    let fits = |step: &Duration| {
        windows.iter().all(|window| window.as_millis() % step.as_millis() == 0 && *window >= *step * 3)
    };
    STEPS.into_iter().find(fits).unwrap_or(Duration::from_secs(1))
}

/// One model as the nodes need it.
struct Served {
    key: ModelKey,
    model: Arc<Model>,
    parsed: Parsed,
    versions: Vec<Arc<ModelVersion>>,
    evaluation: Option<String>,
    entities: Vec<String>,
    guard: Option<GuardSpec>,
}

async fn models(ctx: &Context) -> Result<Vec<Served>, ReconcileError> {
    let mut served = Vec::new();
    let mut models = ctx.stores.models.state();
    models.sort_by_key(|model| (model.namespace(), model.name_any()));
    for model in models {
        let name = model.name_any();
        let namespace = model.namespace().unwrap_or_default();
        // A mistake in the spec is the model reconciler's to say.
        let Ok(parsed) = validate::parse(&name, &model.spec, &[]) else { continue };
        let mut versions: Vec<_> = ctx
            .stores
            .versions
            .state()
            .into_iter()
            .filter(|version| version.spec.model == name && version.namespace().as_deref() == Some(namespace.as_str()))
            .collect();
        versions.sort_by_key(|version| version.name_any());
        let evaluation = evaluation::of(&model, ctx).await?.ok().flatten().map(|evaluation| evaluation.digest);
        let policy = compliance(&model, &namespace, ctx);
        let entities = entities(policy.as_deref());
        let guard = match policy {
            Some(policy) => policy.spec.gateway.clone(),
            // A policy that is named and gone: nobody knows what it asked for, so all that is known is taken out.
            None if model.spec.compliance_policy_ref.is_some() => {
                Some(GuardSpec { input: GuardAction::Redact, output: GuardAction::Redact, ..GuardSpec::default() })
            }
            None => None,
        };
        served.push(Served {
            key: ModelKey::new(namespace, name),
            model,
            parsed,
            versions,
            evaluation,
            entities,
            guard,
        });
    }
    Ok(served)
}

fn compliance(model: &Model, namespace: &str, ctx: &Context) -> Option<Arc<CompliancePolicy>> {
    let reference = model.spec.compliance_policy_ref.as_ref()?;
    ctx.stores.compliance_policies.get(&ObjectRef::<CompliancePolicy>::new(&reference.name).within(namespace))
}

/// What is redacted before anything leaves an agent: what the policy names, and everything that is known without one.
fn entities(policy: Option<&CompliancePolicy>) -> Vec<String> {
    match policy.and_then(|policy| compliance_policy::parse(policy).ok()) {
        Some(rules) => rules.iter().map(|(entity, _)| entity.as_str().to_string()).collect(),
        None => homeostat_privacy::Entity::ALL.iter().map(|entity| entity.as_str().to_string()).collect(),
    }
}

impl Served {
    fn add_to(&self, node: &str, state: &mut DesiredState) {
        let key = self.key.to_string();
        let status = self.model.status.clone().unwrap_or_default();
        let mut targets = Vec::new();
        for version in &self.versions {
            let name = version.name_any();
            let here: Vec<Assignment> = version
                .status
                .iter()
                .flat_map(|status| &status.assignments)
                .filter(|assignment| assignment.node == node)
                .cloned()
                .collect();
            let weight = self.weight(&name, &status);
            for assignment in here {
                state.engines.push(self.engine(version, &assignment));
                if weight > 0 {
                    targets.push(Target { version: name.clone(), replica: assignment.replica.clone(), weight });
                }
                let probes = self.model.spec.evaluation.probes_per_second;
                let watched =
                    weight > 0 || status.candidate.as_deref() == Some(name.as_str()) || status.stable.is_none();
                if let Some(evaluation) = self.evaluation.as_ref().filter(|_| probes > 0.0 && watched) {
                    state.probes.push(Probe {
                        model: key.clone(),
                        version: name.clone(),
                        replica: assignment.replica,
                        evaluation_digest: evaluation.clone(),
                        per_second: probes,
                    });
                }
            }
        }
        state.routes.push(Route {
            model: key,
            served_name: self.parsed.served_name.clone(),
            targets,
            sampling: Some(Sampling { share: self.parsed.sampling, entities: self.entities.clone() }),
            slices: self
                .model
                .spec
                .slices
                .iter()
                .map(|rule| SliceRule { slice: rule.name.clone(), pattern: rule.pattern.clone() })
                .collect(),
            guard: self.guard.as_ref().map(|guard| Guard {
                input: guard.input.as_str().to_string(),
                output: guard.output.as_str().to_string(),
                fails_open: guard.failure == GuardFailure::Open,
                entities: self.entities.clone(),
            }),
        });
    }

    fn engine(&self, version: &ModelVersion, assignment: &Assignment) -> Engine {
        let engine = &version.spec.engine;
        Engine {
            replica: assignment.replica.clone(),
            model: self.key.to_string(),
            version: version.name_any(),
            artifact_digest: version.spec.artifact.as_ref().map(|artifact| artifact.sha256.clone()).unwrap_or_default(),
            adapter: match engine.adapter {
                Adapter::Embedded => "homeostat",
                Adapter::External => "external",
            }
            .to_string(),
            arguments: engine.arguments.clone(),
            url: engine.url.clone().unwrap_or_default(),
        }
    }

    /// Weight of each of a version's replicas: its share of the traffic spread over them.
    fn weight(&self, version: &str, status: &homeostat_crds::model::ModelStatus) -> u32 {
        let pinned = self.parsed.steering.pin.as_deref();
        let share = match pinned {
            Some(pin) => u32::from(pin == version) * 100,
            None => {
                status.traffic.iter().find(|share| share.version == version).map_or(0, |share| u32::from(share.weight))
            }
        };
        let replicas = self
            .versions
            .iter()
            .find(|held| held.name_any() == version)
            .and_then(|version| version.status.as_ref())
            .map_or(0, |status| status.assignments.len());
        // In hundredths, so that three replicas of 5 % keep their share.
        u32::try_from(replicas).ok().filter(|replicas| *replicas > 0).map_or(0, |replicas| share * 100 / replicas)
    }
}

/// Keys of all feedback Secrets: `namespace/secret/id` -> sha256 (hex) of the key.
async fn feedback_keys(ctx: &Context, models: &[Served]) -> Result<HashMap<String, String>, ReconcileError> {
    let mut keys = HashMap::new();
    for served in models {
        let Some(feedback) = &served.model.spec.feedback else { continue };
        let namespace = &served.key.namespace;
        let api: kube::Api<Secret> = kube::Api::namespaced(ctx.client.clone(), namespace);
        let Some(secret) = api.get_opt(&feedback.secret_ref.name).await? else { continue };
        for (id, key) in secret.data.unwrap_or_default() {
            keys.insert(
                format!("{}/{}/{id}", namespace, feedback.secret_ref.name),
                hex::encode(Sha256::digest(&key.0)),
            );
        }
    }
    Ok(keys)
}
