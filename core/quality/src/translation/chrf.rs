use std::borrow::Cow;

use crate::set::Scored;
use crate::text::intern::{Interner, Numbers};
use crate::text::white;
use crate::text::words::lower;

use super::{NGrams, Overlap};

/// chrF (Popović 2015) and chrF++ (Popović 2017) exactly as sacrebleu 2.6.0 computes them, 0 to 100, higher is better.
///
/// Character n-grams make it the metric of choice for Chinese, Japanese and Thai, where words cannot be told apart by spaces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChrF {
    /// Highest order of character n-grams.
    pub char_order: usize,
    /// Highest order of word n-grams; 2 is chrF++.
    pub word_order: usize,
    /// How much more recall weighs than precision.
    pub beta: f64,
    /// Compare in lower case.
    pub lowercase: bool,
    /// Keep white space in character n-grams.
    pub whitespace: bool,
    /// Average the F-scores of all orders, empty ones as 1e-16 (chrF++.py, Moses), instead of leaving out orders that a text is too
    /// short for.
    pub eps_smoothing: bool,
}

/// What a text adds to a corpus score; adding is exact, associative and commutative.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChrFStatistics {
    orders: Vec<[u64; 3]>,
}

impl Default for ChrF {
    fn default() -> Self {
        Self { char_order: 6, word_order: 0, beta: 2.0, lowercase: false, whitespace: false, eps_smoothing: false }
    }
}

impl ChrF {
    /// chrF++: characters up to 6, words up to 2, beta 2.
    #[must_use]
    pub fn plus_plus() -> Self {
        Self { word_order: 2, ..Self::default() }
    }

    /// The score of one text, best reference; 0 without references.
    #[must_use]
    pub fn sentence<S: AsRef<str>>(&self, hypothesis: &str, references: &[S]) -> f64 {
        self.score(&self.statistics(hypothesis, references))
    }

    /// The score of a corpus from summed statistics. Items without a text or without a reference are missing.
    pub fn corpus<'a, S: AsRef<str> + 'a>(
        &self,
        items: impl IntoIterator<Item = (Option<&'a str>, &'a [S])>,
    ) -> Scored<f64> {
        let mut sum = ChrFStatistics::default();
        let scored = Scored::gather(items, |hypothesis, references| sum.add(&self.statistics(hypothesis, references)));
        scored.map(|| self.score(&sum))
    }

    /// What one text adds to a corpus: its counts against the reference that scores best.
    #[must_use]
    pub fn statistics<S: AsRef<str>>(&self, hypothesis: &str, references: &[S]) -> ChrFStatistics {
        let prepare = |text| if self.lowercase { lower(text) } else { Cow::Borrowed(text) };
        let hypothesis = prepare(hypothesis);
        let references: Vec<Cow<'_, str>> = references.iter().map(|reference| prepare(reference.as_ref())).collect();
        let characters = self.characters(&hypothesis, &references);
        let words = if self.word_order > 0 { self.words(&hypothesis, &references) } else { Vec::new() };
        let mut best: Option<(f64, ChrFStatistics)> = None;
        let (mut overlaps, mut word_overlaps) = (Vec::new(), Vec::new());
        for at in 1..=references.len() {
            characters[0].overlap(&characters[at], &mut overlaps);
            if self.word_order > 0 {
                words[0].overlap(&words[at], &mut word_overlaps);
            }
            let orders = overlaps.iter().chain(&word_overlaps).map(Self::counts).collect();
            let statistics = ChrFStatistics { orders };
            let score = self.score(&statistics);
            if best.as_ref().is_none_or(|(held, _)| score > *held) {
                best = Some((score, statistics));
            }
        }
        best.map_or_else(ChrFStatistics::default, |(_, statistics)| statistics)
    }

