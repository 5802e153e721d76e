//! What pages show, as plain strings and numbers, computed from objects and records by pure functions.

pub(crate) mod alert;
pub(crate) mod card;
pub(crate) mod chart;
pub(crate) mod decision;
pub(crate) mod metric;
pub(crate) mod node;
pub(crate) mod run;
pub(crate) mod series;
pub(crate) mod standing;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// How something looks: each tone has a colour, a mark and a word, so that colour never speaks alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tone {
    /// As declared.
    Ok,
    /// Being worked on.
    Work,
    /// Not as declared; nothing urgent.
    Warn,
    /// Broken, or needs a person.
    Bad,
    /// Not known. Never looks like `Ok`.
    Unknown,
}

impl Tone {
    /// The class in the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Work => "work",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }

    /// How an outcome, phase or verdict of the API looks.
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "Healthy" | "Passed" | "Succeeded" | "Serving" | "True" | "Ready" => Self::Ok,
            "Degraded" | "Failed" | "SourceError" | "Unhealthy" => Self::Bad,
            "Backoff" => Self::Warn,
            "Pending" | "Curating" | "Training" | "Evaluating" | "Fetching" | "Starting" | "Stopping" => Self::Work,
            _ => Self::Unknown,
        }
    }
}

/// The condition of type `kind`.
pub(crate) fn condition<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Whether the condition of type `kind` has `status`.
pub(crate) fn has(conditions: &[Condition], kind: &str, status: &str) -> bool {
    condition(conditions, kind).is_some_and(|condition| condition.status == status)
}

/// A line of the list of conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConditionLine {
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) since: crate::words::Moment,
}

/// All conditions, as a page lists them.
pub(crate) fn condition_lines(conditions: &[Condition], now: homeostat_clock::UtcMillis) -> Vec<ConditionLine> {
    conditions
        .iter()
        .map(|condition| ConditionLine {
            kind: condition.type_.clone(),
            status: condition.status.clone(),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
            since: crate::words::Moment::new(crate::words::millis(&condition.last_transition_time), now),
        })
        .collect()
}
