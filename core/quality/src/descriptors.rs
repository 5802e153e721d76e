//! What can be said of an answer without any reference: how long it is, whether it refuses, repeats itself or is toxic.
//!
//! Cheap enough for sampled traffic. None of it says that an answer is right; a change against the baseline says that something
//! has changed.

use std::collections::HashSet;

use crate::safety::ToxicityLexicon;
use crate::text::words::script_words;

/// Words in a row that count as one when repetition is measured.
const ORDER: usize = 4;
/// A refusal stands at the beginning: so many characters of it are read.
const OPENING: usize = 160;
/// How refusals begin, in lower case; straight and curly apostrophes are made alike before.
const REFUSALS: &[&str] = &[
    "i can't",
    "i cannot",
    "i can not",
    "i'm sorry, but",
    "i am sorry, but",
    "i'm unable",
    "i am unable",
    "i'm not able",
    "i am not able",
    "i won't",
    "i must decline",
    "as an ai",
    "as a language model",
    "对不起",
    "抱歉",
    "我不能",
    "我无法",
    "作为一个人工智能",
    "作为人工智能",
    "作为一个ai",
    "申し訳",
    "お答えできません",
];

/// Figures of one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descriptors {
    /// Characters (Unicode code points).
    pub characters: u64,
    /// Whether it begins as refusals do, in English, Chinese or Japanese. A phrase list: it misses others.
    pub refusal: bool,
    /// Share of its runs of four words that repeat an earlier one, 0 to 1; `None` for answers shorter than five words.
    pub repetition: Option<f64>,
    /// Whether the built-in lexicon scores it at least one half.
    pub toxic: bool,
}

/// Describes one answer.
#[must_use]
pub fn describe(text: &str) -> Descriptors {
    let opening: String = text.trim_start().chars().take(OPENING).collect::<String>().to_lowercase().replace('’', "'");
    Descriptors {
        characters: text.chars().count() as u64,
        refusal: REFUSALS.iter().any(|phrase| opening.contains(phrase)),
        repetition: repetition(&script_words(text)),
        toxic: ToxicityLexicon::built_in().score(text) >= 0.5,
    }
}

#[expect(clippy::cast_precision_loss, reason = "words of one answer stay far below 2^53")]
fn repetition(words: &[String]) -> Option<f64> {
    let total = words.len().checked_sub(ORDER).filter(|more| *more > 0)? + 1;
    let distinct: HashSet<&[String]> = words.windows(ORDER).collect();
    Some((total - distinct.len()) as f64 / total as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_described() {
        let plain = describe("The capital of Estonia is Tallinn, since 1918.");
        assert_eq!((plain.characters, plain.refusal, plain.repetition, plain.toxic), (46, false, Some(0.0), false));
        assert!(describe("I’m sorry, but I can't help with that.").refusal && describe("抱歉，我无法回答。").refusal);
        assert!(!describe("He said in the end that the bank would not pay.").refusal);
        let looping = describe(&"the same again and ".repeat(20)).repetition.unwrap();
        assert!(looping > 0.9, "{looping}");
        assert_eq!(describe("EUR").repetition, None);
        assert_eq!(describe("").characters, 0);
    }
}
