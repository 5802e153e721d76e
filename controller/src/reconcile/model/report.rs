//! Step five: the status, the history for charts, and what people are told.

use homeostat_crds::Model;
use homeostat_crds::conditions::{model as condition, reason};
use homeostat_crds::model::{DecisionStatus, ModelStatus, QualityStatus, RolloutStatus, Traffic};
use homeostat_decay::{DecayedCondition, Outcome, Verdict};
use homeostat_records::Entry;
use homeostat_rollout::Plan;
use kube::ResourceExt;

use super::apply;
use super::fetch::Facts;
use super::judge::Judged;
use super::world::evidence_bytes;
use crate::Context;
use crate::reconcile::ReconcileError;
use crate::status::{self, ConditionUpdate};

/// Writes what is so now.
pub(super) async fn report(
    model: &Model,
    facts: &Facts,
    judged: &Judged,
    plan: &Plan,
    applied: ModelStatus,
    ctx: &Context,
) -> Result<(), ReconcileError> {
    let held = model.status.clone().unwrap_or_default();
    let mut new = applied;
    new.observed_generation = model.metadata.generation;
    // What was fetched is the baseline of the version that was stable then.
    let frozen = facts.baseline.is_some() && new.stable == held.stable;
    end_soak(&mut new, frozen);
    prepare_rollout(&mut new, model, facts, ctx).await?;
    new.traffic = traffic(&new);
    let changed = outcomes_changed(&held, judged);
    let diagnosed = cause_changed(&held, judged);
    let told = diagnosed || decision_changed(&held, plan) || !plan.actions.is_empty();
    let figures_due = figures_due(&held, facts, ctx);
    let mut evidence = held.last_decision.as_ref().and_then(|last| last.evidence.clone());
    if changed || told || figures_due {
        let digest = ctx.records.blobs().put_bytes(&evidence_bytes(judged)?).await?;
        let summary = serde_json::json!({"verdicts": judged.analysis.verdicts, "diagnosis": judged.diagnosis});
        let version = judged.version.clone().unwrap_or_default();
        ctx.records.append_analysis(&facts.key, &version, judged.analysis.at, &summary, Some(&digest)).await?;
        evidence = Some(digest);
    }
    if changed || figures_due {
        new.quality = judged.analysis.verdicts.iter().map(|verdict| quality(verdict, evidence.as_deref())).collect();
    }
    new.last_decision = Some(decision(&held, plan, judged, evidence.clone(), told || figures_due, facts));
    conditions(&mut new, model, facts, judged);

    if told {
        record_decision(model, facts, plan, evidence, ctx).await?;
    }
    status::write("model", &ctx.api(&facts.key.namespace), model, model.status.as_ref(), &new).await?;
    if changed {
        tell_degraded(model, judged, ctx).await;
    }
    if changed || diagnosed {
        tell_cause(model, judged, ctx).await;
    }
    Ok(())
}

/// A rollout ends with the baseline. The two stand in different objects, and a controller that was killed between the writes
/// finds the second one missing: a candidate that is never taken off its way would keep every later one from it.
fn end_soak(new: &mut ModelStatus, frozen: bool) {
    let soaking = new.rollout.as_ref().is_some_and(|rollout| rollout.phase == "Soaking");
    if frozen && soaking && new.candidate == new.stable {
        (new.candidate, new.rollout) = (None, None);
    }
}

/// A candidate that passed everything is loaded before it gets traffic: the version's reconciler waits for this mark.
async fn prepare_rollout(
    new: &mut ModelStatus,
    model: &Model,
    facts: &Facts,
    ctx: &Context,
) -> Result<(), ReconcileError> {
    if new.rollout.is_some() || new.stable.is_none() {
        return Ok(());
    }
    let Some(version) = facts.candidate(model) else { return Ok(()) };
    let conditions = version.status.as_ref().map_or(&[][..], |status| &status.conditions);
    use homeostat_crds::conditions::version::{COMPLIANT, EVALUATED, PROMOTED};
    let fit = status::is_true(conditions, EVALUATED)
        && (!facts.compliance || status::is_true(conditions, COMPLIANT))
        && status::condition(conditions, PROMOTED).is_none();
    if fit && !apply::is_decided(&version.name_any(), facts, ctx).await? {
        let at = status::time(facts.now);
        new.candidate = version.metadata.name.clone();
        new.rollout =
            Some(RolloutStatus { phase: "Waiting".to_string(), step: None, weight: 0, since: at.clone(), started: at });
    }
    Ok(())
}

