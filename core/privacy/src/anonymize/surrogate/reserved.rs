//! Values that are nobody's, so that a scan need not count them.

use std::net::IpAddr;

use super::phone;
use crate::Entity;
use crate::subject::normalised;

/// Whether a value lies in a range that is set aside for documentation, tests or drama, or has the empty first half of our
/// surrogates. Always false for what has no such range: names, places, dates, hardware addresses, UUIDs.
///
/// ```
/// use homeostat_privacy::{Entity, is_reserved};
///
/// assert!(is_reserved(Entity::IpAddress, "192.0.2.7"));
/// assert!(!is_reserved(Entity::IpAddress, "8.8.8.8"));
/// ```
#[must_use]
pub fn is_reserved(entity: Entity, value: &str) -> bool {
    let normal = normalised(entity, value);
    match entity {
        Entity::EmailAddress => normal.rsplit_once('@').is_some_and(|(_, host)| is_example(host)),
        Entity::Url => {
            let rest = normal.split_once("://").map_or(normal.as_str(), |(_, rest)| rest);
            let host = rest.split(['/', '?', '#']).next().unwrap_or("");
            is_example(host.split_once(':').map_or(host, |(host, _)| host))
        }
        Entity::CreditCard => normal.len() == 16 && normal.starts_with("400000"),
        Entity::IbanCode => normal.chars().skip(4).take(4).filter(|c| matches!(c, '9' | 'X')).count() == 4,
        Entity::IpAddress => is_documentation(normal.split('/').next().unwrap_or("")),
        Entity::PhoneNumber => match normal.strip_prefix('+') {
            Some(digits) => phone::is_reserved(digits, true),
            None => phone::is_reserved(&normal, false),
        },
        Entity::UsSsn | Entity::UsItin => {
            normal.len() == 9
                && normal.starts_with('9')
                && normal.get(3..5).is_some_and(|group| ("01".."50").contains(&group))
        }
        Entity::UkNino => normal.starts_with("QQ"),
        Entity::UkNhs => normal.len() == 10 && normal.starts_with("999"),
        Entity::Person
        | Entity::Location
        | Entity::Organization
        | Entity::DateTime
        | Entity::MacAddress
        | Entity::Uuid => false,
        _ => is_empty_half(value),
    }
}

/// RFC 2606 and 6761.
fn is_example(host: &str) -> bool {
    let is_under = |name: &str| host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    ["example.org", "example.com", "example.net", "example", "test", "invalid"].into_iter().any(is_under)
}

fn is_documentation(address: &str) -> bool {
    match address.parse() {
        Ok(IpAddr::V4(address)) => address.is_documentation(),
        Ok(IpAddr::V6(address)) => address.segments()[..2] == [0x2001, 0xdb8],
        Err(_) => false,
    }
}

fn is_empty_half(value: &str) -> bool {
    let count = value.chars().filter(|c| c.is_alphanumeric()).count();
    let mut half = value.chars().filter(|c| c.is_alphanumeric()).take(count.div_ceil(2));
    count >= 4 && half.all(|c| matches!(c, '0' | 'X' | 'x'))
}
