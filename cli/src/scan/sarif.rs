//! SARIF 2.1.0 (OASIS), as code scanning services read it.

use homeostat_privacy::{Entity, Finding};
use serde_json::{Value, json};

use super::input::Record;
use super::output::{position, recognizer};

/// One result. Records of JSON lines are one line each; places inside them are those of the text, not of the file.
pub(super) fn result(record: &Record<'_>, finding: &Finding, (start, end): (usize, usize)) -> Value {
    let entity = finding.entity.as_str();
    let region = match record.line {
        Some(line) => json!({"startLine": line}),
        None if record.id.as_str() == Some(record.file) => {
            let (line, column) = position(record.text, finding);
            json!({"startLine": line, "startColumn": column, "charOffset": start, "charLength": end - start})
        }
        None => Value::Null,
    };
    let mut place = json!({"artifactLocation": {"uri": record.file}});
    if !region.is_null() {
        place["region"] = region;
    }
    json!({
        "ruleId": entity,
        "level": if finding.score >= 0.85 { "error" } else { "warning" },
        "message": {"text": format!("{entity} in record {}, characters {start} to {end} of its text", record.id)},
        "locations": [{"physicalLocation": place}],
        "properties": {"score": finding.score, "recognizer": recognizer(finding)},
    })
}

/// The document around the results.
pub(super) fn document<'a>(results: Vec<Value>, entities: impl Iterator<Item = &'a Entity>) -> Value {
    let rules: Vec<Value> = entities
        .map(|entity| {
            let name = entity.as_str();
            json!({"id": name, "shortDescription": {"text": format!("Personal data or a secret: {name}")}})
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "homeostat scan", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}
