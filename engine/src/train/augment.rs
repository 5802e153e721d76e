//! Changed wordings of a prompt, so that what is learnt hangs on what is asked and not on how.
//!
//! A model that sees a fact in six fixed sentences learns the sentences as well: asked in a seventh, it fails. Nothing
//! here needs to know which words carry the question; a little of everything is enough, and the answer stays the same.

use super::spec::Hyperparameters;
use crate::chance::Chance;

/// A changed version of `prompt`, at most `room` bytes longer.
pub(super) fn reword(prompt: &str, hyper: &Hyperparameters, room: usize, chance: &mut Chance) -> String {
    let mut words: Vec<String> = prompt.split(' ').map(str::to_owned).collect();
    let noise = hyper.wording_noise;
    if hyper.word_dropout > 0.0 {
        let kept: Vec<String> = words.iter().filter(|_| chance.unit() >= hyper.word_dropout).cloned().collect();
        if !kept.is_empty() {
            words = kept;
        }
    }
    if noise > 0.0 {
        if chance.unit() < noise {
            // What stood at the end comes first: each word is met at each place.
            let by = chance.below(words.len());
            words.rotate_left(by);
        }
        words = words.into_iter().flat_map(|word| disturbed(word, noise, chance)).collect();
    }
    let reworded = words.join(" ");
    if reworded.len() > prompt.len() + room { prompt.to_owned() } else { reworded }
}

/// `word`, perhaps with another mark behind it, perhaps with a meaningless word before it.
fn disturbed(word: String, noise: f64, chance: &mut Chance) -> Vec<String> {
    const MARKS: [&str; 6] = ["", "", "?", ".", ":", ","];
    let mut word = word;
    if chance.unit() < noise / 2.0 {
        let bare = word.trim_end_matches(['?', '.', ':', ',', '!']);
        word = format!("{bare}{}", MARKS[chance.below(MARKS.len())]);
    }
    if chance.unit() < noise / 4.0 {
        let meaningless: String = (0..=chance.below(6)).map(|_| char::from(b'a' + chance.below(26) as u8)).collect();
        return vec![meaningless, word];
    }
    vec![word]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_noise_nothing_changes_and_with_it_the_room_is_kept() {
        let prompt = "What is the capital of Estonia?";
        let mut chance = Chance::new(1, "test", 0);
        let plain = Hyperparameters { word_dropout: 0.0, wording_noise: 0.0, ..Default::default() };
        assert_eq!(reword(prompt, &plain, 0, &mut chance), prompt);
        let noisy = Hyperparameters { word_dropout: 0.2, wording_noise: 0.5, ..Default::default() };
        let versions: Vec<String> = (0..200).map(|_| reword(prompt, &noisy, 4, &mut chance)).collect();
        assert!(versions.iter().all(|version| !version.is_empty() && version.len() <= prompt.len() + 4));
        assert!(versions.iter().filter(|version| *version != prompt).count() > 150);
        assert!(versions.iter().filter(|version| version.contains("Estonia")).count() > 120);
    }
}
