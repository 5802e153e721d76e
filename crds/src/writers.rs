//! Who writes which status field. Each has exactly one writer. Nothing checks it by itself yet: it is
//! for whoever changes a reconciler.

/// (kind, field or condition, reconciler)
pub const WRITERS: &[(&str, &str, &str)] = &[
    ("Model", "status.* and every condition", "model"),
    ("ModelVersion", "phase", "model_version"),
    ("ModelVersion", "assignments", "model_version"),
    ("ModelVersion", "condition ArtifactVerified", "model_version"),
    ("ModelVersion", "condition Placed", "model_version"),
    ("ModelVersion", "condition Serving", "model_version"),
    ("ModelVersion", "condition Evaluated", "retraining_run"),
    ("ModelVersion", "condition Compliant", "compliance_check"),
    ("ModelVersion", "condition Promoted", "model"),
    ("ModelVersion", "baseline", "model"),
    ("Dataset", "status.*", "dataset"),
    ("DecayPolicy", "status.*", "decay_policy"),
    ("CompliancePolicy", "status.*", "compliance_policy"),
    ("RetrainingRun", "status.*", "retraining_run"),
    ("ComplianceCheck", "status.*", "compliance_check"),
    ("GpuNode", "status.drainedFor", "model"),
    ("GpuNode", "the rest of status", "gpu_node"),
];
