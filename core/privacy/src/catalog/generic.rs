//! Forms that belong to no country: addresses of the network, identifiers, dates, wallets.

use super::{Anchor, Edge, Pattern};
use crate::Entity::{Crypto, DateTime, IpAddress, MacAddress, Uuid};
use crate::check::{crypto, internet};

macro_rules! octet {
    () => {
        "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"
    };
}

macro_rules! v4 {
    () => {
        concat!("(?:", octet!(), r"\.){3}", octet!())
    };
}

macro_rules! v6_prefix {
    () => {
        "(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"
    };
}

macro_rules! day {
    () => {
        "(?:[1-9]|0[1-9]|[12][0-9]|3[01])"
    };
}

macro_rules! month {
    () => {
        "(?:[1-9]|0[1-9]|1[0-2])"
    };
}

macro_rules! name {
    () => {
        "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    };
}

macro_rules! instant {
    () => {
        "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T[0-2][0-9]:[0-5][0-9]"
    };
}

macro_rules! zone {
    () => {
        "(?:[+-][0-2][0-9]:[0-5][0-9]|Z)"
    };
}

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new(IpAddress, 0.6, concat!("::(?:ffff(?::0{1,4})?:)?", v4!(), v6_prefix!()))
        .between(Edge::NoWordColon, Edge::Word)
        .at(Anchor::Colon)
        .check(internet::ip),
    Pattern::new(
        IpAddress,
        0.6,
        concat!("(?:(?:[0-9a-f]{1,4}:){1,5}:(?:[0-9a-f]{1,4}:){0,4}|(?:[0-9a-f]{1,4}:){6})", v4!(), v6_prefix!()),
    )
    .between(Edge::NoWordColon, Edge::Word)
    .at(Anchor::Colon)
    .check(internet::ip),
    Pattern::new(IpAddress, 0.6, concat!(v4!(), "(?:/(?:[0-2]?[0-9]|3[0-2]))?")).check(internet::ip),
    // Whether the groups are not too many is the check's business: here they only have to be groups.
    Pattern::new(
        IpAddress,
        0.6,
        concat!("(?:[0-9a-f]{0,4}:){2,8}(?:[0-9a-f]{1,4})?(?:%[0-9a-z]{1,32})?", v6_prefix!()),
    )
    .between(Edge::NoWordColon, Edge::AddressEnd)
    .at(Anchor::Colon)
    .check(v6),
    Pattern::new(IpAddress, 0.1, concat!("::", v6_prefix!()))
        .between(Edge::NoWordColon, Edge::NoWordColon)
        .at(Anchor::Colon)
        .check(internet::ip),
    Pattern::new(MacAddress, 0.6, "[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}").check(internet::mac),
    Pattern::new(MacAddress, 0.6, r"[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}").check(internet::mac),
    Pattern::new(Uuid, 0.5, "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").check(internet::uuid),
    Pattern::new(Crypto, 0.5, "(?:bc1|[13])[a-z0-9]{25,59}")
        .between(Edge::Any, Edge::Any)
        .at(Anchor::Inside)
        .check(crypto::bitcoin),
    Pattern::new(DateTime, 0.8, concat!(instant!(), r"(?::[0-5][0-9](?:\.[0-9]{1,12})?)?", zone!())),
    Pattern::new(DateTime, 0.6, concat!(month!(), "/", day!(), "/(?:[0-9]{4}|[0-9]{2})")),
    Pattern::new(DateTime, 0.6, concat!(day!(), "/", month!(), "/(?:[0-9]{4}|[0-9]{2})")),
    Pattern::new(DateTime, 0.6, concat!("[0-9]{4}/", month!(), "/", day!())),
    Pattern::new(DateTime, 0.6, concat!(month!(), "-", day!(), "-[0-9]{4}")),
    Pattern::new(DateTime, 0.6, concat!(day!(), "-", month!(), "-[0-9]{4}")),
    Pattern::new(DateTime, 0.6, concat!("[0-9]{4}-", month!(), "-", day!())),
    Pattern::new(DateTime, 0.6, concat!(day!(), r"\.", month!(), r"\.(?:[0-9]{4}|[0-9]{2})")),
    Pattern::new(DateTime, 0.6, concat!(day!(), "-", name!(), "-(?:[0-9]{4}|[0-9]{2})")),
    Pattern::new(DateTime, 0.6, concat!(name!(), "-(?:[0-9]{4}|[0-9]{2})")),
    Pattern::new(DateTime, 0.6, concat!(day!(), "-", name!())),
    Pattern::new(DateTime, 0.2, concat!(month!(), "/[0-9]{4}")),
    Pattern::new(DateTime, 0.1, concat!(month!(), "/[0-9]{2}")),
];

/// Groups with colons that are an address; the unspecified one has its own pattern.
fn v6(text: &str) -> crate::check::Verdict {
    if text.starts_with("::") && !text[2..].starts_with(|c: char| c.is_ascii_hexdigit()) {
        return crate::check::Verdict::Invalid;
    }
    internet::ip(text)
}
