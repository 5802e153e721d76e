//! A Model's spec as the core wants it: parsed once, every mistake a sentence that names the field.

use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_crds::duration::percent;
use homeostat_crds::model::{Mode as ModeSpec, ModelSpec, Promotion as PromotionSpec};
use homeostat_rollout::canary::CanaryPolicy;
use homeostat_rollout::gates::GatePolicy;
use homeostat_rollout::{Mode, Promotion, RetrainingPlan, RolloutPlan, RolloutStep, Steering};
use regex::Regex;
use sha2::{Digest, Sha256};

use crate::reconcile::decay_policy::parse_duration;

/// A parsed Model.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    /// How much may be done.
    pub mode: Mode,
    /// What a person asks for.
    pub steering: Steering,
    /// How it may be retrained.
    pub retraining: Option<Retraining>,
    /// How candidates are rolled out.
    pub rollout: RolloutPlan,
    /// The name users put into requests.
    pub served_name: String,
    /// Share of requests kept as samples, 0 to 1.
    pub sampling: f64,
}

/// A parsed retraining template.
#[derive(Clone, Debug)]
pub(crate) struct Retraining {
    /// What the plan needs.
    pub plan: RetrainingPlan,
    /// Name of the Dataset of fresh records.
    pub dataset: String,
    /// Which trainer.
    pub trainer: String,
    /// Share of every batch that is replayed.
    pub replay: f64,
    /// Largest share of the fresh records from one key.
    pub per_key_cap: f64,
    /// A run that takes longer has failed.
    pub deadline: Duration,
    /// The trainer's own JSON.
    pub hyperparameters: String,
    /// What a candidate must show.
    pub gates: GatePolicy,
}

/// Parses a spec. `done` are the steering tokens that were carried out.
///
/// # Errors
/// A sentence that names the field, its value and the remedy.
pub(crate) fn parse(name: &str, spec: &ModelSpec, done: &[String]) -> Result<Parsed, String> {
    for (index, rule) in spec.slices.iter().enumerate() {
        Regex::new(&rule.pattern).map_err(|error| {
            let line = error.to_string().lines().last().unwrap_or_default().to_string();
            format!("spec.slices[{index}].pattern is no regular expression: {line}")
        })?;
    }
    Ok(Parsed {
        mode: match spec.mode {
            ModeSpec::Observe => Mode::Observe,
            ModeSpec::Alert => Mode::Alert,
            ModeSpec::Act => Mode::Act,
        },
        steering: steering(spec, done),
        retraining: spec.retraining.as_ref().map(retraining).transpose()?,
        rollout: rollout(spec)?,
        served_name: spec.served_name.clone().unwrap_or_else(|| name.to_string()),
        sampling: share("spec.sampling.share", &spec.sampling.share)?,
    })
}

fn steering(spec: &ModelSpec, done: &[String]) -> Steering {
    let asked = spec.steering.clone().unwrap_or_default();
    Steering {
        pin: asked.pin,
        hold: asked.hold,
        promote: asked.promote,
        abort: asked.abort,
        retrain: asked.retrain,
        rebaseline: asked.rebaseline,
        done: done.to_vec(),
    }
}

fn retraining(spec: &homeostat_crds::model::Retraining) -> Result<Retraining, String> {
    let at = |field: &str| format!("spec.retraining.{field}");
    let replay = share(&at("replay"), &spec.replay)?;
    if replay < 0.2 {
        return Err(format!("spec.retraining.replay is {}: at least 20% keeps what the model knows", spec.replay));
    }
    let gates = GatePolicy {
        recovery: share(&at("gates.recovery"), &spec.gates.recovery)?,
        retained_loss: share(&at("gates.retainedLoss"), &spec.gates.retained_loss)?,
        slice_loss: share(&at("gates.sliceLoss"), &spec.gates.slice_loss)?,
        minimum_items: spec.gates.minimum_items,
        confidence: 0.95,
    };
    let hyperparameters = spec.hyperparameters.clone().unwrap_or_else(|| serde_json::json!({}));
    let budget = Duration::try_from_secs_f64(spec.budget.gpu_hours * 3600.0)
        .map_err(|_| format!("spec.retraining.budget.gpuHours is {}: give hours, such as 8", spec.budget.gpu_hours))?;
    let configuration = digest(&[
        spec.trainer.as_str(),
        spec.replay.as_str(),
        spec.per_key_cap.as_str(),
        &hyperparameters.to_string(),
        &format!("{gates:?}"),
    ]);
    Ok(Retraining {
        plan: RetrainingPlan {
            configuration,
            cooldown: parse_duration(&at("cooldown"), &spec.cooldown)?,
            attempts: spec.attempts,
            budget,
            budget_period: parse_duration(&at("budget.per"), &spec.budget.per)?,
            minimum_fresh: spec.minimum_fresh_records,
            golden_must_agree: !spec.traffic_alone,
        },
        dataset: spec.dataset.name.clone(),
        trainer: spec.trainer.clone(),
        replay,
        per_key_cap: share(&at("perKeyCap"), &spec.per_key_cap)?,
        deadline: parse_duration(&at("deadline"), &spec.deadline)?,
        hyperparameters: hyperparameters.to_string(),
        gates,
    })
}

fn rollout(spec: &ModelSpec) -> Result<RolloutPlan, String> {
    let rollout = &spec.rollout;
    let step = |(index, step): (usize, &homeostat_crds::model::Step)| {
        let duration = parse_duration(&format!("spec.rollout.steps[{index}].for"), &step.length)?;
        Ok(RolloutStep { weight: step.weight, duration })
    };
    let steps = rollout.steps.iter().enumerate().map(step).collect::<Result<Vec<_>, String>>()?;
    if let Some(index) = steps.windows(2).position(|pair| pair[1].weight < pair[0].weight) {
        return Err(format!(
            "spec.rollout.steps[{}].weight is lower than the step before it: weights must not fall",
            index + 1
        ));
    }
    let margin = share("spec.rollout.margin", &rollout.margin)?;
    Ok(RolloutPlan {
        promotion: match rollout.promotion {
            PromotionSpec::Automatic => Promotion::Automatic,
            PromotionSpec::Manual => Promotion::Manual,
        },
        steps,
        soak: parse_duration("spec.rollout.soak", &rollout.soak)?,
        patience: 10,
        canary: CanaryPolicy {
            minimum_requests: rollout.minimum_requests,
            error_margin: margin,
            quality_margin: margin,
            ..CanaryPolicy::default()
        },
    })
}

fn share(field: &str, text: &str) -> Result<f64, String> {
    let value = percent(text).map_err(|error| format!("{field}: {error}"))?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(format!("{field} is {text}: write a share between 0% and 100%"))
    }
}

/// sha256 (hex) over texts, each with its length.
pub(crate) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// The time of a Kubernetes time, or the epoch.
pub(crate) fn at(time: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>) -> UtcMillis {
    time.map_or(UtcMillis(0), crate::status::millis)
}
