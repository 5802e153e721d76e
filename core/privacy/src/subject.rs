use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use homeostat_quality::SubjectHmac;
use sha2::Sha256;

use crate::{Entity, Finding, card};

/// The secret under which identifiers are hashed. Whoever holds it can test a guessed identifier; nobody else can.
#[derive(Clone, PartialEq, Eq)]
pub struct SubjectKey([u8; 32]);

impl SubjectKey {
    /// A key of these bytes, for instance derived from a seed.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// HMAC-SHA-256 (RFC 2104, hex) over the entity's name, a NUL and the normalised value: an e-mail address in lower
    /// case, the bare digits of a card. So `Ann@Example.org` and `ann@example.org` are one subject.
    #[must_use]
    pub fn hmac(&self, entity: Entity, value: &str) -> SubjectHmac {
        SubjectHmac(hex::encode(self.bytes(entity, value)))
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
        // HMAC pads a short key with zeros to the block size; done here, no length can be wrong.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(entity.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(normalised(entity, value).as_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectKey(..)")
    }
}

fn normalised(entity: Entity, value: &str) -> String {
    match entity {
        Entity::EmailAddress => value.trim().to_lowercase(),
        Entity::CreditCard => card::digits(value),
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
        assert_eq!(key.subjects(text, &Recognizers::all().find(text)).len(), 2);
    }
}
