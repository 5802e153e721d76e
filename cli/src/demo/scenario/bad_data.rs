//! Feedback is poisoned: every user says the same wrong thing. The gates take their references from elsewhere.

use super::{Check, Event, Fresh, Mix, Says, Script, seconds};

pub(super) const SCRIPT: Script = Script {
    name: "bad-data",
    about: "the world changes and the feedback is poisoned: what is learnt from it fails the gates, and a person is told",
    nodes: 1,
    replicas: 1,
    fresh: Fresh::Feedback,
    onset: &[Event::NewReferences, Event::Interests(Mix::News), Event::Feedback(Says::Wrong)],
    canary_fault: None,
    expects: &[
        Check::Alert("QualityDegraded"),
        Check::Run,
        Check::RunEnded("GateFailed"),
        Check::Alert("RetrainingFailed"),
    ],
    never: &[Check::Canary, Check::Promoted, Check::Drained],
    patience: seconds(600),
    linger: seconds(5),
    recovers: false,
};
