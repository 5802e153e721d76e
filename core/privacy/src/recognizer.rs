//! Recognizers that a policy defines as data: a pattern, a checksum by name, words of context.

use std::sync::Arc;

use regex_automata::meta::{Config, Regex};
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};
use serde::{Deserialize, Serialize};

use crate::Entity;
use crate::check::{self, Check, Verdict};
use crate::entity::CustomEntity;

/// One recognizer of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomRecognizer {
    /// What it finds: `CUSTOM_` and a name, or an entity that is built in.
    pub entity: String,
    /// Regular expression (Rust's syntax, no look-around, no back-references). It is applied to one line at a time.
    pub pattern: String,
    /// Score of a match, above 0 and at most 1.
    #[serde(default = "half")]
    pub score: f64,
    /// Name of a checksum, one of [`CustomRecognizer::checksums`]: a match that passes scores 1, one that fails is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Words or phrases near a match that lift its score by .35, to .5 at least. Compared without regard to case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<String>,
}

/// What is wrong with a custom recognizer. The message names the field, the value and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CustomRecognizerError {
    /// No such entity.
    #[error(
        "entity: {value:?} is neither built in nor custom: name a known entity, or write CUSTOM_ and capitals, as CUSTOM_EMPLOYEE_ID"
    )]
    Entity {
        /// What was given.
        value: String,
    },
    /// No regular expression that can be used.
    #[error(
        "pattern: {value:?} cannot be used: {reason}; give a regular expression without look-around and back-references"
    )]
    Pattern {
        /// What was given.
        value: String,
        /// What the compiler says.
        reason: String,
    },
    /// It would match everywhere.
    #[error("pattern: {value:?} matches the empty text: require at least one character")]
    Empty {
        /// What was given.
        value: String,
    },
    /// Not a score.
    #[error("score: {value} is no score: give a number above 0 and at most 1")]
    Score {
        /// What was given.
        value: String,
    },
    /// No such checksum.
    #[error("checksum: {value:?} is not known: use one of {known}, or leave it out")]
    Checksum {
        /// What was given.
        value: String,
        /// What there is.
        known: String,
    },
    /// A context word that says nothing.
    #[error("context[{index}]: {value:?} is no word: give at least two characters with a letter among them")]
    Context {
        /// Which one.
        index: usize,
        /// What was given.
        value: String,
    },
}

/// Checksums by name. Digits are taken from the match; other characters are skipped, except where letters belong to it.
const CHECKSUMS: &[(&str, Check)] = &[
    ("aba", check::americas::us_routing),
    ("cnpj", check::americas::br_cnpj),
    ("cpf", check::americas::br_cpf),
    ("iban", check::iban::whole),
    ("luhn", |text| {
        let digits = check::digits(text);
        Verdict::sure(digits.len() > 1 && check::luhn(&digits))
    }),
    ("mod_11_10", |text| Verdict::sure(check::mod_11_10(&check::digits(text)))),
    ("nhs", check::europe::uk_nhs),
    ("pesel", check::europe::pl_pesel),
    ("resident_id", check::asia::cn_resident),
    ("verhoeff", |text| {
        let digits = check::digits(text);
        Verdict::sure(digits.len() > 1 && check::verhoeff(&digits))
    }),
];

const HALF: f64 = 0.5;

fn half() -> f64 {
    HALF
}

