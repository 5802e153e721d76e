//! What log-probabilities say: perplexity by token, word and byte, and bits per byte, as lm-evaluation-harness defines them.
//!
//! Perplexities by token compare only models with the same tokenizer; by word only texts whose words are separated by spaces (a Chinese text
//! is one word). Bits per byte compare always, which is why they are what the registry names.

use crate::text::white;

/// Perplexities of one text, each 1 or more (lower is better), and bits per byte.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likelihood {
    /// exp(-mean ln p) over tokens.
    pub token_perplexity: f64,
    /// exp(-sum ln p / words).
    pub word_perplexity: f64,
    /// exp(-sum ln p / bytes).
    pub byte_perplexity: f64,
    /// -sum ln p / (bytes ln 2).
    pub bits_per_byte: f64,
    /// Words as `re.split(r"\s+", text)` counts them: one more than there are runs of white space.
    pub words: u64,
    /// UTF-8 bytes.
    pub bytes: u64,
}

/// The figures of `text` under its tokens' natural log-probabilities. `None` when the text is empty, there are no tokens, or a log-probability is
/// missing or not finite: no figure is better than a made-up one.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "texts stay far below 2^53 bytes")]
pub fn likelihood(text: &str, logprobs: &[Option<f64>]) -> Option<Likelihood> {
    let mut sum = 0.0;
    for logprob in logprobs {
        sum += (*logprob).filter(|logprob| logprob.is_finite())?;
    }
    let bytes = text.len() as u64;
    let bits_per_byte = crate::grade::bits_per_byte(sum, bytes)?;
    let words = words(text);
    (!logprobs.is_empty()).then(|| Likelihood {
        token_perplexity: (-sum / logprobs.len() as f64).exp(),
        word_perplexity: (-sum / words as f64).exp(),
        byte_perplexity: (-sum / bytes as f64).exp(),
        bits_per_byte,
        words,
        bytes,
    })
}

fn words(text: &str) -> u64 {
    let (mut runs, mut within) = (0, false);
    for character in text.chars() {
        let white = white::is_white(character);
        runs += u64::from(white && !within);
        within = white;
    }
    runs + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_agree_with_each_other() {
        let ln2 = std::f64::consts::LN_2;
        let found = likelihood("ab cd", &[Some(-2.0 * ln2), Some(-3.0 * ln2)]).unwrap();
        assert!((found.bits_per_byte - 1.0).abs() < 1e-12 && (found.byte_perplexity - 2.0).abs() < 1e-12);
        assert_eq!((found.words, found.bytes), (2, 5));
        assert_eq!(words(" a "), 3);
        assert_eq!(likelihood("x", &[Some(-1.0), None]), None);
        assert_eq!(likelihood("", &[Some(-1.0)]), None);
        assert_eq!(likelihood("x", &[]), None);
    }
}
