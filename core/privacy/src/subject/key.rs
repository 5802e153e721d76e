use std::fmt;

use homeostat_quality::SubjectHmac;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::normal::normalised;
use super::phone;
use crate::prf::hmac;
use crate::{Entity, Finding};

/// The secret under which identifiers are hashed. Whoever holds it can test a guessed identifier; nobody else can.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SubjectKey([u8; 32]);

/// A subject that a request may be about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Its name in records.
    pub subject: SubjectHmac,
    /// False when another person's identifier can be written the same way, such as a telephone number without its country.
    pub certain: bool,
}

impl SubjectKey {
    /// A key of these bytes, for instance derived from a seed.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// HMAC-SHA-256 (RFC 2104, hex) over the entity's name, a NUL and the normalised value: an e-mail address in lower
    /// case without subaddress, the bare digits of a card, the international digits of a telephone number, and so on. So
    /// `Ann@Example.org` and `ann@example.org` are one subject.
    #[must_use]
    pub fn hmac(&self, entity: Entity, value: &str) -> SubjectHmac {
        SubjectHmac(hex::encode(self.bytes(entity, value)))
    }

    /// The subjects under which records may know the person whose identifier a request gives; the first is the identifier as
    /// given. An international telephone number is also looked for as written within its country.
    ///
    /// ```
    /// use homeostat_privacy::{Entity, SubjectKey};
    ///
    /// let key = SubjectKey::new([1; 32]);
    /// let candidates = key.candidates(Entity::PhoneNumber, "+49 171 1234567");
    /// let national = key.hmac(Entity::PhoneNumber, "0171/1234567");
    /// assert!(candidates.iter().any(|candidate| candidate.subject == national && !candidate.certain));
    /// ```
    #[must_use]
    pub fn candidates(&self, entity: Entity, value: &str) -> Vec<Candidate> {
        let mut candidates = vec![Candidate { subject: self.hmac(entity, value), certain: true }];
        if entity == Entity::PhoneNumber {
            let national = phone::national_spellings(value).into_iter();
            candidates.extend(national.map(|number| Candidate { subject: self.hmac(entity, &number), certain: false }));
        }
        candidates
    }

    /// The subjects that `findings` of `text` name, sorted, each once.
    #[must_use]
    pub fn subjects(&self, text: &str, findings: &[Finding]) -> Vec<SubjectHmac> {
        let mut subjects: Vec<_> = findings.iter().map(|finding| self.hmac(finding.entity, finding.of(text))).collect();
        subjects.sort();
        subjects.dedup();
        subjects
    }

    pub(crate) fn bytes(&self, entity: Entity, value: &str) -> [u8; 32] {
        hmac(&self.0, &[entity.as_str().as_bytes(), &[0], normalised(entity, value).as_bytes()])
    }

    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Recognizers;

    #[test]
    fn spellings_of_one_identifier_are_one_subject_and_keys_keep_apart() {
        let key = SubjectKey::new([7; 32]);
        assert_eq!(
            key.hmac(Entity::EmailAddress, "Ann@Example.org"),
            key.hmac(Entity::EmailAddress, "ann@example.org")
        );
        assert_eq!(
            key.hmac(Entity::CreditCard, "4111-1111 11111111"),
            key.hmac(Entity::CreditCard, "4111111111111111")
        );
        assert_ne!(key.hmac(Entity::EmailAddress, "ann"), key.hmac(Entity::CreditCard, "ann"));
        assert_ne!(key.hmac(Entity::EmailAddress, "ann"), SubjectKey::new([8; 32]).hmac(Entity::EmailAddress, "ann"));
        assert!(!format!("{key:?}").contains('7'));
    }

    #[test]
    fn the_hash_is_plain_hmac_sha_256() {
        // Computed with Python: hmac.new(bytes([7]*32), b"EMAIL_ADDRESS\0ann@example.org", "sha256").hexdigest()
        let expected = "a053ebc7f5d379915929c07d16e573ef2ca61fd533270fe752ac3edb83de3d39";
        assert_eq!(SubjectKey::new([7; 32]).hmac(Entity::EmailAddress, "ann@example.org").0, expected);
    }

    #[test]
    fn each_subject_of_a_text_is_named_once() {
        let text = "ann@example.org, ANN@example.org, bob@example.org";
        let key = SubjectKey::new([1; 32]);
        let mut findings = Recognizers::all().find(text);
        findings.retain(|finding| finding.entity == Entity::EmailAddress);
        assert_eq!(key.subjects(text, &findings).len(), 2);
    }

    #[test]
    fn a_request_finds_national_spellings_and_says_they_are_uncertain() {
        let key = SubjectKey::new([1; 32]);
        let found = |given: &str, written: &str| {
            let candidates = key.candidates(Entity::PhoneNumber, given);
            let subject = key.hmac(Entity::PhoneNumber, written);
            candidates.into_iter().find(|candidate| candidate.subject == subject).map(|candidate| candidate.certain)
        };
        assert_eq!(found("+49 171 1234567", "0049 (171) 12345-67"), Some(true));
        assert_eq!(found("+49 171 1234567", "0171 1234567"), Some(false));
        assert_eq!(found("+1 415 321 7654", "(415) 321-7654"), Some(false));
        assert_eq!(found("+1 415 321 7654", "1-415-321-7654"), Some(false));
        assert_eq!(found("+353 1 234 5678", "01 234 5678"), Some(false));
        assert_eq!(found("+49 171 1234567", "0171 1234568"), None);
        assert_eq!(key.candidates(Entity::EmailAddress, "ann@example.org").len(), 1);
    }
}
