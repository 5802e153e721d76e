//! Invented numbers and addresses, from ranges that are nobody's where there are any.

use crate::anonymize::checksum;
use crate::prf::Stream;

/// A card of the range that processors document for tests (400000), with a right check digit.
pub(super) fn card(stream: &mut Stream) -> String {
    let mut digits: Vec<char> = format!("400000{}0", stream.digits(9)).chars().collect();
    checksum::set_luhn(&mut digits);
    digits.into_iter().collect()
}

/// An account of the same country and form at a bank `9999` or `XXXX`, with right check digits.
pub(super) fn iban(normal: &str, stream: &mut Stream) -> Option<String> {
    let mut characters: Vec<char> = normal.chars().filter(char::is_ascii_alphanumeric).collect();
    if characters.len() < 9 || !characters[..2].iter().all(char::is_ascii_alphabetic) {
        return None;
    }
    for (at, c) in characters.iter_mut().enumerate().skip(4) {
        *c = match (at < 8, c.is_ascii_digit()) {
            (true, true) => '9',
            (true, false) => 'X',
            (false, true) => stream.digit(),
            (false, false) => stream.of_alphabet(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        };
    }
    checksum::set_iban(&mut characters);
    Some(characters.into_iter().collect())
}

/// An address of the documentation ranges: RFC 5737 (version 4), RFC 3849 (version 6); a prefix length stays.
pub(super) fn ip(normal: &str, stream: &mut Stream) -> String {
    let (address, prefix) = normal.split_once('/').map_or((normal, None), |(address, prefix)| (address, Some(prefix)));
    let address = if address.contains(':') {
        let groups: Vec<_> = (0..6).map(|_| format!("{:x}", 1 + stream.below(0xffff))).collect();
        format!("2001:db8:{}", groups.join(":"))
    } else {
        let network = stream.pick(&["192.0.2", "198.51.100", "203.0.113"]).unwrap_or("192.0.2");
        format!("{network}.{}", stream.below(256))
    };
    prefix.map_or(address.clone(), |prefix| format!("{address}/{prefix}"))
}

/// A locally administered unicast address: no maker's.
pub(super) fn mac(stream: &mut Stream) -> String {
    let rest: Vec<_> = (0..5).map(|_| format!("{:02X}", stream.below(256))).collect();
    format!("02:{}", rest.join(":"))
}

/// Version 8 of RFC 9562 (for private use), so it cannot meet a generated one.
pub(super) fn uuid(stream: &mut Stream) -> String {
    let mut bits = |bits: u32| stream.below(1 << bits);
    format!("{:08x}-{:04x}-8{:03x}-{:04x}-{:012x}", bits(32), bits(16), bits(12), 0x8000 | bits(14), bits(48))
}

/// Area 900 to 999 with a group below 50: neither a social security number nor a taxpayer number is issued there.
pub(super) fn social_security(stream: &mut Stream) -> String {
    format!("9{}-{:02}-{:04}", stream.digits(2), 1 + stream.below(49), 1 + stream.below(9_999))
}

/// The prefix QQ is never allocated.
pub(super) fn nino(stream: &mut Stream) -> String {
    format!("QQ {} {} {} {}", stream.digits(2), stream.digits(2), stream.digits(2), stream.of_alphabet(b"ABCD"))
}

/// 999 is the prefix of test numbers; the check digit is right.
pub(super) fn nhs(stream: &mut Stream) -> String {
    loop {
        let digits = format!("999{}", stream.digits(6));
        let values: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
        if let Some(check) = checksum::nhs(&values) {
            return format!("{} {} {}{check}", &digits[..3], &digits[3..6], &digits[6..]);
        }
    }
}

/// A page of example.org (RFC 2606) under the scheme that was there.
pub(super) fn url(value: &str, stream: &mut Stream) -> String {
    let page: String = (0..10).map(|_| stream.of_alphabet(b"abcdefghijklmnopqrstuvwxyz")).collect();
    match value.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()) {
        Some(scheme) if matches!(scheme.as_str(), "http" | "https" | "ftp" | "ws" | "wss") => {
            format!("{scheme}://www.example.org/{page}")
        }
        _ => format!("www.example.org/{page}"),
    }
}

/// The same shape with the first half of letters and digits `X` and `0`; `None` when none are left to differ in.
pub(super) fn same_shape(value: &str, stream: &mut Stream) -> Option<String> {
    let count = value.chars().filter(|c| c.is_alphanumeric()).count();
    let still = count.div_ceil(2);
    if count - still < 2 {
        return None;
    }
    let mut seen = 0;
    let shaped = value.chars().map(|c| {
        if !c.is_alphanumeric() {
            return c;
        }
        seen += 1;
        match (seen <= still, c.is_numeric(), c.is_uppercase()) {
            (true, true, _) => '0',
            (true, false, true) => 'X',
            (true, false, false) => 'x',
            (false, true, _) => stream.digit(),
            (false, false, true) => stream.of_alphabet(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            (false, false, false) => stream.of_alphabet(b"abcdefghijklmnopqrstuvwxyz"),
        }
    });
    Some(shaped.collect())
}
