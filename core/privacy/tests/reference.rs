//! The reference project's own cases for our entities, spans exact.

use homeostat_privacy::Recognizers;
use serde_json::Value;

#[test]
fn findings_agree_with_presidio() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/presidio_cases.json")).unwrap();
    let recognizers = Recognizers::all();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 17);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        // The fixture counts characters, we count bytes.
        let characters = |byte: usize| text[..byte].chars().count() as u64;
        let found: Vec<_> = recognizers
            .find(text)
            .iter()
            .map(|finding| (finding.entity.to_string(), characters(finding.start), characters(finding.end)))
            .collect();
        let expected: Vec<_> = case["spans"]
            .as_array()
            .unwrap()
            .iter()
            .map(|span| {
                (
                    span["entity"].as_str().unwrap().to_string(),
                    span["start"].as_u64().unwrap(),
                    span["end"].as_u64().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, expected, "case {}: {text}", case["id"]);
    }
}
