//! An alert with all its text.

use homeostat_clock::UtcMillis;

use super::Tone;
use crate::words::{Moment, length};

/// An alert, as read from the records.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlertFact {
    pub(crate) name: String,
    /// `namespace/name`, when it is about one.
    pub(crate) model: Option<String>,
    pub(crate) severity: String,
    pub(crate) summary: String,
    /// The whole text.
    pub(crate) text: String,
    /// Further annotations: what, text.
    pub(crate) notes: Vec<(String, String)>,
    /// Labels: what, value.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) since: UtcMillis,
    /// When it resolved.
    pub(crate) until: Option<UtcMillis>,
}

/// An alert, as pages show it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlertView {
    pub(crate) name: String,
    pub(crate) model: Option<String>,
    pub(crate) href: Option<String>,
    pub(crate) severity: String,
    pub(crate) tone: Tone,
    pub(crate) firing: bool,
    pub(crate) summary: String,
    pub(crate) paragraphs: Vec<String>,
    pub(crate) notes: Vec<Note>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) since: Moment,
    pub(crate) until: Option<Moment>,
    /// How long it fired.
    pub(crate) lasted: String,
}

/// An alert, as pages show it.
pub(crate) fn alert(fact: &AlertFact, now: UtcMillis) -> AlertView {
    let firing = fact.until.is_none();
    AlertView {
        name: fact.name.clone(),
        // No model's name holds a colon: that is a person's request.
        href: fact.model.as_ref().map(|model| match model.contains(':') {
            true => "/compliance".to_string(),
            false => format!("/models/{model}"),
        }),
        model: fact.model.clone(),
        tone: match (firing, fact.severity.as_str()) {
            (false, _) => Tone::Unknown,
            (true, "critical") => Tone::Bad,
            (true, _) => Tone::Warn,
        },
        severity: fact.severity.clone(),
        firing,
        summary: fact.summary.clone(),
        paragraphs: fact.text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_string).collect(),
        notes: fact.notes.iter().map(|(name, text)| note(name, text)).collect(),
        labels: fact.labels.clone(),
        since: Moment::new(fact.since, now),
        until: fact.until.map(|time| Moment::new(time, now)),
        lasted: length(fact.until.unwrap_or(now).since(fact.since)),
    }
}

/// A further annotation; a link when its text is a web address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) link: bool,
}

fn note(name: &str, text: &str) -> Note {
    let link =
        ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme)) && !text.contains(char::is_whitespace);
    Note { name: crate::words::spaced(name).replace('_', " "), text: text.to_string(), link }
}
