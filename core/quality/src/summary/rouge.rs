use crate::text::intern::Interner;
use crate::text::porter::stem;
use crate::text::words::{ascii_words, script_words};
use crate::translation::{NGrams, Overlap};

use super::lcs;

/// How ROUGE cuts a text into words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RougeTokens {
    /// rouge-score's: runs of `a-z0-9` after lowering. Text of other scripts has no words.
    #[default]
    Reference,
    /// Ours, for every script: words of letters and digits; single characters where a script has no spaces (Chinese, Japanese, Thai,
    /// Lao, Khmer, Myanmar, Tibetan); emoji. Not comparable with published ROUGE figures.
    Scripts,
}

/// ROUGE-1, -2, -L and -Lsum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rouge {
    /// Compare stems (nltk's Porter) of words longer than three characters.
    pub stemmer: bool,
    /// How texts are cut.
    pub tokens: RougeTokens,
}

/// Precision, recall and their harmonic mean, each 0 to 1, higher is better.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prf {
    /// Share of the hypothesis that is in the reference.
    pub precision: f64,
    /// Share of the reference that is in the hypothesis.
    pub recall: f64,
    /// Their harmonic mean; 0 when both are.
    pub f: f64,
}

/// The scores of one text against one reference, or of each sort against the reference that is best for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RougeScores {
    /// Single words.
    pub rouge1: Prf,
    /// Pairs of words.
    pub rouge2: Prf,
    /// Longest common subsequence.
    pub rouge_l: Prf,
    /// Union of longest common subsequences by line (Lin 2004, section 3.2): lines are sentences.
    pub rouge_lsum: Prf,
}

impl Default for Rouge {
    fn default() -> Self {
        Self { stemmer: true, tokens: RougeTokens::default() }
    }
}

impl Rouge {
    /// The scores against one reference.
    #[must_use]
    pub fn score(&self, hypothesis: &str, reference: &str) -> RougeScores {
        let (hypothesis, reference) = (self.lines(hypothesis), self.lines(reference));
        let mut interner = Interner::with_capacity(64);
        let (hypothesis, reference) = (numbered(&hypothesis, &mut interner), numbered(&reference, &mut interner));
        let largest = u32::try_from(interner.len()).unwrap_or(u32::MAX);
        let (own, other) = (hypothesis.concat(), reference.concat());
        let mut overlaps = Vec::new();
        NGrams::new(&own, largest, 2).overlap(&NGrams::new(&other, largest, 2), &mut overlaps);
        let of_order = |n: usize| {
            let Overlap { hypothesis, reference, matches } = overlaps.get(n).copied().unwrap_or_default();
            Prf::of(matches, hypothesis, reference)
        };
        let common = lcs::length(&other, &own) as u64;
        let longest = Prf::of(common, own.len() as u64, other.len() as u64);
        let lines = |text: &[Vec<u32>]| text.iter().filter(|line| !line.is_empty()).count();
        // With a single line on either side the union is the one subsequence.
        let summed = if lines(&hypothesis) <= 1 && lines(&reference) <= 1 {
            longest
        } else {
            Prf::of(union_hits(&hypothesis, &reference, largest), own.len() as u64, other.len() as u64)
        };
        RougeScores { rouge1: of_order(0), rouge2: of_order(1), rouge_l: longest, rouge_lsum: summed }
    }

    /// For each sort the scores of the reference with the highest F; all zero without references.
    #[must_use]
    pub fn best<S: AsRef<str>>(&self, hypothesis: &str, references: &[S]) -> RougeScores {
        let all: Vec<RougeScores> =
            references.iter().map(|reference| self.score(hypothesis, reference.as_ref())).collect();
        let best = |part: fn(&RougeScores) -> Prf| {
            all.iter().map(part).fold(None, |held: Option<Prf>, score| match held {
                Some(held) if held.f >= score.f => Some(held),
                _ => Some(score),
            })
        };
        RougeScores {
            rouge1: best(|scores| scores.rouge1).unwrap_or_default(),
            rouge2: best(|scores| scores.rouge2).unwrap_or_default(),
            rouge_l: best(|scores| scores.rouge_l).unwrap_or_default(),
            rouge_lsum: best(|scores| scores.rouge_lsum).unwrap_or_default(),
        }
    }

    /// The words of each line. (A line end separates words in every tokenizer, so the words of the text are those of its lines.)
    fn lines(&self, text: &str) -> Vec<Vec<String>> {
        let cut = match self.tokens {
            RougeTokens::Reference => ascii_words,
            RougeTokens::Scripts => script_words,
        };
        let stems = |word: String| if self.stemmer && word.chars().nth(3).is_some() { stem(&word) } else { word };
        text.split('\n')
            .map(|line| cut(line).into_iter().map(stems).filter(|word| !word.is_empty()).collect())
            .collect()
    }
}

impl Prf {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    fn of(matches: u64, hypothesis: u64, reference: u64) -> Self {
        let share = |of: u64| matches as f64 / of.max(1) as f64;
        let (precision, recall) = (share(hypothesis), share(reference));
        let f = if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
        Self { precision, recall, f }
    }
}

fn numbered<'a>(lines: &'a [Vec<String>], interner: &mut Interner<'a>) -> Vec<Vec<u32>> {
    lines.iter().map(|line| line.iter().map(|word| interner.id(word.as_bytes())).collect()).collect()
}

/// Words of the reference that are in the union of its lines' common subsequences with the lines of the hypothesis, each word counted at
/// most as often as it occurs on either side.
fn union_hits(hypothesis: &[Vec<u32>], reference: &[Vec<u32>], largest: u32) -> u64 {
    let count = |lines: &[Vec<u32>]| {
        let mut counts = vec![0_u32; largest as usize + 1];
        lines.iter().flatten().for_each(|word| counts[*word as usize] += 1);
        counts
    };
    let (mut left, mut right) = (count(hypothesis), count(reference));
    let mut hits = 0;
    for line in reference {
        let mut common = vec![false; line.len()];
        for other in hypothesis {
            for position in lcs::positions(line, other) {
                common[position] = true;
            }
        }
        for (word, _) in line.iter().zip(&common).filter(|(_, common)| **common) {
            let (left, right) = (&mut left[*word as usize], &mut right[*word as usize]);
            if *left > 0 && *right > 0 {
                hits += 1;
                *left -= 1;
                *right -= 1;
            }
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_without_spaces_need_their_own_words() {
        let reference = Rouge::default();
        assert_eq!(reference.score("东京是首都", "东京是首都").rouge_l.f, 0.0);
        let scripts = Rouge { tokens: RougeTokens::Scripts, ..reference };
        assert_eq!(scripts.score("东京是首都", "东京是首都").rouge_l.f, 1.0);
        assert!((scripts.score("สวัสดี", "สวัสดิ").rouge1.f - 0.75).abs() < 1e-12);
    }

    #[test]
    fn lines_are_sentences() {
        let scores = Rouge::default().score("the dog ran\nthe cat sat", "the cat sat\nthe dog ran");
        assert_eq!(scores.rouge_lsum.f, 1.0);
        assert!(scores.rouge_l.f < 1.0);
        assert_eq!(Rouge::default().best("a b", &[] as &[&str]), RougeScores::default());
    }
}
