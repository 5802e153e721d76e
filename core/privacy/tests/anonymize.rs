//! What must hold for every text, whatever is said to be found in it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use homeostat_privacy::{
    Anonymization, AnonymizationSpec, Anonymized, Entity, Finding, KeyRing, Operator, OperatorSpec, Recognizers,
    Refusal, Scope, format_decrypt, open_tokens,
};
use proptest::prelude::*;

fn ring() -> KeyRing {
    KeyRing::new([("k1".parse().unwrap(), [1; 32]), ("k2".parse().unwrap(), [2; 32])]).unwrap()
}

fn policy(operator: &str) -> Anonymization {
    let default = Some(OperatorSpec { operator: operator.to_string(), ..OperatorSpec::default() });
    AnonymizationSpec { default, entities: Vec::new() }.try_into().unwrap()
}

fn finding(entity: Entity, start: usize, end: usize, score: f64) -> Finding {
    serde_json::from_value(serde_json::json!({"entity": entity, "start": start, "end": end, "score": score})).unwrap()
}

fn apply(operator: &str, text: &str, findings: &[Finding]) -> Anonymized {
    policy(operator).apply(text, findings, &mut Scope::new(&ring(), "scope"))
}

/// Texts with characters of all lengths, and findings anywhere in or beside them.
fn texts_and_findings() -> impl Strategy<Value = (String, Vec<Finding>)> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "ann@example.net", "Alice", "Bob Smith", "4111111111111111", "DE89370400440532013000", "é用🦀", "10.1.2.3", "2024-01-31", " ", "\0", "<", ">",
            "+49 171 1234567", "<PERSON:siv:k1:", "https://shop.example.net/x",
        ]).prop_map(str::to_string),
        1 => any::<String>(),
    ];
    let texts = prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat());
    let entities = prop_oneof![
        prop::sample::select(Entity::ALL.to_vec()),
        prop::sample::select(vec![Entity::Person, Entity::EmailAddress, Entity::CreditCard, Entity::DateTime]),
    ];
    let findings = prop::collection::vec((entities, 0usize..120, 0usize..30, 0u8..3), 0..8);
    (texts, findings).prop_map(|(text, findings)| {
        let findings = findings.into_iter();
        (
            text,
            findings
                .map(|(entity, start, length, score)| finding(entity, start, start + length, f64::from(score) / 2.0))
                .collect(),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replacements_tell_what_became_of_every_byte((text, findings) in texts_and_findings()) {
        for operator in Operator::NAMES.iter().filter(|name| **name != "Keep") {
            let done = apply(operator, &text, &findings);
            let (mut old, mut new) = (0, 0);
            for replaced in &done.replacements {
                prop_assert_eq!(&text[old..replaced.old.start], &done.text[new..replaced.new.start]);
                prop_assert_eq!(replaced.operator, *operator);
                if replaced.refused.is_some() {
                    prop_assert_eq!(&done.text[replaced.new.clone()], format!("<{}>", replaced.entity));
                }
                (old, new) = (replaced.old.end, replaced.new.end);
            }
            prop_assert_eq!(&text[old..], &done.text[new..]);
            prop_assert_eq!(&apply(operator, &text, &findings), &done);
            let keyless = policy(operator).apply(&text, &findings, &mut Scope::keyless());
            let refused = keyless.replacements.iter().all(|replaced| replaced.refused == Some(Refusal::NoKey));
            prop_assert!(keyless.replacements.is_empty() || refused == policy(operator).needs_keys());
        }
    }

    #[test]
    fn reversible_operators_turn_back((text, findings) in texts_and_findings()) {
        // A bracket of the text just before a token hides it from nobody, but one inside a span may: leave brackets to others.
        let text = text.replace(['<', '>'], "|");
        prop_assert_eq!(open_tokens(&ring(), &apply("Encrypt", &text, &findings).text).text, text.clone());
        let done = apply("FormatPreserving", &text, &findings);
        for replaced in done.replacements {
            if let Some(key) = &replaced.key {
                let written = &done.text[replaced.new.clone()];
                let back = format_decrypt(&ring(), key, replaced.entity, written);
                prop_assert_eq!(back.as_deref(), Ok(&text[replaced.old.clone()]));
            } else {
                prop_assert!(replaced.refused.is_some());
            }
        }
    }

    #[test]
    fn people_of_a_text_stay_as_many(names in prop::collection::btree_set("[A-Z][a-z]{2,8}", 1..12), key in 1u8..) {
        let text = names.iter().chain(&names).map(String::as_str).collect::<Vec<_>>().join(", ");
        let mut at = 0;
        let findings: Vec<_> = names.iter().chain(&names).map(|name| {
            at += name.len() + 2;
            finding(Entity::Person, at - name.len() - 2, at - 2, 1.0)
        }).collect();
        let ring = KeyRing::new([("k1".parse().unwrap(), [key; 32])]).unwrap();
        let done = policy("Surrogate").apply(&text, &findings, &mut Scope::new(&ring, "scope"));
        let after: Vec<_> = done.text.split(", ").collect();
        // Sir, Von and the like are no names to replace; what there is to replace stays apart, and both halves agree.
        prop_assert_eq!(&after[..names.len()], &after[names.len()..]);
        let different: std::collections::BTreeSet<_> = after.iter().filter(|name| !name.starts_with('<')).collect();
        let refused = done.replacements.iter().filter(|replaced| replaced.refused.is_some()).count() / 2;
        prop_assert_eq!(different.len(), names.len() - refused);
        prop_assert!(different.iter().all(|name| !names.contains(**name)));
    }
}

#[test]
fn nothing_of_a_value_stays() {
    let text = "Ann Smith <ann@example.net> called +49 171 1234567 on 2024-01-31.";
    let spans = [
        ("Ann Smith", Entity::Person),
        ("ann@example.net", Entity::EmailAddress),
        ("+49 171 1234567", Entity::PhoneNumber),
    ];
    let findings: Vec<_> = spans
        .iter()
        .filter_map(|(value, entity)| text.find(value).map(|at| finding(*entity, at, at + value.len(), 1.0)))
        .collect();
    for operator in ["Redact", "Replace", "Mask", "Surrogate", "Pseudonym", "Encrypt", "FormatPreserving"] {
        let done = apply(operator, text, &findings);
        for value in ["Ann", "Smith", "ann@", "example.net", "1234567"] {
            assert!(!done.text.contains(value), "{operator} left {value} in {}", done.text);
        }
        assert!(done.text.ends_with(" on 2024-01-31."));
        assert!(done.replacements.iter().all(|replaced| replaced.refused.is_none()), "{operator}");
    }
}

#[test]
fn many_findings_take_linear_time() {
    let text = "ann@example.net ".repeat(20_000);
    let findings: Vec<_> = (0..20_000).map(|at| finding(Entity::EmailAddress, 16 * at, 16 * at + 15, 1.0)).collect();
    let started = std::time::Instant::now();
    for operator in ["Mask", "Surrogate", "Pseudonym", "Encrypt"] {
        assert_eq!(apply(operator, &text, &findings).replacements.len(), 20_000);
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(60));
}

#[test]
fn tokens_are_not_found_again() {
    let text =
        "Write to ann@example.net or +49 171 1234567, pay to DE89 3704 0044 0532 0130 00 or with 4111 1111 1111 1111.";
    let recognizers = Recognizers::all();
    let findings = recognizers.find(text);
    assert!(findings.len() >= 2);
    for key in 1..=40 {
        let ring = KeyRing::new([("k1".parse().unwrap(), [key; 32])]).unwrap();
        for operator in ["Replace", "Mask", "Pseudonym", "Encrypt"] {
            let done = policy(operator).apply(text, &findings, &mut Scope::new(&ring, "scope"));
            for found in recognizers.find(&done.text) {
                let replaced = done.replacements.iter().find(|r| r.new.start < found.end && found.start < r.new.end);
                assert!(replaced.is_none(), "{} found in {operator} of {}", found.entity, done.text);
            }
        }
    }
}
