use std::borrow::Cow;

use crate::set::Scored;
use crate::text::intern::Interner;
use crate::text::{white, words};

use super::{BleuTokenizer, NGrams};

/// BLEU (Papineni et al. 2002) exactly as sacrebleu 2.6.0 computes it, 0 to 100, higher is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bleu {
    /// How texts are cut.
    pub tokenizer: BleuTokenizer,
    /// What happens to orders without a match.
    pub smoothing: Smoothing,
    /// Compare in lower case.
    pub lowercase: bool,
    /// Leave out orders that the hypothesis is too short for; wanted for single sentences, off for corpora.
    pub effective_order: bool,
    /// Highest n-gram order, at least 1; 4 is BLEU.
    pub max_order: usize,
}

/// Smoothing of n-gram precisions (Chen and Cherry 2014).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Smoothing {
    /// No smoothing: an order without a match makes the score 0.
    None,
    /// This instead of zero matches; sacrebleu's default is 0.1.
    Floor(f64),
    /// This added to matches and totals of the orders above 1; sacrebleu's default is 1.
    AddK(f64),
    /// Each further order without a match counts half as much (mteval-v13a).
    #[default]
    Exp,
}

/// What sentences add to a corpus score; adding is exact, associative and commutative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BleuStatistics {
    /// Tokens of the hypotheses.
    pub hypothesis_length: u64,
    /// Tokens of the references of closest length.
    pub reference_length: u64,
    /// Matched n-grams of order 1, 2, ...
    pub matches: Vec<u64>,
    /// N-grams of the hypotheses of order 1, 2, ...
    pub totals: Vec<u64>,
}

/// A BLEU score with its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct BleuScore {
    /// 0 to 100.
    pub score: f64,
    /// Matched n-grams by order, with what add-k added.
    pub counts: Vec<f64>,
    /// N-grams of the hypothesis by order, with what add-k added.
    pub totals: Vec<f64>,
    /// Precisions in percent by order, smoothed.
    pub precisions: Vec<f64>,
    /// Brevity penalty, 0 to 1.
    pub brevity_penalty: f64,
    /// Tokens of the hypothesis.
    pub hypothesis_length: u64,
    /// Tokens of the reference of closest length.
    pub reference_length: u64,
}

impl Default for Bleu {
    fn default() -> Self {
        Self {
            tokenizer: BleuTokenizer::default(),
            smoothing: Smoothing::default(),
            lowercase: false,
            effective_order: false,
            max_order: 4,
        }
    }
}

impl Bleu {
    /// The score of one text against its references. With no reference nothing matches and the score is 0.
    #[must_use]
    pub fn sentence<S: AsRef<str>>(&self, hypothesis: &str, references: &[S]) -> BleuScore {
        self.score(&self.statistics(hypothesis, references))
    }

    /// The score of a corpus: n-grams are counted over all texts before precisions are taken. Items without a text or without a
    /// reference are missing and leave the score alone; `None` when nothing was there.
    pub fn corpus<'a, S: AsRef<str> + 'a>(
        &self,
        items: impl IntoIterator<Item = (Option<&'a str>, &'a [S])>,
    ) -> Scored<BleuScore> {
        let mut sum = BleuStatistics::empty(self.max_order);
        let scored = Scored::gather(items, |hypothesis, references| sum.add(&self.statistics(hypothesis, references)));
        scored.map(|| self.score(&sum))
    }

    /// What one text adds to a corpus.
    #[must_use]
    pub fn statistics<S: AsRef<str>>(&self, hypothesis: &str, references: &[S]) -> BleuStatistics {
        let order = self.max_order.max(1);
        let prepared: Vec<Cow<'_, str>> = std::iter::once(hypothesis)
            .chain(references.iter().map(AsRef::as_ref))
            .map(|text| self.prepare(text))
            .collect();
        let mut interner = Interner::with_capacity(hypothesis.len() / 4 + 8);
        let mut numbered = prepared.iter().map(|text| {
            let mut ids = Vec::with_capacity(text.len() / 4 + 4);
            self.tokenizer.each(text, |token| ids.push(interner.id(token.as_bytes())));
            ids
        });
        let own = numbered.next().unwrap_or_default();
        let others: Vec<Vec<u32>> = numbered.collect();
        let largest = u32::try_from(interner.len()).unwrap_or(u32::MAX);
        let make = |symbols: &Vec<u32>| NGrams::new(symbols, largest, order);
        let grams: Vec<NGrams> = others.iter().map(make).collect();
        let length = own.len() as u64;
        let closest =
            others.iter().map(|other| other.len() as u64).min_by_key(|other| (other.abs_diff(length), *other));
        BleuStatistics {
            hypothesis_length: length,
            reference_length: closest.unwrap_or(0),
            matches: make(&own).clipped(&grams),
            totals: (1..=order).map(|n| super::ngrams::grams(own.len(), n)).collect(),
        }
    }

