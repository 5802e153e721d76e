//! Worlds to plan for.

use std::collections::BTreeSet;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_decay::{Action, Analysis, Cause, Diagnosis, Outcome, Severity, Verdict};
use homeostat_quality::{Moments, Source};
use homeostat_rollout::canary::{CanaryEvidence, CanaryPolicy};
use homeostat_rollout::{
    CanaryState, Candidate, CandidatePhase, Mode, Promotion, RetrainingPlan, RolloutPlan, RolloutStep, RunHistory,
    RunOutcome, Steering, World,
};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// 2026-05-17T06:40:00Z.
pub(crate) const NOW: UtcMillis = UtcMillis(1_779_000_000_000);

pub(crate) fn ago(hours: u32) -> UtcMillis {
    NOW.minus(HOUR * hours)
}

pub(crate) fn verdict(outcome: Outcome, action: Action) -> Verdict {
    Verdict {
        name: "exact_match".to_string(),
        metric: Some("exact_match".to_string()),
        source: Some(Source::Golden),
        outcome,
        current: None,
        baseline: None,
        threshold: Some(0.87),
        breached: 3,
        judged: 4,
        since: None,
        action,
        severity: Severity::Critical,
        slices: Vec::new(),
        explanation: "exact_match on golden probes is what it is.".to_string(),
    }
}

/// A healthy model, act mode, nothing on its way.
pub(crate) fn healthy() -> World {
    World {
        model: "ml/atlas".to_string(),
        now: NOW,
        mode: Mode::Act,
        steering: Steering::default(),
        stable: Some("atlas-v1".to_string()),
        stable_since: Some(ago(100)),
        stable_baseline: true,
        last_known_good: None,
        serving_nodes: BTreeSet::from(["node-a".to_string(), "node-b".to_string()]),
        analysis: Analysis { at: NOW, verdicts: vec![verdict(Outcome::Healthy, Action::Retrain)] },
        diagnosis: diagnosis(Cause::None, "All rules are healthy."),
        evidence: "e0".to_string(),
        retraining: Some(RetrainingPlan {
            configuration: "c1".to_string(),
            cooldown: HOUR * 24,
            attempts: 2,
            budget: HOUR * 8,
            budget_period: HOUR * 24 * 30,
            minimum_fresh: 24,
            golden_must_agree: true,
        }),
        rollout: RolloutPlan {
            promotion: Promotion::Automatic,
            steps: vec![RolloutStep { weight: 5, duration: HOUR }, RolloutStep { weight: 50, duration: HOUR }],
            soak: HOUR * 24,
            patience: 3,
            canary: CanaryPolicy::default(),
        },
        runs: Vec::new(),
        candidate: None,
        fresh_data: Some("d1".to_string()),
        fresh_records: 300,
        erasure: None,
    }
}

pub(crate) fn diagnosis(cause: Cause, reason: &str) -> Diagnosis {
    Diagnosis { cause, reasons: vec![reason.to_string()], golden_agrees: false }
}

/// The model itself has decayed.
pub(crate) fn decayed() -> World {
    let mut world = healthy();
    world.analysis.verdicts = vec![verdict(Outcome::Degraded, Action::Retrain)];
    let reason = "exact_match on golden probes is 0.780, 0.120 below the baseline of 0.900.";
    world.diagnosis = Diagnosis { golden_agrees: true, ..diagnosis(Cause::ModelDecay, reason) };
    world
}

/// The decayed model with a good candidate in `phase`.
pub(crate) fn with_candidate(phase: CandidatePhase) -> World {
    let mut world = decayed();
    world.candidate = Some(Candidate {
        version: "atlas-v2".to_string(),
        evaluated: Some(true),
        compliant: Some(true),
        undecided: None,
        serving: true,
        phase,
    });
    world
}

pub(crate) fn in_canary(step: usize, hours: u32, evidence: CanaryEvidence) -> World {
    with_candidate(CandidatePhase::Canary(CanaryState { step, since: ago(hours), evidence }))
}

pub(crate) fn rate(hits: u32, n: u32) -> Moments {
    Moments { n: u64::from(n), sum: f64::from(hits), squares: f64::from(hits) }
}

pub(crate) fn good_evidence() -> CanaryEvidence {
    CanaryEvidence {
        candidate_errors: rate(2, 400),
        stable_errors: rate(40, 8000),
        candidate_quality: rate(95, 100),
        stable_quality: rate(78, 100),
        candidate_ttft: Some((0.1, 0.3)),
        stable_ttft: Some((0.1, 0.3)),
    }
}

pub(crate) fn bad_evidence() -> CanaryEvidence {
    CanaryEvidence { candidate_errors: rate(80, 400), ..good_evidence() }
}

pub(crate) fn run(name: &str, hours: u32, outcome: RunOutcome) -> RunHistory {
    RunHistory {
        name: name.to_string(),
        parent: "atlas-v1".to_string(),
        started: ago(hours),
        spent: HOUR,
        data: format!("data of {name}"),
        configuration: "c1".to_string(),
        outcome,
    }
}

pub(crate) fn failed(name: &str, hours: u32) -> RunHistory {
    run(name, hours, RunOutcome::Failed { reason: "GatesFailed".to_string() })
}
