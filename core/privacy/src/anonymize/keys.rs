use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::prf::prf;

/// The name of a key, which tokens carry: a lower-case letter, then at most seven lower-case letters or digits.
///
/// So short that no key's name is taken for a number that the recognizers look for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyId {
    type Err = KeyRingError;

    fn from_str(id: &str) -> Result<Self, KeyRingError> {
        let fits = id.len() <= 8
            && id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if fits { Ok(Self(id.to_string())) } else { Err(KeyRingError::Id { id: id.chars().take(32).collect() }) }
    }
}

/// The secrets of anonymization, by name, oldest first: the newest writes, all of them read.
///
/// To rotate, append a key; to make old tokens and ciphertexts unreadable for ever, drop theirs. Each operator works
/// under its own key, derived from these; they are wiped from memory when the ring goes.
///
/// ```
/// use homeostat_privacy::{KeyId, KeyRing};
///
/// let ring = KeyRing::new([("k1".parse()?, [1; 32]), ("k2".parse()?, [2; 32])])?;
/// assert_eq!(ring.newest().as_str(), "k2");
/// # Ok::<(), homeostat_privacy::KeyRingError>(())
/// ```
#[derive(Clone)]
pub struct KeyRing {
    older: Vec<(KeyId, Zeroizing<[u8; 32]>)>,
    newest: (KeyId, Zeroizing<[u8; 32]>),
}

impl KeyRing {
    /// A ring of keys, oldest first; their bytes must be random and secret.
    ///
    /// # Errors
    /// No key; two of one name or of the same bytes; a key of zeros only.
    pub fn new(keys: impl IntoIterator<Item = (KeyId, [u8; 32])>) -> Result<Self, KeyRingError> {
        let mut older: Vec<(KeyId, Zeroizing<[u8; 32]>)> = Vec::new();
        for (id, bytes) in keys {
            let bytes = Zeroizing::new(bytes);
            if bytes.iter().all(|byte| *byte == 0) {
                return Err(KeyRingError::Zero { id });
            }
            if older.iter().any(|(other, _)| *other == id) {
                return Err(KeyRingError::TwiceNamed { id });
            }
            if let Some((other, _)) = older.iter().find(|(_, others)| *others == bytes) {
                return Err(KeyRingError::SameBytes { id, other: other.clone() });
            }
            older.push((id, bytes));
        }
        let newest = older.pop().ok_or(KeyRingError::Empty)?;
        Ok(Self { older, newest })
    }

    /// The key that writes.
    #[must_use]
    pub fn newest(&self) -> &KeyId {
        &self.newest.0
    }

    /// Names of all keys, oldest first.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.all().map(|(id, _)| id)
    }

    /// The key of a purpose under a named key; `None` for an unknown name.
    pub(crate) fn derived(&self, id: &KeyId, purpose: Purpose) -> Option<Zeroizing<[u8; 32]>> {
        let (_, key) = self.all().find(|(other, _)| other == id)?;
        Some(Zeroizing::new(prf(key, &[b"homeostat/anonymize/1", purpose.label().as_bytes()])))
    }

    pub(crate) fn newest_derived(&self, purpose: Purpose) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(prf(&self.newest.1, &[b"homeostat/anonymize/1", purpose.label().as_bytes()]))
    }

    fn all(&self) -> impl Iterator<Item = &(KeyId, Zeroizing<[u8; 32]>)> {
        self.older.iter().chain([&self.newest])
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// What a derived key is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Pseudonym,
    Surrogate,
    Token,
    FormatPreserving,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::Pseudonym => "pseudonym",
            Self::Surrogate => "surrogate",
            Self::Token => "token",
            Self::FormatPreserving => "format-preserving",
        }
    }
}

/// Why keys make no ring. Holds names, never bytes of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// No key at all.
    #[error("the key ring is empty: give at least one key of 32 random bytes")]
    Empty,
    /// Not a name for a key.
    #[error(
        "key id {id:?} does not fit: use a lower-case letter and at most 7 lower-case letters or digits, as in \"k1\""
    )]
    Id {
        /// The beginning of what was given.
        id: String,
    },
    /// Two keys of one name.
    #[error("key id {id} is given twice: name each key once")]
    TwiceNamed {
        /// The name.
        id: KeyId,
    },
    /// A key under two names, which would make a rotation that rotates nothing.
    #[error("keys {id} and {other} have the same bytes: generate 32 new random bytes for {id}")]
    SameBytes {
        /// The later one.
        id: KeyId,
        /// The earlier one.
        other: KeyId,
    },
    /// A key that was never filled in.
    #[error("key {id} is all zeros: give 32 random bytes")]
    Zero {
        /// The name.
        id: KeyId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: &str) -> KeyId {
        id.parse().unwrap()
    }

    #[test]
    fn names_are_short_words() {
        for wrong in ["", "1k", "K1", "k-1", "k12345678", "ключ"] {
            assert!(wrong.parse::<KeyId>().is_err(), "{wrong}");
        }
        assert_eq!(id("k1234567").to_string(), "k1234567");
    }

    #[test]
    fn a_ring_refuses_what_is_no_rotation() {
        assert_eq!(KeyRing::new([]).unwrap_err(), KeyRingError::Empty);
        assert_eq!(KeyRing::new([(id("a"), [0; 32])]).unwrap_err(), KeyRingError::Zero { id: id("a") });
        let twice = KeyRing::new([(id("a"), [1; 32]), (id("a"), [2; 32])]).unwrap_err();
        assert_eq!(twice.to_string(), "key id a is given twice: name each key once");
        let same = KeyRing::new([(id("a"), [1; 32]), (id("b"), [1; 32])]).unwrap_err();
        assert_eq!(same.to_string(), "keys b and a have the same bytes: generate 32 new random bytes for b");
    }

    #[test]
    fn each_purpose_has_its_key_and_none_is_printed() {
        let ring = KeyRing::new([(id("a"), [0x77; 32]), (id("b"), [2; 32])]).unwrap();
        assert_ne!(ring.newest_derived(Purpose::Token), ring.newest_derived(Purpose::Surrogate));
        assert_ne!(ring.derived(&id("a"), Purpose::Token), ring.derived(&id("b"), Purpose::Token));
        assert_eq!(ring.derived(&id("b"), Purpose::Token), Some(ring.newest_derived(Purpose::Token)));
        assert_eq!(ring.derived(&id("c"), Purpose::Token), None);
        assert_eq!(format!("{ring:?}"), "[KeyId(\"a\"), KeyId(\"b\")]");
    }
}
