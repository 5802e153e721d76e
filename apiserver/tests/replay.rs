//! Sends requests that were recorded from a real kube-apiserver again, and compares the answers.
//!
//! Recorded resourceVersions, uids and continue tokens are translated as they appear. What differs on purpose is listed in
//! `DEVIATIONS`, each with its reason; anything else fails, and so does a deviation that no longer deviates.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use support::{Api, widget_crd};

/// Recordings whose answer differs here, and why.
const DEVIATIONS: &[(&str, &str)] = &[
    ("034-create-apiversion-mismatch", "no warning about fields of a version that is refused anyway"),
    ("035-create-no-typemeta", "the message quotes the body, which this test writes without spaces"),
    ("056-invalid-type", "the scale subresource's accessor adds no second complaint about a mistyped replicas"),
    ("073-get-accept-html", "protobuf is read but not written, so it is not offered"),
    ("098-merge-unknown-strict", "the message quotes the object, which has no managedFields here"),
    ("110-ssa-nomanager", "server-side apply is not there yet: always 415"),
    ("132-scale-invalid", "one complaint about a negative scale instead of two"),
    ("163-list-continue-bad", "the wording of Go's decoder for a damaged token"),
    ("177-list-q", "the message has the number of writes that there were before"),
    ("180-list-q", "the recorded server had compacted revision 1, here it is still known"),
    ("211-ns-obj", "left over from an earlier recording in the recorded server"),
    ("230-cm-del", "its object was made by server-side apply"),
    ("278-auth-ssr", "another user asks"),
    ("285-crd-create", "established at once, not a moment later"),
    ("286-crd-cr-immediately", "established at once, so no 429 in between"),
];

/// Recordings whose answer depends on how far the background work is; both are right.
const RACES: &[(&str, &str)] = &[
    ("149-fg-remove", "the recorded server ran no garbage collector: here the object is gone by itself"),
    ("152-or-remove", "the recorded server ran no garbage collector: here the object is gone by itself"),
    ("213-ns-get-terminating", "the recorded server ran no namespace controller: here the namespace ends by itself"),
    ("214-ns-create-in-terminating", "the same; tests/lifecycle.rs has the 403"),
    ("294-crd-deleted-get", "the objects of a deleted CRD go in the background"),
];

#[tokio::test]
async fn recorded_requests_get_the_recorded_answers() {
    let api = Api::open(vec![widget_crd()]).await;
    let recorded: Vec<Value> = serde_json::from_str(include_str!("fixtures/recorded.json")).unwrap();
    let deviations: BTreeMap<&str, &str> = DEVIATIONS.iter().copied().collect();
    let mut names: Vec<(String, String)> = Vec::new();
    let mut unexpected = Vec::new();
    let mut equal_after_all = Vec::new();
    for case in &recorded {
        let name = case["name"].as_str().unwrap();
        let request = &case["request"];
        let path = translate(request["path"].as_str().unwrap(), &names);
        let body = match &request["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let body = translate(&body, &names);
        let header = |key: &str| request["headers"][key].as_str().filter(|text| *text != "None");
        let answer =
            api.send(request["method"].as_str().unwrap(), &path, header("Content-Type"), header("Accept"), body).await;
        learn(&case["response"], &answer.value, &mut names);
        let difference = difference(case, &answer, &names);
        if RACES.iter().any(|(race, _)| *race == name) {
            continue;
        }
        match (difference, deviations.contains_key(name)) {
            (Some(difference), false) => unexpected.push(format!("{name}: {difference}")),
            (None, true) => equal_after_all.push(name),
            _ => {}
        }
    }
    assert!(unexpected.is_empty(), "{} of {}:\n{}", unexpected.len(), recorded.len(), unexpected.join("\n"));
    assert!(equal_after_all.is_empty(), "no deviation any more: {equal_after_all:?}");
    api.server.close().await;
}

fn translate(text: &str, names: &[(String, String)]) -> String {
    let mut text = text.to_owned();
    for (recorded, ours) in names.iter().rev() {
        for (before, after) in [("\"", "\""), ("=", ""), ("resourceVersion=", "&")] {
            text = text.replace(&format!("{before}{recorded}{after}"), &format!("{before}{ours}{after}"));
        }
    }
    text
}

/// Pairs what the recorded server chose with what ours chose.
fn learn(recorded: &Value, ours: &Value, names: &mut Vec<(String, String)>) {
    for pointer in ["/metadata/resourceVersion", "/metadata/uid", "/metadata/continue"] {
        let text = |value: &Value| {
            value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        if let (Some(recorded), Some(ours)) = (text(recorded), text(ours)) {
            names.push((recorded, ours));
        }
    }
}

fn difference(case: &Value, answer: &support::Answer, names: &[(String, String)]) -> Option<String> {
    let status = case["status"].as_u64().unwrap();
    let recorded = &case["response"];
    if status != u64::from(answer.status) {
        return Some(format!("status {} instead of {status}: {}", answer.status, answer.text));
    }
    let warning = case["warning"].as_str();
    if warning.is_some() != answer.warning.is_some() {
        return Some(format!("warning {:?} instead of {warning:?}", answer.warning));
    }
    if status >= 400 {
        if recorded.is_string() || recorded.is_null() {
            return None;
        }
        if recorded["reason"] != answer.value["reason"] {
            return Some(format!("reason {} instead of {}", answer.value["reason"], recorded["reason"]));
        }
        // Go's maps have no order: with several causes the set counts.
        let (theirs, ours) = (causes(recorded), causes(&answer.value));
        if theirs.len() > 1 || ours.len() > 1 {
            return (theirs != ours).then(|| format!("causes {ours:#?} instead of {theirs:#?}"));
        }
        let mut message = recorded["message"].as_str().unwrap_or_default().to_owned();
        for (recorded, ours) in names.iter().rev() {
            for around in ["({})", ": {}"] {
                message = message.replace(&around.replace("{}", recorded), &around.replace("{}", ours));
            }
        }
        return (message != answer.value["message"])
            .then(|| format!("message\n  {} instead of\n  {}", answer.value["message"], recorded["message"]));
    }
    for field in ["kind", "apiVersion", "spec", "status", "data", "type", "columnDefinitions"] {
        if recorded["kind"] == "Table" && field != "kind" && field != "columnDefinitions" {
            continue;
        }
        let (theirs, ours) = (strip(&recorded[field]), strip(&answer.value[field]));
        if recorded.is_object() && theirs != ours {
            return Some(format!("{field}\n  {ours} instead of\n  {theirs}"));
        }
    }
    for field in ["generation", "labels", "finalizers", "name", "namespace", "deletionGracePeriodSeconds"] {
        let at = |value: &Value| value["metadata"][field].clone();
        if recorded.is_object()
            && at(recorded) != at(&answer.value)
            && !at(recorded).as_str().unwrap_or("").starts_with("g-")
        {
            return Some(format!("metadata.{field} {} instead of {}", at(&answer.value), at(recorded)));
        }
    }
    None
}

fn causes(value: &Value) -> BTreeSet<String> {
    value["details"]["causes"].as_array().into_iter().flatten().map(Value::to_string).collect()
}

/// Descriptions of columns are prose.
fn strip(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "description" && *key != "lastTransitionTime")
            .map(|(key, value)| (key.clone(), strip(value)))
            .collect(),
        Value::Array(list) => list.iter().map(strip).collect(),
        other => other.clone(),
    }
}
