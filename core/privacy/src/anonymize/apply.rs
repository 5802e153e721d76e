use std::ops::Range;

use super::keys::{KeyId, KeyRing, Purpose};
use super::policy::Anonymization;
use super::refusal::Refusal;
use super::spans::spans;
use super::surrogate::Surrogates;
use crate::{Entity, Finding};

/// Within which texts a value has one surrogate, and the keys for it. Holds found values while it lives: one a document, or
/// one a conversation, kept no longer than the text.
pub struct Scope {
    keys: Option<(KeyRing, Surrogates)>,
}

impl Scope {
    /// A scope of a name, such as the document's identifier. Under the same key and name the same values get the same
    /// surrogates again, but for the few that met in one place.
    #[must_use]
    pub fn new(keys: &KeyRing, name: &str) -> Self {
        Self { keys: Some((keys.clone(), Surrogates::new(keys.newest_derived(Purpose::Surrogate), name))) }
    }

    /// A scope without keys, for policies of which no operator [needs any](Anonymization::needs_keys).
    #[must_use]
    pub fn keyless() -> Self {
        Self { keys: None }
    }
}

/// A text after its anonymization.
#[derive(Clone, Debug, PartialEq)]
pub struct Anonymized {
    /// The new text.
    pub text: String,
    /// What was done, in the order of the text. Holds no text.
    pub replacements: Vec<Replacement>,
}

/// One place of a text that was found, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Replacement {
    /// What was found.
    pub entity: Entity,
    /// Bytes in the old text.
    pub old: Range<usize>,
    /// Bytes in the new text.
    pub new: Range<usize>,
    /// The operator that the policy names, such as `Mask`.
    pub operator: &'static str,
    /// The key that turns it back, where one does. A format-preserving value has no room for it: keep it.
    pub key: Option<KeyId>,
    /// Why the operator could not take the value; `<ENTITY>` stands in its place then.
    pub refused: Option<Refusal>,
}

impl Anonymization {
    /// Applies the policy to what was found in a text.
    ///
    /// Findings may overlap, lie in any order, end inside a character or beyond the text: every byte covered by one is
    /// replaced. Surrogates are none of the values found in this text.
    ///
    /// ```
    /// use homeostat_privacy::{Anonymization, AnonymizationSpec, KeyRing, Recognizers, Scope};
    ///
    /// let spec: AnonymizationSpec = serde_json::from_str(
    ///     r#"{"default": {"operator": "Surrogate"},
    ///         "entities": [{"name": "CREDIT_CARD", "operator": "Mask", "keepSuffix": 4}]}"#,
    /// )?;
    /// let policy = Anonymization::try_from(spec)?;
    /// let ring = KeyRing::new([("k1".parse()?, [1; 32])])?;
    /// let text = "ann@example.net pays with 4111111111111111, ann@example.net and bob@example.net sign.";
    /// let done = policy.apply(text, &Recognizers::all().find(text), &mut Scope::new(&ring, "contract 7"));
    /// assert!(done.text.contains("************1111") && !done.text.contains("ann@"));
    /// let parts: Vec<_> = done.replacements.iter().map(|replaced| &done.text[replaced.new.clone()]).collect();
    /// assert_eq!(parts[0], parts[2]);
    /// assert_ne!(parts[0], parts[3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn apply(&self, text: &str, findings: &[Finding], scope: &mut Scope) -> Anonymized {
        let spans = spans(text, findings);
        if let Some((_, surrogates)) = &mut scope.keys {
            spans.iter().for_each(|span| surrogates.observe(span.entity, &text[span.range.clone()]));
        }
        let mut result =
            Anonymized { text: String::with_capacity(text.len()), replacements: Vec::with_capacity(spans.len()) };
        let mut done = 0;
        for span in spans {
            let (entity, value) = (span.entity, &text[span.range.clone()]);
            let operator = self.operator(entity);
            let outcome = match &mut scope.keys {
                Some((ring, surrogates)) => operator.apply(Some(ring), entity, value, || surrogates.of(entity, value)),
                None => operator.apply(None, entity, value, || Err(Refusal::NoKey)),
            };
            let (written, key, refused) = match outcome {
                Ok((written, key)) => (written, key, None),
                Err(refusal) => (format!("<{entity}>"), None, Some(refusal)),
            };
            result.text.push_str(&text[done..span.range.start]);
            let start = result.text.len();
            result.text.push_str(&written);
            let new = start..result.text.len();
            done = span.range.end;
            let replacement = Replacement { entity, old: span.range, new, operator: operator.name(), key, refused };
            result.replacements.push(replacement);
        }
        result.text.push_str(&text[done..]);
        result
    }
}
