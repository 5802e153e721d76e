use std::collections::BTreeSet;

use homeostat_clock::UtcMillis;
use homeostat_decay::{Cause, Outcome};
use serde::{Deserialize, Serialize};

use crate::{CandidatePhase, Mode, World, retraining, staging, steering};

/// What to do, in order, and what is shown as the model's last and next decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// In this order; each idempotent.
    pub actions: Vec<Action>,
    /// What was decided and why, also when it is to wait.
    pub decision: Decision,
    /// Actions that the mode forbids: recorded, not carried out.
    pub withheld: Vec<Action>,
    /// Whether a person asked for the actions, whose reason then goes with them into the ledger.
    pub asked_for: bool,
}

/// A decision as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// What, as a short constant: `Watch`, `Hold`, `Retrain`, `StartCanary`, `Advance`, `Promote`, `RollBack`, `Reject`,
    /// `Restore`, `Drain`, `FreezeBaseline`, `AskForHelp`.
    pub what: String,
    /// Why, as a full sentence.
    pub why: String,
    /// The next automatic step, as a sentence, if there is one.
    pub next: Option<String>,
    /// When that step is due at the earliest.
    pub due: Option<UtcMillis>,
    /// Ask for a plan again at this time, even if nothing changes.
    pub wake: Option<UtcMillis>,
}

/// One step for the controller. Each names all it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum Action {
    /// Create this `RetrainingRun` (no-op when the name exists).
    StartRetraining {
        /// Derived from cause, parent, data and configuration.
        name: String,
        /// Parent version.
        parent: String,
        /// Cause, as a condition reason.
        cause: String,
        /// Digest of the fresh data it is for.
        data: String,
    },
    /// Route `weight` per cent to the candidate, the rest to stable; step index for the status.
    SetCanary {
        /// The candidate.
        version: String,
        /// Index of the step.
        step: usize,
        /// Per cent.
        weight: u8,
    },
    /// All traffic to the candidate; it becomes stable, the old one last-known-good.
    Promote {
        /// The candidate.
        version: String,
        /// Who: `controller` or a person's name is in the ledger.
        reason: String,
    },
    /// All traffic back to stable; the candidate is done for.
    RollBack {
        /// The candidate.
        version: String,
        /// Why.
        reason: String,
    },
    /// A candidate that failed gates or compliance: never routed to.
    Reject {
        /// The candidate.
        version: String,
        /// Why.
        reason: String,
    },
    /// Make an older version stable again.
    Restore {
        /// The last known good.
        version: String,
        /// Why.
        reason: String,
    },
    /// Take these replicas out of the route and stop them.
    Drain {
        /// Names of `GpuNode`s.
        nodes: Vec<String>,
        /// Why.
        reason: String,
    },
    /// Freeze the baseline of a version from its own windows.
    FreezeBaseline {
        /// The version.
        version: String,
        /// Why.
        reason: String,
    },
    /// A steering token was carried out.
    Acknowledge {
        /// The token.
        token: String,
    },
    /// Page a person: the controller has done what it may.
    AskForHelp {
        /// Condition reason: `AlreadyTried`, `AttemptsExhausted`, `BudgetExhausted`, `CanaryInconclusive`, `CandidateUndecided`,
        /// `CauseUnclear`, `GoldenDisagrees`, `NoFreshData`, `NoHealthyReplica`, `NoLastKnownGood`, `NotServable`, `ProbeChanged`,
        /// `RetrainingNotConfigured`.
        reason: String,
        /// Full sentence.
        message: String,
    },
}

/// Plans for one model.
///
/// What a person asked for comes first, then trouble with the machines, then the candidate on its way, then what the diagnosis
/// of the stable version asks for. Missing or inconclusive data never promotes, rolls back or retrains.
///
/// In modes Observe and Alert what the controller would do by itself goes to [`Plan::withheld`]. Carried out in every mode are
/// what a person asked for, baselines (they change no traffic), and the first version, which the Model's author declared; in
/// Alert pages as well. On hold only a pin and an abort are carried out.
#[must_use]
pub fn plan(world: &World) -> Plan {
    let Draft { steps, mut decision } = draft(world);
    let held = world.steering.hold;
    let (mut actions, mut withheld) = (Vec::new(), Vec::new());
    let asked_for = steps.iter().any(|step| matches!(step.by, By::Person | By::Override));
    for Step { action, by } in steps {
        let allowed = match (by, world.mode) {
            (By::Override, _) => true,
            _ if held => false,
            (By::Person | By::Declared, _) | (By::Controller, Mode::Act) => true,
            (By::Controller, Mode::Alert) => {
                matches!(action, Action::AskForHelp { .. } | Action::FreezeBaseline { .. })
            }
            (By::Controller, Mode::Observe) => matches!(action, Action::FreezeBaseline { .. }),
        };
        if allowed { actions.push(action) } else { withheld.push(action) }
    }
    if held && actions.is_empty() {
        decision = Decision {
            what: "Hold".to_string(),
            why: format!("A person has put the model on hold. Without that: {}", decision.why),
            next: None,
            due: None,
            wake: None,
        };
    } else if !withheld.is_empty() {
        decision.why.push_str(match world.mode {
            Mode::Observe => " Mode Observe: recorded, not carried out.",
            Mode::Alert => " Mode Alert: recorded, not carried out.",
            Mode::Act => "",
        });
    }
    Plan { actions, decision, withheld, asked_for }
}

