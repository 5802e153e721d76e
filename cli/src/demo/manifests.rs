//! The demo's custom resources, and writing them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use homeostat_clock::Seed;
use homeostat_crds::{CompliancePolicy, Dataset, DecayPolicy, Model, ModelVersion};
use homeostat_curation::to_jsonl;
use homeostat_quality::EvaluationItem;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::base::Base;
use super::scenario::{Fresh, Script};
use super::world::{SLICES, World, golden_2010, golden_2026, leaking_2026, training_2010};
use super::{faults, settings};

/// Where everything is.
pub(crate) const NAMESPACE: &str = "demo";
/// The model.
pub(crate) const MODEL: &str = "atlas";
/// Its first version.
pub(crate) const FIRST: &str = "atlas-v1";
/// The newer golden set.
pub(crate) const GOLDEN_2026: &str = "atlas-golden-2026";
/// What a retraining learns.
const FRESH: &str = "atlas-fresh";
/// How many users hold a feedback key.
const KEYS: usize = 12;

/// The feedback keys by their id.
pub(crate) fn keys(seed: &Seed) -> Vec<(String, String)> {
    let key = |number| (format!("user-{number:02}"), hex::encode(seed.derive(&format!("feedback-key/{number}"))));
    (1..=KEYS).map(key).collect()
}

/// Where the data sets are.
pub(crate) struct Files {
    training: PathBuf,
    golden_2010: PathBuf,
    golden_2026: PathBuf,
    leaking: PathBuf,
}

impl Files {
    /// Writes them into `folder`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(folder: &Path, world: &World) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let write = |name: &str, text: String| -> anyhow::Result<PathBuf> {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
            Ok(path)
        };
        Ok(Self {
            training: write("training-2010.jsonl", to_jsonl(&training_2010(world)))?,
            golden_2010: write("golden-2010.jsonl", lines(&golden_2010(world))?)?,
            golden_2026: write("golden-2026.jsonl", lines(&golden_2026(world))?)?,
            leaking: write("collected-2026.jsonl", to_jsonl(&leaking_2026(world)))?,
        })
    }
}

fn lines(items: &[EvaluationItem]) -> anyhow::Result<String> {
    let mut text = String::new();
    for item in items {
        text.push_str(&serde_json::to_string(item)?);
        text.push('\n');
    }
    Ok(text)
}

/// Applies everything that stands at the beginning.
///
/// # Errors
/// What the API refused.
pub(crate) async fn apply(
    client: &Client,
    files: &Files,
    base: &Base,
    script: &Script,
    keys: &[(String, String)],
) -> anyhow::Result<()> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    create::<Namespace>(Api::all(client.clone()), namespace).await?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    create(secrets, secret(keys)).await?;
    let (fresh, others): (Vec<Value>, Vec<Value>) =
        datasets(files, script).into_iter().partition(|dataset| dataset["metadata"]["name"] == FRESH);
    for dataset in others {
        create::<Dataset>(Api::namespaced(client.clone(), NAMESPACE), dataset).await?;
    }
    create::<DecayPolicy>(Api::namespaced(client.clone(), NAMESPACE), decay_policy()).await?;
    create::<CompliancePolicy>(Api::namespaced(client.clone(), NAMESPACE), compliance_policy()).await?;
    create::<ModelVersion>(Api::namespaced(client.clone(), NAMESPACE), first_version(base)).await?;
    create::<Model>(Api::namespaced(client.clone(), NAMESPACE), model(script)).await?;
    // Feedback belongs to a Model that is there.
    for dataset in fresh {
        create::<Dataset>(Api::namespaced(client.clone(), NAMESPACE), dataset).await?;
    }
    Ok(())
}

/// Changes the model's spec by a merge patch.
///
/// # Errors
/// What the API refused.
pub(crate) async fn patch_model(client: &Client, spec: Value) -> anyhow::Result<()> {
    let models: Api<Model> = Api::namespaced(client.clone(), NAMESPACE);
    let patch = Patch::Merge(json!({"spec": spec}));
    models.patch(MODEL, &PatchParams::default(), &patch).await.context("Model atlas cannot be changed")?;
    Ok(())
}

