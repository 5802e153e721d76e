//! A candidate that passed everything turns out slow and failing once users talk to it.

use super::{Check, EngineFault, Fresh, Script, WORLD_CHANGES, seconds};

pub(super) const SCRIPT: Script = Script {
    name: "bad-canary",
    about: "the candidate is good in the gates, then slow and failing under traffic: it is rolled back",
    nodes: 1,
    replicas: 1,
    fresh: Fresh::Feedback,
    onset: WORLD_CHANGES,
    canary_fault: Some(EngineFault { corrupt_weights: 0.0, latency_ms: 900, error_rate: 0.4 }),
    expects: &[
        Check::Alert("QualityDegraded"),
        Check::Run,
        Check::RolledBack,
        Check::Alert("CanaryRolledBack"),
        Check::Servable,
    ],
    never: &[Check::Promoted, Check::Drained],
    patience: seconds(600),
    linger: seconds(5),
    recovers: false,
};
