use std::collections::HashMap;

use crate::text::porter::stem;
use crate::text::words::words_and_marks;

use super::{NoSynonyms, Synonyms};

/// METEOR (Lavie and Agarwal 2007) as nltk 3.10.4 computes it, 0 to 1, higher is better.
///
/// Words are aligned in three stages: equal words, equal stems, and synonyms of what is left (of the stems, as nltk does). Without a
/// [`Synonyms`] source the third stage is left out; stems and synonyms are English, so that for other languages this measures equal words
/// and their order.
#[derive(Clone, Copy, Debug)]
pub struct Meteor<'a> {
    /// Weight of precision against recall in their mean.
    pub alpha: f64,
    /// How steeply fragmentation is punished.
    pub beta: f64,
    /// How much of the score fragmentation can take.
    pub gamma: f64,
    /// Where synonyms come from.
    pub synonyms: &'a dyn Synonyms,
}

impl Default for Meteor<'_> {
    fn default() -> Self {
        Self { alpha: 0.9, beta: 3.0, gamma: 0.5, synonyms: &NoSynonyms }
    }
}

impl<'a> Meteor<'a> {
    /// METEOR with its usual weights and this source of synonyms.
    #[must_use]
    pub fn with_synonyms(synonyms: &'a dyn Synonyms) -> Self {
        Self { synonyms, ..Self::default() }
    }

    /// The score of a text, best reference; 0 without references. Tokens are runs of word characters and single other characters
    /// (`\w+|[^\w\s]`).
    #[must_use]
    pub fn sentence<S: AsRef<str>>(&self, hypothesis: &str, references: &[S]) -> f64 {
        let hypothesis = words_and_marks(hypothesis);
        references
            .iter()
            .map(|reference| self.of_tokens(&hypothesis, &words_and_marks(reference.as_ref())))
            .fold(0.0, f64::max)
    }

    /// The score of tokens against the tokens of one reference.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn of_tokens(&self, hypothesis: &[&str], reference: &[&str]) -> f64 {
        let lower = |words: &[&str]| -> Vec<(usize, String)> {
            words.iter().map(|word| word.to_lowercase()).enumerate().collect()
        };
        let (mut left, mut right) = (lower(hypothesis), lower(reference));
        let mut matches = align(&mut left, &mut right, |word, free| free.contains_key(word).then(|| word.to_owned()));
        for (_, word) in left.iter_mut().chain(&mut right) {
            *word = stem(word);
        }
        matches.extend(align(&mut left, &mut right, |word, free| free.contains_key(word).then(|| word.to_owned())));
        matches.extend(align(&mut left, &mut right, |word, free| {
            let mut synonyms = self.synonyms.synonyms(word);
            synonyms.push(word.to_owned());
            synonyms
                .into_iter()
                .filter(|synonym| free.contains_key(synonym))
                .max_by_key(|synonym| free.get(synonym).and_then(|at| at.last().copied()))
        }));
        matches.sort_unstable();
        if matches.is_empty() {
            return 0.0;
        }
        let count = matches.len() as f64;
        let (precision, recall) = (count / hypothesis.len() as f64, count / reference.len() as f64);
        let denominator = self.alpha * precision + (1.0 - self.alpha) * recall;
        if denominator == 0.0 {
            return 0.0;
        }
        let mean = (precision * recall) / denominator;
        let chunks = 1 + matches.windows(2).filter(|pair| pair[1] != (pair[0].0 + 1, pair[0].1 + 1)).count();
        let penalty = self.gamma * (chunks as f64 / count).powf(self.beta);
        (1.0 - penalty) * mean
    }
}

/// Positions of the words of the reference that are still free, lowest first.
type Free = HashMap<String, Vec<usize>>;

/// Takes from both sides what `find` pairs, last word of the hypothesis first, each with the last free place of the word found.
fn align(
    hypothesis: &mut Vec<(usize, String)>,
    reference: &mut Vec<(usize, String)>,
    find: impl Fn(&str, &Free) -> Option<String>,
) -> Vec<(usize, usize)> {
    let mut free = Free::new();
    for (at, (_, word)) in reference.iter().enumerate() {
        free.entry(word.clone()).or_default().push(at);
    }
    let mut matches = Vec::new();
    let mut taken = vec![false; reference.len()];
    let mut at = hypothesis.len();
    while at > 0 {
        at -= 1;
        let Some(word) = find(&hypothesis[at].1, &free) else { continue };
        let Some(places) = free.get_mut(&word) else { continue };
        if let Some(place) = places.pop() {
            taken[place] = true;
            matches.push((hypothesis[at].0, reference[place].0));
            hypothesis.remove(at);
        }
        if free.get(&word).is_some_and(Vec::is_empty) {
            free.remove(&word);
        }
    }
    let mut taken = taken.into_iter();
    reference.retain(|_| !taken.next().unwrap_or(false));
    matches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Pairs;

    impl Synonyms for Pairs {
        fn synonyms(&self, word: &str) -> Vec<String> {
            if word == "car" { vec!["auto".to_owned()] } else { Vec::new() }
        }
    }

    #[test]
    fn the_stages_follow_each_other() {
        let meteor = Meteor::default();
        assert!((meteor.sentence("cats sat", &["cat sat"]) - 0.9375).abs() < 1e-12);
        assert_eq!(meteor.sentence("car", &["auto"]), 0.0);
        assert_eq!(Meteor::with_synonyms(&Pairs).sentence("cars", &["auto"]), 0.5);
        assert_eq!(meteor.sentence("", &["x"]), 0.0);
        assert_eq!(meteor.sentence("x", &[] as &[&str]), 0.0);
    }
}
