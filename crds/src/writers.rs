//! Who writes which status field. Each has exactly one writer; the controller refuses every other write.

/// (kind, field of the status or `conditions/TYPE`, reconciler); `*` stands for all fields that have no line of their own.
pub const WRITERS: &[(&str, &str, &str)] = &[
    ("Model", "*", "model"),
    ("ModelVersion", "*", "model_version"),
    ("ModelVersion", "conditions/Evaluated", "retraining_run"),
    ("ModelVersion", "conditions/Compliant", "compliance_check"),
    ("ModelVersion", "conditions/Promoted", "model"),
    ("ModelVersion", "conditions/TrainedOnErased", "erasure_request"),
    ("ModelVersion", "baseline", "model"),
    ("Dataset", "*", "dataset"),
    ("DecayPolicy", "*", "decay_policy"),
    ("CompliancePolicy", "*", "compliance_policy"),
    ("RetrainingRun", "*", "retraining_run"),
    ("ComplianceCheck", "*", "compliance_check"),
    ("ErasureRequest", "*", "erasure_request"),
    ("GpuNode", "drainedFor", "model"),
    ("GpuNode", "*", "gpu_node"),
];

/// The reconciler that writes a field; `None` for a kind that has no line.
#[must_use]
pub fn writer_of(kind: &str, field: &str) -> Option<&'static str> {
    let line = |wanted: &str| WRITERS.iter().find(|(of, name, _)| *of == kind && *name == wanted);
    line(field).or_else(|| line("*")).map(|(_, _, writer)| *writer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_one_writer() {
        assert_eq!(writer_of("GpuNode", "drainedFor"), Some("model"));
        assert_eq!(writer_of("GpuNode", "gpus"), Some("gpu_node"));
        assert_eq!(writer_of("ModelVersion", "conditions/Serving"), Some("model_version"));
        assert_eq!(writer_of("Pod", "phase"), None);
        for (index, (kind, field, _)) in WRITERS.iter().enumerate() {
            assert!(!WRITERS[index + 1..].iter().any(|(k, f, _)| k == kind && f == field), "{kind} {field}");
        }
    }
}
