//! `CompliancePolicy` and `ComplianceCheck`: what must not be in data and answers, and whether it is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::AcceptedStatus;
use crate::shared::{LocalReference, NAME_RULE};

/// What must not be in training data, samples and answers.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "homeostat.dev",
    version = "v1alpha1",
    kind = "CompliancePolicy",
    namespaced,
    status = "AcceptedStatus",
    derive = "PartialEq",
    shortname = "hcp",
    plural = "compliancepolicies",
    category = "homeostat",
    validation = Rule::new(NAME_RULE).message("metadata.name must have at most 40 characters: choose a shorter name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct CompliancePolicySpec {
    /// Which regulations it is written for; for people and reports.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub regulations: Vec<Regulation>,
    /// Sorts of personal data that are looked for and redacted.
    #[serde(default = "default_entities")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    pub entities: Vec<EntityRule>,
    /// How many secrets of the training data a version may give away when asked for them.
    #[serde(default)]
    pub maximum_leaks: u64,
    /// Whether a model is retrained when a person is erased whom its stable version was trained on.
    #[serde(default = "default_retrain")]
    pub retrain_on_erasure: bool,
    /// What the gateway does about personal data while it passes; without it nothing that passes is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GuardSpec>,
}

/// What the gateway does about the policy's entities in questions and answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardSpec {
    /// In what users ask.
    #[serde(default)]
    pub input: GuardAction,
    /// In what the model answers. Streams are held back by up to a line for it.
    #[serde(default)]
    pub output: GuardAction,
    /// What happens to what cannot be looked at: images, token ids, an answer in a form that is not understood.
    #[serde(default)]
    pub failure: GuardFailure,
}

/// What is done about a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GuardAction {
    /// It is counted.
    #[default]
    Observe,
    /// `<ENTITY>` stands in its place.
    Redact,
    /// The request is refused, or the answer ends.
    Block,
}

impl GuardAction {
    /// The name in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "Observe",
            Self::Redact => "Redact",
            Self::Block => "Block",
        }
    }
}

/// What happens to what cannot be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GuardFailure {
    /// It is refused.
    #[default]
    Closed,
    /// It passes.
    Open,
}

fn default_retrain() -> bool {
    true
}

fn default_entities() -> Vec<EntityRule> {
    ["EMAIL_ADDRESS", "CREDIT_CARD"].into_iter().map(|name| EntityRule { name: name.to_string(), maximum: 0 }).collect()
}

/// A regulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Regulation {
    /// Regulation (EU) 2016/679.
    Gdpr,
    /// California Consumer Privacy Act.
    Ccpa,
}

impl Regulation {
    /// The word in specs and on pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gdpr => "GDPR",
            Self::Ccpa => "CCPA",
        }
    }
}

/// One sort of personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntityRule {
    /// Its name: EMAIL_ADDRESS, CREDIT_CARD.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Records of a snapshot that may contain it.
    #[serde(default)]
    pub maximum: u64,
}

/// One check of a version and the snapshot it was trained on.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "homeostat.dev",
    version = "v1alpha1",
    kind = "ComplianceCheck",
    namespaced,
    status = "ComplianceCheckStatus",
    derive = "PartialEq",
    shortname = "hcc",
    category = "homeostat",
    selectable = ".spec.version",
    validation = Rule::new(NAME_RULE).message("metadata.name must have at most 40 characters: choose a shorter name"),
    printcolumn(name = "Version", type_ = "string", json_path = ".spec.version"),
    printcolumn(name = "Verdict", type_ = "string", json_path = ".status.verdict"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Complete\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Complete\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("self == oldSelf").message("spec is immutable: create a new ComplianceCheck instead"))]
#[serde(rename_all = "camelCase")]
pub struct ComplianceCheckSpec {
    /// Name of the Model.
    #[schemars(length(min = 1, max = 63))]
    pub model: String,
    /// The ModelVersion that is asked for secrets.
    #[schemars(length(min = 1, max = 63))]
    pub version: String,
    /// The CompliancePolicy.
    pub policy_ref: LocalReference,
    /// Blobs of the snapshot that is scanned.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(max = 64)))]
    pub snapshot: Vec<String>,
    /// Blobs of the raw records before redaction, from which leak probes are drawn; they are read by agents only.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(max = 64)))]
    pub raw: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComplianceCheckStatus {
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Passed`, `Failed`, `Inconclusive`; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// One entry a sort of personal data, and `LEAK` for secrets the version gave away.
    #[serde(default)]
    pub findings: Vec<FindingStatus>,
    /// Digest of the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Time>,
    /// Complete.
    #[serde(default)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Findings of one sort; never any text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingStatus {
    /// Name of the entity.
    pub entity: String,
    /// Records (or probes) affected.
    pub count: u64,
    /// Records (or probes) looked at.
    pub of: u64,
    /// How many the policy allows.
    pub maximum: u64,
}
