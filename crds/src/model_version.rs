//! `ModelVersion`: one immutable revision of a model.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::{LocalReference, NAME_RULE};

/// One immutable revision: an artifact, the engine that serves it, and where it came from.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "homeostat.dev",
    version = "v1alpha1",
    kind = "ModelVersion",
    namespaced,
    status = "ModelVersionStatus",
    derive = "PartialEq",
    shortname = "hmv",
    category = "homeostat",
    selectable = ".spec.model",
    validation = Rule::new(NAME_RULE).message("metadata.name must have at most 40 characters: choose a shorter name"),
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.model"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Parent", type_ = "string", json_path = ".spec.lineage.parent"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Serving\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Serving\")].reason"),
    printcolumn(name = "Promoted", type_ = "string", json_path = ".status.conditions[?(@.type==\"Promoted\")].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self == oldSelf").message("spec is immutable: create a new ModelVersion instead"),
    validation = Rule::new("self.engine.adapter == 'external' ? has(self.engine.url) : has(self.artifact)").message("artifact is needed, unless engine.adapter is external: then engine.url is needed")
)]
#[serde(rename_all = "camelCase")]
pub struct ModelVersionSpec {
    /// Name of the Model it is a revision of.
    #[schemars(length(min = 1, max = 63))]
    pub model: String,
    /// What is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// What serves it.
    #[serde(default)]
    pub engine: Engine,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// Which nodes may serve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
}

/// What is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
    /// `file:///folder`, readable by the controller, or `blob:` for one that is in the blob store already.
    #[schemars(length(min = 1, max = 2000), regex(pattern = "^(file:///|blob:)"))]
    pub uri: String,
    /// sha256 of its SHA256SUMS, in hex: what was evaluated is byte-equal to what serves.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
}

/// What serves a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Engine {
    /// Which adapter drives it.
    #[serde(default)]
    pub adapter: Adapter,
    /// Further arguments of the engine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 2000)))]
    pub arguments: Vec<String>,
    /// Base URL of an external engine, up to and without `/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000), regex(pattern = "^https?://"))]
    pub url: Option<String>,
}

impl Default for Engine {
    fn default() -> Self {
        Self { adapter: Adapter::Embedded, arguments: Vec::new(), url: None }
    }
}

/// Which adapter drives an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Adapter {
    /// Our own engine, as a child process.
    #[default]
    Embedded,
    /// An OpenAI-compatible server that somebody else runs.
    External,
}

/// Where a version came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lineage {
    /// The version it was trained from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub parent: Option<String>,
    /// The RetrainingRun that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub run: Option<String>,
    /// A Dataset it was trained on; replayed when a child is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<LocalReference>,
    /// Blobs of records it was trained on, by sha256; replayed when a child is trained.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 64)))]
    pub snapshot: Vec<String>,
}

/// Constraints on where a version may be placed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Labels a GpuNode must carry.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 32))]
    pub node_selector: std::collections::BTreeMap<String, String>,
}

/// What is so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelVersionStatus {
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Pending`, `Fetching`, `Starting`, `Serving`, `Retired`, `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Where it is to run.
    #[serde(default)]
    pub assignments: Vec<Assignment>,
    /// What it was like when it was found good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineStatus>,
    /// ArtifactVerified, Placed, Serving, Evaluated, Compliant, Promoted, TrainedOnErased.
    #[serde(default)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// One copy of a version on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// `node/namespace.version.index`.
    pub replica: String,
    /// Name of the GpuNode.
    pub node: String,
    /// As reported by the agent: Fetching, Starting, Serving, Unhealthy, Backoff, Failed, Stopping; Unknown without report.
    #[serde(default)]
    pub phase: String,
    /// Why it does not serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Address of the engine on its node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// A frozen baseline; its content is a blob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaselineStatus {
    /// sha256 of the blob.
    pub digest: String,
    /// Observations behind it.
    pub n: u64,
    /// When it was frozen.
    pub frozen_at: Time,
}