fn traffic(status: &ModelStatus) -> Vec<Traffic> {
    let Some(stable) = &status.stable else { return Vec::new() };
    let canary = match (&status.candidate, &status.rollout) {
        (Some(candidate), Some(rollout)) if rollout.phase == "Canary" && candidate != stable => {
            Some(Traffic { version: candidate.clone(), weight: rollout.weight.min(100) })
        }
        _ => None,
    };
    let rest = 100 - canary.as_ref().map_or(0, |canary| canary.weight);
    std::iter::once(Traffic { version: stable.clone(), weight: rest }).chain(canary).collect()
}

fn outcomes_changed(held: &ModelStatus, judged: &Judged) -> bool {
    let now: Vec<(&str, &str)> =
        judged.analysis.verdicts.iter().map(|verdict| (verdict.name.as_str(), verdict.outcome.as_str())).collect();
    let before: Vec<(&str, &str)> =
        held.quality.iter().map(|entry| (entry.name.as_str(), entry.outcome.as_str())).collect();
    now != before
}

/// Another cause is news by itself: what people ask may have shifted while every metric stays as it was.
fn cause_changed(held: &ModelStatus, judged: &Judged) -> bool {
    let last = held.last_decision.as_ref().and_then(|last| last.cause.as_deref());
    last != Some(judged.diagnosis.cause.as_str())
}

fn decision_changed(held: &ModelStatus, plan: &Plan) -> bool {
    held.last_decision.as_ref().is_none_or(|last| last.what != plan.decision.what)
}

/// Pure figures are renewed at most once per refresh interval.
fn figures_due(held: &ModelStatus, facts: &Facts, ctx: &Context) -> bool {
    held.last_decision
        .as_ref()
        .is_none_or(|last| facts.now.since(status::millis(&last.time)) >= ctx.pace.status_refresh)
}

fn quality(verdict: &Verdict, evidence: Option<&str>) -> QualityStatus {
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    QualityStatus {
        name: verdict.name.clone(),
        outcome: verdict.outcome.as_str().to_string(),
        value: verdict.current.map(|current| rounded(current.value)),
        interval: verdict.current.map(|current| vec![rounded(current.low), rounded(current.high)]),
        n: verdict.current.map_or(0, |current| current.n),
        baseline: verdict.baseline.map(|baseline| rounded(baseline.value)),
        threshold: verdict.threshold.map(rounded),
        breached: Some(format!("{}/{}", verdict.breached, verdict.judged)),
        evidence: evidence.map(str::to_string),
    }
}

fn decision(
    held: &ModelStatus,
    plan: &Plan,
    judged: &Judged,
    evidence: Option<String>,
    renew: bool,
    facts: &Facts,
) -> DecisionStatus {
    match &held.last_decision {
        Some(last) if !renew => last.clone(),
        _ => DecisionStatus {
            what: plan.decision.what.clone(),
            why: plan.decision.why.clone(),
            cause: Some(judged.diagnosis.cause.as_str().to_string()),
            next: plan.decision.next.clone(),
            due: plan.decision.due.map(status::time),
            evidence,
            time: status::time(facts.now),
        },
    }
}

