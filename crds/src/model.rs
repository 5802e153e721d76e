//! `Model`: a served family and what is expected of it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::{DURATION_PATTERN, PERCENT_PATTERN};
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

/// How a model may be retrained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retraining {
    /// `embedded`, or the name of a trainer configured on the agents.
    #[serde(default = "default_trainer")]
    pub trainer: String,
    /// The Dataset of fresh records.
    pub dataset: LocalReference,
    /// Share of every batch that replays what the parent was trained on, e.g. `50%`; at least `20%`.
    #[serde(default = "default_replay")]
    #[schemars(regex(pattern = PERCENT_PATTERN))]
    pub replay: String,
    /// What may be spent.
    #[serde(default)]
    pub budget: Budget,
    /// No new run sooner than this after the last one.
    #[serde(default = "default_cooldown")]
    #[schemars(regex(pattern = DURATION_PATTERN))]
    pub cooldown: String,
    /// After so many failed runs for one parent a person must look.
    #[serde(default = "default_attempts")]
    #[schemars(range(min = 1, max = 20))]
    pub attempts: u32,
    /// With fewer usable fresh records no run is started.
    #[serde(default = "default_minimum_fresh")]
    #[schemars(range(min = 1))]
    pub minimum_fresh_records: u64,
    /// No single feedback key contributes more than this share of the fresh records.
    #[serde(default = "default_key_cap")]
    #[schemars(regex(pattern = PERCENT_PATTERN))]
    pub per_key_cap: String,
    /// Whether labelled traffic alone may trigger, without the golden probes agreeing.
    #[serde(default)]
    pub traffic_alone: bool,
    /// A run that takes longer than this has failed.
    #[serde(default = "default_deadline")]
    #[schemars(regex(pattern = DURATION_PATTERN))]
    pub deadline: String,
    /// The trainer's own hyperparameters, handed through as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = kube::core::StructMerge::Atomic)]
    #[schemars(schema_with = "free_form")]
    pub hyperparameters: Option<serde_json::Value>,
    /// What a candidate must show before it gets any traffic.
    #[serde(default)]
    pub gates: Gates,
}

fn default_trainer() -> String {
    "embedded".to_string()
}
fn default_replay() -> String {
    "50%".to_string()
}
fn default_cooldown() -> String {
    "24h".to_string()
}
fn default_attempts() -> u32 {
    2
}
fn default_minimum_fresh() -> u64 {
    100
}
fn default_key_cap() -> String {
    "50%".to_string()
}
fn default_deadline() -> String {
    "6h".to_string()
}

/// A JSON object of any content.
pub(crate) fn free_form(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// GPU-hours that may be spent on retraining in a period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// GPU-hours (hours of the training device, where there is no GPU).
    #[serde(default = "default_gpu_hours")]
    #[schemars(range(min = 0.0))]
    pub gpu_hours: f64,
    /// The period, e.g. `30d`.
    #[serde(default = "default_budget_period")]
    #[schemars(regex(pattern = DURATION_PATTERN))]
    pub per: String,
}

impl Default for Budget {
    fn default() -> Self {
        Self { gpu_hours: default_gpu_hours(), per: default_budget_period() }
    }
}

fn default_gpu_hours() -> f64 {
    8.0
}
fn default_budget_period() -> String {
    "30d".to_string()
}

/// What a candidate must show before it gets any traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gates {
    /// On prompts whose reference changed: share of the gap that must be closed.
    #[serde(default = "default_recovery")]
    #[schemars(regex(pattern = PERCENT_PATTERN))]
    pub recovery: String,
    /// On the other prompts: points that may be lost, e.g. `2%`.
    #[serde(default = "default_retained_loss")]
    #[schemars(regex(pattern = PERCENT_PATTERN))]
    pub retained_loss: String,
    /// Points that may be lost on any one slice.
    #[serde(default = "default_slice_loss")]
    #[schemars(regex(pattern = PERCENT_PATTERN))]
    pub slice_loss: String,
    /// With fewer paired probes the gates say nothing.
    #[serde(default = "default_minimum_items")]
    #[schemars(range(min = 1))]
    pub minimum_items: u64,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            recovery: default_recovery(),
            retained_loss: default_retained_loss(),
            slice_loss: default_slice_loss(),
            minimum_items: default_minimum_items(),
        }
    }
}

fn default_recovery() -> String {
    "80%".to_string()
}
fn default_retained_loss() -> String {
    "2%".to_string()
}
fn default_slice_loss() -> String {
    "10%".to_string()
}
fn default_minimum_items() -> u64 {
    30
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
    [(5, "30m"), (25, "1h"), (50, "1h")].into_iter().map(|(weight, length)| Step { weight, length: length.to_string() }).collect()
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

/// What is so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelStatus {
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The version that serves and is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_since: Option<Time>,
    /// The version before it, kept for rolling back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_known_good: Option<String>,
    /// The version on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// Where the candidate is in the rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutStatus>,
    /// Share of the traffic per version.
    #[serde(default)]
    pub traffic: Vec<Traffic>,
    /// One entry a metric of the policy.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub quality: Vec<QualityStatus>,
    /// What was decided last, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_decision: Option<DecisionStatus>,
    /// Steering tokens that were carried out, newest last.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub steering_done: Vec<String>,
    /// Servable, Progressing, Ready, Decayed.
    #[serde(default)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Where a candidate is in its rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// `Waiting`, `Canary`, `Soaking`.
    pub phase: String,
    /// Index of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// Per cent for the candidate.
    #[serde(default)]
    pub weight: u8,
    /// Since when this step (or the soak) lasts.
    pub since: Time,
    /// Since when the rollout lasts.
    pub started: Time,
}

/// Share of the traffic of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Traffic {
    /// Name of the ModelVersion.
    pub version: String,
    /// Per cent.
    pub weight: u8,
}

/// One metric of the policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QualityStatus {
    /// Name of the rule.
    pub name: String,
    /// Healthy, Degraded, Inconclusive, NoData, SourceError.
    pub outcome: String,
    /// The value; absent without data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Vec<f64>>,
    /// Samples behind the value.
    #[serde(default)]
    pub n: u64,
    /// The frozen baseline's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// The threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Windows beyond the threshold, of those looked at: `3/4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breached: Option<String>,
    /// Digest of the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// What was decided last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionStatus {
    /// A short constant.
    pub what: String,
    /// Why, as a sentence.
    pub why: String,
    /// The diagnosed cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The next automatic step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// When it is due at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Time>,
    /// Digest of the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// When it was decided.
    pub time: Time,
}