/// Who an action goes back to, which decides whether mode and hold forbid it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A person, also while on hold: a pin or an abort.
    Override,
    /// A person.
    Person,
    /// The Model's author, by declaring the first version.
    Declared,
    /// The controller by itself.
    Controller,
}

pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) by: By,
}

pub(crate) struct Draft {
    pub(crate) steps: Vec<Step>,
    pub(crate) decision: Decision,
}

impl Draft {
    /// Nothing to do but to say why.
    pub(crate) fn wait(what: &str, why: String) -> Self {
        let decision = Decision { what: what.to_string(), why, next: None, due: None, wake: None };
        Self { steps: Vec::new(), decision }
    }

    pub(crate) fn act(what: &str, why: String, by: By, action: Action) -> Self {
        Self::wait(what, why).and(by, action)
    }

    /// Pages a person.
    pub(crate) fn ask(reason: &str, message: String) -> Self {
        let action = Action::AskForHelp { reason: reason.to_string(), message: message.clone() };
        Self::act("AskForHelp", message, By::Controller, action)
    }

    pub(crate) fn and(mut self, by: By, action: Action) -> Self {
        self.steps.push(Step { action, by });
        self
    }

    pub(crate) fn next(mut self, next: impl Into<String>, due: Option<UtcMillis>) -> Self {
        self.decision.next = Some(next.into());
        self.decision.due = due;
        self.wake(due)
    }

    /// Plan again at this time at the latest.
    pub(crate) fn wake(mut self, at: Option<UtcMillis>) -> Self {
        self.decision.wake = self.decision.wake.into_iter().chain(at).min();
        self
    }
}

fn draft(world: &World) -> Draft {
    if let Some(draft) = steering::overrides(world) {
        return draft;
    }
    // Orders that go beside whatever else is planned.
    let mut orders = steering::rebaseline(world);
    let rest = steering::promote(world)
        .or_else(|| steering::retrain(world))
        .or_else(|| infrastructure(world))
        .or_else(|| staging::candidate(world))
        .unwrap_or_else(|| stable(world));
    orders.extend(rest.steps);
    Draft { steps: orders, decision: rest.decision }
}

/// Bad machines are taken out of the route before anything is concluded about a model, as long as another one is left.
fn infrastructure(world: &World) -> Option<Draft> {
    let Cause::Infrastructure { nodes } = &world.diagnosis.cause else { return None };
    world.stable.as_ref()?;
    // What has surely failed is taken back in any case.
    let candidate = staging::candidate(world);
    let undo = |step: &Step| matches!(step.action, Action::RollBack { .. } | Action::Reject { .. });
    if candidate.as_ref().is_some_and(|draft| draft.steps.iter().any(undo)) {
        return candidate;
    }
    // A node may be named for several reasons.
    let bad: BTreeSet<&String> = nodes.iter().filter(|node| world.serving_nodes.contains(*node)).collect();
    let bad: Vec<String> = bad.into_iter().cloned().collect();
    let left: Vec<&str> =
        world.serving_nodes.iter().map(String::as_str).filter(|node| !bad.iter().any(|b| b == node)).collect();
    let why = first_reason(world);
    let names = bad.join(", ");
    if bad.is_empty() {
        let why = format!("{why} The nodes ({}) no longer serve the model.", nodes.join(", "));
        return Some(Draft::wait("Watch", why).next("The windows from before the drain run out.", None));
    }
    if left.is_empty() {
        let message = format!(
            "{why} No healthy replica would be left without {names}, so it stays in the route: add a node, or repair it."
        );
        return Some(Draft::ask("NoHealthyReplica", message));
    }
    let action = Action::Drain { nodes: bad, reason: why.clone() };
    let why = format!("{why} {names} is taken out of the route; {} goes on serving.", left.join(", "));
    Some(Draft::act("Drain", why, By::Controller, action).next("The model is judged on the nodes that are left.", None))
}

