//! The custom resources of Homeostat: group `homeostat.dev`, version `v1alpha1`.
//!
//! Types only, with their schemas, CEL rules, printer columns, documented condition reasons, and the table of who writes
//! which status field ([`writers`]). It deliberately holds no behaviour: reconcilers parse a spec into core types once.

#![expect(unreachable_pub, reason = "the KubeSchema derive repeats each struct inside a function")]

pub mod compliance;
pub mod conditions;
pub mod dataset;
pub mod duration;
pub mod erasure_request;
pub mod gpu_node;
pub mod model;
mod model_status;
pub mod model_version;
pub mod policy;
mod retraining;
pub mod retraining_run;
mod shared;
pub mod writers;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

pub use compliance::{ComplianceCheck, CompliancePolicy};
pub use dataset::Dataset;
pub use erasure_request::ErasureRequest;
pub use gpu_node::GpuNode;
pub use model::Model;
pub use model_version::ModelVersion;
pub use policy::DecayPolicy;
pub use retraining_run::RetrainingRun;
pub use shared::{LocalReference, NAME_RULE};

/// API group of all kinds.
pub const GROUP: &str = "homeostat.dev";

/// Label on every owned object: name of its Model.
pub const MODEL_LABEL: &str = "homeostat.dev/model";

/// Annotation with the digest of the evidence behind an object's creation.
pub const EVIDENCE_ANNOTATION: &str = "homeostat.dev/evidence";

/// All definitions, in the order in which they are applied and printed.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![
        Model::crd(),
        ModelVersion::crd(),
        Dataset::crd(),
        DecayPolicy::crd(),
        RetrainingRun::crd(),
        CompliancePolicy::crd(),
        ComplianceCheck::crd(),
        ErasureRequest::crd(),
        GpuNode::crd(),
    ]
}

/// One definition as the YAML document that `homeostat crds` prints and `crds/yaml/` keeps.
///
/// # Errors
/// When the definition does not serialise, which a test rules out for all of ours.
pub fn yaml(crd: &CustomResourceDefinition) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(crd)
}
