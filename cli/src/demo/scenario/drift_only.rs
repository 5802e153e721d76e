//! The mix of questions shifts and no answer changes: worth a warning, no reason to retrain.

use super::{Check, Event, Fresh, Mix, Script, seconds};

pub(super) const SCRIPT: Script = Script {
    name: "drift-only",
    about: "people ask other things than before, but no answer has changed: warned, not retrained",
    nodes: 1,
    replicas: 1,
    fresh: Fresh::Feedback,
    onset: &[Event::Interests(Mix::Shifted)],
    canary_fault: None,
    expects: &[Check::Cause("InputDrift"), Check::Alert("InputDrift")],
    never: &[Check::Run, Check::Decayed, Check::Alert("QualityDegraded"), Check::Promoted, Check::Drained],
    patience: seconds(120),
    linger: seconds(15),
    recovers: false,
};