/// No candidate on its way: what the stable version needs.
fn stable(world: &World) -> Draft {
    let Some(version) = &world.stable else {
        return Draft::wait("Watch", "No version serves yet.".to_string());
    };
    if !world.stable_baseline {
        return baseline(world, version);
    }
    let why = first_reason(world);
    // Only while nothing else is the matter: a retraining for decay replaces the version as well, and missing data waits.
    if let (Some(erasure), Cause::None | Cause::InputDrift) = (&world.erasure, &world.diagnosis.cause) {
        return retraining::after_erasure(world, version, erasure);
    }
    match &world.diagnosis.cause {
        Cause::None if is_known_healthy(world) => {
            Draft::wait("Watch", format!("{version} is as good as it was declared: {why}"))
        }
        Cause::None => Draft::wait("Watch", format!("{version} serves, and not all of it can be judged yet: {why}")),
        Cause::InputDrift => {
            Draft::wait("Watch", format!("{why} That is a warning, not a reason to act on {version}."))
        }
        Cause::NoData | Cause::SourceError => {
            Draft::wait("Watch", format!("{why} Missing data is alerted by itself and never acted on."))
        }
        Cause::ProbeChanged => {
            Draft::ask("ProbeChanged", format!("{why} Nothing is done to {version} until a person re-baselines."))
        }
        Cause::Infrastructure { .. } => Draft::wait("Watch", why),
        Cause::ModelDecay | Cause::Unclear => degraded(world, version),
    }
}

fn is_known_healthy(world: &World) -> bool {
    let verdicts = &world.analysis.verdicts;
    !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.outcome == Outcome::Healthy)
}

fn degraded(world: &World, version: &str) -> Draft {
    let why = first_reason(world);
    let wants = |action| world.analysis.verdicts.iter().any(|v| v.outcome == Outcome::Degraded && v.action == action);
    if wants(homeostat_decay::Action::Rollback) {
        return restore(world, version, &why);
    }
    if world.diagnosis.cause == Cause::ModelDecay && wants(homeostat_decay::Action::Retrain) {
        return retraining::plan(world, version);
    }
    if world.diagnosis.cause == Cause::Unclear && wants(homeostat_decay::Action::Retrain) {
        return Draft::ask(
            "CauseUnclear",
            format!("{why} The evidence names no cause, so {version} is not retrained: please look."),
        );
    }
    Draft::wait("Watch", format!("{why} The policy asks for an alert only."))
}

fn restore(world: &World, version: &str, why: &str) -> Draft {
    match world.last_known_good.as_ref().filter(|good| *good != version) {
        Some(good) => {
            let action = Action::Restore { version: good.clone(), reason: why.to_string() };
            Draft::act(
                "Restore",
                format!("{why} {good}, the last known good, takes over from {version}."),
                By::Controller,
                action,
            )
        }
        None => Draft::ask(
            "NoLastKnownGood",
            format!("{why} There is no earlier version to go back to: {version} goes on serving."),
        ),
    }
}

/// A version without a baseline: freeze it after soak, never on a breach.
pub(crate) fn baseline(world: &World, version: &str) -> Draft {
    let soaking = match &world.candidate {
        Some(candidate) if candidate.version == version => match candidate.phase {
            CandidatePhase::Soaking { since } => Some(since),
            _ => None,
        },
        _ => None,
    };
    let since = soaking.or(world.stable_since).unwrap_or(world.now);
    let due = since.plus(world.rollout.soak);
    let degraded: Vec<&str> =
        world.analysis.verdicts.iter().filter(|v| v.outcome == Outcome::Degraded).map(|v| v.name.as_str()).collect();
    if !degraded.is_empty() {
        let cause = &world.diagnosis.cause;
        if matches!(cause, Cause::ModelDecay | Cause::Unclear)
            && world
                .analysis
                .verdicts
                .iter()
                .any(|v| v.outcome == Outcome::Degraded && v.action == homeostat_decay::Action::Rollback)
        {
            return restore(world, version, &first_reason(world));
        }
        let why = format!(
            "{version} breaches {} before its baseline is frozen, and no baseline is frozen on a breach.",
            degraded.join(", ")
        );
        return Draft::wait("Watch", why).next("The baseline is frozen once the breach is over.", None);
    }
    if world.now < due {
        let why = format!("{version} serves since {since} and soaks for {}.", seconds(world.rollout.soak));
        return Draft::wait("Watch", why).next(format!("The baseline of {version} is frozen."), Some(due));
    }
    let why = format!(
        "{version} has served since {since} without a breach; what it was like then is its baseline from now on."
    );
    let action = Action::FreezeBaseline { version: version.to_string(), reason: why.clone() };
    Draft::act("FreezeBaseline", why, By::Controller, action)
}

pub(crate) fn first_reason(world: &World) -> String {
    world.diagnosis.reasons.first().cloned().unwrap_or_else(|| "Nothing is known yet.".to_string())
}

/// `90s` or `36h`: durations in sentences.
pub(crate) fn seconds(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}
