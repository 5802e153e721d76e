use std::collections::BTreeMap;
use std::time::Duration;

use homeostat_privacy::{Entity, SubjectKey};
use homeostat_quality::{ModelKey, Slice};
use regex::Regex;

use crate::Guard;

/// Everything the gateway needs to know; replaced as a whole by [`crate::Gateway::configure`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The models served here.
    pub routes: Vec<Route>,
    /// Keys that may give feedback: id to the sha256 of the key, in lower-case hex.
    pub feedback_keys: BTreeMap<String, String>,
    /// Length of the metered windows.
    pub window: Duration,
    /// Key for subject HMACs. Without one nothing is sampled: a sample that no erasure request finds must not exist.
    pub subject_key: Option<SubjectKey>,
    /// Bounds of single requests.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            feedback_keys: BTreeMap::new(),
            window: Duration::from_secs(60),
            subject_key: None,
            limits: Limits::default(),
        }
    }
}

/// Bounds of single requests.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long an engine may take until its response starts, and between two parts of a stream.
    pub timeout: Duration,
    /// How long feedback may come after the request.
    pub feedback_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(120), feedback_age: Duration::from_secs(600) }
    }
}

/// Traffic of one model.
#[derive(Clone, Debug)]
pub struct Route {
    /// The model.
    pub model: ModelKey,
    /// What users put in "model".
    pub served_name: String,
    /// Where requests may go.
    pub targets: Vec<Target>,
    /// Which requests are kept as samples.
    pub sampling: Sampling,
    /// The first rule that matches gives a request's slice.
    pub slices: Vec<SliceRule>,
    /// What happens to personal data that passes; `None`: nothing is looked at.
    pub guard: Option<Guard>,
}

/// One running copy of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name of the `ModelVersion`.
    pub version: String,
    /// `node/index`.
    pub replica: String,
    /// Relative share of the traffic; 0 gets none.
    pub weight: u32,
    /// Where the engine listens (`http://host:port`, without `/v1`); `None` while it does not serve.
    pub base_url: Option<String>,
    /// What the engine calls the model; `None` passes on the served name.
    pub upstream_model: Option<String>,
}

/// Which requests are kept, and what is taken out of them before.
#[derive(Clone, Debug, Default)]
pub struct Sampling {
    /// Whether anything of a request may be kept; without, there are no samples and feedback finds no request.
    pub keep: bool,
    /// Share of requests, 0 to 1. Requests with feedback are always kept.
    pub share: f64,
    /// Redacted before anything is kept.
    pub entities: Vec<Entity>,
}

/// Gives a slice to the requests whose last user message matches.
#[derive(Clone, Debug)]
pub struct SliceRule {
    /// The slice.
    pub slice: Slice,
    /// Searched for anywhere in the message.
    pub pattern: Regex,
}

impl Route {
    /// The slice of a request by its last user message; the empty slice when no rule matches.
    #[must_use]
    pub fn slice_of(&self, message: &str) -> Slice {
        self.slices
            .iter()
            .find(|rule| rule.pattern.is_match(message))
            .map(|rule| rule.slice.clone())
            .unwrap_or_default()
    }
}
