use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use serde::{Deserialize, Serialize};

use crate::Sketch;

/// A `Model` object by its namespace and name; prints and parses as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ModelKey {
    /// Namespace of the `Model`.
    pub namespace: String,
    /// Name of the `Model`.
    pub name: String,
}

impl ModelKey {
    /// The key of `name` in `namespace`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ModelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl From<ModelKey> for String {
    fn from(key: ModelKey) -> Self {
        key.to_string()
    }
}

impl FromStr for ModelKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self::new(namespace, name))
            }
            _ => Err(format!("model key {text:?} is not of the form namespace/name")),
        }
    }
}

impl TryFrom<String> for ModelKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Where an observation came from. Sources are never merged with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// Probes from a golden set, graded against its references.
    Golden,
    /// Users' requests: latencies, errors, and what labels they got.
    Traffic,
    /// Users' feedback; may be hostile, so alone it alerts and does not retrain.
    Feedback,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Golden, Self::Traffic, Self::Feedback];

    /// The name used in storage, on the wire and in resources.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Golden => "Golden",
            Self::Traffic => "Traffic",
            Self::Feedback => "Feedback",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|source| source.as_str() == text)
            .ok_or_else(|| format!("source {text:?} is none of Golden, Traffic, Feedback"))
    }
}

/// A part of what is asked, within which quality is compared at fixed mix, such as `currency`.
///
/// The empty slice stands for requests that were not classified.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slice(pub String);

impl Slice {
    /// The slice called `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Its name; empty for unclassified.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one window of observations is about. Two reports with the same key describe the same window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WindowKey {
    /// The served model.
    pub model: ModelKey,
    /// Name of the `ModelVersion` that answered.
    pub version: String,
    /// Which running copy of it answered: `node/namespace.version.index`.
    pub replica: String,
    /// Where the observations came from.
    pub source: Source,
    /// Stored metric name, see [`crate::registry::Metric::stored`].
    pub metric: String,
    /// Part of the input.
    pub slice: Slice,
    /// Start of the window, aligned to `step`.
    pub start: UtcMillis,
    /// Length of the window in milliseconds.
    pub step_ms: i64,
}

impl WindowKey {
    /// The end of the window (exclusive).
    #[must_use]
    pub fn end(&self) -> UtcMillis {
        self.start.plus(Duration::from_millis(u64::try_from(self.step_ms).unwrap_or(0)))
    }
}

/// One closed window: its key and the sketch of all its observations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// What it is about.
    pub key: WindowKey,
    /// What was observed.
    pub sketch: Sketch,
}
