use super::format::format_encrypt;
use super::keys::{KeyId, KeyRing};
use super::pseudonym::pseudonym;
use super::refusal::Refusal;
use super::token::seal_token;
use crate::Entity;

/// What is done with a found value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// It stays.
    Keep,
    /// It goes without a trace. What stood around it then touches: two harmless halves may become one number.
    Redact,
    /// The entity's name in angle brackets takes its place, or a text of the policy.
    Replace {
        /// The text; none for the entity's name.
        text: Option<String>,
    },
    /// A character stands for each of its characters.
    Mask(Mask),
    /// An invented value takes its place, the same one throughout a scope. It looks like what it replaces, so that
    /// recognizers find it again.
    Surrogate,
    /// A keyed token that cannot be turned back; see [`pseudonym`].
    Pseudonym,
    /// A token that the key turns back; see [`seal_token`].
    Encrypt,
    /// Another value of the same shape that the key turns back; see [`format_encrypt`]. Recognizers find it again.
    FormatPreserving,
}

/// How a value is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Written for each hidden character.
    pub character: char,
    /// Characters at the beginning that stay.
    pub keep_prefix: usize,
    /// Characters at the end that stay.
    pub keep_suffix: usize,
}

/// With fewer characters hidden than this, all are: the rest of a short value would give it away.
const FEWEST_HIDDEN: usize = 4;

impl Mask {
    /// The masked value, of as many characters.
    ///
    /// ```
    /// use homeostat_privacy::Mask;
    ///
    /// let mask = Mask { character: '*', keep_prefix: 0, keep_suffix: 4 };
    /// assert_eq!(mask.apply("4111111111111111"), "************1111");
    /// assert_eq!(mask.apply("12345"), "*****");
    /// ```
    #[must_use]
    pub fn apply(&self, value: &str) -> String {
        let count = value.chars().count();
        let kept = self.keep_prefix.saturating_add(self.keep_suffix);
        let all = count < kept.saturating_add(FEWEST_HIDDEN);
        let hidden = |at: usize| all || (at >= self.keep_prefix && at < count - self.keep_suffix);
        value.chars().enumerate().map(|(at, c)| if hidden(at) { self.character } else { c }).collect()
    }
}

impl Operator {
    /// All names, as policies give them.
    pub const NAMES: &'static [&'static str] =
        &["Keep", "Redact", "Replace", "Mask", "Surrogate", "Pseudonym", "Encrypt", "FormatPreserving"];

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Keep => "Keep",
            Self::Redact => "Redact",
            Self::Replace { .. } => "Replace",
            Self::Mask(_) => "Mask",
            Self::Surrogate => "Surrogate",
            Self::Pseudonym => "Pseudonym",
            Self::Encrypt => "Encrypt",
            Self::FormatPreserving => "FormatPreserving",
        }
    }

    /// Whether it does nothing without a key ring.
    #[must_use]
    pub fn needs_keys(&self) -> bool {
        matches!(self, Self::Surrogate | Self::Pseudonym | Self::Encrypt | Self::FormatPreserving)
    }

    /// What takes the value's place and the key that is needed to turn it back; surrogates come from `surrogate`.
    pub(crate) fn apply(
        &self,
        ring: Option<&KeyRing>,
        entity: Entity,
        value: &str,
        surrogate: impl FnOnce() -> Result<String, Refusal>,
    ) -> Result<(String, Option<KeyId>), Refusal> {
        let ring = || ring.ok_or(Refusal::NoKey);
        Ok(match self {
            Self::Keep => (value.to_string(), None),
            Self::Redact => (String::new(), None),
            Self::Replace { text: Some(text) } => (text.clone(), None),
            Self::Replace { text: None } => (format!("<{entity}>"), None),
            Self::Mask(mask) => (mask.apply(value), None),
            Self::Surrogate => (surrogate()?, None),
            Self::Pseudonym => (pseudonym(ring()?, entity, value), None),
            Self::Encrypt => (seal_token(ring()?, entity, value), Some(ring()?.newest().clone())),
            Self::FormatPreserving => (format_encrypt(ring()?, entity, value)?, Some(ring()?.newest().clone())),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_mask_keeps_the_length_and_no_more_than_it_says(
            value: String, keep_prefix in 0usize..6, keep_suffix in prop_oneof![0usize..6, Just(usize::MAX)],
        ) {
            let masked = Mask { character: '•', keep_prefix, keep_suffix }.apply(&value);
            prop_assert_eq!(masked.chars().count(), value.chars().count());
            let kept = value.chars().zip(masked.chars()).filter(|(a, b)| a == b && *a != '•').count();
            prop_assert!(kept == 0 || (kept <= keep_prefix + keep_suffix && kept + FEWEST_HIDDEN <= value.chars().count()));
        }
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        let mask = Mask { character: '#', keep_prefix: 1, keep_suffix: 1 };
        assert_eq!(mask.apply("éabcd用"), "é####用");
        assert_eq!(mask.apply("éabc用"), "#####");
    }
}
