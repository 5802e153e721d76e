use crate::set::Scored;
use crate::text::intern::Interner;
use crate::text::white;

use super::edits::levenshtein;

/// A word or character error rate: edits per unit of the references, 0 is equal; lower is better; it can exceed 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorRate {
    /// Edits per unit; `None` when the references hold no unit.
    pub rate: Option<f64>,
    /// Substitutions, insertions and deletions.
    pub edits: u64,
    /// Words or characters of the references.
    pub reference_length: u64,
}

/// Word error rate of pairs of hypothesis and reference, as jiwer 4.0.0's default: runs of white space become one space, words are what
/// spaces separate. Pairs without a text, or whose reference is empty, are missing.
#[must_use]
pub fn word_error_rate<'a>(pairs: impl IntoIterator<Item = (Option<&'a str>, Option<&'a str>)>) -> Scored<ErrorRate> {
    rate(pairs, |text| {
        let text = one_space(text);
        text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    })
}

/// Character error rate of pairs of hypothesis and reference, as jiwer 4.0.0's default: white space at the ends does not count, within it does.
/// Pairs without a text, or whose reference is empty, are missing.
#[must_use]
pub fn character_error_rate<'a>(
    pairs: impl IntoIterator<Item = (Option<&'a str>, Option<&'a str>)>,
) -> Scored<ErrorRate> {
    rate(pairs, |text| white::trim(text).chars().map(String::from).collect())
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn rate<'a>(
    pairs: impl IntoIterator<Item = (Option<&'a str>, Option<&'a str>)>,
    units: impl Fn(&str) -> Vec<String>,
) -> Scored<ErrorRate> {
    let (mut edits, mut length, mut n, mut missing) = (0, 0, 0, 0);
    for pair in pairs {
        let (Some(hypothesis), Some(reference)) = pair else {
            missing += 1;
            continue;
        };
        let (hypothesis, reference) = (units(hypothesis), units(reference));
        if reference.is_empty() {
            missing += 1;
            continue;
        }
        let mut interner = Interner::with_capacity(hypothesis.len() + reference.len());
        let a: Vec<u32> = hypothesis.iter().map(|unit| interner.id(unit.as_bytes())).collect();
        let b: Vec<u32> = reference.iter().map(|unit| interner.id(unit.as_bytes())).collect();
        edits += levenshtein(&a, &b) as u64;
        length += b.len() as u64;
        n += 1;
    }
    let rate = (length > 0).then(|| edits as f64 / length as f64);
    Scored { score: (n > 0).then_some(ErrorRate { rate, edits, reference_length: length }), n, missing }
}

/// `re.sub(r"\s\s+", " ", text).strip()`: a single tab stays a tab.
fn one_space(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run: Option<(char, bool)> = None;
    let close = |out: &mut String, run: Option<(char, bool)>| {
        out.extend(run.map(|(first, several)| if several { ' ' } else { first }));
    };
    for character in white::trim(text).chars() {
        if white::is_white(character) {
            run = Some(run.map_or((character, false), |(first, _)| (first, true)));
        } else {
            close(&mut out, run.take());
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_edits_per_unit() {
        let pairs = [(Some("a b  x"), Some("a b c")), (None, Some("a")), (Some("a"), Some(" "))];
        let words = word_error_rate(pairs);
        assert_eq!((words.n, words.missing), (1, 2));
        assert_eq!(words.score.and_then(|score| score.rate), Some(1.0 / 3.0));
        let characters = character_error_rate([(Some("东京"), Some("北京"))]);
        assert_eq!(characters.score.and_then(|score| score.rate), Some(0.5));
        assert_eq!(one_space(" a \t b\tc "), "a b\tc");
    }
}
