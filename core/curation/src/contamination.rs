use std::collections::{HashMap, HashSet};

use homeostat_quality::normalise_prompt;

use crate::minhash::Shingles;

/// The prompts of the evaluation sets, found again exactly and nearly.
pub(crate) struct EvaluationIndex {
    exact: HashSet<String>,
    shingles: Vec<Shingles>,
    buckets: HashMap<(usize, u64), Vec<usize>>,
}

impl EvaluationIndex {
    pub(crate) fn new(prompts: &HashSet<String>) -> Self {
        // Normalised here once more, so that a caller who forgot it leaks nothing.
        let exact: HashSet<String> = prompts.iter().map(|prompt| normalise_prompt(prompt)).collect();
        let shingles: Vec<_> = exact.iter().map(|prompt| Shingles::of_prompt(prompt)).collect();
        let mut buckets: HashMap<(usize, u64), Vec<usize>> = HashMap::new();
        for (index, shingles) in shingles.iter().enumerate() {
            for bucket in shingles.bands().into_iter().enumerate() {
                buckets.entry(bucket).or_default().push(index);
            }
        }
        Self { exact, shingles, buckets }
    }

    /// Why a record with this prompt may not be trained on; `None` when it may.
    pub(crate) fn contaminates(&self, prompt: &str, threshold: f64) -> Option<&'static str> {
        if self.exact.contains(&normalise_prompt(prompt)) {
            return Some("contamination");
        }
        if self.exact.is_empty() {
            return None;
        }
        let shingles = Shingles::of_prompt(prompt);
        let candidates: HashSet<&usize> =
            shingles.bands().into_iter().enumerate().filter_map(|bucket| self.buckets.get(&bucket)).flatten().collect();
        let near = candidates.into_iter().any(|index| self.shingles[*index].jaccard(&shingles) >= threshold);
        near.then_some("near contamination")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_an_evaluation_prompt_contaminate_and_other_wordings_do_not() {
        let index = EvaluationIndex::new(&HashSet::from(["What is the capital of São Tomé?".to_string()]));
        let verdict = |prompt| index.contaminates(prompt, 0.95);
        assert_eq!(verdict("what is  the capital of São Tomé"), Some("contamination"));
        assert_eq!(verdict("What is the capital of \"Sao Tome\"?"), Some("near contamination"));
        assert_eq!(verdict("Which city is the capital of São Tomé?"), None);
        assert_eq!(verdict(""), None);
        assert_eq!(EvaluationIndex::new(&HashSet::new()).contaminates("anything", 0.95), None);
    }
}
