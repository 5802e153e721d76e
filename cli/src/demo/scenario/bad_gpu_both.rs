//! The twin of `bad-gpu`: both replicas fall and no GPU complains, so that no machine explains it.

use super::{Check, Event, Fresh, Script, seconds};

pub(super) const SCRIPT: Script = Script {
    name: "bad-gpu-both",
    about: "both replicas answer worse and no GPU complains: no machine explains it, so the model is retrained and replaced",
    nodes: 2,
    replicas: 2,
    fresh: Fresh::Feedback,
    onset: &[Event::Corrupt(0), Event::Corrupt(1)],
    canary_fault: None,
    expects: &[Check::Alert("QualityDegraded"), Check::Cause("ModelDecay"), Check::Run, Check::Promoted],
    never: &[Check::Drained],
    patience: seconds(600),
    linger: seconds(0),
    recovers: false,
};
