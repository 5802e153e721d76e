//! `RetrainingRun`: one incremental retraining.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::NAME_RULE;

/// One incremental retraining, from its cause to the version it produced.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "homeostat.dev",
    version = "v1alpha1",
    kind = "RetrainingRun",
    namespaced,
    status = "RetrainingRunStatus",
    derive = "PartialEq",
    shortname = "hrr",
    category = "homeostat",
    selectable = ".spec.model",
    validation = Rule::new(NAME_RULE).message("metadata.name must have at most 40 characters: choose a shorter name"),
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.model"),
    printcolumn(name = "Cause", type_ = "string", json_path = ".spec.cause"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Step", type_ = "string", json_path = ".status.progress.step"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Complete\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Complete\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("self == oldSelf").message("spec is immutable: create a new RetrainingRun instead"))]
#[serde(rename_all = "camelCase")]
pub struct RetrainingRunSpec {
    /// Name of the Model.
    #[schemars(length(min = 1, max = 63))]
    pub model: String,
    /// The version it starts from.
    #[schemars(length(min = 1, max = 63))]
    pub parent: String,
    /// Why, as diagnosed, or `Requested`.
    #[schemars(length(min = 1, max = 63))]
    pub cause: String,
    /// Digest of the fresh data it was planned for: the same data, configuration and parent are never tried twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub data: Option<String>,
    /// Digest of trainer, hyperparameters, gates and curation settings it was planned with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub configuration: Option<String>,
    /// Digest of the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub evidence: Option<String>,
}

/// What is so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetrainingRunStatus {
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Pending`, `Curating`, `Training`, `Evaluating`, `Succeeded`, `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// When the first work began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Time>,
    /// Attempt of the current stage.
    #[serde(default)]
    pub attempt: u32,
    /// How far the training is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressStatus>,
    /// The curated data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotStatus>,
    /// One entry a gate.
    #[serde(default)]
    pub gates: Vec<GateStatus>,
    /// The version it produced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Device-seconds used.
    #[serde(default)]
    pub spent_seconds: f64,
    /// Curated, Trained, GatesPassed, Complete.
    #[serde(default)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// How far a training is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressStatus {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub total_steps: u64,
    /// Training loss (nats a byte of completion).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Seconds to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_seconds: Option<f64>,
    /// When this was so, renewed at most every 10 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
}

/// The curated data of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotStatus {
    /// Blob of the fresh records.
    pub fresh: String,
    /// Blob of the replayed records.
    pub replay: String,
    /// Blob with what each cleaning stage dropped and why.
    pub funnel: String,
    /// Number of fresh records that were kept.
    pub fresh_records: u64,
    /// Number of replayed records that were kept.
    pub replay_records: u64,
    /// Old facts that were superseded.
    pub superseded: u64,
    /// Spans of personal data that were redacted.
    pub redacted: u64,
}

/// How one gate came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateStatus {
    /// Name of the gate.
    pub name: String,
    /// Passed, Failed, Inconclusive.
    pub outcome: String,
    /// The measured figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The bound.
    pub threshold: f64,
    /// Paired items.
    pub n: u64,
    /// One sentence.
    pub explanation: String,
}
