//! Metrics that compare a text with reference texts by n-grams and edits, after sacrebleu 2.6.0 (BLEU, chrF, TER), nltk 3.10.4 (METEOR) and
//! jiwer 4.0.0 (error rates).
//!
//! ```
//! use homeostat_quality::translation::{Bleu, ChrF};
//! let bleu = Bleu { effective_order: true, ..Bleu::default() };
//! let score = bleu.sentence("the cat sat on the mat", &["the cat sat on a mat"]);
//! assert!(score.score > 50.0 && ChrF::plus_plus().sentence("猫", &["猫"]) == 100.0);
//! ```

mod bleu;
mod bleu_tokens;
mod bleu_words;
mod chrf;
mod edits;
mod error_rate;
mod meteor;
mod ngrams;
mod shifts;
mod ter;
mod ter_tokens;
mod wordnet;

pub use bleu::{Bleu, BleuScore, BleuStatistics, Smoothing};
pub use bleu_tokens::BleuTokenizer;
pub use chrf::{ChrF, ChrFStatistics};
pub use error_rate::{ErrorRate, character_error_rate, word_error_rate};
pub use meteor::Meteor;
pub(crate) use ngrams::{NGrams, Overlap};
pub use ter::{Ter, TerScore};
pub use wordnet::{NoSynonyms, Synonyms, WordNet, WordNetError};

/// The version whose definitions BLEU, chrF and TER follow; part of their signatures.
pub(crate) const SACREBLEU_VERSION: &str = "2.6.0";
