//! Addresses of the network.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Verdict;

/// An IP address, a prefix length and a zone behind it left aside.
pub(crate) fn ip(text: &str) -> Verdict {
    let address = text.split(['/', '%']).next().unwrap_or("");
    Verdict::unless(address.parse::<Ipv4Addr>().is_err() && address.parse::<Ipv6Addr>().is_err())
}

/// A hardware address: one separator throughout; neither all zeros nor broadcast.
pub(crate) fn mac(text: &str) -> Verdict {
    let mut separators = text.bytes().filter(|byte| !byte.is_ascii_hexdigit());
    let first = separators.next();
    let mixed = separators.any(|separator| Some(separator) != first);
    let all = |wanted: char| text.chars().filter(char::is_ascii_hexdigit).all(|c| c.eq_ignore_ascii_case(&wanted));
    Verdict::unless(mixed || all('0') || all('f'))
}

/// A UUID with a version and variant of RFC 9562, and not the nil one.
pub(crate) fn uuid(text: &str) -> Verdict {
    let bytes = text.as_bytes();
    let version = matches!(bytes.get(14), Some(b'1'..=b'8'));
    let variant = matches!(bytes.get(19).map(u8::to_ascii_lowercase), Some(b'8' | b'9' | b'a' | b'b'));
    Verdict::unless(!version || !variant)
}
