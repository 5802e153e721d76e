//! One form for every way to write an identifier.
//!
//! Two identifiers become one only where they name the same person by the rules of their kind; nothing is guessed. Changing
//! a rule here changes the subjects' hashes of that kind: records made before are then found no more.

use std::net::IpAddr;

use unicode_normalization::UnicodeNormalization;

use super::phone;
use super::punycode::unicode_host;
use crate::Entity;

pub(crate) fn normalised(entity: Entity, value: &str) -> String {
    // Full-width letters and digits, ligatures, and what has no width at all.
    let value: String = value.nfkc().filter(|c| !is_invisible(*c)).collect();
    let value = ascii_digits(value.trim());
    let value = value.as_str();
    match entity {
        Entity::EmailAddress => email(value),
        Entity::CreditCard => digits(value),
        Entity::PhoneNumber | Entity::CnMobile => phone::normalised(value),
        Entity::IpAddress => ip(value),
        Entity::Url => url(value),
        Entity::Person => person(value),
        Entity::Location | Entity::Organization | Entity::DateTime => words(&value.to_lowercase()),
        // Their case matters.
        Entity::Secret => value.to_string(),
        Entity::Crypto if !value.to_ascii_lowercase().starts_with("bc1") => value.to_string(),
        Entity::SePersonnummer => last_digits(value, 10),
        // Some letters get a mark of their own in capitals: filtered afterwards, and composed with what stands beside it now.
        _ => value.chars().flat_map(char::to_uppercase).filter(|c| c.is_alphanumeric()).nfkc().collect(),
    }
}

/// Lower case (RFC 5321 lets hosts tell case apart, none do); without subaddress (RFC 5233); Gmail reads no dots.
fn email(value: &str) -> String {
    let value = value.to_lowercase();
    let value = value.strip_prefix("mailto:").unwrap_or(&value);
    let Some((local, domain)) = value.rsplit_once('@') else { return value.to_string() };
    let domain: String = unicode_host(domain.trim_end_matches('.')).nfkc().flat_map(char::to_lowercase).collect();
    let local = match local.split_once('+') {
        Some((mailbox, _)) if !mailbox.is_empty() => mailbox,
        _ => local,
    };
    match domain.as_str() {
        "gmail.com" | "googlemail.com" => format!("{}@gmail.com", local.replace('.', "")),
        _ => format!("{local}@{domain}"),
    }
}

fn ip(value: &str) -> String {
    let (address, prefix) = value.split_once('/').map_or((value, None), |(address, prefix)| (address, Some(prefix)));
    let Ok(parsed) = address.trim_matches(['[', ']']).parse::<IpAddr>() else { return value.to_lowercase() };
    // The prefix length of a single host says nothing.
    match prefix.filter(|prefix| !matches!((parsed, *prefix), (IpAddr::V4(_), "32") | (IpAddr::V6(_), "128"))) {
        Some(prefix) => format!("{}/{prefix}", parsed.to_canonical()),
        None => parsed.to_canonical().to_string(),
    }
}

/// Scheme and host in lower case; the rest tells case apart.
fn url(value: &str) -> String {
    let (scheme, rest) = value.split_once("://").map_or(("", value), |(scheme, rest)| (scheme, rest));
    let host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let path = if &rest[host..] == "/" { "" } else { &rest[host..] };
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{}{separator}{}{path}", scheme.to_lowercase(), rest[..host].to_lowercase())
}

/// `Smith, Ann` is `ann smith`.
fn person(value: &str) -> String {
    let lower = value.to_lowercase();
    match lower.split_once(',') {
        Some((family, given)) if !given.contains(',') => words(&format!("{given} {family}")),
        _ => words(&lower),
    }
}

fn words(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn digits(value: &str) -> String {
    value.chars().filter(char::is_ascii_digit).collect()
}

/// Digits of other scripts as ASCII; those of a style (bold, full-width) are already.
fn ascii_digits(value: &str) -> String {
    /// The zeros of Arabic (two), N'Ko, nine scripts of India, Thai, Lao, Tibetan, Burmese, Khmer and Mongolian.
    const ZEROS: [u32; 18] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20,
        0x1040, 0x17e0, 0x1810,
    ];
    let ascii = |c: char| {
        let digit = ZEROS.iter().filter_map(|zero| u32::from(c).checked_sub(*zero)).find(|digit| *digit < 10);
        digit.and_then(|digit| char::from_digit(digit, 10)).unwrap_or(c)
    };
    if value.is_ascii() { value.to_string() } else { value.chars().map(ascii).collect() }
}