async fn create<K>(api: Api<K>, object: Value) -> anyhow::Result<()>
where
    K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let name = format!("{} {}", object["kind"].as_str().unwrap_or_default(), object["metadata"]["name"]);
    let object: K = serde_json::from_value(object).with_context(|| format!("{name} is no such object"))?;
    api.create(&PostParams::default(), &object).await.with_context(|| format!("{name} cannot be created"))?;
    Ok(())
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "homeostat.dev/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec,
    })
}

fn secret(keys: &[(String, String)]) -> Value {
    use base64::Engine as _;
    let encode = |key: &String| base64::engine::general_purpose::STANDARD.encode(key);
    let data: serde_json::Map<String, Value> = keys.iter().map(|(id, key)| (id.clone(), encode(key).into())).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "atlas-feedback", "namespace": NAMESPACE}, "data": data})
}

fn datasets(files: &Files, script: &Script) -> Vec<Value> {
    let source = |path: &Path| json!([{"uri": format!("file://{}", path.display())}]);
    let fresh = match script.fresh {
        Fresh::Feedback => json!({"purpose": "Feedback", "sources": [{"feedback": {"model": {"name": MODEL}}}]}),
        Fresh::Leaking => {
            json!({"purpose": "Training", "sources": source(&files.leaking), "cleaning": {"redact": false}})
        }
    };
    vec![
        object("Dataset", "atlas-2010", json!({"purpose": "Training", "sources": source(&files.training)})),
        object("Dataset", "atlas-golden-2010", json!({"purpose": "Golden", "sources": source(&files.golden_2010)})),
        object("Dataset", GOLDEN_2026, json!({"purpose": "Golden", "sources": source(&files.golden_2026)})),
        object("Dataset", FRESH, fresh),
    ]
}

fn decay_policy() -> Value {
    object(
        "DecayPolicy",
        MODEL,
        json!({
            "window": settings::WINDOW.demo,
            "minimumSamples": settings::MINIMUM_SAMPLES.number(),
            "breach": {"windows": 3, "of": 4},
            "noDataAfter": settings::NO_DATA_AFTER.demo,
            "falseAlarms": {"alerts": 1, "per": settings::FALSE_ALARMS.demo},
            "metrics": [
                {"name": "exact_match", "source": "Golden", "below": {"baseline": settings::GOLDEN.demo},
                    "action": "Retrain", "severity": "critical"},
                {"name": "feedback_exact_match", "metric": "exact_match", "source": "Feedback",
                    "below": {"baseline": settings::FEEDBACK.demo}, "action": "Alert", "severity": "warning"},
                {"name": "ttft_p99", "source": "Traffic", "above": {"absolute": settings::TTFT.demo},
                    "action": "Alert", "severity": "warning"},
                {"name": "error_rate", "source": "Traffic", "above": {"absolute": settings::ERRORS.demo},
                    "action": "Alert", "severity": "warning"},
            ],
        }),
    )
}

fn compliance_policy() -> Value {
    let spec = json!({
        "regulations": ["GDPR"],
        "entities": [{"name": "EMAIL_ADDRESS", "maximum": 0}, {"name": "CREDIT_CARD", "maximum": 0}],
        "maximumLeaks": 0,
    });
    object("CompliancePolicy", "gdpr", spec)
}

fn first_version(base: &Base) -> Value {
    let spec = json!({
        "model": MODEL,
        "artifact": {"uri": format!("file://{}", base.artifact.display()), "sha256": base.digest},
        "engine": {"adapter": "embedded", "arguments": [faults::ALLOW]},
        "lineage": {"dataset": {"name": "atlas-2010"}},
    });
    object("ModelVersion", FIRST, spec)
}

