//! An entry of the ledger: what was decided, by whom, and why.

use homeostat_clock::UtcMillis;

use crate::words::Moment;

/// An entry of the ledger, as read from the records.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) sequence: u64,
    pub(crate) time: UtcMillis,
    /// Who: a person, or a reconciler.
    pub(crate) actor: String,
    /// `namespace/name` of the Model, when it is about one.
    pub(crate) model: Option<String>,
    /// Object it is about, as words.
    pub(crate) subject: String,
    /// A short constant.
    pub(crate) what: String,
    /// Why, as a sentence.
    pub(crate) why: String,
    /// Digest of the evidence.
    pub(crate) evidence: Option<String>,
    /// Link in the chain.
    pub(crate) hash: String,
}

/// An entry of the ledger, as pages show it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DecisionView {
    pub(crate) sequence: u64,
    pub(crate) time: Moment,
    pub(crate) actor: String,
    pub(crate) subject: String,
    pub(crate) href: Option<String>,
    pub(crate) what: String,
    pub(crate) why: String,
    pub(crate) evidence: Option<(String, String)>,
    pub(crate) hash: (String, String),
}

/// An entry of the ledger, as pages show it.
pub(crate) fn decision(entry: &Entry, now: UtcMillis) -> DecisionView {
    let both = |digest: &str| (crate::words::short(digest), digest.to_string());
    DecisionView {
        sequence: entry.sequence,
        time: Moment::new(entry.time, now),
        actor: entry.actor.clone(),
        subject: entry.subject.clone(),
        href: entry.model.as_ref().map(|model| format!("/models/{model}")),
        what: crate::words::spaced(&entry.what),
        why: entry.why.clone(),
        evidence: entry.evidence.as_deref().map(both),
        hash: both(&entry.hash),
    }
}
