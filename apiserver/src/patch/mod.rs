//! The patch formats: JSON patch, JSON merge patch, and strategic merge patch on built-in kinds.

mod strategic;

use serde_json::Value;

use crate::decode;
use crate::resource::Resource;
use crate::status::Failure;

const ACCEPTED_CUSTOM: &str = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
const ACCEPTED_BUILTIN: &str = "application/json-patch+json, application/merge-patch+json, \
                                application/strategic-merge-patch+json, application/apply-patch+yaml";

/// A parsed patch.
#[derive(Debug)]
pub(crate) enum Patch {
    Json(Vec<json_patch::PatchOperation>),
    Merge(Value),
    Strategic(Value),
}

impl Patch {
    /// Parses the body by its media type.
    ///
    /// # Errors
    /// 415 for formats that the resource does not take, and for server-side apply; 400 for a body that is none.
    pub(crate) fn parse(resource: &Resource, media: &str, body: &[u8]) -> Result<Self, Failure> {
        let custom = resource.is_custom();
        let decoded = || {
            decode::json(body)
                .map(|decoded| decoded.value)
                .map_err(|why| Failure::bad_request(format!("error decoding patch: {why}")))
        };
        match media {
            "application/json-patch+json" => {
                let value = decoded()?;
                if !value.is_array() {
                    let why = "json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp";
                    return Err(Failure::bad_request(format!("error decoding patch: {why}")));
                }
                serde_json::from_value(value)
                    .map(Self::Json)
                    .map_err(|error| Failure::bad_request(format!("error decoding patch: {error}")))
            }
            "application/merge-patch+json" => Ok(Self::Merge(decoded()?)),
            "application/strategic-merge-patch+json" if !custom => Ok(Self::Strategic(decoded()?)),
            "application/apply-patch+yaml" => Err(Failure::server_side_apply()),
            _ => Err(Failure::unsupported_media(if custom { ACCEPTED_CUSTOM } else { ACCEPTED_BUILTIN })),
        }
    }

    /// The patched object.
    pub(crate) fn apply(&self, object: &Value) -> Result<Value, Failure> {
        let mut object = object.clone();
        match self {
            Self::Json(operations) => {
                for operation in operations {
                    if is_test_for_absence(operation, &object) {
                        continue;
                    }
                    json_patch::patch(&mut object, std::slice::from_ref(operation))
                        .map_err(|_| Failure::patch_rejected())?;
                }
            }
            Self::Merge(patch) => json_patch::merge(&mut object, patch),
            Self::Strategic(patch) => strategic::merge(&mut object, patch)?,
        }
        if !object.is_object() {
            return Err(Failure::bad_request("the patch leaves no object"));
        }
        Ok(object)
    }
}

/// kube-apiserver takes `test PATH null` on a missing path for true; RFC 6902 and the json-patch crate do not.
fn is_test_for_absence(operation: &json_patch::PatchOperation, object: &Value) -> bool {
    match operation {
        json_patch::PatchOperation::Test(test) => {
            test.value.is_null() && object.pointer(test.path.as_str()).is_none_or(Value::is_null)
        }
        _ => false,
    }
}
