//! `crds/yaml/` holds what the types say, and each rule that forbids a change stands where it cannot be bypassed.

use std::path::{Path, PathBuf};

use serde_json::Value;

const REMEDY: &str = "run `cargo run -p homeostat -- crds --output crds/yaml` and commit the result";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml")
}

#[test]
fn the_yaml_is_fresh() {
    let mut expected = Vec::new();
    for crd in homeostat_crds::all() {
        let file = format!("{}.yaml", crd.spec.names.plural);
        let kept = std::fs::read_to_string(folder().join(&file)).unwrap_or_default();
        assert!(kept == homeostat_crds::yaml(&crd).unwrap(), "crds/yaml/{file} is stale: {REMEDY}");
        expected.push(file);
    }
    let mut found: Vec<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "crds/yaml holds a file of no kind of ours, or lacks one: {REMEDY}");
}

#[test]
fn the_emitted_documents_say_what_the_types_say() {
    for crd in homeostat_crds::all() {
        let text = std::fs::read_to_string(folder().join(format!("{}.yaml", crd.spec.names.plural))).unwrap();
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(differences("", &read, &serde_json::to_value(&crd).unwrap()), Vec::<String>::new());
    }
}

/// A YAML reader may give `0` where JSON had `0.0`; anything else must be equal.
fn differences(path: &str, left: &Value, right: &Value) -> Vec<String> {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            let at = |map: &serde_json::Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or(Value::Null);
            keys.into_iter()
                .flat_map(|key| differences(&format!("{path}.{key}"), &at(left, key), &at(right, key)))
                .collect()
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let pairs = left.iter().zip(right).enumerate();
            pairs.flat_map(|(index, (left, right))| differences(&format!("{path}[{index}]"), left, right)).collect()
        }
        (Value::Number(left), Value::Number(right)) if left.as_f64() == right.as_f64() => Vec::new(),
        _ if left == right => Vec::new(),
        _ => vec![format!("{path}: {left} in the file, {right} in the type")],
    }
}

/// A rule about the old value that sits on an optional field is not evaluated when that field is removed.
#[test]
fn rules_about_changes_sit_on_required_fields_only() {
    for crd in homeostat_crds::all() {
        let document = serde_json::to_value(&crd).unwrap();
        let schema = &document["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let bypassable = transition_rules("", schema, true);
        assert_eq!(bypassable, Vec::<String>::new(), "{}: move the rule to spec", crd.spec.names.kind);
    }
}

fn transition_rules(path: &str, schema: &Value, required: bool) -> Vec<String> {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    let mut found: Vec<String> = rules
        .filter_map(|rule| rule["rule"].as_str())
        .filter(|rule| rule.contains("oldSelf") && !required)
        .map(|rule| format!("{path}: {rule}"))
        .collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let needed = schema["required"].as_array().is_some_and(|names| names.iter().any(|needed| needed == name));
        found.extend(transition_rules(&format!("{path}.{name}"), property, required && needed));
    }
    if schema["items"].is_object() {
        found.extend(transition_rules(&format!("{path}[]"), &schema["items"], false));
    }
    found
}

#[test]
fn every_rule_says_what_to_do_and_every_list_is_bounded() {
    for crd in homeostat_crds::all() {
        let document = serde_json::to_value(&crd).unwrap();
        let schema = &document["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let mut complaints = Vec::new();
        walk("spec", &schema["properties"]["spec"], &mut complaints);
        assert_eq!(complaints, Vec::<String>::new(), "{}", crd.spec.names.kind);
    }
}

fn walk(path: &str, schema: &Value, complaints: &mut Vec<String>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        if rule["message"].as_str().is_none_or(str::is_empty) {
            complaints.push(format!("{path}: a rule without a message: {rule}"));
        }
    }
    if schema["type"] == "array" && schema["maxItems"].is_null() {
        complaints.push(format!("{path}: a list without maxItems"));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, complaints);
    }
    if schema["items"].is_object() {
        walk(&format!("{path}[]"), &schema["items"], complaints);
    }
}
