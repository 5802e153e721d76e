//! Surrogates: invented values in place of found ones, the same for the same value within a scope.
//!
//! A surrogate follows from a key, the scope's name, the entity and the normalised value; two different values of a scope
//! have two different surrogates, and none is a value that the scope's texts contain themselves. Where a range is set
//! aside for documentation, tests or drama, it comes from there (RFC 2606 names, RFC 5737 and 3849 addresses, 555-01xx and
//! the like, a test range of cards); of an identifier without such a range the first half is `0` or `X`, which nobody is
//! issued. Dates of a scope move by one number of weeks, so their distances and weekdays stay.
//!
//! Names are invented from syllables; that no living person has one cannot be said.

mod date;
mod name;
mod number;
mod phone;
mod reserved;

pub use reserved::is_reserved;

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::refusal::Refusal;
use crate::Entity;
use crate::prf::Stream;
use crate::subject::normalised;

/// Tries before a scope counts as full; the smallest range has 768 values.
const ATTEMPTS: u64 = 4_096;

/// The surrogates of one scope. Holds found values while it lives: keep it as briefly as the text itself.
pub(crate) struct Surrogates {
    key: Zeroizing<[u8; 32]>,
    scope: String,
    given: BTreeMap<(Entity, String), String>,
    taken: BTreeSet<(Entity, String)>,
}

impl Surrogates {
    pub(crate) fn new(key: Zeroizing<[u8; 32]>, scope: &str) -> Self {
        Self { key, scope: scope.to_string(), given: BTreeMap::new(), taken: BTreeSet::new() }
    }

    /// Tells of a value that is in the scope's texts, so that it becomes nobody's surrogate.
    pub(crate) fn observe(&mut self, entity: Entity, value: &str) {
        match entity {
            Entity::Person => name::words(value).for_each(|word| {
                self.taken.insert((entity, word.to_lowercase()));
            }),
            Entity::DateTime => {}
            _ => {
                self.taken.insert((entity, normalised(entity, value)));
            }
        }
    }

    pub(crate) fn of(&mut self, entity: Entity, value: &str) -> Result<String, Refusal> {
        match entity {
            Entity::DateTime => date::moved(value, self.days()).ok_or(Refusal::NoDate),
            Entity::Person => name::person(value, |word, place| {
                self.invented(entity, &word.to_lowercase(), |stream| Some(name::word(stream, place)))
            }),
            _ => {
                let normal = normalised(entity, value);
                let core = self.invented(entity, &normal, |stream| core(entity, value, &normal, stream))?;
                Ok(dressed(entity, &core, value))
            }
        }
    }

    /// The scope's surrogate of a normalised value, invented when it is the first time.
    fn invented(
        &mut self,
        entity: Entity,
        normal: &str,
        invent: impl Fn(&mut Stream) -> Option<String>,
    ) -> Result<String, Refusal> {
        if let Some(known) = self.given.get(&(entity, normal.to_string())) {
            return Ok(known.clone());
        }
        for attempt in 0..ATTEMPTS {
            let parts = [self.scope.as_bytes(), entity.as_str().as_bytes(), normal.as_bytes(), &attempt.to_be_bytes()];
            let invented = invent(&mut Stream::new(&self.key, &parts)).ok_or(Refusal::NoSurrogate)?;
            let taken = if entity == Entity::Person { invented.to_lowercase() } else { normalised(entity, &invented) };
            if taken != normal && self.taken.insert((entity, taken)) {
                self.given.insert((entity, normal.to_string()), invented.clone());
                return Ok(invented);
            }
        }
        Err(Refusal::Exhausted)
    }

    /// Days by which the scope's dates move: 1 to 52 weeks, either way, so that weekdays stay.
    fn days(&self) -> i64 {
        let mut stream = Stream::new(&self.key, &[self.scope.as_bytes(), b"weeks"]);
        let weeks = 1 + i64::try_from(stream.below(52)).unwrap_or(0);
        if stream.below(2) == 0 { 7 * weeks } else { -7 * weeks }
    }
}

/// An invented value in its plain form.
fn core(entity: Entity, value: &str, normal: &str, stream: &mut Stream) -> Option<String> {
    Some(match entity {
        Entity::EmailAddress => format!("{}@example.org", name::mailbox(stream)),
        Entity::Url => number::url(value, stream),
        Entity::Organization => name::organization(stream),
        Entity::Location => name::place(stream),
        Entity::PhoneNumber => phone::number(value, stream),
        Entity::CreditCard => number::card(stream),
        Entity::IbanCode => number::iban(normal, stream)?,
        Entity::IpAddress => number::ip(normal, stream),
        Entity::MacAddress => number::mac(stream),
        Entity::Uuid => number::uuid(stream),
        Entity::UsSsn | Entity::UsItin => number::social_security(stream),
        Entity::UkNino => number::nino(stream),
        Entity::UkNhs => number::nhs(stream),
        _ => number::same_shape(value, stream)?,
    })
}

/// The plain form written the way the found value was: grouping and separators, where the lengths agree.
fn dressed(entity: Entity, core: &str, value: &str) -> String {
    let as_written = matches!(
        entity,
        Entity::PhoneNumber
            | Entity::CreditCard
            | Entity::IbanCode
            | Entity::MacAddress
            | Entity::UsSsn
            | Entity::UsItin
            | Entity::UkNino
            | Entity::UkNhs
    );
    if entity == Entity::PhoneNumber && !phone::same_country(core, value) {
        return core.to_string();
    }
    let core_letters = core.chars().filter(|c| c.is_alphanumeric());
    if !as_written || core_letters.clone().count() != value.chars().filter(|c| c.is_alphanumeric()).count() {
        return core.to_string();
    }
    let lower = entity == Entity::MacAddress && !value.chars().any(|c| c.is_ascii_uppercase());
    let mut letters = core_letters.map(|c| if lower { c.to_ascii_lowercase() } else { c });
    value.chars().map(|c| if c.is_alphanumeric() { letters.next().unwrap_or('0') } else { c }).collect()
}

#[cfg(test)]
mod tests;
