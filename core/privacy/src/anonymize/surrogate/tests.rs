use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::anonymize::checksum;

fn scope(name: &str) -> Surrogates {
    Surrogates::new(Zeroizing::new([7; 32]), name)
}

#[test]
fn each_sort_has_a_plausible_form_of_nobody() {
    let mut scope = scope("a");
    let mut of = |entity, value: &str| scope.of(entity, value).unwrap();
    assert!(of(Entity::EmailAddress, "ann@example.com").ends_with("@example.org"));
    let card = of(Entity::CreditCard, "4111-1111-1111-1111");
    assert!(card.starts_with("4000-00") && checksum::is_luhn(&card.chars().collect::<Vec<_>>()), "{card}");
    let iban = of(Entity::IbanCode, "DE89 3704 0044 0532 0130 00");
    assert!(iban.starts_with("DE") && &iban[5..9] == "9999" && iban.len() == 27, "{iban}");
    assert!(checksum::is_iban(&iban.chars().collect::<Vec<_>>()));
    assert!(of(Entity::IbanCode, "GB82WEST12345698765432")[4..].starts_with("XXXX"));
    let v4: IpAddr = of(Entity::IpAddress, "8.8.8.8").parse().unwrap();
    assert!(matches!(v4, IpAddr::V4(v4) if v4.is_documentation()), "{v4}");
    assert!(of(Entity::IpAddress, "10.1.0.0/16").ends_with("/16"));
    let v6 = of(Entity::IpAddress, "fe80::1");
    assert!(v6.starts_with("2001:db8:") && v6.parse::<IpAddr>().is_ok(), "{v6}");
    assert!(of(Entity::Url, "https://shop.example.net/ann?x=1").starts_with("https://www.example.org/"));
    assert!(of(Entity::Url, "shop.example.net/ann").starts_with("www.example.org/"));
    assert!(of(Entity::MacAddress, "00-1b-63-84-45-e6").starts_with("02-"));
    let uuid = of(Entity::Uuid, "123e4567-e89b-12d3-a456-426614174000");
    assert!(uuid.len() == 36 && uuid.as_bytes()[14] == b'8' && "89ab".contains(&uuid[19..20]), "{uuid}");
    let ssn = of(Entity::UsSsn, "078-05-1120");
    assert!(ssn.starts_with('9') && ssn.as_bytes()[3] == b'-' && ssn.as_bytes()[4] < b'5', "{ssn}");
    assert!(of(Entity::UkNino, "AB123456C").starts_with("QQ"));
    assert!(of(Entity::UkNhs, "943 476 5919").starts_with("999 "));
    assert!(of(Entity::PlPesel, "44051401359").starts_with("000000"));
    assert!(of(Entity::ItFiscalCode, "RSSMRA85T10A562S").starts_with("XXXXXX00"));
    assert!(of(Entity::Secret, "sk-abcdEFGH12345678").starts_with("xx-xxxxXXX"));
}

#[test]
fn telephones_come_from_the_numbers_for_films() {
    let mut scope = scope("a");
    let mut of = |value: &str| scope.of(Entity::PhoneNumber, value).unwrap();
    let us = of("(415) 321-7654");
    assert!(us.starts_with('(') && us.contains(") 555-01") && us.len() == 14, "{us}");
    assert!(of("+1 415 321 7654").contains(" 555 01"));
    assert!(of("+44 20 7123 4567").starts_with("+44 "));
    assert!(of("+49 171 123456").starts_with("+49 "));
    assert!(of("0033 1 23 45 67 89").contains("33"));
    assert!(of("+61 491 570 006").starts_with("+61 "));
    assert!(of("+48 123 456 789").starts_with("+1 "));
    assert!(of("0171 1234567").starts_with('0'));
}

#[test]
fn people_stay_who_they_are_in_all_spellings() {
    let mut scope = scope("a");
    let mut of = |value: &str| scope.of(Entity::Person, value).unwrap();
    let both = of("Alice Smith");
    let (given, family) = both.split_once(' ').unwrap();
    assert_eq!(of("Alice"), given);
    assert_eq!(of("Mrs. Smith"), format!("Mrs. {family}"));
    assert_eq!(of("SMITH, Alice"), format!("{}, {given}", family.to_uppercase()));
    assert_eq!(of("alice smith"), both.to_lowercase());
    let bob = of("Bob Smith");
    assert!(bob.ends_with(family) && !bob.starts_with(given), "{bob} and {both}");
    assert!(of("Ludwig van Beethoven").contains(" van "));
    assert_ne!(of("Ali Veli"), of("Veli Ali"));
}

#[test]
fn a_surrogate_is_nothing_that_the_text_says() {
    let first = scope("a").of(Entity::Person, "Alice").unwrap();
    let mut scope = scope("a");
    scope.observe(Entity::Person, &format!("Dr. {first} Jones"));
    assert_ne!(scope.of(Entity::Person, "Alice").unwrap(), first);
}

