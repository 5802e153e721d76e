use serde::{Deserialize, Serialize};

/// How strict curation is. Lengths are in characters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Shortest prompt. Default 3.
    pub min_prompt_chars: usize,
    /// Longest prompt. Default 8,000.
    pub max_prompt_chars: usize,
    /// Shortest completion. Default 1.
    pub min_completion_chars: usize,
    /// Longest completion. Default 16,000.
    pub max_completion_chars: usize,
    /// Smallest share of letters among a prompt's characters that are not spaces. Default 0.3: a question about numbers
    /// passes, a line of figures does not.
    pub min_alphabetic_share: f64,
    /// Most fresh records from one feedback key, as a share of the fresh records that reach the stage; one is always let
    /// through. Default 0.25; 1 switches the cap off.
    pub per_key_cap: f64,
    /// How many distinct feedback keys must have sent an answer before it counts, when nothing but feedback says it.
    /// Default 1.
    pub min_agreement: usize,
    /// Dates within one step of this many milliseconds (aligned to the epoch) count as the same when answers conflict.
    /// Default 1: only equal times are the same date. A day is 86,400,000.
    pub date_step_ms: u64,
    /// Jaccard similarity of shingles from which two prompts of 20 words or more with equal completions are near-duplicates.
    /// Default 0.72, where the reference's 14 bands of 8 rows have their knee.
    pub near_duplicate_threshold: f64,
    /// The same for pairs in which one prompt is shorter than 20 words, where one word is much. Default 0.9.
    pub short_near_duplicate_threshold: f64,
    /// Similarity to an evaluation prompt from which a record is contamination. Default 0.95.
    pub contamination_threshold: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_prompt_chars: 3,
            max_prompt_chars: 8_000,
            min_completion_chars: 1,
            max_completion_chars: 16_000,
            min_alphabetic_share: 0.3,
            per_key_cap: 0.25,
            min_agreement: 1,
            date_step_ms: 1,
            near_duplicate_threshold: 0.72,
            short_near_duplicate_threshold: 0.9,
            contamination_threshold: 0.95,
        }
    }
}
