//! Internationalised host names as Unicode (RFC 3492 and the `xn--` of RFC 5890): mail to one host is written both ways.

/// The host with every `xn--` label decoded; a label that does not decode stays.
pub(super) fn unicode_host(host: &str) -> String {
    let decoded = |label: &str| label.strip_prefix("xn--").and_then(decode).unwrap_or_else(|| label.to_string());
    host.split('.').map(decoded).collect::<Vec<_>>().join(".")
}

/// RFC 3492, section 6.2.
fn decode(label: &str) -> Option<String> {
    const BASE: u32 = 36;
    // A label has at most 63 bytes (RFC 1035); inserting is quadratic.
    if label.len() > 63 || !label.is_ascii() {
        return None;
    }
    let (basic, rest) = label.rsplit_once('-').unwrap_or(("", label));
    let mut characters: Vec<char> = basic.chars().collect();
    let (mut code, mut place, mut bias) = (128_u32, 0_u32, 72_u32);
    let mut digits = rest.chars();
    while !digits.as_str().is_empty() {
        let (before, mut weight, mut threshold_at) = (place, 1_u32, BASE);
        loop {
            let digit = match digits.next()? {
                letter @ 'a'..='z' => u32::from(letter) - u32::from('a'),
                number @ '0'..='9' => u32::from(number) - u32::from('0') + 26,
                _ => return None,
            };
            place = place.checked_add(digit.checked_mul(weight)?)?;
            let threshold = threshold_at.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            threshold_at += BASE;
        }
        let count = u32::try_from(characters.len()).ok()? + 1;
        bias = adapted(place - before, count, before == 0);
        code = code.checked_add(place / count)?;
        place %= count;
        characters.insert(usize::try_from(place).ok()?, char::from_u32(code)?);
        place += 1;
    }
    Some(characters.into_iter().collect())
}

/// RFC 3492, section 6.1.
fn adapted(delta: u32, count: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut bias = 0;
    while delta > 455 {
        delta /= 35;
        bias += 36;
    }
    bias + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The last two are samples L and A of RFC 3492, section 7.1.
    #[test]
    fn host_names_decode() {
        assert_eq!(unicode_host("mail.xn--bcher-kva.example"), "mail.bücher.example");
        assert_eq!(unicode_host("xn--mnchen-3ya.de"), "münchen.de");
        assert_eq!(unicode_host("xn--p1ai"), "рф");
        assert_eq!(unicode_host("xn--3b-ww4c5e180e575a65lsy2b"), "3年b組金八先生");
        assert_eq!(unicode_host("xn--egbpdaj6bu4bxfgehfvwxn"), "ليهمابتكلموشعربي؟");
    }

    #[test]
    fn what_does_not_decode_stays() {
        for host in ["", "example.org", "xn--", "xn---", "xn--é", "xn--99999999", "xn--a-\u{7f}"] {
            let stays = unicode_host(host);
            assert!(stays == host || host == "xn--" || host == "xn---", "{host} became {stays}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_label_panics(label in "[a-z0-9-]{0,70}|\\PC{0,20}") {
            let _ = unicode_host(&format!("xn--{label}"));
        }
    }
}
