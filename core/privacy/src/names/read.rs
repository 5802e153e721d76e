use super::lists::{Lists, Word, lists};
use crate::Entity;
use crate::engine::Candidate;
use crate::text::is_word_after;

/// Scores: a list's word alone; a given and a family name; what an introduction or a title says outright.
const LISTED: f64 = 0.3;
const FULL: f64 = 0.6;
const SAID: f64 = 0.85;

/// Most words of a name or company.
const WORDS: usize = 4;

/// Looks at the capitalised word that starts at `start`, and says where to go on looking.
pub(crate) fn at_word(text: &str, from: usize, start: usize, found: &mut Vec<Candidate>) -> usize {
    let lists = lists();
    let Some(word) = word_at(text, start) else { return start + 1 };
    let known = lists.words.get(word).copied().unwrap_or_default();
    let end = start + word.len();
    let mut push = |entity, start, end, score| {
        found.push(Candidate { entity, start, end, score, checked: false, firm: score >= FULL });
    };
    if known.title
        && let Some((first, last)) = name_after(text, end)
    {
        push(Entity::Person, first, last, SAID);
        return last;
    }
    if introduced(&text[from..start])
        && !known.place
        && let Some((first, last)) = name_run(text, start)
    {
        push(Entity::Person, first, last, SAID);
        return last;
    }
    if let Some(end) = company(text, start, lists) {
        push(Entity::Organization, start, end, SAID);
        return end;
    }
    if known.place
        && let Some(place) = place(text, start, word, lists)
    {
        push(Entity::Location, start, start + place, LISTED);
        return start + place;
    }
    if known.first || known.last {
        let (last, score) = full_name(text, end, known, lists);
        push(Entity::Person, start, last, score);
        return last;
    }
    end
}

/// The word at `start`: letters, and hyphens or apostrophes between them.
fn word_at(text: &str, start: usize) -> Option<&str> {
    let rest = text.get(start..)?;
    let mut end = 0;
    for (index, c) in rest.char_indices().take(40) {
        let inner = matches!(c, '\'' | '-') && rest[index + 1..].starts_with(char::is_alphabetic);
        if !(c.is_alphabetic() || inner) {
            break;
        }
        end = index + c.len_utf8();
    }
    // A digit or underscore behind it makes it an identifier, as does a capital within (`camelCase` is one, `McCoy` a name).
    let word = &rest[..end];
    (!word.is_empty() && !is_word_after(text, start + end)).then_some(word)
}

/// The next capitalised word, one space further.
fn next_name(text: &str, end: usize) -> Option<(usize, &str)> {
    let rest = text.get(end..)?.strip_prefix(' ')?;
    let start = text.len() - rest.len();
    let word = word_at(text, start)?;
    let mut letters = word.chars();
    let capital = letters.next().is_some_and(char::is_uppercase);
    let initial = word.chars().count() == 1;
    (capital && (initial || letters.any(char::is_lowercase))).then_some((start, word))
}

/// Up to three capitalised words from `start`.
fn name_run(text: &str, start: usize) -> Option<(usize, usize)> {
    let first = word_at(text, start)?;
    if first.chars().count() < 2 || !first.chars().next()?.is_uppercase() || first.chars().all(char::is_uppercase) {
        return None;
    }
    let mut end = start + first.len();
    for _ in 1..3 {
        let initial =
            text.get(end..)?.starts_with('.') && text[..end].chars().nth_back(1).is_none_or(|c| !c.is_alphabetic());
        let Some((next, word)) = next_name(text, if initial { end + 1 } else { end }) else { break };
        end = next + word.len();
    }
    Some((start, end))
}

/// The name behind a title: `Dr. Ann Whitfield`.
fn name_after(text: &str, end: usize) -> Option<(usize, usize)> {
    let rest = text.get(end..)?;
    let rest = rest.strip_prefix('.').unwrap_or(rest).strip_prefix(' ')?;
    name_run(text, text.len() - rest.len())
}

