//! Format-preserving encryption: a value becomes another of the same shape, and back under the key.
//!
//! A digit stays a digit, a letter a letter of its case, everything else stays as it is, so length, grouping and country
//! of a value show. A card keeps a right check digit, an IBAN its country and right check digits. Meant for columns and
//! fields of a fixed form; in prose a token says more plainly what it is.

use super::checksum;
use super::ff1::{self, SMALLEST_DOMAIN, Way};
use super::keys::{KeyId, KeyRing, Purpose};
use super::refusal::Refusal;
use crate::Entity;

/// Letters and digits of the longest value: the arithmetic is quadratic in them.
const LONGEST: usize = 128;

/// A value of the same shape under the newest key, whose name must be kept beside it: the value has no room for one.
///
/// # Errors
/// A domain of less than a million values (SP 800-38G revision 1), a letter outside ASCII, a wrong check digit, or a mix of
/// digits and letters beyond 128 bits or 128 characters; the value is then better sealed in a token.
///
/// ```
/// use homeostat_privacy::{Entity, KeyRing, format_decrypt, format_encrypt};
///
/// let ring = KeyRing::new([("k1".parse()?, [1; 32])])?;
/// let there = format_encrypt(&ring, Entity::CreditCard, "4111-1111-1111-1111")?;
/// assert_eq!(there.len(), 19);
/// assert_eq!(format_decrypt(&ring, ring.newest(), Entity::CreditCard, &there)?, "4111-1111-1111-1111");
/// assert!(format_encrypt(&ring, Entity::UkPostcode, "12345").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn format_encrypt(ring: &KeyRing, entity: Entity, value: &str) -> Result<String, Refusal> {
    crypt(Way::Encrypt, &ring.newest_derived(Purpose::FormatPreserving), ring.newest(), entity, value)
}

/// The value that [`format_encrypt`] was given, under the named key. There is no authentication: a wrong value gives another
/// wrong value.
///
/// # Errors
/// A key that the ring lacks, and the same as [`format_encrypt`].
pub fn format_decrypt(ring: &KeyRing, key: &KeyId, entity: Entity, value: &str) -> Result<String, Refusal> {
    let derived =
        ring.derived(key, Purpose::FormatPreserving).ok_or_else(|| Refusal::UnknownKey { id: key.clone() })?;
    crypt(Way::Decrypt, &derived, key, entity, value)
}

fn crypt(way: Way, key: &[u8; 32], id: &KeyId, entity: Entity, value: &str) -> Result<String, Refusal> {
    let tweak = [entity.as_str().as_bytes(), &[0], id.as_str().as_bytes()].concat();
    let mut characters: Vec<char> = value.chars().collect();
    let free = free_places(entity, &characters)?;
    let places: Vec<_> = free.iter().filter_map(|at| Some((*at, Alphabet::of(*characters.get(*at)?)?))).collect();
    let numerals = places.iter().map(|(at, alphabet)| alphabet.numeral(characters[*at])).collect::<Vec<_>>();
    let radices: Vec<_> = places.iter().map(|(_, alphabet)| alphabet.radix()).collect();
    for ((at, alphabet), numeral) in places.iter().zip(permuted(way, key, &tweak, &radices, &numerals)?) {
        characters[*at] = alphabet.character(numeral);
    }
    match entity {
        Entity::CreditCard => checksum::set_luhn(&mut characters),
        Entity::IbanCode => checksum::set_iban(&mut characters),
        _ => {}
    }
    Ok(characters.into_iter().collect())
}

fn permuted(way: Way, key: &[u8; 32], tweak: &[u8], radices: &[u16], numerals: &[u16]) -> Result<Vec<u16>, Refusal> {
    if numerals.len() > LONGEST {
        return Err(Refusal::TooLong);
    }
    let size = radices.iter().try_fold(1_u128, |size, radix| size.checked_mul(u128::from(*radix)));
    if let Some(size) = size.filter(|size| *size < SMALLEST_DOMAIN) {
        return Err(Refusal::SmallDomain { values: size });
    }
    if let Some(radix) = radices.first().filter(|first| radices.iter().all(|radix| radix == *first)) {
        let permuted = ff1::numerals::<aes::Aes256>(way, key, tweak, u32::from(*radix), numerals);
        return permuted.map_err(|_| Refusal::TooLong);
    }
    let size = size.ok_or(Refusal::TooLong)?;
    let pairs = radices.iter().zip(numerals);
    let number = pairs.fold(0, |number, (radix, numeral)| number * u128::from(*radix) + u128::from(*numeral));
    let mut number = ff1::below(way, key, tweak, size, number).ok_or(Refusal::TooLong)?;
    let mut permuted = Vec::with_capacity(radices.len());
    for radix in radices.iter().rev() {
        permuted.push(u16::try_from(number % u128::from(*radix)).unwrap_or(0));
        number /= u128::from(*radix);
    }
    permuted.reverse();
    Ok(permuted)
}

/// The characters that change; check digits follow from them and are set afterwards.
fn free_places(entity: Entity, characters: &[char]) -> Result<Vec<usize>, Refusal> {
    if let Some(c) = characters.iter().find(|c| c.is_alphanumeric() && !c.is_ascii_alphanumeric()) {
        return Err(Refusal::Character { character: *c });
    }
    let mut places: Vec<_> = (0..characters.len()).filter(|at| characters[*at].is_ascii_alphanumeric()).collect();
    match entity {
        Entity::CreditCard => {
            if !checksum::is_luhn(characters) || places.iter().any(|at| !characters[*at].is_ascii_digit()) {
                return Err(Refusal::CheckDigit);
            }
            places.pop();
        }
        Entity::IbanCode => {
            if !checksum::is_iban(characters) {
                return Err(Refusal::CheckDigit);
            }
            places.drain(..4);
        }
        _ => {}
    }
    Ok(places)
}

#[derive(Clone, Copy)]
enum Alphabet {
    Digits,
    Lower,
    Upper,
}

impl Alphabet {
    fn of(c: char) -> Option<Self> {
        match c {
            '0'..='9' => Some(Self::Digits),
            'a'..='z' => Some(Self::Lower),
            'A'..='Z' => Some(Self::Upper),
            _ => None,
        }
    }

    fn radix(self) -> u16 {
        if matches!(self, Self::Digits) { 10 } else { 26 }
    }

    fn first(self) -> u8 {
        match self {
            Self::Digits => b'0',
            Self::Lower => b'a',
            Self::Upper => b'A',
        }
    }

    fn numeral(self, c: char) -> u16 {
        u16::try_from(u32::from(c)).unwrap_or(0).saturating_sub(u16::from(self.first()))
    }

    fn character(self, numeral: u16) -> char {
        char::from(self.first().saturating_add(u8::try_from(numeral).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests;