fn conditions(new: &mut ModelStatus, model: &Model, facts: &Facts, judged: &Judged) {
    let generation = model.metadata.generation;
    let serving = new.stable.as_deref().map(|stable| facts.nodes_serving(stable)).unwrap_or_default();
    let decayed = DecayedCondition::fold(judged.analysis.verdicts.iter().map(|verdict| verdict.outcome));
    let (state, why) = decayed.status_and_reason();
    let reasons = judged.diagnosis.reasons.join(" ");
    let explanation = worst(judged).map(|verdict| verdict.explanation.clone()).unwrap_or_default();
    let decay_message = if reasons.is_empty() { explanation } else { reasons };
    let mut set = |type_, status, reason, message| {
        status::set_condition(
            &mut new.conditions,
            generation,
            facts.now,
            ConditionUpdate { type_, status, reason, message },
        );
    };
    set(condition::DECAYED, state, why, decay_message.clone());
    let servable = !serving.is_empty();
    if servable {
        let names: Vec<&str> = serving.iter().map(String::as_str).collect();
        set(condition::SERVABLE, "True", reason::OK, format!("answers on {}", names.join(", ")));
    } else {
        set(condition::SERVABLE, "False", reason::NOT_SERVING, "no replica of the stable version answers".to_string());
    }
    let progress = facts.running().map(|run| format!("retraining {} runs", run.metadata.name.as_deref().unwrap_or("")));
    match (progress, &new.rollout) {
        (Some(progress), _) => set(condition::PROGRESSING, "True", reason::RUNNING, progress),
        (None, Some(rollout)) => {
            set(condition::PROGRESSING, "True", reason::RUNNING, format!("rollout: {}", rollout.phase))
        }
        (None, None) => set(condition::PROGRESSING, "False", reason::OK, "nothing is on its way".to_string()),
    }
    match (servable, decayed) {
        (false, _) => {
            set(condition::READY, "False", reason::NOT_SERVING, "no replica of the stable version answers".to_string())
        }
        (true, DecayedCondition::True) => set(condition::READY, "False", reason::DEGRADED, decay_message),
        (true, DecayedCondition::False) => set(condition::READY, "True", reason::OK, "as declared".to_string()),
        (true, DecayedCondition::Unknown(outcome)) => set(condition::READY, "Unknown", outcome.as_str(), decay_message),
    }
}

/// The verdict that matters most.
fn worst(judged: &Judged) -> Option<&Verdict> {
    judged.analysis.verdicts.iter().max_by_key(|verdict| match verdict.outcome {
        Outcome::Healthy => 0,
        Outcome::Inconclusive => 1,
        Outcome::NoData => 2,
        Outcome::SourceError => 3,
        Outcome::Degraded => 4,
    })
}

async fn record_decision(
    model: &Model,
    facts: &Facts,
    plan: &Plan,
    evidence: Option<String>,
    ctx: &Context,
) -> Result<(), ReconcileError> {
    // Actions have entries of their own; this one is for decisions to wait, and for what the mode withheld.
    if !plan.actions.is_empty() {
        return Ok(());
    }
    let entry = Entry {
        at: facts.now,
        actor: "homeostat-controller".to_string(),
        kind: "decision".to_string(),
        model: Some(facts.key.to_string()),
        object: Some(format!("Model/{}", facts.key.name)),
        summary: format!("{}: {}", plan.decision.what, plan.decision.why),
        detail: serde_json::json!({"what": plan.decision.what, "withheld": plan.withheld}),
        evidence,
    };
    ctx.records.append_ledger(entry).await?;
    if !plan.withheld.is_empty() {
        ctx.events.normal(model, "Withheld", "Plan", &plan.decision.why).await;
    }
    Ok(())
}

async fn tell_degraded(model: &Model, judged: &Judged, ctx: &Context) {
    let degraded = judged.analysis.verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Degraded);
    for verdict in degraded {
        ctx.events.warning(model, "Degraded", "Analyse", &verdict.explanation).await;
    }
}

async fn tell_cause(model: &Model, judged: &Judged, ctx: &Context) {
    if let Some(first) = judged.diagnosis.reasons.first()
        && judged.diagnosis.cause != homeostat_decay::Cause::None
    {
        ctx.events.normal(model, judged.diagnosis.cause.as_str(), "Diagnose", first).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soak_ends_with_the_baseline_also_when_nobody_said_so() {
        let at = status::time(homeostat_clock::UtcMillis(0));
        let rollout = |phase: &str| {
            let (phase, since, started) = (phase.to_string(), at.clone(), at.clone());
            Some(RolloutStatus { phase, step: None, weight: 100, since, started })
        };
        let soaking = ModelStatus {
            stable: Some("v2".to_string()),
            candidate: Some("v2".to_string()),
            rollout: rollout("Soaking"),
            ..ModelStatus::default()
        };
        let after = |status: &ModelStatus, frozen| {
            let mut status = status.clone();
            end_soak(&mut status, frozen);
            (status.candidate, status.rollout.is_some())
        };
        assert_eq!(after(&soaking, false), (Some("v2".to_string()), true));
        assert_eq!(after(&soaking, true), (None, false));
        let canary = ModelStatus { candidate: Some("v3".to_string()), rollout: rollout("Canary"), ..soaking };
        assert_eq!(after(&canary, true), (Some("v3".to_string()), true), "the stable version's own baseline");
    }
}
