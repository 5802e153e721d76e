//! The protobuf bodies that kubectl and helm send: a `k8s\0` envelope around a message of a known kind.
//!
//! Only requests; answers are JSON, which every client accepts that sends these.

use base64::Engine as _;
use k8s_pb::api::authentication::v1::SelfSubjectReview;
use k8s_pb::api::authorization::v1::{SelfSubjectAccessReview, SelfSubjectRulesReview};
use k8s_pb::api::core::v1::{ConfigMap, Namespace, Secret};
use k8s_pb::apimachinery::pkg::apis::meta::v1::{DeleteOptions, ObjectMeta};
use k8s_pb::apimachinery::pkg::runtime::Unknown;
use prost::Message as _;
use serde_json::{Map, Value, json};

const MAGIC: &[u8] = b"k8s\0";

#[derive(Debug, thiserror::Error)]
pub(crate) enum ProtobufError {
    #[error("the body does not begin with the protobuf prefix k8s\\0")]
    Magic,
    #[error("the protobuf message is damaged: {0}")]
    Damaged(#[from] prost::DecodeError),
    #[error("{0} is not readable as protobuf here: send JSON")]
    Kind(String),
}

/// The message as the JSON that means the same.
pub(crate) fn decode(body: &[u8]) -> Result<Value, ProtobufError> {
    let envelope = Unknown::decode(body.strip_prefix(MAGIC).ok_or(ProtobufError::Magic)?)?;
    let typed = envelope.type_meta.unwrap_or_default();
    let kind = typed.kind.unwrap_or_default();
    let raw = envelope.raw.unwrap_or_default();
    let raw = raw.as_slice();
    let mut value = match kind.as_str() {
        "Namespace" => namespace(Namespace::decode(raw)?),
        "ConfigMap" => config_map(ConfigMap::decode(raw)?),
        "Secret" => secret(Secret::decode(raw)?),
        "SelfSubjectAccessReview" => access_review(SelfSubjectAccessReview::decode(raw)?),
        "SelfSubjectRulesReview" => {
            let spec = SelfSubjectRulesReview::decode(raw)?.spec.unwrap_or_default();
            json!({"metadata": {}, "spec": {"namespace": spec.namespace.unwrap_or_default()}})
        }
        "SelfSubjectReview" => {
            SelfSubjectReview::decode(raw)?;
            json!({"metadata": {}})
        }
        "DeleteOptions" => delete_options(DeleteOptions::decode(raw)?),
        other => return Err(ProtobufError::Kind(other.to_owned())),
    };
    value["kind"] = kind.into();
    value["apiVersion"] = typed.api_version.unwrap_or_default().into();
    Ok(value)
}

fn metadata(metadata: Option<ObjectMeta>) -> Value {
    let given = metadata.unwrap_or_default();
    let mut metadata = Map::new();
    for (field, value) in [
        ("name", given.name),
        ("generateName", given.generate_name),
        ("namespace", given.namespace),
        ("uid", given.uid),
        ("resourceVersion", given.resource_version),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            metadata.insert(field.to_owned(), value.into());
        }
    }
    if !given.labels.is_empty() {
        metadata.insert("labels".to_owned(), json!(given.labels));
    }
    if !given.annotations.is_empty() {
        metadata.insert("annotations".to_owned(), json!(given.annotations));
    }
    if !given.finalizers.is_empty() {
        metadata.insert("finalizers".to_owned(), json!(given.finalizers));
    }
    let owners: Vec<Value> = given
        .owner_references
        .into_iter()
        .map(|owner| {
            let mut value = json!({
                "apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid,
            });
            if let Some(controller) = owner.controller {
                value["controller"] = controller.into();
            }
            if let Some(block) = owner.block_owner_deletion {
                value["blockOwnerDeletion"] = block.into();
            }
            value
        })
        .collect();
    if !owners.is_empty() {
        metadata.insert("ownerReferences".to_owned(), owners.into());
    }
    Value::Object(metadata)
}

fn namespace(given: Namespace) -> Value {
    json!({"metadata": metadata(given.metadata)})
}

fn config_map(given: ConfigMap) -> Value {
    let mut value = json!({"metadata": metadata(given.metadata)});
    if !given.data.is_empty() {
        value["data"] = json!(given.data);
    }
    if !given.binary_data.is_empty() {
        value["binaryData"] = bytes(given.binary_data);
    }
    if let Some(immutable) = given.immutable {
        value["immutable"] = immutable.into();
    }
    value
}

fn secret(given: Secret) -> Value {
    let mut value = json!({"metadata": metadata(given.metadata)});
    if !given.data.is_empty() {
        value["data"] = bytes(given.data);
    }
    if !given.string_data.is_empty() {
        value["stringData"] = json!(given.string_data);
    }
    if let Some(immutable) = given.immutable {
        value["immutable"] = immutable.into();
    }
    if let Some(kind) = given.r#type.filter(|kind| !kind.is_empty()) {
        value["type"] = kind.into();
    }
    value
}

fn bytes(data: impl IntoIterator<Item = (String, Vec<u8>)>) -> Value {
    let encode = |data: Vec<u8>| Value::from(base64::engine::general_purpose::STANDARD.encode(data));
    data.into_iter().map(|(key, data)| (key, encode(data))).collect::<Map<_, _>>().into()
}

fn access_review(given: SelfSubjectAccessReview) -> Value {
    let spec = given.spec.unwrap_or_default();
    let mut value = json!({"metadata": {}, "spec": {}});
    if let Some(about) = spec.resource_attributes {
        let mut attributes = json!({});
        for (field, text) in [
            ("namespace", about.namespace),
            ("verb", about.verb),
            ("group", about.group),
            ("version", about.version),
            ("resource", about.resource),
            ("subresource", about.subresource),
            ("name", about.name),
        ] {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                attributes[field] = text.into();
            }
        }
        value["spec"]["resourceAttributes"] = attributes;
    }
    if let Some(about) = spec.non_resource_attributes {
        value["spec"]["nonResourceAttributes"] = json!({"path": about.path, "verb": about.verb});
    }
    value
}

fn delete_options(given: DeleteOptions) -> Value {
    let mut value = json!({});
    if let Some(seconds) = given.grace_period_seconds {
        value["gracePeriodSeconds"] = seconds.into();
    }
    if let Some(preconditions) = given.preconditions {
        let mut conditions = Map::new();
        for (field, text) in [("uid", preconditions.uid), ("resourceVersion", preconditions.resource_version)] {
            if let Some(text) = text {
                conditions.insert(field.to_owned(), text.into());
            }
        }
        value["preconditions"] = conditions.into();
    }
    if let Some(orphan) = given.orphan_dependents {
        value["orphanDependents"] = orphan.into();
    }
    if let Some(policy) = given.propagation_policy {
        value["propagationPolicy"] = policy.into();
    }
    if !given.dry_run.is_empty() {
        value["dryRun"] = json!(given.dry_run);
    }
    value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::decode;

    #[test]
    fn what_kubectl_create_configmap_sends() {
        let body = b"k8s\0\n\x0f\n\x02v1\x12\tConfigMap\x12\x1d\n\x13\n\x03zz2\x12\0\x1a\0\"\0*\x002\x008\0B\0\x12\x06\n\x01a\x12\x01b\x1a\0\"\0";
        let value = decode(body).unwrap();
        assert_eq!(
            value,
            json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "zz2"}, "data": {"a": "b"}})
        );
    }

    #[test]
    fn rubbish_is_an_error() {
        assert!(decode(b"{}").is_err());
        assert!(decode(b"k8s\0\xff\xff").is_err());
    }
}
