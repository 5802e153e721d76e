//! `Dataset`: records for training, or probes for evaluation.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::{LocalReference, NAME_RULE};

/// Records for training, or prompts with references for evaluation.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "homeostat.dev",
    version = "v1alpha1",
    kind = "Dataset",
    namespaced,
    status = "DatasetStatus",
    derive = "PartialEq",
    shortname = "hds",
    category = "homeostat",
    validation = Rule::new(NAME_RULE).message("metadata.name must have at most 40 characters: choose a shorter name"),
    printcolumn(name = "Purpose", type_ = "string", json_path = ".spec.purpose"),
    printcolumn(name = "Records", type_ = "integer", json_path = ".status.records"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self == oldSelf").message("spec is immutable, since versions and baselines refer to it by digest: create a new Dataset instead"),
    validation = Rule::new("self.purpose == 'Feedback' ? self.sources.all(s, has(s.feedback)) : self.sources.all(s, has(s.uri))").message("sources of purpose Feedback need feedback.model; those of the other purposes need uri")
)]
#[serde(rename_all = "camelCase")]
pub struct DatasetSpec {
    /// What it is for.
    pub purpose: Purpose,
    /// Where its lines come from.
    #[schemars(length(min = 1, max = 16))]
    pub sources: Vec<DatasetSource>,
    /// How records are cleaned before they train.
    #[serde(default)]
    pub cleaning: Cleaning,
}

/// What a Dataset is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Purpose {
    /// JSON lines of {prompt, completion}.
    Training,
    /// JSON lines of {id, prompt, references}.
    Golden,
    /// What users of a Model said the right answers are.
    Feedback,
}

/// One source of a Dataset: exactly one of its fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.uri) != has(self.feedback)").message("give exactly one of uri and feedback"))]
pub struct DatasetSource {
    /// `file:///path/to/lines.jsonl`, readable by the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2000), regex(pattern = "^file:///"))]
    pub uri: Option<String>,
    /// sha256 of the file in hex; when given, another content is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: Option<String>,
    /// Labelled samples of a Model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<FeedbackSource>,
}

/// Labelled samples of a Model in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeedbackSource {
    /// The Model.
    pub model: LocalReference,
}

/// How records are cleaned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cleaning {
    /// Whether personal data is redacted. Switching it off is for tests of the compliance check.
    #[serde(default = "default_true")]
    pub redact: bool,
}

impl Default for Cleaning {
    fn default() -> Self {
        Self { redact: true }
    }
}

fn default_true() -> bool {
    true
}

/// What is so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatasetStatus {
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Digests of the sources' content, as blobs, in order. Empty for Feedback, which grows.
    #[serde(default)]
    pub blobs: Vec<String>,
    /// Number of lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Ready.
    #[serde(default)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
