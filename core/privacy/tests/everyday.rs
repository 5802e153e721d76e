//! What ordinary text must not lose, and what must be found in it.

use homeostat_privacy::{Anonymizer, CustomRecognizer, Entity, Finding, NamedEntities, Recognizers, redact};

fn found(recognizers: &Recognizers, text: &str) -> Vec<(Entity, String)> {
    recognizers.find(text).iter().map(|finding| (finding.entity, finding.of(text).to_string())).collect()
}

#[test]
fn ordinary_questions_and_answers_stay_as_they_are() {
    for text in [
        "What is the calling code of Estonia?",
        "+372",
        ".ee",
        "EUR",
        "What is the capital of France?",
        "Paris",
        "Which currency does Costa Rica use? CRC since 1896-10-26.",
        "The population was 1,331,057 in 2022; the area is 45 339 km².",
        "It joined the European Union on 2004-05-01 and NATO on 29 March 2004.",
        "May 10 in 2011, 20 to 30 people, 12 and 2024, page 34 of 1234",
        "let x = 123456789; // 1748503543 and 20241124, 0xdeadbeef",
        "version 1.2.3, i32, u8, x1, 1e10, 3.14159265358979, 0.1234567890",
        "std::vector<int>::iterator a::b; MyClass::method()",
        "crate::engine::scan in src/main.rs, see README.md and setup.py",
        "2024-03-15T14:30:00Z INFO 12:34:56 done in 1234567890 ns",
        "d41d8cd98f00b204e9800998ecf8427e",
        "The results of the 1998-2001 study (pp. 211-227, 2003) hold.",
    ] {
        assert_eq!(found(&Recognizers::all(), text), [], "{text}");
    }
}

#[test]
fn what_words_beside_it_name_is_found() {
    for (text, entity, value) in [
        ("my NHS number is 221 395 1837", Entity::UkNhs, "221 395 1837"),
        ("Steuer-ID: 12345678903.", Entity::DeTaxId, "12345678903"),
        ("born on 1980-02-03 in Lyon", Entity::DateTime, "1980-02-03"),
        ("passport number CD7654321", Entity::UkPassport, "CD7654321"),
        ("SSN 078051121", Entity::UsSsn, "078051121"),
        ("078-05-1123 ist die Nummer", Entity::UsSsn, "078-05-1123"),
        ("身份证11010519491231002X", Entity::CnResidentId, "11010519491231002X"),
        ("Plaka 34 ABC 1234 ve", Entity::TrLicensePlate, "34 ABC 1234"),
        ("she lives in Lyon now", Entity::Location, "Lyon"),
        (
            "wallet bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq!",
            Entity::Crypto,
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        ),
        ("my name is Zyx Qwerty.", Entity::Person, "Zyx Qwerty"),
        ("write to ann (at) example (dot) org", Entity::EmailAddress, "ann (at) example (dot) org"),
        ("card ４１１１ １１１１ １１１１ １１１１", Entity::CreditCard, "４１１１ １１１１ １１１１ １１１１"),
        ("ip 192.168.\u{200b}1.17", Entity::IpAddress, "192.168.\u{200b}1.17"),
    ] {
        assert!(
            found(&Recognizers::all(), text).contains(&(entity, value.to_string())),
            "{text}: {:?}",
            found(&Recognizers::all(), text)
        );
    }
}

#[test]
fn a_threshold_of_the_callers_own_holds_for_all() {
    let everything = Recognizers::all().minimum(0.0).unwrap();
    assert!(!everything.find("it was 123456789").is_empty());
    let nothing_weak = Recognizers::all().minimum(0.9).unwrap();
    assert_eq!(
        found(&nothing_weak, "host 10.0.0.1, ann@example.org"),
        [(Entity::IpAddress, "10.0.0.1".into()), (Entity::EmailAddress, "ann@example.org".into())]
    );
    assert_eq!(found(&nothing_weak, "10.0.0.1"), []);
    assert!(Recognizers::all().minimum(f64::NAN).is_err());
}

#[test]
fn lists_decide_before_everything() {
    let recognizers = Recognizers::all()
        .allow(["Support@Example.org".to_string()])
        .deny([(Entity::Person, "Blue Heron".to_string())])
        .unwrap();
    assert_eq!(found(&recognizers, "support@example.org, ask blue heron"), [(Entity::Person, "blue heron".into())]);
    assert_eq!(found(&recognizers, "blue herons"), []);
}

#[test]
fn a_policys_own_recognizer_works_like_a_built_in_one() {
    let badge = CustomRecognizer {
        entity: "CUSTOM_BADGE".to_string(),
        pattern: r"\bB-[0-9]{4}\b".to_string(),
        score: 0.2,
        checksum: Some("luhn".to_string()),
        context: vec!["Dienstausweis".to_string()],
    };
    let recognizers = Recognizers::new(&[]).with(badge.clone()).unwrap();
    let redaction = redact("B-7996 and B-2345, x", &recognizers, &Anonymizer::Replace);
    assert_eq!(redaction.text, "B-7996 and <CUSTOM_BADGE>, x");
    let plain = Recognizers::new(&[]).with(CustomRecognizer { checksum: None, ..badge }).unwrap();
    assert_eq!(found(&plain, "B-1234"), []);
    assert_eq!(found(&plain, "dienstausweis B-1234").len(), 1);
}

#[test]
fn a_models_findings_join_the_others() {
    struct Model;
    impl NamedEntities for Model {
        fn find(&self, _: &str) -> Vec<Finding> {
            let finding = |start, end, score| Finding { entity: Entity::Person, start, end, score };
            vec![finding(0, 3, 0.9), finding(4, 9, 0.2), finding(2, 10_000, 0.9), finding(8, 12, 0.8)]
        }
    }
    let text = "Zyx, ann@example.org";
    let all = Recognizers::all().find_with(text, &Model);
    let entities: Vec<_> = all.iter().map(|finding| finding.entity).collect();
    assert_eq!(entities, [Entity::Person, Entity::EmailAddress]);
}
