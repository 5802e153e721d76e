use crate::set::Scored;
use crate::text::intern::Interner;
use crate::text::white;

use super::shifts::edits;
use super::ter_tokens::tokenize;

/// Translation edit rate (Snover et al. 2006) as sacrebleu 2.6.0 computes it after Tercom: insertions, deletions, substitutions and shifts of
/// runs of words, per word of the reference, in percent. 0 is equal; lower is better; it can exceed 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ter {
    /// Join lines, resolve XML entities, split off punctuation.
    pub normalized: bool,
    /// Take punctuation out.
    pub no_punct: bool,
    /// With `normalized`, split ideographs apart; with `no_punct`, take out Asian punctuation too.
    pub asian_support: bool,
    /// Do not lower the case.
    pub case_sensitive: bool,
}

/// A TER score with its parts, of one text or summed over many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TerScore {
    /// Percent.
    pub score: f64,
    /// Edits to the reference that needs fewest.
    pub edits: f64,
    /// Mean length of the references, in words.
    pub reference_length: f64,
}

impl Ter {
    /// The score of one text: fewest edits over all references, per mean reference length.
    #[must_use]
    pub fn sentence<S: AsRef<str>>(&self, hypothesis: &str, references: &[S]) -> TerScore {
        let (edits, length) = self.count(hypothesis, references);
        TerScore::of(edits, length)
    }

    /// The score of a corpus from summed edits and lengths. Items without a text or without a reference are missing.
    pub fn corpus<'a, S: AsRef<str> + 'a>(
        &self,
        items: impl IntoIterator<Item = (Option<&'a str>, &'a [S])>,
    ) -> Scored<TerScore> {
        let (mut edits, mut length) = (0.0, 0.0);
        let scored = Scored::gather(items, |hypothesis, references| {
            let (more_edits, more_length) = self.count(hypothesis, references);
            edits += more_edits;
            length += more_length;
        });
        scored.map(|| TerScore::of(edits, length))
    }

    /// sacrebleu's signature. `references`: how many each text has, `None` when it varies.
    #[must_use]
    pub fn signature(&self, references: Option<usize>) -> String {
        let yes = |set: bool| if set { "yes" } else { "no" };
        format!(
            "nrefs:{}|case:{}|tok:tercom|norm:{}|punct:{}|asian:{}|version:{}",
            references.map_or("var".to_owned(), |n| n.to_string()),
            if self.case_sensitive { "mixed" } else { "lc" },
            yes(self.normalized),
            yes(!self.no_punct),
            yes(self.asian_support),
            super::SACREBLEU_VERSION,
        )
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    fn count<S: AsRef<str>>(&self, hypothesis: &str, references: &[S]) -> (f64, f64) {
        let prepare = |text: &str| tokenize(self, white::trim_end(text));
        let hypothesis = prepare(hypothesis);
        // The reference implementation prepares references twice, which matters for a possessive before a comma.
        let references: Vec<String> =
            references.iter().map(|reference| prepare(&prepare(reference.as_ref()))).collect();
        let mut interner = Interner::with_capacity(hypothesis.len() / 4 + 8);
        let mut number = |text| white::words(text).map(|word| interner.id(word.as_bytes())).collect::<Vec<u32>>();
        let own = number(&hypothesis);
        let (mut fewest, mut length) = (None, 0);
        for reference in &references {
            let words = number(reference);
            length += words.len();
            let edits = edits(&own, &words);
            fewest = Some(fewest.map_or(edits, |held: usize| held.min(edits)));
        }
        (fewest.unwrap_or(0) as f64, length as f64 / references.len().max(1) as f64)
    }
}

impl TerScore {
    fn of(edits: f64, reference_length: f64) -> Self {
        let rate = if reference_length > 0.0 {
            edits / reference_length
        } else if edits > 0.0 {
            1.0
        } else {
            0.0
        };
        Self { score: 100.0 * rate, edits, reference_length }
    }
}
