//! `ErasureRequest`: a person asks for their data, or for its erasure (GDPR Art. 15 and 17, CCPA right to know and to delete).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::compliance::Regulation;
use crate::shared::NAME_RULE;

/// A person asks for their data, or for its erasure. First a plan is made; nothing is erased or handed out before `approved`.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "homeostat.dev",
    version = "v1alpha1",
    kind = "ErasureRequest",
    namespaced,
    status = "ErasureRequestStatus",
    derive = "PartialEq",
    shortname = "her",
    category = "homeostat",
    validation = Rule::new(NAME_RULE).message("metadata.name must have at most 40 characters: choose a shorter name"),
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.kind"),
    printcolumn(name = "Regulation", type_ = "string", json_path = ".spec.regulation"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Deadline", type_ = "string", json_path = ".status.deadline"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self.kind == oldSelf.kind && self.regulation == oldSelf.regulation && self.receivedAt == oldSelf.receivedAt && self.subjectRef == oldSelf.subjectRef").message("kind, regulation, receivedAt and subjectRef are immutable, since plan and deadline hang on them: create a new ErasureRequest instead"),
    validation = Rule::new("!has(oldSelf.approved) || !oldSelf.approved || (has(self.approved) && self.approved)").message("approved cannot be taken back, since work may have begun: set legalHold, with the reason, to stop it")
)]
#[serde(rename_all = "camelCase")]
pub struct ErasureRequestSpec {
    /// What the person asks for.
    pub kind: RequestKind,
    /// Under which regulation, which sets the deadline: one month (GDPR 12(3)) or 45 days (CCPA).
    pub regulation: Regulation,
    /// When the person asked; the deadline counts from here.
    pub received_at: Time,
    /// The Secret that holds the person's identifiers. They stand nowhere else.
    pub subject_ref: SubjectReference,
    /// A person has verified who asks and has read the plan in the status: carry it out.
    #[serde(default)]
    pub approved: bool,
    /// Why nothing may be erased or handed out for now, such as a court's order. Everything waits while this is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub legal_hold: Option<String>,
}

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RequestKind {
    /// That their data be erased.
    Erase,
    /// A copy of their data.
    Access,
}

impl RequestKind {
    /// The word in specs and on pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Erase => "Erase",
            Self::Access => "Access",
        }
    }
}

/// A key of a Secret of the same namespace. Its value has one identifier a line: an e-mail address, a card number, or
/// `ENTITY=value` for one that does not show by itself what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectReference {
    /// Name of the Secret. Name neither it nor the request after the person: names are kept in the ledger.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key within it.
    #[serde(default = "default_key")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

fn default_key() -> String {
    "identifiers".to_string()
}

/// What was found and done; never an identifier, nor anything derived from one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErasureRequestStatus {
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Planning`, `AwaitingApproval`, `Erasing`, `Exporting`, `Completed`, `OnHold`, `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// By when it has to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// How many identifiers the Secret holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifiers: Option<u64>,
    /// What was found: where the person occurs, and how often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<ErasurePlan>,
    /// When the approval was seen and carrying out began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Time>,
    /// How often all blobs have been gone through; it ends with a pass that finds nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<u32>,
    /// GpuNodes on which no copy is left, neither of blobs nor in the spool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleared_nodes: Vec<String>,
    /// What was erased so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<ErasedStatus>,
    /// Digest of the blob with the person's data, for `kind: Access`; `homeostat erasure export` writes it to a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
    /// Digest of the signed receipt; `homeostat erasure receipt` shows and verifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// When it was completed or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Time>,
    /// Ready: True when completed.
    #[serde(default)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Where a person occurs. Lists are cut at 100 entries; the sums count everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErasurePlan {
    /// When it was made.
    pub at: Time,
    /// Samples in the records.
    pub samples: u64,
    /// The same by model.
    #[serde(default)]
    pub models: Vec<ModelSamples>,
    /// Records in training data, snapshots, evaluation sets and other blobs.
    pub records: u64,
    /// The blobs that hold them.
    #[serde(default)]
    pub blobs: Vec<BlobRecords>,
    /// ModelVersions whose training saw the person, with their descendants.
    #[serde(default)]
    pub versions: Vec<String>,
    /// Files that the blobs were read from. They are yours and not touched: take the person out of them.
    #[serde(default)]
    pub files: Vec<String>,
}

/// Samples about a person, by model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelSamples {
    /// `namespace/name`.
    pub model: String,
    /// How many.
    pub samples: u64,
}

/// Records about a person in a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlobRecords {
    /// The blob.
    pub digest: String,
    /// Records about the person.
    pub records: u64,
    /// Records in all.
    pub of: u64,
    /// What names it, such as `Dataset/ml/atlas-fresh`; empty for a blob that no object names any more.
    #[serde(default)]
    pub used_by: Vec<String>,
}

/// What was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErasedStatus {
    /// Samples, those included that arrived while it went on.
    pub samples: u64,
    /// Blobs that were replaced.
    pub blobs: u64,
    /// Records that were taken out of them.
    pub records: u64,
    /// Samples that arrived afterwards, from a spool or a repeated report, and were refused.
    pub refused: u64,
}
