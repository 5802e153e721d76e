//! Storm control: whether a retraining may start now, and what it is called.

use std::time::Duration;

use homeostat_clock::UtcMillis;
use sha2::{Digest, Sha256};

use crate::plan::{Action, By, Draft, first_reason, seconds};
use crate::{RetrainingPlan, RunOutcome, World};

/// The stable version has decayed and the policy asks for a retraining.
pub(crate) fn plan(world: &World, parent: &str) -> Draft {
    let why = first_reason(world);
    if let Some(settings) = &world.retraining
        && settings.golden_must_agree
        && !world.diagnosis.golden_agrees
        && !is_busy(world)
    {
        let message = format!(
            "{why} The golden probes do not confirm it, and feedback alone does not retrain: check the probes, or the feedback."
        );
        return Draft::ask("GoldenDisagrees", message);
    }
    controlled(world, parent, &why, world.diagnosis.cause.as_str())
}

/// A person was erased whom the training of `parent` saw. No probe need agree: nothing is claimed about its quality.
pub(crate) fn after_erasure(world: &World, parent: &str, why: &str) -> Draft {
    controlled(world, parent, why, "Erasure")
}

/// A run or a candidate is on its way, which goes first.
fn is_busy(world: &World) -> bool {
    world.candidate.is_some() || world.runs.iter().any(|run| run.outcome == RunOutcome::Running)
}

/// The retraining, unless it has to wait, or a person has to look.
fn controlled(world: &World, parent: &str, why: &str, cause: &str) -> Draft {
    let Some(settings) = &world.retraining else {
        let message = format!("{why} The policy asks for a retraining, but the Model has no spec.retraining.");
        return Draft::ask("RetrainingNotConfigured", message);
    };
    if let Some(run) = world.runs.iter().find(|run| run.outcome == RunOutcome::Running) {
        let why = format!("{why} {} has been retraining since {}.", run.name, run.started);
        return Draft::wait("Watch", why).next("Its version goes through the gates.", None);
    }
    if let Some(candidate) = &world.candidate {
        return Draft::wait("Watch", format!("{why} {} is still on its way.", candidate.version));
    }
    let tried = world.runs.iter().filter(|run| run.parent == parent).count();
    if tried >= settings.attempts as usize {
        let message = format!(
            "{why} {tried} of {} retrainings of {parent} have not brought it back: a person must look.",
            settings.attempts
        );
        return Draft::ask("AttemptsExhausted", message);
    }
    let cool = world.runs.iter().map(|run| run.started.plus(settings.cooldown)).max();
    if let Some(due) = cool.filter(|due| *due > world.now) {
        let why = format!("{why} The last retraining is less than {} ago.", seconds(settings.cooldown));
        return Draft::wait("Watch", why).next(format!("{parent} is retrained after the cooldown."), Some(due));
    }
    let Some(data) = world.fresh_data.as_ref().filter(|_| world.fresh_records > 0) else {
        return Draft::ask("NoFreshData", format!("{why} There are no fresh records to retrain {parent} on."));
    };
    if world.fresh_records < settings.minimum_fresh {
        let why = format!(
            "{why} {} fresh records are there, and a retraining takes {}.",
            world.fresh_records, settings.minimum_fresh
        );
        return Draft::wait("Watch", why).next(format!("{parent} is retrained once there are enough."), None);
    }
    let same = world
        .runs
        .iter()
        .find(|run| run.parent == parent && run.data == *data && run.configuration == settings.configuration);
    if let Some(run) = same {
        let message = format!(
            "{why} {} has already tried the same data, configuration and parent: new data or other settings are needed.",
            run.name
        );
        return Draft::ask("AlreadyTried", message);
    }
    if let Some(due) = budget_free(world, settings) {
        let message = format!(
            "{why} The budget of {} GPU time per {} is used up; it frees at {due}.",
            seconds(settings.budget),
            seconds(settings.budget_period)
        );
        return Draft::ask("BudgetExhausted", message)
            .next(format!("{parent} is retrained when the budget allows."), Some(due));
    }
    let action = start(world, parent, settings, data, cause, "");
    let why = format!("{why} {parent} is retrained on {} fresh records.", world.fresh_records);
    Draft::act("Retrain", why, By::Controller, action).next("The run's version goes through the gates.", None)
}

/// The action, its name derived from all that makes the run what it is. `token` is a person's, or empty.
pub(crate) fn start(
    world: &World,
    parent: &str,
    settings: &RetrainingPlan,
    data: &str,
    cause: &str,
    token: &str,
) -> Action {
    Action::StartRetraining {
        name: name(&world.model, &[cause, parent, data, &settings.configuration, token]),
        parent: parent.to_string(),
        cause: cause.to_string(),
        data: data.to_string(),
    }
}

/// A DNS label (RFC 1123) of at most 40 characters: the model's name, cut, and eight hexadecimal digits of the parts' digest.
fn name(model: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in std::iter::once(&model).chain(parts) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hex::encode(&hash.finalize()[..4]);
    let own = model.rsplit_once('/').map_or(model, |(_, name)| name);
    let label: String =
        own.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(31).collect();
    let label = label.trim_matches('-');
    if label.is_empty() { format!("run-{digest}") } else { format!("{label}-{digest}") }
}

/// When the budget has room again; `None`: it has room now.
fn budget_free(world: &World, settings: &RetrainingPlan) -> Option<UtcMillis> {
    let since = world.now.minus(settings.budget_period);
    let mut counted: Vec<(UtcMillis, Duration)> =
        world.runs.iter().filter(|run| run.started > since).map(|run| (run.started, run.spent)).collect();
    counted.sort();
    let mut left: Duration = counted.iter().map(|run| run.1).sum();
    if left < settings.budget {
        return None;
    }
    for (started, spent) in counted {
        left = left.saturating_sub(spent);
        if left < settings.budget {
            return Some(started.plus(settings.budget_period));
        }
    }
    // A budget of nothing never frees; look again after a period.
    Some(world.now.plus(settings.budget_period))
}
