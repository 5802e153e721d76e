//! Word tokenizers of the metrics beyond BLEU and TER.

use super::classes::{self, MARK, WORD};
use super::scripts::is_unspaced;
use super::white::is_white;

/// `\w+|[^\w\s]` of Python's `re`: words, and every other character that is not white space by itself. METEOR's tokens.
pub(crate) fn words_and_marks(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = None;
    for (at, character) in text.char_indices() {
        if classes::is(character, WORD) {
            start.get_or_insert(at);
            continue;
        }
        if let Some(from) = start.take() {
            tokens.push(&text[from..at]);
        }
        if !is_white(character) {
            tokens.push(&text[at..at + character.len_utf8()]);
        }
    }
    if let Some(from) = start {
        tokens.push(&text[from..]);
    }
    tokens
}

/// rouge-score's words: lower case, runs of `a-z0-9`; everything else, also every other script, is a gap.
pub(crate) fn ascii_words(text: &str) -> Vec<String> {
    lower(text)
        .split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit()))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Words of every script, lower case: runs of letters, digits and their marks; where a script has no spaces between words, each character
/// with its marks. Symbols outside ASCII (emoji) are words of their own, with what modifies or joins them.
pub(crate) fn script_words(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    // What may follow directly: 0 nothing, 1 a letter, 2 a mark only.
    let (mut open, mut joined) = (0_u8, false);
    for character in lower(text).chars() {
        let class = classes::of(character);
        let extends = class & MARK != 0 || matches!(character, '\u{200c}' | '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}');
        if (extends || joined) && open != 0 {
            joined = character == '\u{200d}';
            if let Some(token) = tokens.last_mut() {
                token.push(character);
            }
            continue;
        }
        joined = false;
        if is_unspaced(character) && class & (WORD | MARK) != 0 {
            tokens.push(character.to_string());
            open = 2;
        } else if class & WORD != 0 && character != '_' {
            match tokens.last_mut() {
                Some(token) if open == 1 => token.push(character),
                _ => tokens.push(character.to_string()),
            }
            open = 1;
        } else if class & classes::SYMBOL != 0 && !character.is_ascii() {
            tokens.push(character.to_string());
            open = 2;
        } else {
            open = 0;
        }
    }
    tokens
}

/// Lower case, without a copy of text that is ASCII and lower already.
pub(crate) fn lower(text: &str) -> std::borrow::Cow<'_, str> {
    // Without an early end, which the compiler makes wide comparisons of.
    if text.bytes().fold(true, |lower, byte| lower & byte.is_ascii() & !byte.is_ascii_uppercase()) {
        text.into()
    } else if text.is_ascii() {
        text.to_ascii_lowercase().into()
    } else {
        text.to_lowercase().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_marks_are_apart() {
        assert_eq!(
            words_and_marks("\u{201c}Hello,\u{201d} it_is... 你好"),
            ["“", "Hello", ",", "”", "it_is", ".", ".", ".", "你好"]
        );
        // A combining mark is no word character to Python.
        assert_eq!(words_and_marks("e\u{301}a"), ["e", "\u{301}", "a"]);
    }

    #[test]
    fn scripts_without_spaces_go_by_character() {
        assert_eq!(script_words("Hello, 世界!"), ["hello", "世", "界"]);
        assert_eq!(script_words("สวัสดี"), ["ส", "วั", "ส", "ดี"]);
        assert_eq!(script_words("한국어 문장"), ["한국어", "문장"]);
        assert_eq!(script_words("ok 👍🏽👩\u{200d}👧 x_y"), ["ok", "👍🏽", "👩\u{200d}👧", "x", "y"]);
        assert_eq!(script_words("हिन्दी भाषा"), ["हिन्दी", "भाषा"]);
        assert_eq!(ascii_words("Mr. O'Neil’s ⅷ K\u{212a}"), ["mr", "o", "neil", "s", "kk"]);
    }
}