fn model(script: &Script) -> Value {
    // Feedback repeats itself, a file does not.
    let minimum_fresh = match script.fresh {
        Fresh::Feedback => settings::MINIMUM_FRESH,
        Fresh::Leaking => settings::MINIMUM_COLLECTED,
    };
    let slices: Vec<Value> = SLICES.iter().map(|(name, pattern)| json!({"name": name, "pattern": pattern})).collect();
    object(
        "Model",
        MODEL,
        json!({
            "mode": "Act",
            "initialVersion": FIRST,
            "decayPolicyRef": {"name": MODEL},
            "compliancePolicyRef": {"name": "gdpr"},
            "evaluation": {"golden": [{"name": "atlas-golden-2010"}], "probesPerSecond": settings::PROBES.number()},
            "retraining": {
                "trainer": "embedded",
                "dataset": {"name": FRESH},
                "replay": settings::REPLAY.demo,
                "budget": {"gpuHours": 2.0, "per": "1d"},
                "cooldown": settings::COOLDOWN.demo,
                "attempts": settings::ATTEMPTS.number(),
                "minimumFreshRecords": minimum_fresh.number(),
                "perKeyCap": settings::PER_KEY_CAP.demo,
                "deadline": settings::DEADLINE.demo,
                "hyperparameters": settings::retraining_hyperparameters(),
                "gates": {
                    "recovery": settings::RECOVERY.demo,
                    "retainedLoss": settings::RETAINED_LOSS.demo,
                    "sliceLoss": settings::SLICE_LOSS.demo,
                    "minimumItems": 30,
                },
            },
            "rollout": {
                "promotion": "Automatic",
                "steps": [
                    {"weight": 25, "for": settings::FIRST_STEP.demo},
                    {"weight": 60, "for": settings::SECOND_STEP.demo},
                ],
                "soak": settings::SOAK.demo,
                "minimumRequests": settings::MINIMUM_REQUESTS.number(),
                "margin": "2%",
            },
            "serving": {"replicas": script.replicas},
            "slices": slices,
            "sampling": {"share": settings::SAMPLING.demo},
            "feedback": {"secretRef": {"name": "atlas-feedback"}},
        }),
    )
}

#[cfg(test)]
mod tests {
    use homeostat_crds::duration::{duration, percent, quantity};

    use super::*;
    use crate::demo::scenario::Scenario;

    #[test]
    fn every_object_is_of_its_kind() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::write(folder.path(), &World::new()).unwrap();
        let base = Base { artifact: "/a".into(), digest: "0".repeat(64), seconds: 0.0 };
        for scenario in Scenario::all() {
            let script = scenario.script();
            for dataset in datasets(&files, script) {
                serde_json::from_value::<Dataset>(dataset).unwrap();
            }
            serde_json::from_value::<Model>(model(script)).unwrap();
        }
        serde_json::from_value::<ModelVersion>(first_version(&base)).unwrap();
        serde_json::from_value::<CompliancePolicy>(compliance_policy()).unwrap();
        let policy: DecayPolicy = serde_json::from_value(decay_policy()).unwrap();
        assert!(policy.spec.metrics.iter().all(|rule| rule.below.is_some() != rule.above.is_some()));
        let keys = keys(&Seed::fixed(1));
        let held: Secret = serde_json::from_value(secret(&keys)).unwrap();
        assert_eq!(held.data.unwrap()["user-01"].0, keys[0].1.as_bytes());
    }

    #[test]
    fn every_setting_can_be_read_both_here_and_in_production() {
        for setting in settings::ALL {
            for text in [setting.demo, setting.production] {
                let number = text.split(' ').next().unwrap().parse::<u64>().is_ok();
                assert!(number || duration(text).is_ok() || percent(text).is_ok() || quantity(text).is_ok(), "{text}");
            }
        }
        assert_eq!((settings::MINIMUM_SAMPLES.number(), settings::MINIMUM_REQUESTS.number()), (40, 30));
    }
}