impl CustomRecognizer {
    /// Names of the checksums there are.
    pub fn checksums() -> impl Iterator<Item = &'static str> {
        CHECKSUMS.iter().map(|(name, _)| *name)
    }

    /// Whether it can be used; a resource is refused at admission with what this says.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn validate(&self) -> Result<(), CustomRecognizerError> {
        self.compile().map(|_| ())
    }

    pub(crate) fn compile(&self) -> Result<Compiled, CustomRecognizerError> {
        let entity = match self.entity.parse::<Entity>() {
            Ok(Entity::Custom(_)) | Err(_) => CustomEntity::new(&self.entity).ok().map(Entity::Custom),
            Ok(known) => Some(known),
        };
        let entity = entity.ok_or_else(|| CustomRecognizerError::Entity { value: self.entity.clone() })?;
        let unusable = |reason: String| CustomRecognizerError::Pattern { value: self.pattern.clone(), reason };
        if self.pattern.len() > 1_024 {
            return Err(unusable("it is longer than 1024 bytes".to_string()));
        }
        let regex = Regex::builder()
            .configure(
                Config::new()
                    .match_kind(MatchKind::LeftmostFirst)
                    .nfa_size_limit(Some(1 << 20))
                    .hybrid_cache_capacity(1 << 20),
            )
            .syntax(syntax::Config::new().case_insensitive(false))
            .build(&self.pattern)
            .map_err(|error| unusable(error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string)))?;
        if regex.is_match("") {
            return Err(CustomRecognizerError::Empty { value: self.pattern.clone() });
        }
        if !(self.score > 0.0 && self.score <= 1.0) {
            return Err(CustomRecognizerError::Score { value: self.score.to_string() });
        }
        let check = match &self.checksum {
            None => None,
            Some(name) => {
                let known = CHECKSUMS.iter().find(|(known, _)| known == name).map(|(_, check)| *check);
                let known = known.ok_or_else(|| CustomRecognizerError::Checksum {
                    value: name.clone(),
                    known: Self::checksums().collect::<Vec<_>>().join(", "),
                })?;
                Some(known)
            }
        };
        for (index, word) in self.context.iter().enumerate() {
            if word.chars().count() < 2 || !word.chars().any(char::is_alphabetic) {
                return Err(CustomRecognizerError::Context { index, value: word.clone() });
            }
        }
        let context = self.context.iter().map(|word| word.to_lowercase()).collect();
        Ok(Compiled(Arc::new(Inner { entity, regex, score: self.score, check, context })))
    }
}

/// A custom recognizer ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Compiled(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    entity: Entity,
    regex: Regex,
    score: f64,
    check: Option<Check>,
    context: Vec<String>,
}

impl Compiled {
    pub(crate) fn entity(&self) -> Entity {
        self.0.entity
    }

    pub(crate) fn context(&self) -> &[String] {
        &self.0.context
    }

    /// Calls back with start, end, score and whether a checksum confirmed it, for each match in `from..until`.
    pub(crate) fn find(&self, text: &str, from: usize, until: usize, mut found: impl FnMut(usize, usize, f64, bool)) {
        let Some(visible) = text.get(..until) else { return };
        for hit in self.0.regex.find_iter(Input::new(visible).range(from..until)) {
            let Some(matched) = visible.get(hit.range()).filter(|matched| !matched.is_empty()) else { continue };
            // Line ends are no part of a value.
            let end = hit.start() + matched.trim_end_matches(['\n', '\r']).len();
            match self.0.check.map(|check| check(matched)) {
                Some(Verdict::Invalid) => {}
                Some(Verdict::Valid) => found(hit.start(), end, 1.0, true),
                Some(Verdict::Unknown) | None => found(hit.start(), end, self.0.score, false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(entity: &str, pattern: &str) -> CustomRecognizer {
        let (entity, pattern) = (entity.to_string(), pattern.to_string());
        CustomRecognizer { entity, pattern, score: 0.5, checksum: None, context: Vec::new() }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        let good = custom("CUSTOM_BADGE", "B-[0-9]{4}");
        assert_eq!(good.validate(), Ok(()));
        for (bad, field) in [
            (custom("BADGE", "x"), "entity: \"BADGE\""),
            (custom("CUSTOM_BADGE", "("), "pattern: \"(\""),
            (custom("CUSTOM_BADGE", "(?=x)"), "pattern: "),
            (custom("CUSTOM_BADGE", "x*"), "pattern: \"x*\" matches the empty text"),
            (CustomRecognizer { score: 0.0, ..good.clone() }, "score: 0"),
            (CustomRecognizer { score: f64::NAN, ..good.clone() }, "score: NaN"),
            (
                CustomRecognizer { checksum: Some("crc".into()), ..good.clone() },
                "checksum: \"crc\" is not known: use one of aba, ",
            ),
            (CustomRecognizer { context: vec!["badge".into(), "#".into()], ..good.clone() }, "context[1]: \"#\""),
        ] {
            let message = bad.validate().map_err(|error| error.to_string()).unwrap_err();
            assert!(message.starts_with(field), "{message}");
        }
    }
}
