//! Marks for single answers.
//!
//! A mark is between 0 and 1 and is given against the best of several references. An engine that gave no answer has no
//! mark: that is for the caller to keep as missing, an empty text is an answer and is marked as one.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use crate::Grader;

/// The mark of `prediction` by `grader`, best reference; 0 without references.
#[must_use]
pub fn grade<S: AsRef<str>>(grader: Grader, prediction: &str, references: &[S]) -> f64 {
    match grader {
        Grader::ExactMatch => exact_match(prediction, references),
        Grader::TokenF1 => token_f1(prediction, references),
    }
}

/// 1 when the prediction equals a reference after [`normalise_answer`], else 0 (SQuAD, Rajpurkar et al. 2016).
#[must_use]
pub fn exact_match<S: AsRef<str>>(prediction: &str, references: &[S]) -> f64 {
    let prediction = normalise_answer(prediction);
    let equal = references.iter().any(|reference| normalise_answer(reference.as_ref()) == prediction);
    f64::from(u8::from(equal))
}

/// Harmonic mean of precision and recall over the words of prediction and reference after [`normalise_answer`], best
/// reference. Two answers without words are equal (1), one without words overlaps with nothing (0): SQuAD 2.0.
#[must_use]
pub fn token_f1<S: AsRef<str>>(prediction: &str, references: &[S]) -> f64 {
    let prediction = normalise_answer(prediction);
    references.iter().map(|reference| overlap(&prediction, &normalise_answer(reference.as_ref()))).fold(0.0, f64::max)
}

/// Bits per byte of reference text: -(sum of ln p) / (bytes ln 2), as in lm-evaluation-harness. `total_logprob` is the sum
/// of the tokens' natural log-probabilities, `bytes` the UTF-8 length of the text. `None` when the text is empty or the
/// sum is not finite: no figure is better than a made-up one.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "texts stay far below 2^53 bytes")]
pub fn bits_per_byte(total_logprob: f64, bytes: u64) -> Option<f64> {
    (bytes > 0 && total_logprob.is_finite()).then(|| -total_logprob / (bytes as f64 * std::f64::consts::LN_2))
}

/// SQuAD's normalisation: lower case, ASCII punctuation and the articles a, an, the taken out, whitespace collapsed; before
/// it NFC, so that two encodings of the same letter are the same. Text of scripts without articles or spaces stays as it is.
#[must_use]
pub fn normalise_answer(text: &str) -> String {
    let kept: String = text.nfc().collect::<String>().to_lowercase();
    let kept: String = kept.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    without_articles(&kept).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Replaces whole-word articles by a space; a word is a run of letters and digits, whatever stands around it.
fn without_articles(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word_end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(word_end);
        out.push_str(if matches!(word, "a" | "an" | "the") { " " } else { word });
        let gap_end = tail.find(char::is_alphanumeric).unwrap_or(tail.len());
        let (gap, tail) = tail.split_at(gap_end);
        out.push_str(gap);
        rest = tail;
    }
    out
}

#[expect(clippy::cast_precision_loss, reason = "answers stay far below 2^53 words")]
pub(crate) fn overlap(prediction: &str, reference: &str) -> f64 {
    let predicted: Vec<&str> = prediction.split_whitespace().collect();
    let expected: Vec<&str> = reference.split_whitespace().collect();
    if predicted.is_empty() || expected.is_empty() {
        return f64::from(u8::from(predicted.is_empty() && expected.is_empty()));
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in &expected {
        *left.entry(word).or_default() += 1;
    }
    let mut same = 0_usize;
    for word in &predicted {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            same += 1;
        }
    }
    if same == 0 {
        return 0.0;
    }
    let precision = same as f64 / predicted.len() as f64;
    let recall = same as f64 / expected.len() as f64;
    2.0 * precision * recall / (precision + recall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_normalised_as_in_squad() {
        assert_eq!(normalise_answer("  The Eiffel-Tower, a tower!  "), "eiffeltower tower");
        assert_eq!(normalise_answer("Theatre an-other"), "theatre another");
        assert_eq!(normalise_answer("北京是中国的首都。"), "北京是中国的首都。");
        assert_eq!(normalise_answer("cafe\u{301}"), normalise_answer("CAFÉ"));
    }

    #[test]
    fn best_reference_counts() {
        assert_eq!(exact_match("EUR", &["HRK", "eur."]), 1.0);
        assert_eq!(exact_match("EUR", &[] as &[&str]), 0.0);
        assert!((token_f1("the euro and kuna", &["euro", "kuna and euro coins"]) - 6.0 / 7.0).abs() < 1e-12);
        assert_eq!(grade(Grader::TokenF1, "", &["", "x"]), 1.0);
    }

    #[test]
    fn no_bits_without_bytes() {
        assert_eq!(bits_per_byte(-1.0, 0), None);
        assert_eq!(bits_per_byte(f64::NEG_INFINITY, 4), None);
        assert_eq!(bits_per_byte(-8.0 * std::f64::consts::LN_2, 8), Some(1.0));
    }
}