/// Whether what stands before says that a name follows.
fn introduced(before: &str) -> bool {
    const PHRASES: [&str; 16] = [
        "my name is ",
        "name is ",
        "i am called ",
        "name: ",
        "signed, ",
        "regards, ",
        "dear ",
        "mein name ist ",
        "ich heiße ",
        "je m'appelle ",
        "me llamo ",
        "mi nombre es ",
        "mi chiamo ",
        "meu nome é ",
        "customer: ",
        "patient: ",
    ];
    let tail_from = crate::text::boundary(before, before.len().saturating_sub(16));
    let tail = &before.as_bytes()[tail_from..];
    // The last word decides in most cases.
    const LAST: [&[u8]; 15] = [
        b"is",
        b"called",
        b"name:",
        b"signed,",
        b"regards,",
        b"dear",
        b"ist",
        "heiße".as_bytes(),
        b"m'appelle",
        b"llamo",
        b"es",
        b"chiamo",
        "é".as_bytes(),
        b"customer:",
        b"patient:",
    ];
    let Some((b' ', rest)) = tail.split_last() else { return false };
    let last = rest.rsplit(|byte| *byte == b' ').next().unwrap_or(rest);
    LAST.iter().any(|word| last.eq_ignore_ascii_case(word))
        && PHRASES.iter().any(|phrase| {
            let phrase = phrase.as_bytes();
            tail.len() >= phrase.len()
                && tail[tail.len() - phrase.len()..].eq_ignore_ascii_case(phrase)
                && !tail[..tail.len() - phrase.len()].last().is_some_and(u8::is_ascii_alphanumeric)
        })
}

/// Capitalised words before a company's form: `Acme Widgets GmbH`.
fn company(text: &str, start: usize, lists: &Lists) -> Option<usize> {
    let mut end = start + word_at(text, start)?.len();
    for _ in 0..WORDS {
        let (next, word) = next_capital(text, end)?;
        end = next + word.len();
        if lists.words.get(word).is_some_and(|word| word.company_form) {
            return Some(end);
        }
    }
    None
}

/// As [`next_name`], also over a comma, and for words in capitals throughout.
fn next_capital(text: &str, end: usize) -> Option<(usize, &str)> {
    let rest = text.get(end..)?;
    let rest = rest.strip_prefix(',').unwrap_or(rest).strip_prefix(' ')?;
    if !rest.starts_with(char::is_uppercase) && !rest.starts_with("SpA") {
        return None;
    }
    let start = text.len() - rest.len();
    word_at(text, start).map(|word| (start, word))
}

/// Length of the longest place name at `start`.
fn place(text: &str, start: usize, first: &str, lists: &Lists) -> Option<usize> {
    let rest = text.get(start..)?;
    let fits = |name: &&&str| rest.starts_with(**name) && !is_word_after(text, start + name.len());
    lists.places.get(first)?.iter().find(fits).map(|name| name.len())
}

/// A given name and what follows it: an initial, a family name.
fn full_name(text: &str, end: usize, known: Word, lists: &Lists) -> (usize, f64) {
    let Some((next, word)) = next_name(text, end) else { return (end, LISTED) };
    let of = |word: &str| lists.words.get(word).copied().unwrap_or_default();
    let after = next + word.len();
    if known.first && word.chars().count() == 1 {
        let behind = if text[after..].starts_with('.') { after + 1 } else { after };
        if let Some((third, word)) = next_name(text, behind) {
            return (third + word.len(), FULL);
        }
    }
    if known.first && of(word).last {
        return (after, FULL);
    }
    (end, LISTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(Entity, &str, f64)> {
        let (mut found, mut at) = (Vec::new(), 0);
        while at < text.len() {
            let starts = text[at..].starts_with(char::is_uppercase) && !crate::text::is_word_before(text, at);
            at = if starts { at_word(text, 0, at, &mut found) } else { at + 1 };
            at = crate::text::boundary(text, at);
        }
        found
            .iter()
            .map(|candidate| (candidate.entity, &text[candidate.start..candidate.end], candidate.score))
            .collect()
    }

    #[test]
    fn names_are_found_by_list_and_by_what_stands_around() {
        assert_eq!(found("my name is Zyx Qwerty."), [(Entity::Person, "Zyx Qwerty", SAID)]);
        assert_eq!(found("ask Dr. Ann Whitfield today"), [(Entity::Person, "Ann Whitfield", SAID)]);
        assert_eq!(found("then Maria Garcia left"), [(Entity::Person, "Maria Garcia", FULL)]);
        assert_eq!(found("with Acme Widgets GmbH"), [(Entity::Organization, "Acme Widgets GmbH", SAID)]);
        assert_eq!(found("in New York now"), [(Entity::Location, "New York", LISTED)]);
        assert_eq!(found("What is the capital of Estonia?"), [(Entity::Location, "Estonia", LISTED)]);
        assert_eq!(found("The Result is Ok"), []);
    }
}
