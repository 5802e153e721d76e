//! Condition types and reasons: documented constants, so that scripts can rely on them.

/// Conditions of a Model.
pub mod model {
    /// Requests are answered: the stable version serves on at least one replica.
    pub const SERVABLE: &str = "Servable";
    /// A candidate is on its way, or a retraining runs.
    pub const PROGRESSING: &str = "Progressing";
    /// Servable, understood and not known to be decayed. The one to wait for.
    pub const READY: &str = "Ready";
    /// True, False or Unknown; reasons are the outcomes Degraded, Healthy, Inconclusive, NoData, SourceError.
    pub const DECAYED: &str = "Decayed";
}

/// Conditions of a ModelVersion.
pub mod version {
    /// The artifact's bytes are in the blob store and match the declared sha256.
    pub const ARTIFACT_VERIFIED: &str = "ArtifactVerified";
    /// Every wanted replica has a node.
    pub const PLACED: &str = "Placed";
    /// At least one replica answers. Only then is it routed to.
    pub const SERVING: &str = "Serving";
    /// The gates were passed. Absent on a first version.
    pub const EVALUATED: &str = "Evaluated";
    /// The compliance check was passed. Absent without a CompliancePolicy.
    pub const COMPLIANT: &str = "Compliant";
    /// It is, or was, the stable version; False with the reason when it was rejected or rolled back.
    pub const PROMOTED: &str = "Promoted";
    /// True when it, or a version it descends from, was trained on records of a person who has been erased since. Absent
    /// otherwise, also on a version that was trained later from such a parent on data without the person: that nothing of them
    /// is left in the weights cannot be proven, only looked for by a ComplianceCheck.
    pub const TRAINED_ON_ERASED: &str = "TrainedOnErased";
}

/// Conditions of a RetrainingRun.
pub mod run {
    /// The snapshot stands.
    pub const CURATED: &str = "Curated";
    /// The artifact stands.
    pub const TRAINED: &str = "Trained";
    /// The gates came out.
    pub const GATES_PASSED: &str = "GatesPassed";
    /// True when it ended, whatever way: reason Succeeded, or why it failed.
    pub const COMPLETE: &str = "Complete";
}

/// Condition of policies.
pub const ACCEPTED: &str = "Accepted";
/// Condition of Datasets, ErasureRequests, GpuNodes and Models.
pub const READY: &str = "Ready";
/// Condition of a GpuNode: its GPUs are well.
pub const HEALTHY: &str = "Healthy";
/// Condition of a ComplianceCheck.
pub const COMPLETE: &str = "Complete";

/// Reasons, shared by all kinds.
pub mod reason {
    /// All is as it should be.
    pub const OK: &str = "Ok";
    /// The spec was understood.
    pub const VALID: &str = "Valid";
    /// The spec contradicts itself or names what does not exist in the registry; the message names the field.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// A referenced object does not exist.
    pub const REFERENCE_NOT_FOUND: &str = "ReferenceNotFound";
    /// A referenced object exists and is not ready.
    pub const REFERENCE_NOT_READY: &str = "ReferenceNotReady";
    /// No replica answers.
    pub const NOT_SERVING: &str = "NotServing";
    /// No node is free for it.
    pub const NO_NODE: &str = "NoNode";
    /// The artifact could not be read.
    pub const ARTIFACT_UNREADABLE: &str = "ArtifactUnreadable";
    /// The artifact's bytes are not the declared ones.
    pub const DIGEST_MISMATCH: &str = "DigestMismatch";
    /// The gates were passed.
    pub const GATES_PASSED: &str = "GatesPassed";
    /// A gate failed.
    pub const GATE_FAILED: &str = "GateFailed";
    /// The gates could not say.
    pub const GATES_INCONCLUSIVE: &str = "GatesInconclusive";
    /// The check found what must not be there.
    pub const PERSONAL_DATA: &str = "PersonalData";
    /// The check is under way.
    pub const CHECKING: &str = "Checking";
    /// It became the stable version.
    pub const PROMOTED: &str = "Promoted";
    /// It was taken out of a canary.
    pub const ROLLED_BACK: &str = "RolledBack";
    /// It never got any traffic.
    pub const REJECTED: &str = "Rejected";
    /// A person aborted it.
    pub const ABORTED: &str = "Aborted";
    /// Work of this stage is under way.
    pub const RUNNING: &str = "Running";
    /// It produced a version.
    pub const SUCCEEDED: &str = "Succeeded";
    /// Curation left too few records.
    pub const NO_FRESH_DATA: &str = "NoFreshData";
    /// The trainer ended with an error.
    pub const TRAINER_FAILED: &str = "TrainerFailed";
    /// The loss became NaN or grew without bound.
    pub const DIVERGED: &str = "Diverged";
    /// It took longer than allowed.
    pub const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";
    /// Tried as often as allowed.
    pub const ATTEMPTS_EXHAUSTED: &str = "AttemptsExhausted";
    /// No agent is there to do it.
    pub const NO_AGENT: &str = "NoAgent";
    /// The agent has not reported for too long.
    pub const AGENT_SILENT: &str = "AgentSilent";
    /// The GPU reported an error that it does not recover from by itself.
    pub const GPU_ERROR: &str = "GpuError";
    /// It is being found out where a person occurs.
    pub const PLANNING: &str = "Planning";
    /// The plan is in the status; `spec.approved` carries it out.
    pub const AWAITING_APPROVAL: &str = "AwaitingApproval";
    /// Samples, blobs and copies are being erased; the message says what is waited for.
    pub const ERASING: &str = "Erasing";
    /// A person's data are being gathered.
    pub const EXPORTING: &str = "Exporting";
    /// `spec.legalHold` is set.
    pub const LEGAL_HOLD: &str = "LegalHold";
    /// The Secret is missing, empty, or has a line that is no identifier; the message names the line, never its text.
    pub const SUBJECT_INVALID: &str = "SubjectInvalid";
    /// A person was erased whom the version's training saw.
    pub const ERASED: &str = "Erased";
    /// The model decayed.
    pub const DEGRADED: &str = "Degraded";
}
