//! Nobody asks and nothing is probed: silence is no sign of health, and none of decay.

use super::{Check, Event, Fresh, Script, seconds};

pub(super) const SCRIPT: Script = Script {
    name: "no-data",
    about: "traffic and probes stop: that has an alert of its own, and nothing else follows",
    nodes: 1,
    replicas: 1,
    fresh: Fresh::Feedback,
    onset: &[Event::UsersLeave, Event::ProbesStop],
    canary_fault: None,
    expects: &[Check::Alert("NoData"), Check::Cause("NoData"), Check::Servable],
    never: &[
        Check::Run,
        Check::Decayed,
        Check::Promoted,
        Check::Drained,
        Check::Alert("QualityDegraded"),
        Check::Alert("InputDrift"),
    ],
    patience: seconds(120),
    linger: seconds(10),
    recovers: false,
};
