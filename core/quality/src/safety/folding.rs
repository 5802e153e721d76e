//! Seeing through disguises: letters written as digits and signs, repeated or spaced-out letters, marks and full-width forms.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Lower case, compatibility forms resolved, accents and invisible characters dropped.
pub(super) fn plain(text: &str) -> String {
    text.nfkd()
        .filter(|c| {
            !is_combining_mark(*c) && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
        })
        .flat_map(char::to_lowercase)
        .collect()
}

/// Words of plain text in order; signs that stand for letters may be in them. Runs of single letters are followed by what they spell together.
pub(super) fn words(plain: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '@' | '$' | '*' | '!' | '#' | '\'');
    let mut words = Vec::new();
    let mut spelt = String::new();
    for word in plain.split(|c: char| !is_part(c)).filter(|word| word.chars().any(|c| c != '\'')) {
        let word = word.trim_matches(['\'', '#']);
        if word.chars().nth(1).is_none() {
            spelt.push_str(word);
        } else if !spelt.is_empty() {
            push_spelt(&mut words, &mut spelt);
        }
        words.push(word.to_owned());
    }
    push_spelt(&mut words, &mut spelt);
    words
}

fn push_spelt(words: &mut Vec<String>, spelt: &mut String) {
    if spelt.chars().count() >= 3 {
        words.push(spelt.clone());
    }
    spelt.clear();
}

/// What a word may stand for: itself, without signs at its end, with signs and digits read as letters, with stretched letters shortened.
pub(super) fn readings(word: &str) -> Vec<String> {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let mut readings = vec![word.to_owned(), bare.to_owned()];
    let has_letter = word.chars().any(char::is_alphabetic);
    let has_sign = |word: &str| word.contains(['@', '$', '*']);
    for form in [word.trim_end_matches('!'), bare] {
        // Digits alone are a number, and three characters with a digit are more often a road or a size than a word.
        let disguised = form.chars().any(|c| c.is_ascii_digit()) && form.chars().count() >= 4
            || has_sign(form)
            || form.contains('!');
        if has_letter && disguised {
            readings.push(form.chars().map(|c| letter(c, 'i')).collect());
            readings.push(form.chars().map(|c| letter(c, 'l')).collect());
        }
    }
    for at in 0..readings.len() {
        for most in [1, 2] {
            let shorter = shortened(&readings[at], most);
            readings.extend((shorter != readings[at]).then_some(shorter));
        }
    }
    readings.sort();
    readings.dedup();
    readings
}

/// Runs of three and more equal letters cut down to `most`.
fn shortened(word: &str, most: usize) -> String {
    let letters: Vec<char> = word.chars().collect();
    letters.chunk_by(|a, b| a == b).flat_map(|run| &run[..if run.len() >= 3 { most } else { run.len() }]).collect()
}

fn letter(character: char, one: char) -> char {
    match character {
        '0' => 'o',
        '1' | '!' => one,
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        '8' => 'b',
        other => other,
    }
}

/// Whether the reading is the term, a `*` standing for any one letter but the first.
pub(super) fn matches(reading: &str, term: &str) -> bool {
    if !reading.contains('*') {
        return reading == term;
    }
    let (mut left, mut right) = (reading.chars(), term.chars());
    let first = left.next() == right.next();
    let shown = reading.chars().filter(|c| *c != '*').count();
    first
        && shown >= 2
        && reading.chars().count() == term.chars().count()
        && left.zip(right).all(|(a, b)| a == b || a == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguises_are_read() {
        let reads = |word: &str, term: &str| readings(&plain(word)).iter().any(|reading| matches(reading, term));
        assert!(reads("d4mn", "damn") && reads("1D10T", "idiot") && reads("a$$", "ass") && reads("sh!t", "shit"));
        assert!(
            reads("ｉｄｉｏｔ", "idiot")
                && reads("ídiöt", "idiot")
                && reads("stuuupid", "stupid")
                && reads("f*ck", "fuck")
        );
        assert!(
            !reads("455", "ass")
                && !reads("A55", "ass")
                && !reads("class", "ass")
                && !reads("as", "ass")
                && !reads("***", "ass")
        );
        assert!(words("f u c k you").contains(&"fuck".to_owned()));
        assert_eq!(words("it's 'fine' #1!"), ["it's", "fine", "1!"]);
    }
}
