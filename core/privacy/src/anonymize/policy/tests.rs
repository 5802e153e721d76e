use serde_json::json;

use super::*;

fn parse(spec: serde_json::Value) -> Result<Anonymization, String> {
    let spec: AnonymizationSpec = serde_json::from_value(spec).map_err(|error| error.to_string())?;
    Anonymization::try_from(spec).map_err(|error| error.to_string())
}

#[test]
fn a_policy_reads_and_writes_as_data() {
    let data = json!({
        "default": {"operator": "Pseudonym"},
        "entities": [
            {"name": "EMAIL_ADDRESS", "operator": "Surrogate"},
            {"name": "CREDIT_CARD", "operator": "Mask", "keepPrefix": 6, "keepSuffix": 4, "character": "#"},
            {"name": "PERSON", "operator": "Replace", "text": "[name]"},
            {"name": "CUSTOM_EMPLOYEE_ID", "operator": "Encrypt"},
        ],
    });
    let policy = parse(data.clone()).unwrap();
    assert_eq!(policy.operator(Entity::EmailAddress), &Operator::Surrogate);
    assert_eq!(
        policy.operator(Entity::CreditCard),
        &Operator::Mask(Mask { character: '#', keep_prefix: 6, keep_suffix: 4 })
    );
    assert_eq!(policy.operator(Entity::Url), &Operator::Pseudonym);
    assert_eq!(policy.operator("CUSTOM_EMPLOYEE_ID".parse().unwrap()), &Operator::Encrypt);
    assert!(policy.needs_keys());
    let written = serde_json::to_value(&policy).unwrap();
    assert_eq!(serde_json::from_value::<Anonymization>(written.clone()).unwrap(), policy);
    assert_eq!(written["default"], data["default"]);
    assert_eq!(written["entities"].as_array().unwrap().len(), 4);
}

#[test]
fn nothing_said_means_replace() {
    let policy = parse(json!({})).unwrap();
    assert_eq!(policy, Anonymization::default());
    assert_eq!(policy.operator(Entity::Person), &Operator::Replace { text: None });
    assert!(!policy.needs_keys());
}

#[test]
fn a_mistake_is_told_with_field_value_and_remedy() {
    let entity = |fields: serde_json::Value| {
        let mut entry = json!({"name": "PERSON"});
        entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        parse(json!({"entities": [{"name": "URL", "operator": "Redact"}, entry]})).unwrap_err()
    };
    assert_eq!(
        entity(json!({"operator": "Hash"})),
        "entities[1].operator is \"Hash\": use one of Keep, Redact, Replace, Mask, Surrogate, Pseudonym, Encrypt, FormatPreserving"
    );
    assert_eq!(
        entity(json!({"operator": "Mask", "keepSuffix": 9})),
        "entities[1].keepSuffix is 9: keep at most 8 characters"
    );
    assert_eq!(
        entity(json!({"operator": "Redact", "keepPrefix": 1})),
        "entities[1].keepPrefix is 1: only Mask takes it: remove it or set entities[1].operator to Mask"
    );
    for character in ["", "a", "7", "**", " ", "\u{7}"] {
        let error = entity(json!({"operator": "Mask", "character": character}));
        assert!(error.starts_with("entities[1].character is ") && error.ends_with("as *"), "{error}");
    }
    assert_eq!(
        entity(json!({"operator": "Replace", "text": "x".repeat(65)})),
        format!("entities[1].text is \"{}…\": use at most 64 characters and no control characters", "x".repeat(40))
    );
    assert_eq!(
        entity(json!({"name": "URL", "operator": "Redact"})),
        "entities[1].name is URL: each entity can be named once: remove one of the two"
    );
    assert!(
        entity(json!({"name": "EMAIL", "operator": "Redact"}))
            .starts_with("entities[1].name is \"EMAIL\": use the name")
    );
    assert!(entity(json!({"operator": "Mask", "keepSufix": 4})).contains("keepSufix"));
    assert_eq!(
        parse(json!({"default": {"operator": "Keep"}})).unwrap_err(),
        "default.operator is Keep: name the entities that may stay one by one under entities"
    );
}
