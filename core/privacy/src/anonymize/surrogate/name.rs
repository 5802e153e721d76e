//! Invented names, built from syllables. Given names are ones of any gender, so that pronouns around them still fit.

use super::Refusal;
use crate::prf::Stream;

const GIVEN: &[&str] = &[
    "Alex", "Andrea", "Ariel", "Ashley", "Avery", "Bailey", "Billie", "Blake", "Cameron", "Carey", "Casey", "Charlie",
    "Dana", "Devon", "Drew", "Eden", "Elis", "Emery", "Finley", "Frankie", "Gale", "Harley", "Hayden", "Jamie",
    "Jessie", "Jody", "Jordan", "Jules", "Kay", "Kelly", "Kim", "Kit", "Lane", "Lee", "Leslie", "Logan", "Marlin",
    "Mika", "Morgan", "Nicola", "Noel", "Parker", "Pat", "Quinn", "Reese", "Remy", "Riley", "Robin", "Rory", "Rowan",
    "Sam", "Sandy", "Sascha", "Shannon", "Shelby", "Sidney", "Sky", "Stacey", "Taylor", "Toby", "Tracy", "Val", "Wren",
];
const FIRST: &[&str] = &[
    "Al", "Ash", "Bar", "Bel", "Ber", "Bram", "Cal", "Cor", "Dal", "Dor", "El", "Fal", "Fen", "Gar", "Gil", "Hal",
    "Har", "Hol", "Kel", "Kor", "Lan", "Lor", "Mar", "Mel", "Nor", "Or", "Pel", "Ral", "Ros", "Sel", "Sor", "Tal",
    "Tor", "Ul", "Val", "Vor", "Wal", "Wes", "Win", "Yar", "Zel",
];
const MIDDLE: &[&str] = &["a", "de", "en", "i", "in", "le", "mo", "o", "ri", "te", "va", "we"];
const LAST: &[&str] = &[
    "bach", "berg", "brook", "by", "cliff", "dale", "der", "dorn", "feld", "field", "ford", "gard", "grove", "ham",
    "holm", "hurst", "ket", "land", "ley", "lin", "man", "mark", "mer", "mont", "more", "ner", "ridge", "row", "sen",
    "shaw", "son", "stad", "stone", "strand", "ton", "vall", "ville", "wick", "win", "worth",
];
/// Kept as they are: they say nothing of who it is.
const PARTICLES: &[&str] = &[
    "al",
    "bin",
    "binti",
    "da",
    "dal",
    "de",
    "del",
    "den",
    "der",
    "di",
    "dos",
    "du",
    "el",
    "ibn",
    "la",
    "le",
    "ten",
    "ter",
    "van",
    "vom",
    "von",
    "y",
    "zu",
    "zum",
    "zur",
    "dr",
    "fr",
    "frau",
    "herr",
    "hr",
    "jr",
    "lady",
    "lord",
    "miss",
    "mme",
    "monsieur",
    "mr",
    "mrs",
    "ms",
    "prof",
    "professor",
    "señor",
    "señora",
    "sir",
    "sr",
];

/// Where a word stands in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Given,
    Family,
}

/// The words of a name that say who it is: no titles, no particles.
pub(super) fn words(value: &str) -> impl Iterator<Item = &str> {
    pieces(value).into_iter().filter(|piece| is_word(piece))
}

/// The name with each word replaced by the scope's surrogate of that word, so that `Ann Smith`, `Ann` and `Mrs. SMITH` stay
/// one person. An initial becomes an initial.
pub(super) fn person(
    value: &str,
    mut surrogate: impl FnMut(&str, Place) -> Result<String, Refusal>,
) -> Result<String, Refusal> {
    let pieces = pieces(value);
    let count = pieces.iter().filter(|piece| is_word(piece)).count();
    if count == 0 {
        return Err(Refusal::NoSurrogate);
    }
    let family_first = value.contains(',');
    let mut seen = 0;
    let mut name = String::with_capacity(value.len());
    for piece in pieces {
        if !is_word(piece) {
            name.push_str(piece);
            continue;
        }
        seen += 1;
        let family = if family_first { seen == 1 } else { seen == count && count > 1 };
        let word = surrogate(piece, if family { Place::Family } else { Place::Given })?;
        name.push_str(&cased(&word, piece));
    }
    // A lone initial may meet itself.
    if name == value { Err(Refusal::NoSurrogate) } else { Ok(name) }
}

pub(super) fn word(stream: &mut Stream, place: Place) -> String {
    // One given name in four is built as well: a scope may have more people than the list.
    match place {
        Place::Given if stream.below(4) > 0 => stream.pick(GIVEN).unwrap_or("Robin").to_string(),
        _ => family(stream),
    }
}

pub(super) fn mailbox(stream: &mut Stream) -> String {
    let given = stream.pick(GIVEN).unwrap_or("Robin");
    format!("{given}.{}", family(stream)).to_lowercase()
}

pub(super) fn place(stream: &mut Stream) -> String {
    family(stream)
}

pub(super) fn organization(stream: &mut Stream) -> String {
    let kind = stream.pick(&["Works", "Partners", "Trading", "Systems", "Group", "Foundation"]).unwrap_or("Works");
    format!("{} {kind}", family(stream))
}

/// One of some 20,000.
fn family(stream: &mut Stream) -> String {
    let mut name = stream.pick(FIRST).unwrap_or("Kel").to_string();
    if stream.below(3) > 0 {
        name.push_str(stream.pick(MIDDLE).unwrap_or("a"));
    }
    name.push_str(stream.pick(LAST).unwrap_or("brook"));
    name
}

/// Runs of letters (with their marks) and what is between them.
fn pieces(value: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut inside = None;
    for (at, c) in value.char_indices() {
        let letter = c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}');
        if inside.is_some_and(|inside| inside != letter) {
            pieces.push(&value[start..at]);
            start = at;
        }
        inside = Some(letter);
    }
    if start < value.len() {
        pieces.push(&value[start..]);
    }
    pieces
}

fn is_word(piece: &str) -> bool {
    piece.chars().any(char::is_alphanumeric) && !PARTICLES.contains(&piece.to_lowercase().as_str())
}

fn cased(word: &str, like: &str) -> String {
    let letters = like.chars().count();
    let any_lower = like.chars().any(char::is_lowercase);
    if letters == 1 {
        let first: String = word.chars().take(1).collect();
        return if any_lower { first.to_lowercase() } else { first };
    }
    let any_upper = like.chars().any(char::is_uppercase);
    match (any_upper, any_lower) {
        (true, false) => word.to_uppercase(),
        (false, true) => word.to_lowercase(),
        _ => word.to_string(),
    }
}