    /// The score that follows from summed statistics.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn score(&self, statistics: &ChrFStatistics) -> f64 {
        const EPS: f64 = 1e-16;
        let factor = self.beta * self.beta;
        let (mut sum, mut effective, mut precisions, mut recalls) = (0.0, 0.0, 0.0, 0.0);
        for [hypothesis, reference, matches] in &statistics.orders {
            let share = |of: u64| if of > 0 { *matches as f64 / of as f64 } else { EPS };
            let (precision, recall) = (share(*hypothesis), share(*reference));
            let denominator = factor * precision + recall;
            sum += if denominator > 0.0 { (1.0 + factor) * precision * recall / denominator } else { EPS };
            if *hypothesis > 0 && *reference > 0 {
                precisions += precision;
                recalls += recall;
                effective += 1.0;
            }
        }
        if self.eps_smoothing {
            return 100.0 * sum / (self.char_order + self.word_order).max(1) as f64;
        }
        if effective == 0.0 || precisions + recalls == 0.0 {
            return 0.0;
        }
        let (precision, recall) = (precisions / effective, recalls / effective);
        100.0 * ((1.0 + factor) * precision * recall / (factor * precision + recall))
    }

    /// sacrebleu's signature. `references`: how many each text has, `None` when it varies.
    #[must_use]
    pub fn signature(&self, references: Option<usize>) -> String {
        let yes = |set: bool| if set { "yes" } else { "no" };
        format!(
            "nrefs:{}|case:{}|eff:{}|nc:{}|nw:{}|space:{}|version:{}",
            references.map_or("var".to_owned(), |n| n.to_string()),
            if self.lowercase { "lc" } else { "mixed" },
            yes(!self.eps_smoothing),
            self.char_order,
            self.word_order,
            yes(self.whitespace),
            super::SACREBLEU_VERSION,
        )
    }

    /// A hypothesis of some order counts only against references that have that order.
    fn counts(overlap: &Overlap) -> [u64; 3] {
        let hypothesis = if overlap.reference > 0 { overlap.hypothesis } else { 0 };
        [hypothesis, overlap.reference, overlap.matches]
    }

    /// The character n-grams of the hypothesis and of each reference.
    fn characters(&self, hypothesis: &str, references: &[Cow<'_, str>]) -> Vec<NGrams> {
        let texts: Vec<Vec<u32>> = std::iter::once(hypothesis)
            .chain(references.iter().map(AsRef::as_ref))
            .map(|text| {
                let mut symbols = Vec::new();
                if text.is_ascii() {
                    // Each is written, and those that stay are written over by none: quicker than a branch.
                    symbols.resize(text.len(), 0);
                    let mut kept = 0;
                    for byte in text.bytes() {
                        symbols[kept] = u32::from(byte) + 1;
                        kept += usize::from(self.whitespace || !white::is_white_byte(byte));
                    }
                    symbols.truncate(kept);
                } else {
                    symbols
                        .extend(text.chars().filter(|c| self.whitespace || !white::is_white(*c)).map(|c| c as u32 + 1));
                }
                symbols
            })
            .collect();
        let largest = texts.iter().flatten().copied().max().unwrap_or(1);
        // Wide alphabets are numbered through, so that an n-gram fits into 64 bits; narrow ones fit as they are.
        let (texts, largest) =
            if self.char_order * 10 < 64 && largest >= 1 << 10 { dense(texts, largest) } else { (texts, largest) };
        texts.iter().map(|text| NGrams::new(text, largest, self.char_order)).collect()
    }

    fn words(&self, hypothesis: &str, references: &[Cow<'_, str>]) -> Vec<NGrams> {
        let mut interner = Interner::with_capacity(hypothesis.len() / 4 + 8);
        let texts: Vec<Vec<u32>> = std::iter::once(hypothesis)
            .chain(references.iter().map(AsRef::as_ref))
            .map(|text| {
                let mut ids = Vec::new();
                for word in white::words(text) {
                    for part in apart(word) {
                        ids.extend((!part.is_empty()).then(|| interner.id(part.as_bytes())));
                    }
                }
                ids
            })
            .collect();
        let largest = u32::try_from(interner.len()).unwrap_or(u32::MAX);
        texts.iter().map(|text| NGrams::new(text, largest, self.word_order)).collect()
    }
}

impl ChrFStatistics {
    /// Adds the statistics of another text or part of the corpus, made with the same settings.
    pub fn add(&mut self, other: &Self) {
        self.orders.resize(self.orders.len().max(other.orders.len()), [0; 3]);
        for (sum, counts) in self.orders.iter_mut().zip(&other.orders) {
            sum.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
        }
    }
}

/// Renumbers the characters from 1 up.
fn dense(mut texts: Vec<Vec<u32>>, largest: u32) -> (Vec<Vec<u32>>, u32) {
    let mut numbers = Numbers::with_capacity(texts.iter().map(Vec::len).sum());
    let mut most = 1;
    for symbol in texts.iter_mut().flatten() {
        *symbol = numbers.id(*symbol);
        most = most.max(*symbol);
    }
    debug_assert!(most <= largest);
    (texts, most)
}

/// Punctuation off the end of a word, or else off its beginning; of `(hi)` only the last goes, as in the reference.
fn apart(word: &str) -> [&str; 2] {
    let mut characters = word.chars();
    let (first, last) = (characters.next(), characters.next_back());
    match (first, last) {
        (Some(_), Some(last)) if last.is_ascii_punctuation() => word.split_at(word.len() - 1).into(),
        (Some(first), Some(_)) if first.is_ascii_punctuation() => word.split_at(1).into(),
        _ => [word, ""],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_goes_off_one_end() {
        assert_eq!(apart("(hi)"), ["(hi", ")"]);
        assert_eq!(apart("(hi"), ["(", "hi"]);
        assert_eq!(apart("."), [".", ""]);
        assert_eq!(apart("é"), ["é", ""]);
        assert_eq!(apart("「x」"), ["「x」", ""]);
    }
}
