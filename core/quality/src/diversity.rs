//! How much texts of one set repeat each other.

use std::collections::HashSet;

use crate::set::Scored;
use crate::text::{white, words};
use crate::translation::Bleu;

/// What counts as a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Words {
    /// What white space separates: the definition of the papers. Of Chinese or Thai it makes whole sentences.
    #[default]
    Spaces,
    /// Words of every script, single characters where a script has no spaces.
    Scripts,
}

/// Distinct n-grams per n-gram of a set of texts (Li et al. 2016), 0 to 1, higher is more varied; `None` where no text is there. A set without
/// any n-gram is at 0, as in the reference script.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub fn distinct<'a>(texts: impl IntoIterator<Item = Option<&'a str>>, n: usize, words: Words) -> Scored<f64> {
    let (mut seen, mut total, mut there, mut missing) = (HashSet::new(), 0_u64, 0, 0);
    for text in texts {
        let Some(text) = text else {
            missing += 1;
            continue;
        };
        there += 1;
        let tokens: Vec<String> = match words {
            Words::Spaces => white::words(text).map(str::to_owned).collect(),
            Words::Scripts => words::script_words(text),
        };
        for gram in tokens.windows(n.max(1)) {
            total += 1;
            if !seen.contains(gram) {
                seen.insert(gram.to_vec());
            }
        }
    }
    let share = if total > 0 { seen.len() as f64 / total as f64 } else { 0.0 };
    Scored { score: (there > 0).then_some(share), n: there, missing }
}

/// Mean BLEU of each text against all others (Zhu et al. 2018, Texygen), 0 to 100, lower is more varied. `bleu` is usually with
/// `effective_order`. Missing texts are left out; `None` below two texts.
pub fn self_bleu<'a>(bleu: &Bleu, texts: impl IntoIterator<Item = Option<&'a str>>) -> Scored<f64> {
    let (mut there, mut missing) = (Vec::new(), 0);
    for text in texts {
        match text {
            Some(text) => there.push(text),
            None => missing += 1,
        }
    }
    let score = |at: usize| {
        let others: Vec<&str> =
            there.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, text)| *text).collect();
        (!others.is_empty()).then(|| bleu.sentence(there[at], &others).score)
    };
    let scored = Scored::mean((0..there.len()).map(score));
    Scored { score: scored.score, n: there.len() as u64, missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetition_lowers_distinctness() {
        let scored = distinct([Some("a b a b"), None], 2, Words::Spaces);
        assert_eq!(scored, Scored { score: Some(2.0 / 3.0), n: 1, missing: 1 });
        assert_eq!(distinct([Some("你好你好")], 1, Words::Scripts).score, Some(0.5));
        assert_eq!(distinct([Some("a")], 2, Words::Spaces).score, Some(0.0));
        assert_eq!(distinct([None], 2, Words::Spaces).score, None);
        let bleu = Bleu { effective_order: true, ..Bleu::default() };
        assert!((self_bleu(&bleu, [Some("a b c d"), Some("a b c d")]).score.unwrap() - 100.0).abs() < 1e-9);
        assert_eq!(self_bleu(&bleu, [Some("a")]).score, None);
    }
}
