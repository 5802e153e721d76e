use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A sort of personal data that can be looked for. Prints and parses as Presidio's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
#[non_exhaustive]
pub enum Entity {
    /// An e-mail address.
    EmailAddress,
    /// The number of a payment card, with a valid check digit.
    CreditCard,
}

impl Entity {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::EmailAddress, Self::CreditCard];

    /// The name in resources, placeholders and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmailAddress => "EMAIL_ADDRESS",
            Self::CreditCard => "CREDIT_CARD",
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Entity> for &'static str {
    fn from(entity: Entity) -> Self {
        entity.as_str()
    }
}

/// A name that is no entity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entity {name:?} is not known: use one of {}", names())]
pub struct UnknownEntity {
    /// What was given.
    pub name: String,
}

impl FromStr for Entity {
    type Err = UnknownEntity;

    fn from_str(name: &str) -> Result<Self, UnknownEntity> {
        Self::ALL
            .iter()
            .copied()
            .find(|entity| entity.as_str() == name)
            .ok_or_else(|| UnknownEntity { name: name.to_string() })
    }
}

impl TryFrom<String> for Entity {
    type Error = UnknownEntity;

    fn try_from(name: String) -> Result<Self, UnknownEntity> {
        name.parse()
    }
}

/// Where an entity was found. Holds no text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub entity: Entity,
    /// First byte, on a character boundary.
    pub start: usize,
    /// One past the last byte, on a character boundary.
    pub end: usize,
    /// How sure the recognizer is, 0 to 1; 1 for what a checksum or a full grammar confirms.
    pub score: f64,
}

impl Finding {
    /// The text it covers; empty when the finding belongs to another text.
    #[must_use]
    pub fn of<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start..self.end).unwrap_or("")
    }
}

fn names() -> String {
    Entity::ALL.iter().map(|entity| entity.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_a_wrong_one_lists_what_there_is() {
        for entity in Entity::ALL {
            assert_eq!(entity.as_str().parse(), Ok(*entity));
        }
        let error = "EMAIL".parse::<Entity>().map_err(|error| error.to_string());
        assert_eq!(error, Err("entity \"EMAIL\" is not known: use one of EMAIL_ADDRESS, CREDIT_CARD".to_string()));
    }
}
