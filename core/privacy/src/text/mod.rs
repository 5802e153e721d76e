//! How text is read before anything is looked for: word characters, and the spelling under the spelling.

mod fold;
mod hash;

pub(crate) use fold::fold;
pub(crate) use hash::WordMap;

/// Whether the character before `at` belongs to a word (a letter, digit, mark or underscore of any script).
pub(crate) fn is_word_before(text: &str, at: usize) -> bool {
    match at.checked_sub(1).and_then(|index| text.as_bytes().get(index)) {
        None => false,
        Some(byte) if byte.is_ascii() => byte.is_ascii_alphanumeric() || *byte == b'_',
        Some(_) => text.get(..at).and_then(|before| before.chars().next_back()).is_some_and(is_word),
    }
}

/// Whether the character at `at` belongs to a word.
pub(crate) fn is_word_after(text: &str, at: usize) -> bool {
    match text.as_bytes().get(at) {
        None => false,
        Some(byte) if byte.is_ascii() => byte.is_ascii_alphanumeric() || *byte == b'_',
        Some(_) => text.get(at..).and_then(|after| after.chars().next()).is_some_and(is_word),
    }
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || ('\u{300}'..='\u{36f}').contains(&c)
}

/// The nearest character boundary at or after `at`.
pub(crate) fn boundary(text: &str, mut at: usize) -> usize {
    while at < text.len() && !text.is_char_boundary(at) {
        at += 1;
    }
    at.min(text.len())
}
