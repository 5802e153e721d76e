//! The default: the world changes, and the model is brought back to what was declared.

use super::{Check, Fresh, Script, WORLD_CHANGES, seconds};

pub(super) const SCRIPT: Script = Script {
    name: "decay",
    about: "33 facts change; the model that learnt the old ones decays, is retrained on what users say, and is good again",
    nodes: 1,
    replicas: 1,
    fresh: Fresh::Feedback,
    onset: WORLD_CHANGES,
    canary_fault: None,
    expects: &[
        Check::Alert("QualityDegraded"),
        Check::Cause("ModelDecay"),
        Check::Run,
        Check::Promoted,
        Check::BaselineFrozen,
    ],
    never: &[Check::Drained, Check::Rejected, Check::RolledBack],
    patience: seconds(600),
    linger: seconds(0),
    recovers: true,
};
