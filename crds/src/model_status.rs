//! Status of a [`Model`](crate::Model): what is so, and what was decided last.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
