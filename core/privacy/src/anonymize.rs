use crate::{Entity, Finding, Recognizers, SubjectKey};

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
    fn replacement(&self, entity: Entity, value: &str) -> String {
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
    for finding in &findings {
        redacted.push_str(text.get(done..finding.start).unwrap_or(""));
        redacted.push_str(&anonymizer.replacement(finding.entity, finding.of(text)));
        done = finding.end;
    }
    redacted.push_str(text.get(done..).unwrap_or(""));
    Redaction { text: redacted, findings }
}

/// Bytes as letters `a` to `p`: hexadecimal digits could happen to spell a card number.
fn letters(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| char::from(b'a' + nibble)).collect()
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
