//! White space as Python's `str.split`, `str.strip` and `\s` have it: Unicode's, and the four ASCII separators.

/// Whether Python takes `character` for white space.
pub(crate) fn is_white(character: char) -> bool {
    match character {
        '\t'..='\r' | '\u{1c}'..=' ' => true,
        _ if character.is_ascii() => false,
        _ => character.is_whitespace(),
    }
}

/// Whether Python takes this ASCII byte for white space.
#[inline]
pub(crate) fn is_white_byte(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | 0x1c..=b' ')
}

/// The words between white space, none of them empty: `str.split()`.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_white).filter(|word| !word.is_empty())
}

/// `str.rstrip()`.
pub(crate) fn trim_end(text: &str) -> &str {
    text.trim_end_matches(is_white)
}

/// `str.strip()`.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_white)
}

/// The words joined by single spaces: `" ".join(text.split())`.
pub(crate) fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in words(text) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_and_foreign_spaces_split() {
        assert_eq!(words("\u{1f}a\u{3000}b\u{a0}\n c\u{85}").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(collapse(" a \t b "), "a b");
        assert_eq!(trim_end(" a\u{1c}\u{2028}"), " a");
        // A zero-width space is no white space to Python.
        assert_eq!(trim("\u{200b} "), "\u{200b}");
    }
}