#[test]
fn scopes_and_keys_keep_apart_and_repeat() {
    let mail = |scope: &mut Surrogates| scope.of(Entity::EmailAddress, "ann@example.com").unwrap();
    assert_eq!(mail(&mut scope("a")), mail(&mut scope("a")));
    assert_ne!(mail(&mut scope("a")), mail(&mut scope("b")));
    assert_ne!(mail(&mut scope("a")), mail(&mut Surrogates::new(Zeroizing::new([8; 32]), "a")));
}

#[test]
fn dates_of_a_scope_move_together() {
    let mut scope = scope("a");
    let mut of = |value: &str| scope.of(Entity::DateTime, value).unwrap();
    assert_ne!(of("2024-01-31"), "2024-01-31");
    assert_eq!(of("2024-01-31"), of("2024-01-31"));
    assert_ne!(of("2024-01-31"), of("2024-02-01"));
    assert_eq!(scope.of(Entity::DateTime, "soon"), Err(Refusal::NoDate));
}

#[test]
fn what_was_invented_is_known_as_nobodys() {
    let mut scope = scope("a");
    for (entity, value) in [
        (Entity::EmailAddress, "ann@example.net"),
        (Entity::Url, "https://shop.example.net/ann"),
        (Entity::CreditCard, "4111-1111-1111-1111"),
        (Entity::IbanCode, "GB82WEST12345698765432"),
        (Entity::IbanCode, "DE89 3704 0044 0532 0130 00"),
        (Entity::IpAddress, "8.8.8.8"),
        (Entity::IpAddress, "2a00::1/64"),
        (Entity::PhoneNumber, "+44 20 7123 4567"),
        (Entity::PhoneNumber, "+49 171 1234567"),
        (Entity::PhoneNumber, "+33 1 23 45 67 89"),
        (Entity::PhoneNumber, "+61 2 1234 5678"),
        (Entity::PhoneNumber, "+48 123 456 789"),
        (Entity::PhoneNumber, "(415) 321-7654"),
        (Entity::PhoneNumber, "1-415-321-7654"),
        (Entity::PhoneNumber, "0171 1234567"),
        (Entity::UsSsn, "078-05-1120"),
        (Entity::UkNino, "AB123456C"),
        (Entity::UkNhs, "943 476 5919"),
        (Entity::PlPesel, "44051401359"),
        (Entity::Secret, "sk-abcdEFGH12345678"),
    ] {
        let surrogate = scope.of(entity, value).unwrap();
        assert!(is_reserved(entity, &surrogate), "{entity} {surrogate}");
        assert_eq!(is_reserved(entity, value), value.contains("example.net"), "{entity} {value}");
    }
    assert!(
        !is_reserved(Entity::Person, "Robin") && !is_reserved(Entity::Secret, "") && !is_reserved(Entity::Uuid, "")
    );
}

#[test]
fn a_full_range_is_told() {
    let mut scope = scope("a");
    let mut given = BTreeSet::new();
    let mut refused = 0;
    for number in 0..800 {
        match scope.of(Entity::IpAddress, &format!("10.0.{}.{}", number / 250, number % 250)) {
            Ok(address) => assert!(given.insert(address)),
            Err(refusal) => {
                assert_eq!(refusal, Refusal::Exhausted);
                refused += 1;
            }
        }
    }
    assert!(given.len() > 750 && refused >= 32);
}

#[test]
fn hundreds_of_people_stay_different() {
    let mut scope = scope("a");
    let names: BTreeSet<_> = (0..400_u32)
        .map(|number| {
            let name = ["ka", "le", "mi", "no", "pu", "sa", "te", "vi"].map(str::to_string);
            let word: String =
                (0..4).map(|at| name[usize::try_from(number >> (3 * at) & 7).unwrap()].clone()).collect();
            scope.of(Entity::Person, &format!("{word} {word}son")).unwrap()
        })
        .collect();
    assert_eq!(names.len(), 400);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn different_values_have_different_surrogates_and_none_is_the_value(
        entity in prop::sample::select(Entity::ALL.to_vec()),
        values in prop::collection::vec("[A-Za-z]{2,8} [A-Za-z]{2,8}|[0-9]{6,19}|[0-9a-f:.]{3,18}|[a-z]{1,9}@[a-z]{1,9}[.]com|\\PC{0,12}", 1..6),
    ) {
        let mut scope = scope("s");
        values.iter().for_each(|value| scope.observe(entity, value));
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for value in &values {
            let Ok(surrogate) = scope.of(entity, value) else { continue };
            prop_assert_ne!(&surrogate, value);
            prop_assert_eq!(scope.of(entity, value), Ok(surrogate.clone()));
            let whole = entity != Entity::DateTime && entity != Entity::Person;
            if let Some(other) = seen.insert(surrogate.clone(), normalised(entity, value)).filter(|_| whole) {
                prop_assert_eq!(other, normalised(entity, value), "both became {}", surrogate);
            }
        }
    }
}
