use proptest::prelude::*;

use super::*;

fn ring(keys: &[(&str, u8)]) -> KeyRing {
    KeyRing::new(keys.iter().map(|(id, byte)| (id.parse().unwrap(), [*byte; 32]))).unwrap()
}

/// RFC 5297, appendix A: the mode that the tokens use, with the shorter key that the RFC has examples of.
#[test]
fn the_examples_of_rfc_5297() {
    let seal = |key: &str, headers: &[&str], text: &str| {
        let key: [u8; 32] = hex::decode(key).unwrap().try_into().unwrap();
        let headers = headers.iter().map(|header| hex::decode(header).unwrap());
        hex::encode(CmacSiv::<aes::Aes128>::new((&key).into()).encrypt(headers, &hex::decode(text).unwrap()).unwrap())
    };
    assert_eq!(
        seal(
            "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            &["101112131415161718191a1b1c1d1e1f2021222324252627"],
            "112233445566778899aabbccddee",
        ),
        "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"
    );
    assert_eq!(
        seal(
            "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
            &[
                "00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
                "102030405060708090a0",
                "09f911029d74e35bd84156c5635688c0",
            ],
            "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
        ),
        "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d"
    );
}

/// Computed with Python's `cryptography` (AESSIV of OpenSSL) and `hmac`, from the key of 32 bytes 7.
#[test]
fn the_token_is_that_of_another_implementation() {
    assert_eq!(
        seal_token(&ring(&[("k1", 7)]), Entity::EmailAddress, "ann@example.org"),
        "<EMAIL_ADDRESS:siv:k1:hellcphplcibkafhfnohnpilgkhelfokjdcndifkigacndnebbommfbiidgmfk>"
    );
    assert_eq!(
        super::super::pseudonym(&ring(&[("k1", 7)]), Entity::EmailAddress, "Ann@Example.org"),
        "<EMAIL_ADDRESS:hmac:k1:cbkacfiimemfpiadjeje>"
    );
}

#[test]
fn a_rotated_ring_reads_the_old_and_writes_the_new() {
    let (old, rotated, dropped) = (ring(&[("a", 1)]), ring(&[("a", 1), ("b", 2)]), ring(&[("b", 2)]));
    let token = seal_token(&old, Entity::Person, "Ann");
    assert_eq!(open_token(&rotated, &token), Ok((Entity::Person, "Ann".to_string())));
    let newer = seal_token(&rotated, Entity::Person, "Ann");
    assert!(newer.starts_with("<PERSON:siv:b:") && newer != token);
    let error = open_token(&dropped, &token).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the token is sealed under key a, the ring has b: add key a, or treat the value as erased if it was destroyed"
    );
}

#[test]
fn what_was_altered_or_moved_does_not_open() {
    let ring = ring(&[("a", 1), ("b", 2)]);
    let token = seal_token(&ring, Entity::Person, "Ann");
    for at in token.find(":b:").unwrap() + 3..token.len() - 1 {
        let other = if token.as_bytes()[at] == b'a' { "b" } else { "a" };
        let forged = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        assert!(matches!(open_token(&ring, &forged), Err(TokenError::Forged { .. })), "{forged}");
    }
    for forged in [token.replace("PERSON", "LOCATION"), token.replace(":b:", ":a:"), "<PERSON:siv:a:>".to_string()] {
        assert!(matches!(open_token(&ring, &forged), Err(TokenError::Forged { .. })), "{forged}");
    }
    for no_token in
        ["", "<>", "<PERSON>", "<PERSON:siv:a:x1>", "<PERSON:siv:a:abc>", "<NOBODY:siv:a:ab>", "<PERSON:siv:A:ab>"]
    {
        assert_eq!(open_token(&ring, no_token), Err(TokenError::NoToken), "{no_token}");
    }
}

#[test]
fn other_bytes_under_the_same_name_are_told() {
    let token = seal_token(&ring(&[("b", 2)]), Entity::Person, "Ann");
    assert!(matches!(open_token(&ring(&[("b", 3)]), &token), Err(TokenError::Forged { .. })));
}

#[test]
fn a_text_opens_around_what_only_looks_like_a_token() {
    let ring = ring(&[("a", 1)]);
    let (ann, bob) = (seal_token(&ring, Entity::Person, "Ann"), seal_token(&ring, Entity::Person, "Bob"));
    let forged = "<PERSON:siv:a:abababab>";
    let opened = open_tokens(&ring, &format!("<{ann} < {forged}, é {bob}> <PERSON:siv:zz:ab> <"));
    assert_eq!(opened.text, format!("<Ann < {forged}, é Bob> <PERSON:siv:zz:ab> <"));
    assert_eq!(opened.opened, 2);
    let places: Vec<_> = opened.refused.iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [1 + ann.len() + 3, 1 + ann.len() + 3 + forged.len() + 5 + bob.len() + 2]);
    assert!(matches!(opened.refused[0].1, TokenError::Forged { .. }));
    assert!(matches!(opened.refused[1].1, TokenError::UnknownKey { .. }));
}

#[test]
fn brackets_without_end_take_linear_time() {
    let text = "<".repeat(1_000_000);
    assert_eq!(open_tokens(&ring(&[("a", 1)]), &text).text, text);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_value_comes_back(value: String, before in "[^<>]{0,8}", after in "[^<>]{0,8}") {
        let ring = ring(&[("a", 1), ("b", 2)]);
        let token = seal_token(&ring, Entity::Secret, &value);
        prop_assert_eq!(token.len(), "<SECRET:siv:b:>".len() + 2 * (16 + value.len()));
        prop_assert_eq!(open_token(&ring, &token), Ok((Entity::Secret, value.clone())));
        prop_assert_eq!(open_tokens(&ring, &format!("{before}{token}{after}")).text, format!("{before}{value}{after}"));
    }

    #[test]
    fn no_text_is_opened_by_chance_nor_lost(text in "[<>:a-pPERSONsiv]{0,60}|\\PC{0,60}") {
        let opened = open_tokens(&ring(&[("a", 1)]), &text);
        prop_assert_eq!(opened.text, text);
        prop_assert_eq!(opened.opened, 0);
    }
}
