//! Who a record is about, without saying it: keyed hashes of normalised identifiers, and a key for each subject whose
//! destruction erases.
//!
//! A [`SubjectKey`] belongs to the installation; its HMAC of an identifier is the subject's name in records. What is
//! append-only is sealed under the subject's own key, which a [`SubjectKeyRing`] derives from random bytes stored for that
//! subject: with those bytes gone, what was sealed cannot be read and its pseudonyms cannot be linked again.

mod key;
mod normal;
mod phone;
mod punycode;
mod ring;

pub use key::{Candidate, SubjectKey};
pub use ring::{SealedError, SubjectDataKey, SubjectKeyRing, SubjectRingError};

pub(crate) use normal::normalised;
