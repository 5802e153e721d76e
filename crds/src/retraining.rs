//! How a [`Model`](crate::Model) may be retrained, and what a candidate must show.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::{DURATION_PATTERN, PERCENT_PATTERN};
use crate::shared::LocalReference;

/// How a model may be retrained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retraining {
    /// `embedded`, or the name of a trainer configured on the agents.
    #[serde(default = "default_trainer")]
    #[schemars(length(min = 1, max = 63))]
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
