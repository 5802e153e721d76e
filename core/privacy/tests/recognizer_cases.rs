//! The reference project's own cases for every recognizer, spans and scores exact.
//!
//! `RECOGNIZER_CASES=FILE` reads further cases of the same form instead of `fixtures/recognizer_cases.json`, which comes from
//! microsoft/presidio presidio-analyzer/tests (MIT; its commit stands in the file).

use homeostat_privacy::{Entity, Recognizers};
use serde_json::Value;

/// Cases that we answer otherwise, each with the reason why that is better.
const OURS: &[(u64, &str)] = &[];

/// Start, end and score in thousandths.
type Span = (String, u64, u64, u64);

#[test]
fn findings_agree_with_presidio() {
    let text = match std::env::var_os("RECOGNIZER_CASES") {
        Some(path) => {
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("RECOGNIZER_CASES={path:?}: {error}"))
        }
        None => include_str!("fixtures/recognizer_cases.json").to_string(),
    };
    let fixture: Value = serde_json::from_str(&text).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    let (mut passed, mut excused, mut failed) = (0, 0, Vec::new());
    for case in cases {
        let id = case["id"].as_u64().unwrap();
        match check(case) {
            Ok(()) => passed += 1,
            Err(reason) => {
                let ours = OURS.iter().find(|(known, _)| *known == id);
                println!("failing {id}{}: {reason}", ours.map_or("", |_| " (ours is better)"));
                match ours {
                    Some((_, why)) => {
                        println!("    {why}");
                        excused += 1;
                    }
                    None => failed.push(id),
                }
            }
        }
    }
    println!("{passed} / {} passed", cases.len());
    assert!(failed.is_empty(), "{passed} / {} passed, {excused} excused, failing: {failed:?}", cases.len());
}

#[expect(clippy::unwrap_used, reason = "a malformed case file fails the test")]
fn check(case: &Value) -> Result<(), String> {
    let text = case["text"].as_str().unwrap();
    let mut names: Vec<_> = case["entities"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    names.dedup();
    let entities: Result<Vec<Entity>, _> = names.iter().map(|name| name.parse()).collect();
    let entities = entities.map_err(|error| error.to_string())?;
    let mut found: Vec<Span> = Recognizers::new(&entities)
        .candidates(text)
        .iter()
        .map(|finding| {
            let (start, end) = finding.characters(text);
            (finding.entity.to_string(), start as u64, end as u64, thousandths(finding.score))
        })
        .collect();
    let mut expected: Vec<Span> = case["spans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|span| {
            let score = thousandths(span["score"].as_f64().unwrap());
            (
                span["entity"].as_str().unwrap().to_string(),
                span["start"].as_u64().unwrap(),
                span["end"].as_u64().unwrap(),
                score,
            )
        })
        .collect();
    found.sort();
    expected.sort();
    if found == expected { Ok(()) } else { Err(format!("{text:?}: found {found:?}, expected {expected:?}")) }
}

fn thousandths(score: f64) -> u64 {
    (score * 1000.0).round() as u64
}
