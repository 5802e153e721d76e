//! The self reviews: may I, what may I, who am I. Everybody may do everything here; the listener lets nobody in without a token.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::User;
use crate::decode;
use crate::meta;
use crate::status::Failure;

/// Answers a review of the given kind.
pub(crate) fn answer(
    kind: &str,
    version: &str,
    user: &User,
    media: &str,
    body: &[u8],
    now_ms: i64,
) -> Result<(StatusCode, Value), Failure> {
    let given = decode::object(media, body, kind)?.value;
    let mut review = json!({"kind": kind, "apiVersion": version, "metadata": {}});
    match kind {
        "SelfSubjectAccessReview" => {
            let spec = &given["spec"];
            if !spec["resourceAttributes"].is_object() && !spec["nonResourceAttributes"].is_object() {
                let cause = crate::status::Cause::required(
                    "spec.resourceAttributes",
                    "exactly one of nonResourceAttributes or resourceAttributes must be specified",
                );
                return Err(Failure::invalid("authorization.k8s.io", kind, "", vec![cause]));
            }
            review["spec"] = spec.clone();
            review["status"] =
                json!({"allowed": true, "reason": "the embedded API lets every known user do everything"});
        }
        "SelfSubjectRulesReview" => {
            review["spec"] = given["spec"].clone();
            review["status"] = json!({
                "incomplete": false,
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            });
        }
        _ => {
            meta::set(&mut review, "creationTimestamp", meta::timestamp(now_ms));
            review["status"] = json!({"userInfo": {"username": user.name, "groups": user.groups}});
        }
    }
    Ok((StatusCode::CREATED, review))
}
