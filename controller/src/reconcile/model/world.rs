//! Step three's input: the world as `core/rollout` plans for it.

use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_crds::conditions::{run, version as condition};
use homeostat_crds::{Model, ModelVersion, RetrainingRun};
use homeostat_quality::registry::Statistic;
use homeostat_quality::{ModelKey, Moments, Sketch, Source, Window};
use homeostat_rollout::canary::CanaryEvidence;
use homeostat_rollout::{CanaryState, Candidate, CandidatePhase, RunHistory, RunOutcome, World};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use super::fetch::Facts;
use super::judge::Judged;
use super::series::all;
use super::validate;
use crate::reconcile::ReconcileError;
use crate::{Context, status};

/// Puts the world together.
pub(super) async fn world(
    model: &Model,
    facts: &Facts,
    judged: &Judged,
    ctx: &Context,
) -> Result<World, ReconcileError> {
    let held = model.status.clone().unwrap_or_default();
    let candidate = match facts.candidate(model) {
        Some(version) => Some(candidate(version, model, facts, ctx).await?),
        None => None,
    };
    Ok(World {
        model: facts.key.to_string(),
        now: facts.now,
        mode: facts.parsed.mode,
        steering: facts.parsed.steering.clone(),
        stable_since: held.stable_since.as_ref().map(status::millis),
        stable_baseline: facts.baseline.is_some(),
        last_known_good: held.last_known_good.clone().filter(|name| loadable(facts, name)),
        serving_nodes: held.stable.as_deref().map(|stable| facts.nodes_serving(stable)).unwrap_or_default(),
        stable: held.stable,
        analysis: judged.analysis.clone(),
        diagnosis: judged.diagnosis.clone(),
        evidence: evidence_digest(judged)?,
        retraining: facts.parsed.retraining.as_ref().map(|retraining| retraining.plan.clone()),
        rollout: facts.parsed.rollout.clone(),
        runs: facts.runs.iter().map(|run| history(run, facts.now)).collect(),
        candidate,
        fresh_data: facts.fresh.as_ref().map(|(digest, _)| digest.clone()),
        fresh_records: facts.fresh.as_ref().map_or(0, |(_, records)| *records),
        erasure: erasure(model, facts),
    })
}

/// Why the policy asks for a retraining although nothing has decayed.
fn erasure(model: &Model, facts: &Facts) -> Option<String> {
    let stable = model.status.as_ref()?.stable.as_ref()?;
    let held = facts.trained_on_erased(model).filter(|_| facts.retrain_on_erasure)?;
    Some(format!("{stable} is TrainedOnErased: {}.", held.message))
}

/// The bytes and digest of what was found, as it is kept.
pub(super) fn evidence_bytes(judged: &Judged) -> Result<Vec<u8>, ReconcileError> {
    serde_json::to_vec(judged)
        .map_err(|error| ReconcileError::Corrupt { what: "evidence".to_string(), problem: error.to_string() })
}

pub(super) fn evidence_digest(judged: &Judged) -> Result<String, ReconcileError> {
    Ok(crate::digest::sha256_hex(&evidence_bytes(judged)?))
}

fn loadable(facts: &Facts, version: &str) -> bool {
    let status = facts.version(version).and_then(|version| version.status.as_ref());
    status.is_some_and(|status| status::is_true(&status.conditions, condition::ARTIFACT_VERIFIED))
}

async fn candidate(
    version: &ModelVersion,
    model: &Model,
    facts: &Facts,
    ctx: &Context,
) -> Result<Candidate, ReconcileError> {
    let conditions = version.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let name = version.name_any();
    let held = model.status.as_ref();
    let rollout = held
        .and_then(|status| status.rollout.as_ref())
        .filter(|_| held.is_some_and(|status| status.candidate.as_deref() == Some(name.as_str())));
    let phase = match rollout {
        Some(rollout) if rollout.phase == "Soaking" => {
            CandidatePhase::Soaking { since: status::millis(&rollout.since) }
        }
        Some(rollout) if rollout.phase == "Canary" => {
            let started = status::millis(&rollout.started);
            let stable = held.and_then(|status| status.stable.clone()).unwrap_or_default();
            CandidatePhase::Canary(CanaryState {
                step: rollout.step.unwrap_or(0) as usize,
                since: status::millis(&rollout.since),
                evidence: evidence(&facts.key, &name, &stable, started, facts.now, ctx).await?,
            })
        }
        _ => CandidatePhase::Waiting,
    };
    let first = held.is_none_or(|status| status.stable.is_none());
    Ok(Candidate {
        evaluated: if first { None } else { status::decided(conditions, condition::EVALUATED) },
        compliant: if first {
            None
        } else if facts.compliance {
            status::decided(conditions, condition::COMPLIANT)
        } else {
            Some(true)
        },
        undecided: if first { None } else { undecided(version, conditions, facts) },
        serving: status::is_true(conditions, condition::SERVING),
        version: name,
        phase,
    })
}

