use std::collections::BTreeMap;
use std::fmt;

use aes_siv::KeyInit;
use aes_siv::siv::CmacSiv;
use homeostat_quality::SubjectHmac;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::SubjectKey;
use crate::anonymize::siv_key;
use crate::prf::prf;

/// The random bytes stored for each subject, under the installation's key: a subject's data key needs both.
///
/// Pure: the caller draws the bytes, stores them apart from what they protect and its backups, and destroys them there
/// first; [`destroy`](Self::destroy) then forgets them here. A destroyed subject stays known as such.
///
/// ```
/// use homeostat_privacy::{Entity, SubjectKey, SubjectKeyRing};
///
/// let installation = SubjectKey::new([1; 32]);
/// let ann = installation.hmac(Entity::EmailAddress, "ann@example.org");
/// let mut ring = SubjectKeyRing::new(installation);
/// ring.insert(ann.clone(), [2; 32])?;
/// let sealed = ring.data_key(&ann)?.seal("ledger/17", b"what is append-only");
/// assert_eq!(ring.data_key(&ann)?.open("ledger/17", &sealed)?, b"what is append-only");
/// ring.destroy(&ann);
/// assert!(ring.data_key(&ann).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SubjectKeyRing {
    installation: SubjectKey,
    /// `None` where the bytes were destroyed.
    stored: BTreeMap<SubjectHmac, Option<Zeroizing<[u8; 32]>>>,
}

impl SubjectKeyRing {
    /// A ring without subjects.
    #[must_use]
    pub fn new(installation: SubjectKey) -> Self {
        Self { installation, stored: BTreeMap::new() }
    }

    /// Takes a subject's stored random bytes.
    ///
    /// # Errors
    /// The subject has other bytes, or was erased; bytes of zeros only.
    pub fn insert(&mut self, subject: SubjectHmac, random: [u8; 32]) -> Result<(), SubjectRingError> {
        let random = Zeroizing::new(random);
        if random.iter().all(|byte| *byte == 0) {
            return Err(SubjectRingError::Zero { subject });
        }
        match self.stored.get(&subject) {
            Some(None) => Err(SubjectRingError::Destroyed { subject }),
            Some(Some(known)) if **known != *random => Err(SubjectRingError::OtherBytes { subject }),
            _ => {
                self.stored.insert(subject, Some(random));
                Ok(())
            }
        }
    }

    /// New bytes for a subject that was erased and came back by a new act, such as signing up again; what was sealed before
    /// stays unreadable.
    ///
    /// # Errors
    /// The subject was not erased; bytes of zeros only.
    pub fn renew(&mut self, subject: SubjectHmac, random: [u8; 32]) -> Result<(), SubjectRingError> {
        match self.stored.get(&subject) {
            Some(None) => {
                self.stored.remove(&subject);
                let renewed = self.insert(subject.clone(), random);
                if renewed.is_err() {
                    self.stored.insert(subject, None);
                }
                renewed
            }
            Some(Some(_)) => Err(SubjectRingError::OtherBytes { subject }),
            None => Err(SubjectRingError::Unknown { subject }),
        }
    }

    /// The key of what is stored about a subject.
    ///
    /// # Errors
    /// Nothing is stored for it, or it was erased: two answers, since the first may be a loss and the second is meant.
    pub fn data_key(&self, subject: &SubjectHmac) -> Result<SubjectDataKey, SubjectRingError> {
        match self.stored.get(subject) {
            Some(Some(random)) => Ok(SubjectDataKey::new(&self.installation, subject, random)),
            Some(None) => Err(SubjectRingError::Destroyed { subject: subject.clone() }),
            None => Err(SubjectRingError::Unknown { subject: subject.clone() }),
        }
    }

    /// Forgets a subject's bytes for good; true when there were any. Also notes a subject that was never inserted.
    pub fn destroy(&mut self, subject: &SubjectHmac) -> bool {
        self.stored.insert(subject.clone(), None).flatten().is_some()
    }

    /// Whether the subject was erased.
    #[must_use]
    pub fn is_destroyed(&self, subject: &SubjectHmac) -> bool {
        matches!(self.stored.get(subject), Some(None))
    }
}

impl fmt::Debug for SubjectKeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectKeyRing({} subjects)", self.stored.len())
    }
}

/// The key of one subject. Take it for one use and drop it: while it lives, an erasure is not complete.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SubjectDataKey([u8; 32]);

impl SubjectDataKey {
    /// HMAC-SHA-256 under the installation's key over the subject's name and its stored random bytes.
    #[must_use]
    pub fn new(installation: &SubjectKey, subject: &SubjectHmac, random: &[u8; 32]) -> Self {
        Self(prf(installation.secret(), &[b"homeostat/subject/1", subject.0.as_bytes(), random]))
    }

    /// The subject's name in records of a context, such as `samples`: it links them while the key can be derived, and to
    /// nobody afterwards.
    #[must_use]
    pub fn pseudonym(&self, context: &str) -> SubjectHmac {
        SubjectHmac(hex::encode(prf(&self.0, &[b"pseudonym", context.as_bytes()])))
    }

    /// Data about the subject, sealed with AES-256-SIV (RFC 5297); `place` is authenticated and says where it belongs, so that
    /// it cannot be moved. Equal data at equal places are sealed equally.
    #[must_use]
    pub fn seal(&self, place: &str, data: &[u8]) -> Vec<u8> {
        // One header and a text in memory: there is no way to fail, and if there were, nothing would be written.
        CmacSiv::<aes::Aes256>::new((&*siv_key(&self.0)).into()).encrypt([place.as_bytes()], data).unwrap_or_default()
    }

