use std::sync::OnceLock;

use crate::Entity;
use crate::catalog::words;
use crate::text::WordMap;

use super::EntitySet;

/// How far words count, in bytes before and behind a candidate.
const BEFORE: usize = 64;
const BEHIND: usize = 32;

/// Most words of a phrase.
const PHRASE: usize = 5;

/// Which entities the words around a candidate name. `low` and `high` bound what is read: nothing counts beyond another
/// finding, nor beyond the mark that an anonymizer left in its place.
pub(super) fn around(text: &str, low: usize, start: usize, end: usize, high: usize) -> EntitySet {
    let first = crate::text::boundary(text, low.max(start.saturating_sub(BEFORE)));
    let before = text.get(first..start).unwrap_or("");
    // A word that the bound cuts is no word.
    let before = match first {
        first if first > low => before.find(|c: char| !is_part(c)).map_or("", |at| &before[at..]),
        _ => before,
    };
    let before = &before[mark_end(before)..];
    let last = crate::text::boundary(text, (end + BEHIND).min(high));
    let behind = text.get(end..last).unwrap_or("");
    let stop = behind.char_indices().find(|(at, c)| {
        *c == '\n' || matches!(c, '.' | '!' | '?') && behind[at + c.len_utf8()..].starts_with([' ', '\n'])
    });
    let mut behind = stop.map_or(behind, |(at, _)| &behind[..at]);
    if last < high && stop.is_none() {
        behind = behind.rfind(|c: char| !is_part(c)).map_or("", |at| &behind[..at]);
    }
    let behind = &behind[..mark_start(behind)];
    let mut named = EntitySet::default();
    gather(before, &mut named);
    gather(behind, &mut named);
    named
}

/// Whether a caller's own words stand around a candidate.
pub(super) fn has_any(text: &str, low: usize, start: usize, end: usize, high: usize, own: &[String]) -> bool {
    let first = crate::text::boundary(text, low.max(start.saturating_sub(BEFORE)));
    let last = crate::text::boundary(text, (end + BEHIND).min(high));
    [text.get(first..start), text.get(end..last)].into_iter().flatten().any(|piece| {
        let piece = piece.to_lowercase();
        own.iter().any(|word| {
            piece.match_indices(word.as_str()).any(|(at, _)| {
                let spaceless = word.chars().any(is_spaceless);
                spaceless
                    || !crate::text::is_word_before(&piece, at) && !crate::text::is_word_after(&piece, at + word.len())
            })
        })
    })
}

fn gather(piece: &str, named: &mut EntitySet) {
    if !piece.bytes().any(|byte| byte.is_ascii_alphabetic() || byte >= 0x80) {
        return;
    }
    let lexicon = lexicon();
    let lower;
    let piece = if piece.is_ascii() && !piece.bytes().any(|byte| byte.is_ascii_uppercase()) {
        piece
    } else {
        lower = piece.to_lowercase();
        &lower
    };
    let mut ends: [(usize, usize); 24] = [(0, 0); 24];
    let mut count = 0;
    let mut start = None;
    let mut push = |start: usize, end: usize| {
        if count < ends.len() {
            ends[count] = (start, end);
            count += 1;
        }
    };
    let ascii = piece.is_ascii();
    let bytes = piece.bytes().enumerate().filter(|_| ascii).map(|(at, byte)| (at, char::from(byte)));
    for (at, c) in bytes.chain(piece.char_indices().filter(|_| !ascii)) {
        match (is_part(c), start) {
            (true, None) => start = Some(at),
            (false, Some(begin)) => {
                push(begin, at);
                start = None;
            }
            _ => {}
        }
    }
    if let Some(begin) = start {
        push(begin, piece.len());
    }
    let words = &ends[..count];
    for (index, (start, end)) in words.iter().enumerate() {
        let word = piece[*start..*end].trim_matches(['-', '.', '\'']);
        let Some((single, longer)) = lexicon.first.get(word) else { continue };
        named.0 |= single.0;
        if *longer {
            for (_, last) in words.iter().skip(index + 1).take(PHRASE - 1) {
                if let Some(set) = lexicon.phrases.get(piece[*start..*last].trim_matches(['-', '.', '\''])) {
                    named.0 |= set.0;
                }
            }
        }
    }
    if !piece.is_ascii() {
        for (word, set) in &lexicon.spaceless {
            if piece.contains(word) {
                named.0 |= set.0;
            }
        }
    }
}