/// Why nobody will say whether a version is good: its run or its check has ended without a result.
fn undecided(version: &ModelVersion, conditions: &[Condition], facts: &Facts) -> Option<String> {
    let check = status::condition(conditions, condition::COMPLIANT)
        .filter(|held| facts.compliance && held.status == "Unknown")
        .map(|held| format!("its compliance check is inconclusive ({}).", held.message));
    let lineage = version.spec.lineage.as_ref().and_then(|lineage| lineage.run.clone());
    let run = facts.runs.iter().find(|run| Some(run.name_any()) == lineage);
    let of_run = run.and_then(|run| run.status.as_ref()).map_or(&[][..], |status| &status.conditions);
    // The run says itself whether its gates decided: the version's own condition may be seen later than the run's end.
    let ended = status::condition(of_run, run::COMPLETE)
        .filter(|held| held.status == "True" && status::decided(of_run, run::GATES_PASSED).is_none())
        .map(|held| format!("its run ended with {} ({}).", held.reason, held.message));
    ended.or(check)
}

/// What candidate and stable did side by side since the rollout began.
async fn evidence(
    model: &ModelKey,
    candidate: &str,
    stable: &str,
    started: UtcMillis,
    now: UtcMillis,
    ctx: &Context,
) -> Result<CanaryEvidence, ReconcileError> {
    let candidate = ctx.records.windows(&all(model, candidate, started, now)).await?;
    let stable = ctx.records.windows(&all(model, stable, started, now)).await?;
    Ok(CanaryEvidence {
        candidate_errors: moments(&candidate, &[Source::Traffic], "error_rate"),
        stable_errors: moments(&stable, &[Source::Traffic], "error_rate"),
        candidate_quality: moments(&candidate, &[Source::Golden, Source::Feedback], "exact_match"),
        stable_quality: moments(&stable, &[Source::Golden, Source::Feedback], "exact_match"),
        candidate_ttft: ttft(&candidate),
        stable_ttft: ttft(&stable),
    })
}

fn moments(windows: &[Window], sources: &[Source], metric: &str) -> Moments {
    let mut sum = Moments::default();
    for window in windows.iter().filter(|window| sources.contains(&window.key.source) && window.key.metric == metric) {
        if let Sketch::Moments(moments) = &window.sketch {
            sum.merge(moments);
        }
    }
    sum
}

fn ttft(windows: &[Window]) -> Option<(f64, f64)> {
    let mut merged = Sketch::empty(Statistic::Quantile(0.5));
    for window in windows.iter().filter(|window| window.key.source == Source::Traffic && window.key.metric == "ttft") {
        merged.merge(&window.sketch).ok()?;
    }
    let quantile = |q| merged.estimate(Statistic::Quantile(q)).map(|estimate| estimate.value);
    Some((quantile(0.5)?, quantile(0.99)?))
}

fn history(object: &RetrainingRun, now: UtcMillis) -> RunHistory {
    let held = object.status.clone().unwrap_or_default();
    let complete = status::condition(&held.conditions, run::COMPLETE).filter(|condition| condition.status == "True");
    let outcome = match (complete, &held.version) {
        (None, _) => RunOutcome::Running,
        (Some(condition), Some(version)) if condition.reason == "Succeeded" => {
            RunOutcome::Succeeded { version: version.clone() }
        }
        (Some(condition), _) => RunOutcome::Failed { reason: condition.reason.clone() },
    };
    let started = validate::at(object.creation_timestamp().as_ref());
    let spent = match outcome {
        // What a running one will cost is not known: at least the time it has taken.
        RunOutcome::Running => now.since(started),
        _ => Duration::try_from_secs_f64(held.spent_seconds).unwrap_or_default(),
    };
    RunHistory {
        name: object.name_any(),
        parent: object.spec.parent.clone(),
        started,
        spent,
        data: object.spec.data.clone().unwrap_or_default(),
        configuration: object.spec.configuration.clone().unwrap_or_default(),
        outcome,
    }
}
