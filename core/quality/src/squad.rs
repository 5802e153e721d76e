//! SQuAD's exact match and F1, to the letter of the official scripts (Rajpurkar et al. 2016, 2018).
//!
//! [`crate::grade`] is what the product marks answers with: the same, but two encodings of one letter are equal there.

use crate::text::classes::{self, WORD};
use crate::text::white;

/// Which edition's rule holds for empty answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// 1.1: without a common word the F1 is 0, also of two empty answers.
    One,
    /// 2.0: two answers without words are equal (1).
    Two,
}

/// Lower case, ASCII punctuation and the words a, an, the taken out, white space collapsed.
#[must_use]
pub fn normalise(text: &str) -> String {
    let mut kept = text.to_lowercase();
    kept.retain(|c| !c.is_ascii_punctuation());
    white::collapse(&without_articles(&kept))
}

/// 1 when the answer equals a reference after [`normalise`], else 0.
#[must_use]
pub fn exact_match<S: AsRef<str>>(answer: &str, references: &[S]) -> f64 {
    let answer = normalise(answer);
    f64::from(u8::from(references.iter().any(|reference| normalise(reference.as_ref()) == answer)))
}

/// Harmonic mean of precision and recall over words after [`normalise`], best reference; 0 without references.
#[must_use]
pub fn f1<S: AsRef<str>>(answer: &str, references: &[S], edition: Edition) -> f64 {
    let answer = normalise(answer);
    references.iter().map(|reference| of_one(&answer, &normalise(reference.as_ref()), edition)).fold(0.0, f64::max)
}

fn of_one(answer: &str, reference: &str, edition: Edition) -> f64 {
    if edition == Edition::One && answer.is_empty() {
        return 0.0;
    }
    crate::grade::overlap(answer, reference)
}

/// `\b(a|an|the)\b` by a space, with Python's idea of a word.
fn without_articles(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for character in text.chars() {
        if classes::is(character, WORD) {
            word.push(character);
            continue;
        }
        close(&mut out, &mut word);
        out.push(character);
    }
    close(&mut out, &mut word);
    out
}

fn close(out: &mut String, word: &mut String) {
    out.push_str(if matches!(word.as_str(), "a" | "an" | "the") { " " } else { word });
    word.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editions_differ_on_empty_answers() {
        assert_eq!(normalise(" The Eiffel-Tower, a tower! "), "eiffeltower tower");
        assert_eq!(normalise("a\u{301} b"), "\u{301} b");
        assert_eq!(f1("the", &["an"], Edition::One), 0.0);
        assert_eq!(f1("the", &["an"], Edition::Two), 1.0);
        assert_eq!(exact_match("The answer", &["x", "answer."]), 1.0);
    }
}
