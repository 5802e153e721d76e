use homeostat_clock::UtcMillis;
use serde::{Deserialize, Serialize};

use crate::World;

/// What to do, in order, and what is shown as the model's last and next decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// In this order; each idempotent.
    pub actions: Vec<Action>,
    /// What was decided and why, also when it is to wait.
    pub decision: Decision,
    /// Actions that the mode forbids: recorded, not carried out.
    pub withheld: Vec<Action>,
}

/// A decision as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// What, as a short constant: `Watch`, `Hold`, `Retrain`, `StartCanary`, `Advance`, `Promote`, `RollBack`, `Reject`, `Drain`, `AskForHelp`.
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
        /// Condition reason, for instance `AttemptsExhausted`, `BudgetExhausted`, `NoFreshData`.
        reason: String,
        /// Full sentence.
        message: String,
    },
}

/// Plans for one model.
#[must_use]
pub fn plan(world: &World) -> Plan {
    let _ = world;
    Plan {
        actions: Vec::new(),
        withheld: Vec::new(),
        decision: Decision { what: "Watch".to_string(), why: String::new(), next: None, due: None, wake: None },
    }
}
