use super::keys::KeyId;

/// Why an operator cannot take a value. Holds nothing of the value but, for a letter, that one letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The operator needs a key ring.
    #[error("no key ring was given: give a scope with keys, or use Redact, Replace or Mask")]
    NoKey,
    /// The key is not in the ring.
    #[error("key {id} is not in the ring: add it, or treat the value as erased if it was destroyed")]
    UnknownKey {
        /// The key.
        id: KeyId,
    },
    /// Format-preserving encryption of so few values would be guessed.
    #[error(
        "only {values} values have this form, format-preserving encryption needs 1000000: use Encrypt or Mask for it"
    )]
    SmallDomain {
        /// Values of the same form.
        values: u128,
    },
    /// A letter or digit that has no place in the alphabet.
    #[error("{character:?} is no ASCII letter or digit and would stay readable: use Encrypt or Surrogate for it")]
    Character {
        /// The letter.
        character: char,
    },
    /// A card or IBAN whose check digits are wrong, so that right ones could not be turned back.
    #[error("the check digits are wrong: use Encrypt for it")]
    CheckDigit,
    /// More than 128 letters and digits, or a mix of both beyond 128 bits.
    #[error("the value has more than 128 letters and digits, or mixes more than 128 bits of both: use Encrypt for it")]
    TooLong,
    /// A date in a form that cannot be moved.
    #[error("the date is in no form that can be moved (such as 2024-03-31 or 31 March 2024): use Replace for it")]
    NoDate,
    /// All surrogates of the scope are given away.
    #[error("the scope has no surrogate left for it: use smaller scopes, one a document, or Pseudonym")]
    Exhausted,
    /// Nothing plausible can be invented.
    #[error("there is no surrogate for this: use Replace or Pseudonym for it")]
    NoSurrogate,
}
