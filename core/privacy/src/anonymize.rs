//! Anonymizers: what takes the place of a finding.
//!
//! An [`Anonymization`] names an operator for each entity and applies them to the findings of a text; a [`Scope`] holds the
//! keys and the surrogates given so far. Simple forms without policy or keys are [`redact`] and [`Anonymizer`]. Nothing
//! here hashes a value without a key, takes randomness, or lets a value through because an operator could not take it:
//! the entity's name stands there then.

mod apply;
mod checksum;
mod ff1;
mod format;
mod keys;
mod letters;
mod operator;
mod policy;
mod pseudonym;
mod refusal;
mod spans;
mod surrogate;
mod token;

pub use apply::{Anonymized, Replacement, Scope};
pub use format::{format_decrypt, format_encrypt};
pub use keys::{KeyId, KeyRing, KeyRingError};
pub use operator::{Mask, Operator};
pub use policy::{Anonymization, AnonymizationError, AnonymizationSpec, EntityOperatorSpec, OperatorSpec};
pub use pseudonym::pseudonym;
pub use refusal::Refusal;
pub use surrogate::is_reserved;
pub use token::{Opened, TokenError, open_token, open_tokens, seal_token};

pub(crate) use token::wide as siv_key;

use crate::{Entity, Finding, Recognizers, SubjectKey};
use letters::letters;

/// What takes the place of a finding. Nothing that an anonymizer writes is itself found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anonymizer {
    /// The entity's name: `<EMAIL_ADDRESS>`.
    Replace,
    /// A star for each character.
    Mask,
    /// The entity's name and 80 bits of a keyed hash, `<EMAIL_ADDRESS:kbdg...>`: the same value stays recognisable as the
    /// same (pseudonymised, which regulations still count as personal data while the key exists).
    Hash(SubjectKey),
}

impl Anonymizer {
    pub(crate) fn replacement(&self, entity: Entity, value: &str) -> String {
        match self {
            Self::Replace => format!("<{entity}>"),
            Self::Mask => value.chars().map(|_| '*').collect(),
            Self::Hash(key) => format!("<{entity}:{}>", letters(&key.bytes(entity, value)[..10])),
        }
    }
}

/// A text without what was found in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Redaction {
    /// The new text.
    pub text: String,
    /// What was found, as positions in the *old* text.
    pub findings: Vec<Finding>,
}

/// Replaces everything that the recognizers find. Applied to its own result it changes nothing.
#[must_use]
pub fn redact(text: &str, recognizers: &Recognizers, anonymizer: &Anonymizer) -> Redaction {
    let findings = recognizers.find(text);
    let mut redacted = String::with_capacity(text.len());
    let mut done = 0;
    for span in spans::spans(text, &findings) {
        redacted.push_str(&text[done..span.range.start]);
        redacted.push_str(&anonymizer.replacement(span.entity, &text[span.range.clone()]));
        done = span.range.end;
    }
    redacted.push_str(&text[done..]);
    Redaction { text: redacted, findings }
}

#[cfg(test)]
fn finding(entity: Entity, start: usize, end: usize, score: f64) -> Finding {
    Finding { entity, start, end, score }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Ann: ann@example.org, card 4111 1111 1111 1111.";

    #[test]
    fn each_anonymizer_writes_its_form() {
        let all = Recognizers::all();
        assert_eq!(redact(TEXT, &all, &Anonymizer::Replace).text, "Ann: <EMAIL_ADDRESS>, card <CREDIT_CARD>.");
        assert_eq!(redact(TEXT, &all, &Anonymizer::Mask).text, "Ann: ***************, card *******************.");
        let hashed = redact(TEXT, &all, &Anonymizer::Hash(SubjectKey::new([1; 32]))).text;
        let upper = redact(&TEXT.replace("ann@", "ANN@"), &all, &Anonymizer::Hash(SubjectKey::new([1; 32]))).text;
        assert_eq!(hashed, upper);
        assert!(hashed.starts_with("Ann: <EMAIL_ADDRESS:") && !hashed.contains('4'), "{hashed}");
    }

    #[test]
    fn a_text_without_findings_stays_as_it_is() {
        let redaction = redact("nothing here", &Recognizers::all(), &Anonymizer::Replace);
        assert_eq!(redaction, Redaction { text: "nothing here".to_string(), findings: Vec::new() });
    }
}
