//! The candidate's way: gates, canary steps, promotion, soak.

use homeostat_decay::Outcome;

use crate::canary::{CanaryVerdict, judge};
use crate::plan::{Action, By, Draft, baseline, seconds};
use crate::steering::{is_fit, unfit};
use crate::{CanaryState, Candidate, CandidatePhase, Promotion, RolloutStep, World};

/// The next step of the candidate, if there is one on its way.
pub(crate) fn candidate(world: &World) -> Option<Draft> {
    let candidate = world.candidate.as_ref()?;
    match &candidate.phase {
        CandidatePhase::Waiting => Some(waiting(world, candidate)),
        CandidatePhase::Canary(state) => Some(canary(world, candidate, state)),
        CandidatePhase::Soaking { .. } if world.stable_baseline => None,
        CandidatePhase::Soaking { .. } => Some(baseline(world, &candidate.version)),
    }
}

fn waiting(world: &World, candidate: &Candidate) -> Draft {
    let version = candidate.version.clone();
    if candidate.evaluated == Some(false) || candidate.compliant == Some(false) {
        let reason = format!("{version} is not rolled out: {}.", failed(candidate));
        return Draft::act("Reject", reason.clone(), By::Controller, Action::Reject { version, reason });
    }
    if world.stable.is_none() {
        if !candidate.serving {
            let why = format!("{version}, the first version, does not serve yet.");
            return Draft::wait("Watch", why).next(format!("{version} gets all traffic once it serves."), None);
        }
        let reason = format!("{version} is the declared first version and serves.");
        return Draft::act("Promote", reason.clone(), By::Declared, Action::Promote { version, reason });
    }
    if let Some(problem) = &candidate.undecided {
        let message = format!(
            "{version} is neither passed nor failed, and gets no traffic: {problem} Abort it, so that another can be tried, or mend what keeps it from being judged first."
        );
        return Draft::ask("CandidateUndecided", message);
    }
    if !is_fit(world, candidate) {
        let why = format!("{version} waits: {}.", unfit(candidate));
        return Draft::wait("Watch", why).next("The canary begins once that is so.", None);
    }
    if needs_word(world, candidate) {
        let why =
            format!("{version} has passed its gates and checks; the rollout is manual and waits for a person's word.");
        return Draft::wait("Hold", why);
    }
    let Some(first) = world.rollout.steps.first() else {
        let reason = format!("{version} has passed its gates and checks, and the rollout has no canary steps.");
        return Draft::act("Promote", reason.clone(), By::Controller, Action::Promote { version, reason });
    };
    let why = format!("{version} has passed its gates and checks and gets {} % of the traffic.", first.weight);
    let action = Action::SetCanary { version, step: 0, weight: first.weight };
    let draft = Draft::act("StartCanary", why, By::Controller, action);
    draft.next(after(world, 0), Some(world.now.plus(first.duration)))
}

fn canary(world: &World, candidate: &Candidate, state: &CanaryState) -> Draft {
    let version = candidate.version.clone();
    let roll_back = |reason: String| {
        let why = format!("{version} is taken back: {reason}");
        Draft::act("RollBack", why, By::Controller, Action::RollBack { version: version.clone(), reason })
    };
    if candidate.evaluated == Some(false) || candidate.compliant == Some(false) {
        return roll_back(format!("{}.", capitalised(&failed(candidate))));
    }
    // The steps may have been changed under way: beyond the last one it is as if in the last.
    let last = world.rollout.steps.len().saturating_sub(1);
    let at = state.step.min(last);
    let step =
        world.rollout.steps.get(at).copied().unwrap_or(RolloutStep { weight: 100, duration: world.rollout.soak });
    let verdict = match judge(&state.evidence, &world.rollout.canary) {
        CanaryVerdict::Fail { reason } => return roll_back(reason),
        _ if is_dark(world) => Err("No data comes from the model at all.".to_string()),
        _ if !is_fit(world, candidate) => Err(format!("{}.", capitalised(&unfit(candidate)))),
        CanaryVerdict::Pass { why } => Ok(why),
        CanaryVerdict::Continue { why } | CanaryVerdict::Inconclusive { why } => Err(why),
    };
    let due = state.since.plus(step.duration);
    match verdict {
        Ok(why) if world.now < due => {
            Draft::wait("Watch", format!("{version} at {} %: {why}", step.weight)).next(after(world, at), Some(due))
        }
        Ok(why) => advance(world, candidate, at, &why),
        Err(why) => undecided(world, state, &version, step, &why),
    }
}

fn advance(world: &World, candidate: &Candidate, at: usize, why: &str) -> Draft {
    let version = candidate.version.clone();
    if needs_word(world, candidate) {
        return Draft::wait(
            "Hold",
            format!("{version}: {why} The rollout is manual and a person has taken back the word for it."),
        );
    }
    let Some(next) = world.rollout.steps.get(at + 1) else {
        let reason = format!("All canary steps are passed. {why}");
        let text = format!("{version} gets all traffic: {reason}");
        let draft = Draft::act("Promote", text, By::Controller, Action::Promote { version: version.clone(), reason });
        return draft.next(format!("The baseline of {version} is frozen after {}.", seconds(world.rollout.soak)), None);
    };
    let text = format!("{version} goes on to {} % of the traffic: {why}", next.weight);
    let action = Action::SetCanary { version, step: at + 1, weight: next.weight };
    let draft = Draft::act("Advance", text, By::Controller, action);
    draft.next(after(world, at + 1), Some(world.now.plus(next.duration)))
}

/// Neither passed nor failed: wait, and after the step's patience ask a person. Never promoted, never rolled back.
fn undecided(world: &World, state: &CanaryState, version: &str, step: RolloutStep, why: &str) -> Draft {
    let patience = step.duration.saturating_mul(world.rollout.patience.max(1));
    let until = state.since.plus(patience);
    if world.now < until {
        let text = format!("{version} at {} %: {why}", step.weight);
        return Draft::wait("Watch", text)
            .next("The step ends once there is enough to say, or a person is asked.", Some(until));
    }
    let message = format!(
        "{version} has been at {} % for {} without a result, and stays there: {why} Promote or abort it, or send it more requests.",
        step.weight,
        seconds(world.now.since(state.since))
    );
    let mut draft = Draft::ask("CanaryInconclusive", message);
    draft.decision.what = "Hold".to_string();
    draft
}

/// Whether a manual rollout still lacks a person's word.
fn needs_word(world: &World, candidate: &Candidate) -> bool {
    world.rollout.promotion == Promotion::Manual && world.steering.promote.as_ref() != Some(&candidate.version)
}

/// Whether nothing at all is heard of the model.
fn is_dark(world: &World) -> bool {
    let verdicts = &world.analysis.verdicts;
    let silent = |outcome| matches!(outcome, Outcome::NoData | Outcome::SourceError);
    !verdicts.is_empty() && verdicts.iter().all(|verdict| silent(verdict.outcome))
}

/// What follows after step `at`.
fn after(world: &World, at: usize) -> String {
    match world.rollout.steps.get(at + 1) {
        Some(step) => format!("If it does as well, it goes on to {} % of the traffic.", step.weight),
        None => "If it does as well, it is promoted.".to_string(),
    }
}

fn failed(candidate: &Candidate) -> String {
    let gates = (candidate.evaluated == Some(false)).then_some("it failed its gates");
    let compliance = (candidate.compliant == Some(false)).then_some("it failed its compliance check");
    gates.into_iter().chain(compliance).collect::<Vec<_>>().join(" and ")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
