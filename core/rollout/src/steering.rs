//! What a person asked for.

use crate::plan::{Action, By, Draft, Step};
use crate::{Candidate, CandidatePhase, Promotion, RunOutcome, World, retraining};

/// A pin and an abort: obeyed before everything else, also on hold.
pub(crate) fn overrides(world: &World) -> Option<Draft> {
    if let Some(pin) = &world.steering.pin {
        return Some(pinned(world, pin));
    }
    let abort = world.steering.abort.as_ref()?;
    let candidate = world.candidate.as_ref().filter(|candidate| candidate.version == *abort)?;
    let reason = "Aborted by a person.".to_string();
    let version = candidate.version.clone();
    let why = format!("A person has aborted {version}.");
    match candidate.phase {
        CandidatePhase::Waiting => Some(Draft::act("Reject", why, By::Override, Action::Reject { version, reason })),
        CandidatePhase::Canary(_) => {
            Some(Draft::act("RollBack", why, By::Override, Action::RollBack { version, reason }))
        }
        // Promoted already: that is a matter for a pin.
        CandidatePhase::Soaking { .. } => None,
    }
}

fn pinned(world: &World, pin: &str) -> Draft {
    let mut steps = Vec::new();
    let candidate = world.candidate.as_ref();
    if let Some(other) = candidate.filter(|c| c.version != pin && matches!(c.phase, CandidatePhase::Canary(_))) {
        let reason = format!("A person has pinned {pin}.");
        steps.push(Step { action: Action::RollBack { version: other.version.clone(), reason }, by: By::Override });
    }
    let reason = format!("A person has pinned {pin}.");
    let mut draft = if world.stable.as_deref() == Some(pin) {
        let draft = Draft::wait(
            "Hold",
            format!("A person has pinned {pin}: it serves, and nothing else is done until the pin is lifted."),
        );
        if world.stable_baseline || world.steering.hold { draft } else { beside_pin(world, pin, draft) }
    } else {
        match candidate.filter(|candidate| candidate.version == pin) {
            Some(candidate) if is_fit(world, candidate) => Draft::act(
                "Promote",
                reason.clone(),
                By::Override,
                Action::Promote { version: pin.to_string(), reason },
            ),
            Some(candidate) => Draft::ask(
                "NotServable",
                format!("A person has pinned {pin}, but it cannot take over: {}.", unfit(candidate)),
            ),
            None => Draft::act(
                "Restore",
                reason.clone(),
                By::Override,
                Action::Restore { version: pin.to_string(), reason },
            ),
        }
    };
    steps.append(&mut draft.steps);
    Draft { steps, decision: draft.decision }
}

/// A pinned version still gets the baseline it lacks: that changes no traffic.
fn beside_pin(world: &World, pin: &str, draft: Draft) -> Draft {
    let baseline = crate::plan::baseline(world, pin);
    let freezes = baseline.steps.into_iter().filter(|step| matches!(step.action, Action::FreezeBaseline { .. }));
    Draft { steps: draft.steps.into_iter().chain(freezes).collect(), decision: draft.decision }
        .wake(baseline.decision.wake)
}

/// A person's word for the candidate: now (Automatic), or the word that a Manual rollout waits for, which `staging` reads.
pub(crate) fn promote(world: &World) -> Option<Draft> {
    let wanted = world.steering.promote.as_ref()?;
    let candidate = world.candidate.as_ref().filter(|candidate| candidate.version == *wanted)?;
    if world.rollout.promotion == Promotion::Manual || matches!(candidate.phase, CandidatePhase::Soaking { .. }) {
        return None;
    }
    let refused = candidate.evaluated == Some(false) || candidate.compliant == Some(false);
    if refused || world.stable.is_none() {
        return None;
    }
    let version = candidate.version.clone();
    if !is_fit(world, candidate) {
        let why = format!("A person asked to promote {version}, which waits: {}.", unfit(candidate));
        return Some(Draft::wait("Watch", why).next(format!("{version} is promoted once that is so."), None));
    }
    let reason = "Promoted by a person.".to_string();
    let why = format!("A person asked to promote {version} now.");
    Some(Draft::act("Promote", why, By::Person, Action::Promote { version, reason }))
}

/// A retraining that a person asked for: no diagnosis, cooldown, budget or number of attempts stands in its way, but still
/// only one at a time.
pub(crate) fn retrain(world: &World) -> Option<Draft> {
    let token = pending(world, world.steering.retrain.as_ref())?;
    let done = Action::Acknowledge { token: token.to_string() };
    if let Some(run) = world.runs.iter().find(|run| run.outcome == RunOutcome::Running) {
        let why = format!("A person asked for a retraining, which waits for {} to end.", run.name);
        // The run itself may be what brings a candidate forward, so this waits only while there is none.
        return world
            .candidate
            .is_none()
            .then(|| Draft::wait("Watch", why).next("The retraining starts after it.", None));
    }
    if world.candidate.is_some() {
        return None;
    }
    let refuse = |reason: &str, why: &str| {
        let message = format!("A person asked for a retraining, but {why}.");
        Some(Draft::ask(reason, message).and(By::Person, done.clone()))
    };
    let Some(parent) = &world.stable else {
        return refuse("NotServable", "no version serves that could be its parent");
    };
    let Some(settings) = &world.retraining else {
        return refuse("RetrainingNotConfigured", "the Model has no spec.retraining: add it first");
    };
    let Some(data) = world.fresh_data.as_ref().filter(|_| world.fresh_records > 0) else {
        return refuse("NoFreshData", "there are no fresh records to learn from");
    };
    let start = retraining::start(world, parent, settings, data, "Requested", token);
    let why = format!("A person asked for a retraining of {parent} on {} fresh records.", world.fresh_records);
    let draft = Draft::act("Retrain", why, By::Person, start).and(By::Person, done);
    Some(draft.next("The run's version goes through the gates.", None))
}

/// A baseline that a person asked for, beside whatever else is planned.
pub(crate) fn rebaseline(world: &World) -> Vec<Step> {
    let (Some(token), Some(version)) = (pending(world, world.steering.rebaseline.as_ref()), &world.stable) else {
        return Vec::new();
    };
    let freeze = Action::FreezeBaseline { version: version.clone(), reason: "Asked for by a person.".to_string() };
    let done = Action::Acknowledge { token: token.to_string() };
    [freeze, done].into_iter().map(|action| Step { action, by: By::Person }).collect()
}

pub(crate) fn is_fit(world: &World, candidate: &Candidate) -> bool {
    let initial = world.stable.is_none() && candidate.evaluated != Some(false) && candidate.compliant != Some(false);
    let passed = candidate.evaluated == Some(true) && candidate.compliant == Some(true);
    candidate.serving && (initial || passed)
}

/// What a candidate lacks, as the end of a sentence.
pub(crate) fn unfit(candidate: &Candidate) -> String {
    let mut lacks = Vec::new();
    match candidate.evaluated {
        Some(true) => {}
        Some(false) => lacks.push("it failed its gates"),
        None => lacks.push("its gates are not decided yet"),
    }
    match candidate.compliant {
        Some(true) => {}
        Some(false) => lacks.push("it failed its compliance check"),
        None => lacks.push("its compliance check is not decided yet"),
    }
    if !candidate.serving {
        lacks.push("it does not serve yet");
    }
    lacks.join(", ")
}

fn pending<'a>(world: &World, token: Option<&'a String>) -> Option<&'a str> {
    token.filter(|token| !world.steering.done.contains(token)).map(String::as_str)
}
