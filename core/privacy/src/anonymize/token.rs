//! Reversible tokens: AES-SIV (RFC 5297, AES-256) under a key of the ring.
//!
//! `<EMAIL_ADDRESS:siv:k1:abcd...>` holds the key's name and, in letters, the synthetic IV and the ciphertext. The entity and
//! the key's name are authenticated: a token cut, altered or moved to another entity opens no more. Equal values give
//! equal tokens, by design (joins stay possible), and the length of the value shows.

use aes_siv::KeyInit;
use aes_siv::siv::CmacSiv;
use zeroize::Zeroizing;

use super::keys::{KeyId, KeyRing, Purpose};
use super::letters::{from_letters, letters};
use crate::Entity;
use crate::prf::prf;

const MARK: &str = ":siv:";

/// The token of a value under the newest key.
///
/// ```
/// use homeostat_privacy::{Entity, KeyRing, open_token, seal_token};
///
/// let ring = KeyRing::new([("k1".parse()?, [1; 32])])?;
/// let token = seal_token(&ring, Entity::EmailAddress, "ann@example.org");
/// assert!(token.starts_with("<EMAIL_ADDRESS:siv:k1:"));
/// assert_eq!(open_token(&ring, &token)?, (Entity::EmailAddress, "ann@example.org".to_string()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn seal_token(ring: &KeyRing, entity: Entity, value: &str) -> String {
    let id = ring.newest();
    let key = wide(&ring.newest_derived(Purpose::Token));
    // SIV of two headers and a text in memory has no way to fail; were there one, nothing of the value would show.
    match CmacSiv::<aes::Aes256>::new((&*key).into()).encrypt(headers(entity.as_str(), id), value.as_bytes()) {
        Ok(sealed) => format!("<{entity}{MARK}{id}:{}>", letters(&sealed)),
        Err(_) => format!("<{entity}>"),
    }
}

/// The entity and value of one token that [`seal_token`] wrote under any key of the ring.
///
/// # Errors
/// No token, a key that the ring lacks, or a token that was forged, altered or cut.
pub fn open_token(ring: &KeyRing, token: &str) -> Result<(Entity, String), TokenError> {
    let (entity, rest) = token
        .strip_prefix('<')
        .and_then(|token| token.strip_suffix('>'))
        .and_then(|token| token.split_once(MARK))
        .ok_or(TokenError::NoToken)?;
    let (id, body) = rest.split_once(':').ok_or(TokenError::NoToken)?;
    let id: KeyId = id.parse().map_err(|_| TokenError::NoToken)?;
    let entity: Entity = entity.parse().map_err(|_| TokenError::NoToken)?;
    let sealed = from_letters(body).ok_or(TokenError::NoToken)?;
    let Some(key) = ring.derived(&id, Purpose::Token) else {
        let known = ring.ids().map(KeyId::as_str).collect::<Vec<_>>().join(", ");
        return Err(TokenError::UnknownKey { id, known });
    };
    let opened = CmacSiv::<aes::Aes256>::new((&*wide(&key)).into())
        .decrypt(headers(entity.as_str(), &id), &sealed)
        .map_err(|_| TokenError::Forged { entity, id: id.clone() })?;
    let value = String::from_utf8(opened).map_err(|_| TokenError::Forged { entity, id })?;
    Ok((entity, value))
}

/// A text with its tokens turned back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The text: personal data again.
    pub text: String,
    /// How many tokens were opened.
    pub opened: usize,
    /// Tokens that stayed, by their first byte in the given text: anybody can write something that looks like one.
    pub refused: Vec<(usize, TokenError)>,
}

/// Opens every token in a text and leaves all else as it is.
#[must_use]
pub fn open_tokens(ring: &KeyRing, text: &str) -> Opened {
    let mut result = Opened { text: String::with_capacity(text.len()), opened: 0, refused: Vec::new() };
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (before, from) = rest.split_at(start);
        result.text.push_str(before);
        // A token has no second '<': looking no further keeps the time linear.
        let length = from[1..].find(['<', '>']).filter(|at| from[1..][*at..].starts_with('>')).map_or(1, |at| at + 2);
        let (token, after) = from.split_at(length);
        match open_token(ring, token) {
            Ok((_, value)) => {
                result.text.push_str(&value);
                result.opened += 1;
            }
            Err(error) => {
                result.text.push_str(token);
                if error != TokenError::NoToken {
                    result.refused.push((text.len() - from.len(), error));
                }
            }
        }
        rest = after;
    }
    result.text.push_str(rest);
    result
}

/// Why a token does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The text has not the form of a token.
    #[error("no token: give one of the form <ENTITY:siv:KEY:LETTERS>, as it was written")]
    NoToken,
    /// Sealed under a key that is not in the ring.
    #[error(
        "the token is sealed under key {id}, the ring has {known}: add key {id}, or treat the value as erased if it was destroyed"
    )]
    UnknownKey {
        /// The key that the token names.
        id: KeyId,
        /// The keys there are.
        known: String,
    },
    /// Authentication failed.
    #[error(
        "the token of {entity} under key {id} is forged, altered or cut, or the key has other bytes than it was sealed with: \
             take the token from its source again and check the key"
    )]
    Forged {
        /// What it says to be.
        entity: Entity,
        /// The key that it names.
        id: KeyId,
    },
}

fn headers<'a>(entity: &'a str, id: &'a KeyId) -> [&'a [u8]; 3] {
    [b"homeostat/token/1", entity.as_bytes(), id.as_str().as_bytes()]
}

/// AES-256-SIV takes 64 bytes, half for CMAC and half for CTR.
pub(crate) fn wide(key: &[u8; 32]) -> Zeroizing<[u8; 64]> {
    let mut wide = Zeroizing::new([0; 64]);
    wide[..32].copy_from_slice(&prf(key, &[b"siv", b"mac"]));
    wide[32..].copy_from_slice(&prf(key, &[b"siv", b"encryption"]));
    wide
}

#[cfg(test)]
mod tests;
