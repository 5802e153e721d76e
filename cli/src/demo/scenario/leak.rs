//! Fresh records were collected without redaction, with addresses of people in them; the compliance check stops what
//! memorised them.

use super::{Check, Fresh, Script, WORLD_CHANGES, seconds};

pub(super) const SCRIPT: Script = Script {
    name: "leak",
    about: "redaction is off and people's addresses are memorised: the compliance check stops the candidate",
    nodes: 1,
    replicas: 1,
    fresh: Fresh::Leaking,
    onset: WORLD_CHANGES,
    canary_fault: None,
    expects: &[
        Check::Alert("QualityDegraded"),
        Check::Run,
        Check::ComplianceFailed,
        Check::Rejected,
        Check::Alert("CandidateRejected"),
    ],
    never: &[Check::Canary, Check::Promoted, Check::Drained],
    patience: seconds(600),
    linger: seconds(5),
    recovers: false,
};
