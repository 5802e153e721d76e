//! One of two GPUs fails and takes the weights of its replica with it; the other replica is the control.

use super::{Check, Event, Fresh, Script, seconds};

pub(super) const SCRIPT: Script = Script {
    name: "bad-gpu",
    about: "one of two GPUs reports XID 79 and its replica answers nonsense: drained and alerted, not retrained",
    nodes: 2,
    replicas: 2,
    fresh: Fresh::Feedback,
    onset: &[Event::Corrupt(0), Event::Xid(0, 79)],
    canary_fault: None,
    expects: &[Check::Alert("NodeTrouble"), Check::Cause("Infrastructure"), Check::Drained, Check::Servable],
    never: &[Check::Run, Check::Promoted],
    patience: seconds(120),
    linger: seconds(15),
    recovers: false,
};