/// Words by what they begin.
struct Lexicon {
    /// First words: what each names alone, and whether a phrase goes on.
    first: WordMap<(EntitySet, bool)>,
    phrases: WordMap<EntitySet>,
    /// Words of scripts without spaces.
    spaceless: Vec<(&'static str, EntitySet)>,
}

fn lexicon() -> &'static Lexicon {
    static LEXICON: OnceLock<Lexicon> = OnceLock::new();
    LEXICON.get_or_init(|| {
        let mut lexicon = Lexicon { first: WordMap::default(), phrases: WordMap::default(), spaceless: Vec::new() };
        for entity in Entity::ALL {
            let set = EntitySet::of(&[*entity]);
            for phrase in words(*entity) {
                if phrase.chars().any(is_spaceless) {
                    lexicon.spaceless.push((phrase, set));
                    continue;
                }
                match phrase.split_once(|c: char| !is_part(c)) {
                    None => lexicon.first.entry(phrase).or_default().0.0 |= set.0,
                    Some((first, _)) => {
                        lexicon.first.entry(first).or_default().1 = true;
                        lexicon.phrases.entry(phrase).or_default().0 |= set.0;
                    }
                }
            }
        }
        lexicon
    })
}

fn is_part(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '\'');
    }
    c.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&c)
}

/// Scripts that write no spaces between words, or join particles to them.
fn is_spaceless(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}')
}

/// Where the last mark of an anonymizer in a piece ends: `<NAME>`, `<NAME:pseudonym>` or a row of stars.
fn mark_end(piece: &str) -> usize {
    let stars = piece.rfind("***").map_or(0, |at| at + 3);
    let bracket = piece
        .rmatch_indices('>')
        .find(|(at, _)| piece[..*at].rfind('<').is_some_and(|open| is_mark(&piece[open + 1..*at])));
    // A mark whose start lies before the piece still ends here.
    let cut = piece.find('>').filter(|at| is_mark(&piece[..*at]) && *at > 2).map_or(0, |at| at + 1);
    stars.max(bracket.map_or(0, |(at, _)| at + 1)).max(cut)
}

/// Where the first mark starts.
fn mark_start(piece: &str) -> usize {
    let stars = piece.find("***").unwrap_or(piece.len());
    let bracket = piece.match_indices('<').find(|(at, _)| {
        let inner = &piece[at + 1..];
        let end = inner.find('>').unwrap_or(inner.len());
        is_mark(&inner[..end])
    });
    stars.min(bracket.map_or(piece.len(), |(at, _)| at))
}

fn is_mark(inner: &str) -> bool {
    let name = inner.split(':').next().unwrap_or("");
    name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str, entity: Entity) -> bool {
        let start = text.find('#').unwrap_or(0);
        around(text, 0, start, start + 1, text.len()).has(entity)
    }

    #[test]
    fn whole_words_of_any_language_name_an_entity() {
        assert!(named("my SSN is #", Entity::UsSsn) && named("Social Security number: #", Entity::UsSsn));
        assert!(named("# is my ssn, thanks", Entity::UsSsn));
        assert!(named("Steuer-ID: #", Entity::DeTaxId) && named("여권번호는 #", Entity::KrPassport));
        assert!(!named("a ssnx #", Entity::UsSsn) && !named("duplicate #", Entity::UsDriverLicense));
        assert!(!named("my SSN is <US_SSN> and #", Entity::UsSsn) && !named("ssn ******** #", Entity::UsSsn));
        assert!(!named("#. The ssn is", Entity::UsSsn) && !named("# <US_SSN> ssn", Entity::UsSsn));
    }
}