/// A Swedish number with its century is the same person as without.
fn last_digits(value: &str, count: usize) -> String {
    let digits = digits(value);
    digits.get(digits.len().saturating_sub(count)..).unwrap_or("").to_string()
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_identifier_have_one_form() {
        for (entity, expected, spellings) in [
            (
                Entity::EmailAddress,
                "ann@example.org",
                &[
                    "Ann@Example.org",
                    " ann@example.org ",
                    "ann＠example.org",
                    "ann+shop@example.org",
                    "mailto:ann@example.org",
                    "ann@example.org.",
                    "a\u{200b}nn@example.org",
                ][..],
            ),
            (Entity::EmailAddress, "annsmith@gmail.com", &["ann.smith@gmail.com", "AnnSmith+x@googlemail.com"]),
            (Entity::EmailAddress, "ann@bücher.example", &["ann@xn--bcher-kva.example", "Ann@BÜCHER.example"]),
            (
                Entity::CreditCard,
                "4111111111111111",
                &["4111 1111 1111 1111", "4111-1111-1111-1111", "４１１１111111111111"],
            ),
            (
                Entity::PhoneNumber,
                "+491711234567",
                &[
                    "+49 171 1234567",
                    "0049-171-1234567",
                    "+49 (0)171 1234567",
                    "tel:+49-171-1234567",
                    "(+49) 171/123 45 67",
                    "+49 171 1234567 ext. 9",
                    "＋４９ 171 1234567",
                ],
            ),
            (Entity::PhoneNumber, "01711234567", &["0171 1234567", "(0171) 123-4567"]),
            (
                Entity::IbanCode,
                "DE89370400440532013000",
                &["DE89 3704 0044 0532 0130 00", "de89-3704-0044-0532-0130-00"],
            ),
            (Entity::IpAddress, "2001:db8::1", &["2001:0DB8:0:0:0:0:0:1", "[2001:db8::1]", "2001:db8::1/128"]),
            (Entity::IpAddress, "192.0.2.1", &["::ffff:192.0.2.1", "192.0.2.1/32"]),
            (Entity::Url, "https://example.org/Ann", &["HTTPS://Example.ORG/Ann"]),
            (Entity::Url, "https://example.org", &["https://example.org/"]),
            (Entity::MacAddress, "001B638445E6", &["00:1b:63:84:45:e6", "00-1B-63-84-45-E6", "001b.6384.45e6"]),
            (Entity::Person, "ann smith", &["Ann Smith", "SMITH, Ann", "Ann  Smith"]),
            (Entity::UsSsn, "078051120", &["078-05-1120", "078 05 1120"]),
            (Entity::SePersonnummer, "9001011234", &["900101-1234", "19900101-1234", "199001011234"]),
            (Entity::ItFiscalCode, "RSSMRA85T10A562S", &["rssmra85t10a562s", "RSS MRA 85T10 A562S"]),
            (Entity::Secret, "aB", &["aB"]),
        ] {
            for spelling in spellings {
                assert_eq!(normalised(entity, spelling), expected, "{entity} {spelling}");
            }
        }
    }

    #[test]
    fn different_people_stay_apart() {
        for (entity, a, b) in [
            (Entity::EmailAddress, "a.nn@example.org", "ann@example.org"),
            (Entity::EmailAddress, "+ann@example.org", "+bob@example.org"),
            (Entity::PhoneNumber, "+1 415 321 7654", "+44 415 321 7654"),
            (Entity::PhoneNumber, "0171 1234567", "0172 1234567"),
            (Entity::Crypto, "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "1boatSLRHtKNngkdXEeobR76b53LETtpyT"),
            (Entity::Url, "https://example.org/Ann", "https://example.org/ann"),
        ] {
            assert_ne!(normalised(entity, a), normalised(entity, b), "{a} {b}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_value_panics(value: String, entity in prop::sample::select(Entity::ALL.to_vec())) {
            let _ = normalised(entity, &value);
        }

        #[test]
        fn a_normal_form_is_its_own(value in "[ -~éßñῖ用٣４ﬁ\u{200b}]{0,24}|[+0-9 ()-]{0,20}|[a-zA-Z.+@]{0,20}", entity in prop::sample::select(Entity::ALL.to_vec())) {
            let once = normalised(entity, &value);
            prop_assert_eq!(normalised(entity, &once), once);
        }
    }
}
