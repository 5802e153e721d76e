//! `Model`: a served family and what is expected of it. Its retraining and its status have files of their own.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::{DURATION_PATTERN, PERCENT_PATTERN};
pub use crate::model_status::{DecisionStatus, ModelStatus, QualityStatus, RolloutStatus, Traffic};
pub use crate::retraining::{Budget, Gates, Retraining};
use crate::shared::{LocalReference, NAME_RULE};

/// A served family: how good it must be, how it may be retrained and rolled out.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "homeostat.dev",
    version = "v1alpha1",
    kind = "Model",
    namespaced,
    status = "ModelStatus",
    derive = "PartialEq",
    shortname = "hm",
    category = "homeostat",
    validation = Rule::new(NAME_RULE).message("metadata.name must have at most 40 characters: choose a shorter name"),
    printcolumn(name = "Stable", type_ = "string", json_path = ".status.stable"),
    printcolumn(name = "Candidate", type_ = "string", json_path = ".status.candidate"),
    printcolumn(name = "Decayed", type_ = "string", json_path = ".status.conditions[?(@.type==\"Decayed\")].status"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Decision", type_ = "string", json_path = ".status.lastDecision.what", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self.initialVersion == oldSelf.initialVersion").message("initialVersion is immutable: to serve another version set steering.pin, or create another Model"),
    validation = Rule::new("!has(self.retraining) || self.mode != 'Act' || size(self.evaluation.golden) > 0").message("evaluation.golden needs at least one Dataset when mode is Act and retraining is set: the gates take their references from it")
)]
#[serde(rename_all = "camelCase")]
pub struct ModelSpec {
    /// How much the controller may do by itself. What it would have done is recorded in every mode.
    #[serde(default)]
    pub mode: Mode,
    /// The ModelVersion to begin with.
    #[schemars(length(min = 1, max = 63))]
    pub initial_version: String,
    /// The name users put into "model" of a request; the Model's own name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub served_name: Option<String>,
    /// What is expected of it.
    pub decay_policy_ref: LocalReference,
    /// What must not be in its data or its answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compliance_policy_ref: Option<LocalReference>,
    /// How its quality is probed.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// How it may be retrained. Absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retraining: Option<Retraining>,
    /// How a candidate gets its traffic.
    #[serde(default)]
    pub rollout: Rollout,
    /// How many copies serve it.
    #[serde(default)]
    pub serving: Serving,
    /// How requests are told apart; the first match counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    pub slices: Vec<SliceRule>,
    /// Which requests are kept as samples.
    #[serde(default)]
    pub sampling: Sampling,
    /// Who may give feedback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// What a person asks for. Obeyed before anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steering: Option<Steering>,
}

/// How much the controller may do by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Watch and record.
    #[default]
    Observe,
    /// Alert as well.
    Alert,
    /// Everything: retrain, roll out, roll back, drain.
    Act,
}

/// How quality is probed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    /// Golden Datasets, oldest first: for the same prompt the later reference holds.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub golden: Vec<LocalReference>,
    /// Probes per second and replica.
    #[serde(default = "default_probes_per_second")]
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub probes_per_second: f64,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self { golden: Vec::new(), probes_per_second: default_probes_per_second() }
    }
}

fn default_probes_per_second() -> f64 {
    1.0
}

/// How a candidate gets its traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// By itself, or after a person's word.
    #[serde(default)]
    pub promotion: Promotion,
    /// Canary steps in order.
    #[serde(default = "default_steps")]
    #[schemars(length(min = 1, max = 16))]
    pub steps: Vec<Step>,
    /// How long after promotion the old version is kept loaded and the new baseline is frozen.
    #[serde(default = "default_soak")]
    #[schemars(regex(pattern = DURATION_PATTERN))]
    pub soak: String,
    /// Fewer requests than this in a step say nothing.
    #[serde(default = "default_minimum_requests")]
    #[schemars(range(min = 1))]
    pub minimum_requests: u64,
    /// By how much the candidate's error rate and quality may be worse than those of the stable version beside it.
    #[serde(default = "default_margin")]
    #[schemars(regex(pattern = PERCENT_PATTERN))]
    pub margin: String,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            promotion: Promotion::default(),
            steps: default_steps(),
            soak: default_soak(),
            minimum_requests: default_minimum_requests(),
            margin: default_margin(),
        }
    }
}

fn default_steps() -> Vec<Step> {
    [(5, "30m"), (25, "1h"), (50, "1h")]
        .into_iter()
        .map(|(weight, length)| Step { weight, length: length.to_string() })
        .collect()
}
fn default_soak() -> String {
    "24h".to_string()
}
fn default_minimum_requests() -> u64 {
    100
}
fn default_margin() -> String {
    "2%".to_string()
}

/// Who promotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Promotion {
    /// The controller, once all steps have passed.
    #[default]
    Automatic,
    /// A person, through steering.promote.
    Manual,
}

/// One canary step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Per cent of the traffic for the candidate.
    #[schemars(range(min = 1, max = 100))]
    pub weight: u8,
    /// At least so long.
    #[serde(rename = "for")]
    #[schemars(regex(pattern = DURATION_PATTERN))]
    pub length: String,
}

/// How many copies serve the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Serving {
    /// Copies of the stable version, each on a node of its own where there are enough.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 1, max = 64))]
    pub replicas: u32,
}

impl Default for Serving {
    fn default() -> Self {
        Self { replicas: default_replicas() }
    }
}

fn default_replicas() -> u32 {
    1
}

/// Puts requests that match into a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SliceRule {
    /// Name of the slice.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Regular expression (RE2 syntax) on the last user message.
    #[schemars(length(min = 1, max = 1000))]
    pub pattern: String,
}

/// Which requests are kept as samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sampling {
    /// Share of the requests; those with feedback are always kept.
    #[serde(default = "default_sampling_share")]
    #[schemars(regex(pattern = PERCENT_PATTERN))]
    pub share: String,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { share: default_sampling_share() }
    }
}

fn default_sampling_share() -> String {
    "1%".to_string()
}

/// Who may give feedback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Feedback {
    /// A Secret whose entries are feedback keys: id to key.
    pub secret_ref: LocalReference,
}

/// What a person asks for. Tokens are any new text, for instance the time; each is carried out once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Steering {
    /// Serve this version and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub pin: Option<String>,
    /// Do nothing by yourself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// Promote this candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub promote: Option<String>,
    /// Abort this candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub abort: Option<String>,
    /// Token: start a retraining now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub retrain: Option<String>,
    /// Token: freeze the baseline anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub rebaseline: Option<String>,
    /// Why; goes to the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub reason: Option<String>,
}
