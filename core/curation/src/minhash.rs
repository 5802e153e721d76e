//! MinHash with banding (Broder 1997; Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.4), parameters as in the
//! reference: xxh64, 14 bands of 8 rows. Bands only propose pairs; what decides is the Jaccard similarity of the shingles.

use xxhash_rust::xxh64::xxh64;

use crate::permutations::{A, B};
use crate::simplify::simplify;

const BANDS: usize = 14;
const ROWS: usize = 8;
const PRIME: u64 = (1 << 61) - 1;

/// Below this many words a single one is much of a prompt.
const SHORT: usize = 20;

/// A prompt's shingles: hashes of its word 3-grams and character 5-grams, sorted, each once.
#[derive(Clone, Debug)]
pub(crate) struct Shingles {
    hashes: Vec<u64>,
    words: usize,
}

impl Shingles {
    pub(crate) fn of_prompt(prompt: &str) -> Self {
        let simple = simplify(prompt, false);
        let words: Vec<&str> = simple.split(' ').collect();
        let characters: Vec<char> = simple.chars().collect();
        let mut hashes: Vec<u64> = word_grams(&words, 3).collect();
        // Another seed keeps a word from being taken for the characters that spell it.
        hashes.extend(characters.windows(5).map(|gram| xxh64(gram.iter().collect::<String>().as_bytes(), 1)));
        hashes.sort_unstable();
        hashes.dedup();
        Self { hashes, words: words.len() }
    }

    /// Whether one of the two prompts is shorter than 20 words.
    pub(crate) fn either_short(&self, other: &Self) -> bool {
        self.words.min(other.words) < SHORT
    }

    /// Share of shingles that both have, 0 to 1.
    pub(crate) fn jaccard(&self, other: &Self) -> f64 {
        let (mut left, mut right) = (self.hashes.iter().peekable(), other.hashes.iter().peekable());
        let mut shared = 0_usize;
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let order = a.cmp(b);
            shared += usize::from(order.is_eq());
            if order.is_le() {
                left.next();
            }
            if order.is_ge() {
                right.next();
            }
        }
        let all = self.hashes.len() + other.hashes.len() - shared;
        if all == 0 { 1.0 } else { shared as f64 / all as f64 }
    }

    /// One key a band; prompts that share a key may be near-duplicates.
    pub(crate) fn bands(&self) -> [u64; BANDS] {
        let signature = signature(self.hashes.iter().copied());
        let mut bands = [0; BANDS];
        for (index, (band, rows)) in bands.iter_mut().zip(signature.chunks(ROWS)).enumerate() {
            let bytes: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
            *band = xxh64(&bytes, index as u64);
        }
        bands
    }
}

/// Hashes of runs of `n` words joined by one space; of the whole text when it has fewer.
fn word_grams<'a>(words: &'a [&'a str], n: usize) -> impl Iterator<Item = u64> + 'a {
    let n = n.min(words.len()).max(1);
    words.windows(n).map(|gram| xxh64(gram.join(" ").as_bytes(), 0))
}

fn signature(hashes: impl Iterator<Item = u64>) -> [u64; BANDS * ROWS] {
    let mut signature = [u64::MAX; BANDS * ROWS];
    for hash in hashes {
        for ((least, a), b) in signature.iter_mut().zip(A).zip(B) {
            *least = (*least).min(hash.wrapping_mul(a).wrapping_add(b) % PRIME);
        }
    }
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_equal_the_reference() {
        let fixture: serde_json::Value =
            serde_json::from_str(include_str!("../tests/fixtures/datatrove.json")).unwrap();
        let documents = fixture["docs"].as_array().unwrap();
        assert!(documents.len() >= 6);
        for document in documents {
            let words: Vec<&str> = document["simplified"].as_str().unwrap().split(' ').collect();
            let grams: Vec<u64> = word_grams(&words, 5).collect();
            assert_eq!(grams.len() as u64, document["n_shingles"].as_u64().unwrap());
            let bands = document["sig_xx64"].as_array().unwrap();
            let expected = bands
                .iter()
                .flat_map(|band| band.as_array().unwrap())
                .map(|row| row.as_str().unwrap().parse().unwrap());
            assert_eq!(
                signature(grams.into_iter()).to_vec(),
                expected.collect::<Vec<u64>>(),
                "document {}",
                document["id"]
            );
        }
    }

    #[test]
    fn similarity_sees_spelling_as_equal_and_wordings_as_different() {
        let of = Shingles::of_prompt;
        let france = of("What is the capital of France?");
        assert!((france.jaccard(&of("what is the capital of france ?!")) - 1.0).abs() < 1e-12);
        assert_eq!(france.bands(), of("What is the capital of France").bands());
        for other in ["Which city is the capital of France?", "What is the capital of Finland?", "", "?"] {
            assert!(france.jaccard(&of(other)) < 0.9, "{other}");
        }
        assert!(of("Is 7 a prime?").jaccard(&of("Is 8 a prime?")) < 0.9);
    }
}