    /// The score that follows from summed statistics.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn score(&self, statistics: &BleuStatistics) -> BleuScore {
        let (hypothesis, reference) = (statistics.hypothesis_length as f64, statistics.reference_length as f64);
        let brevity_penalty = if hypothesis >= reference {
            1.0
        } else if hypothesis > 0.0 {
            (1.0 - reference / hypothesis).exp()
        } else {
            0.0
        };
        let mut score = BleuScore {
            score: 0.0,
            counts: statistics.matches.iter().map(|count| *count as f64).collect(),
            totals: statistics.totals.iter().map(|count| *count as f64).collect(),
            precisions: vec![0.0; statistics.totals.len()],
            brevity_penalty,
            hypothesis_length: statistics.hypothesis_length,
            reference_length: statistics.reference_length,
        };
        if statistics.matches.iter().all(|count| *count == 0) {
            return score;
        }
        let mut order = score.precisions.len();
        let mut halved = 1.0;
        for n in 0..score.precisions.len() {
            if let (Smoothing::AddK(k), true) = (self.smoothing, n > 0) {
                score.counts[n] += k;
                score.totals[n] += k;
            }
            let total = score.totals[n];
            if total == 0.0 {
                break;
            }
            if self.effective_order {
                order = n + 1;
            }
            score.precisions[n] = if score.counts[n] != 0.0 {
                100.0 * score.counts[n] / total
            } else {
                match self.smoothing {
                    Smoothing::Exp => {
                        halved *= 2.0;
                        100.0 / (halved * total)
                    }
                    Smoothing::Floor(floor) => 100.0 * floor / total,
                    Smoothing::None | Smoothing::AddK(_) => 0.0,
                }
            };
        }
        // The reference's logarithm of zero.
        let log = |precision: f64| if precision == 0.0 { -9_999_999_999.0 } else { precision.ln() };
        let sum: f64 = score.precisions[..order].iter().map(|precision| log(*precision)).sum();
        score.score = brevity_penalty * (sum / order as f64).exp();
        score
    }

    /// sacrebleu's signature, which names everything a score depends on. `references`: how many each text has, `None` when it varies.
    #[must_use]
    pub fn signature(&self, references: Option<usize>) -> String {
        let smoothing = match self.smoothing {
            Smoothing::None => "none".to_owned(),
            Smoothing::Floor(floor) => format!("floor[{floor:.2}]"),
            Smoothing::AddK(k) => format!("add-k[{k:.2}]"),
            Smoothing::Exp => "exp".to_owned(),
        };
        format!(
            "nrefs:{}|case:{}|eff:{}|tok:{}|smooth:{smoothing}|version:{}",
            references.map_or("var".to_owned(), |n| n.to_string()),
            if self.lowercase { "lc" } else { "mixed" },
            if self.effective_order { "yes" } else { "no" },
            self.tokenizer,
            super::SACREBLEU_VERSION,
        )
    }

    fn prepare<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.lowercase {
            let lower = words::lower(text);
            self.tokenizer.prepare(white::trim_end(&lower)).into_owned().into()
        } else {
            self.tokenizer.prepare(white::trim_end(text))
        }
    }
}

impl BleuStatistics {
    /// Of no text.
    #[must_use]
    pub fn empty(max_order: usize) -> Self {
        let none = vec![0; max_order.max(1)];
        Self { hypothesis_length: 0, reference_length: 0, matches: none.clone(), totals: none }
    }

    /// Adds the statistics of another text or part of the corpus, made with the same settings.
    pub fn add(&mut self, other: &Self) {
        self.hypothesis_length += other.hypothesis_length;
        self.reference_length += other.reference_length;
        self.matches.iter_mut().zip(&other.matches).for_each(|(sum, n)| *sum += n);
        self.totals.iter_mut().zip(&other.totals).for_each(|(sum, n)| *sum += n);
    }
}
