use proptest::prelude::*;

use super::*;

fn ring() -> KeyRing {
    KeyRing::new([("old".parse().unwrap(), [1; 32]), ("new".parse().unwrap(), [2; 32])]).unwrap()
}

#[test]
fn a_value_keeps_its_shape_and_comes_back() {
    let ring = ring();
    for (entity, value) in [
        (Entity::CreditCard, "4111-1111 1111-1111"),
        (Entity::IbanCode, "DE89 3704 0044 0532 0130 00"),
        (Entity::IbanCode, "GB82WEST12345698765432"),
        (Entity::PhoneNumber, "+49 (0)171 123-4567"),
        (Entity::UkNino, "QQ 12 34 56 C"),
        (Entity::Person, "Ann Smith"),
        (Entity::EmailAddress, "ann.smith42@example.org"),
        (Entity::Secret, "aB3aB3aB3aB3"),
    ] {
        let there = format_encrypt(&ring, entity, value).unwrap();
        assert_ne!(there, value);
        for (a, b) in value.chars().zip(there.chars()) {
            let class = |c: char| (c.is_ascii_digit(), c.is_ascii_lowercase(), c.is_ascii_uppercase());
            assert!(class(a) == class(b) && (a.is_ascii_alphanumeric() || a == b), "{value} became {there}");
        }
        assert_eq!(format_decrypt(&ring, ring.newest(), entity, &there).unwrap(), value);
    }
}

#[test]
fn check_digits_stay_right() {
    let ring = ring();
    let card: Vec<_> = format_encrypt(&ring, Entity::CreditCard, "4111 1111 1111 1111").unwrap().chars().collect();
    assert!(checksum::is_luhn(&card));
    let iban = format_encrypt(&ring, Entity::IbanCode, "DE89 3704 0044 0532 0130 00").unwrap();
    assert!(iban.starts_with("DE") && checksum::is_iban(&iban.chars().collect::<Vec<_>>()), "{iban}");
}

#[test]
fn what_cannot_keep_its_format_is_refused_with_the_remedy() {
    let refused = |entity, value: &str| format_encrypt(&ring(), entity, value).unwrap_err();
    assert_eq!(refused(Entity::DePlz, "10115"), Refusal::SmallDomain { values: 100_000 });
    assert_eq!(refused(Entity::DePlz, ""), Refusal::SmallDomain { values: 1 });
    assert_eq!(refused(Entity::UkPostcode, "E1"), Refusal::SmallDomain { values: 260 });
    assert_eq!(refused(Entity::Person, "André"), Refusal::Character { character: 'é' });
    assert_eq!(refused(Entity::CreditCard, "4111111111111112"), Refusal::CheckDigit);
    assert_eq!(refused(Entity::IbanCode, "DE"), Refusal::CheckDigit);
    let long = "aB3".repeat(20);
    assert_eq!(refused(Entity::Secret, long.as_str()), Refusal::TooLong);
    assert_eq!(
        refused(Entity::DePlz, "10115").to_string(),
        "only 100000 values have this form, format-preserving encryption needs 1000000: use Encrypt or Mask for it"
    );
}

#[test]
fn keys_and_entities_give_different_permutations() {
    let (ring, value) = (ring(), "123456789");
    let older = KeyRing::new([("old".parse().unwrap(), [1; 32])]).unwrap();
    let there = format_encrypt(&older, Entity::UsSsn, value).unwrap();
    assert_ne!(format_encrypt(&ring, Entity::UsSsn, value).unwrap(), there);
    assert_ne!(format_encrypt(&older, Entity::UsItin, value).unwrap(), there);
    assert_eq!(format_decrypt(&ring, older.newest(), Entity::UsSsn, &there).unwrap(), value);
    let gone: KeyId = "gone".parse().unwrap();
    assert_eq!(format_decrypt(&ring, &gone, Entity::UsSsn, &there).unwrap_err(), Refusal::UnknownKey { id: gone });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encrypted_decrypts(value in prop_oneof!["[0-9 -]{0,30}", "[A-Z0-9]{0,27}", "[a-zA-Z0-9@. -]{0,24}", any::<String>()], entity in entity()) {
        if let Ok(there) = format_encrypt(&ring(), entity, &value) {
            prop_assert_eq!(there.chars().count(), value.chars().count());
            prop_assert_eq!(format_decrypt(&ring(), ring().newest(), entity, &there).unwrap(), value);
        }
    }
}

fn entity() -> impl Strategy<Value = Entity> {
    prop::sample::select(vec![Entity::CreditCard, Entity::IbanCode, Entity::Person, Entity::PhoneNumber])
}
