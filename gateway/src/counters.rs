use std::collections::BTreeMap;

use homeostat_privacy::Entity;

/// Requests so far, for a metrics page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests by what became of them.
    pub requests: BTreeMap<RequestCount, u64>,
    /// Personal data that passed the guard, or was kept from passing.
    pub guarded: BTreeMap<GuardCount, u64>,
    /// Feedback that was taken.
    pub feedback: u64,
    /// Samples handed to the sink.
    pub samples: u64,
    /// Observations that the meter had no place for.
    pub left_out: u64,
}

/// What a counter of the guard is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuardCount {
    /// `namespace/name`.
    pub model: String,
    /// `input` or `output`.
    pub side: &'static str,
    /// Name of the entity.
    pub entity: Entity,
}

/// What a counter of requests is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestCount {
    /// `namespace/name`.
    pub model: String,
    /// Name of the `ModelVersion`.
    pub version: String,
    /// `node/index`.
    pub replica: String,
    /// `ok`, `error`, `timeout`, `refused` (a 4xx of the engine), `blocked` (by the guard) or `unreachable`.
    pub outcome: &'static str,
}