    /// The data that [`seal`](Self::seal) was given.
    ///
    /// # Errors
    /// It was sealed for another subject, place or key, or altered.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, SealedError> {
        let opened = CmacSiv::<aes::Aes256>::new((&*siv_key(&self.0)).into()).decrypt([place.as_bytes()], sealed);
        opened.map_err(|_| SealedError { place: place.to_string() })
    }
}

impl fmt::Debug for SubjectDataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectDataKey(..)")
    }
}

/// Sealed data that does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the data sealed for {place} does not open under this subject's key: it belongs to another subject or place, was sealed under other bytes, or was altered"
)]
pub struct SealedError {
    /// Where it was said to belong.
    pub place: String,
}

/// Why a subject has no key, or takes none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectRingError {
    /// Nothing is stored for it.
    #[error("subject {} has no key: insert its stored random bytes first", subject.0)]
    Unknown {
        /// The subject.
        subject: SubjectHmac,
    },
    /// It was erased.
    #[error("subject {} was erased, its key is destroyed: what was sealed is gone; renew it only for a new consent", subject.0)]
    Destroyed {
        /// The subject.
        subject: SubjectHmac,
    },
    /// It has a key.
    #[error("subject {} has other random bytes already: keep those, or destroy them first", subject.0)]
    OtherBytes {
        /// The subject.
        subject: SubjectHmac,
    },
    /// Bytes that were never drawn.
    #[error("the random bytes of subject {} are all zeros: draw 32 random bytes", subject.0)]
    Zero {
        /// The subject.
        subject: SubjectHmac,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(name: &str) -> SubjectHmac {
        SubjectHmac(name.to_string())
    }

    fn ring() -> SubjectKeyRing {
        let mut ring = SubjectKeyRing::new(SubjectKey::new([1; 32]));
        ring.insert(subject("ann"), [2; 32]).unwrap();
        ring.insert(subject("bob"), [3; 32]).unwrap();
        ring
    }

    #[test]
    fn a_destroyed_key_erases_and_leaves_the_others() {
        let mut ring = ring();
        let sealed = ring.data_key(&subject("ann")).unwrap().seal("ledger/1", b"text");
        assert!(ring.destroy(&subject("ann")) && !ring.destroy(&subject("ann")));
        assert!(ring.is_destroyed(&subject("ann")) && !ring.is_destroyed(&subject("bob")));
        let error = ring.data_key(&subject("ann")).unwrap_err();
        assert_eq!(error, SubjectRingError::Destroyed { subject: subject("ann") });
        assert_eq!(ring.insert(subject("ann"), [2; 32]).unwrap_err(), error);
        assert!(ring.data_key(&subject("bob")).is_ok());
        assert_eq!(ring.renew(subject("ann"), [0; 32]), Err(SubjectRingError::Zero { subject: subject("ann") }));
        ring.renew(subject("ann"), [4; 32]).unwrap();
        let error = ring.data_key(&subject("ann")).unwrap().open("ledger/1", &sealed).unwrap_err();
        assert_eq!(error, SealedError { place: "ledger/1".to_string() });
    }

    #[test]
    fn sealed_data_belongs_to_its_subject_and_place() {
        let ring = ring();
        let (ann, bob) = (ring.data_key(&subject("ann")).unwrap(), ring.data_key(&subject("bob")).unwrap());
        let mut sealed = ann.seal("ledger/1", b"text");
        assert_eq!(ann.open("ledger/1", &sealed).unwrap(), b"text");
        assert!(ann.open("ledger/2", &sealed).is_err() && bob.open("ledger/1", &sealed).is_err());
        sealed[3] ^= 1;
        assert!(ann.open("ledger/1", &sealed).is_err() && ann.open("ledger/1", &[]).is_err());
        assert_eq!(ann.open("x", &ann.seal("x", b"")).unwrap(), b"");
    }

    #[test]
    fn both_secrets_make_the_key_and_pseudonyms_keep_contexts_apart() {
        let key = |installation: u8, name: &str, random: u8| {
            SubjectDataKey::new(&SubjectKey::new([installation; 32]), &subject(name), &[random; 32])
                .pseudonym("samples")
        };
        assert_eq!(key(1, "ann", 2), ring().data_key(&subject("ann")).unwrap().pseudonym("samples"));
        assert_ne!(key(1, "ann", 2), key(9, "ann", 2));
        assert_ne!(key(1, "ann", 2), key(1, "ann", 9));
        assert_ne!(key(1, "ann", 2), key(1, "bob", 2));
        let ann = ring().data_key(&subject("ann")).unwrap();
        assert_ne!(ann.pseudonym("samples"), ann.pseudonym("spool"));
        assert!(!format!("{ann:?} {:?}", ring()).contains("ann"));
    }

    #[test]
    fn other_bytes_do_not_take_a_subjects_place() {
        let mut ring = ring();
        assert_eq!(ring.insert(subject("ann"), [2; 32]), Ok(()));
        assert_eq!(ring.insert(subject("ann"), [9; 32]), Err(SubjectRingError::OtherBytes { subject: subject("ann") }));
        assert_eq!(ring.renew(subject("ann"), [9; 32]), Err(SubjectRingError::OtherBytes { subject: subject("ann") }));
        assert_eq!(ring.renew(subject("eve"), [9; 32]), Err(SubjectRingError::Unknown { subject: subject("eve") }));
    }
}
