use super::keys::{KeyRing, Purpose};
use super::letters::letters;
use crate::Entity;
use crate::prf::prf;
use crate::subject::normalised;

/// A short stable name for a value: `<EMAIL_ADDRESS:hmac:k1:...>`, 80 bits of HMAC-SHA-256 under the newest key over the
/// entity and the normalised value. Spellings of one identifier have one pseudonym.
///
/// It cannot be turned back, but whoever holds the key can test a guess: regulations still count it as personal data
/// while the key exists. Two of a million values share a pseudonym with a chance of about 4 in 10^13.
///
/// ```
/// use homeostat_privacy::{Entity, KeyRing, pseudonym};
///
/// let ring = KeyRing::new([("k1".parse()?, [1; 32])])?;
/// let ann = pseudonym(&ring, Entity::EmailAddress, "ann@example.org");
/// assert_eq!(pseudonym(&ring, Entity::EmailAddress, "Ann@Example.ORG"), ann);
/// assert_ne!(pseudonym(&ring, Entity::EmailAddress, "bob@example.org"), ann);
/// # Ok::<(), homeostat_privacy::KeyRingError>(())
/// ```
#[must_use]
pub fn pseudonym(ring: &KeyRing, entity: Entity, value: &str) -> String {
    let key = ring.newest_derived(Purpose::Pseudonym);
    let hash = prf(&key, &[entity.as_str().as_bytes(), normalised(entity, value).as_bytes()]);
    format!("<{entity}:hmac:{}:{}>", ring.newest(), letters(&hash[..10]))
}
