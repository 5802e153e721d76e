//! Tercom's tokenizer as sacrebleu 2.6.0 has it.

use crate::text::western::{self, push_isolated, split_numbers};
use crate::text::white;
use crate::text::words::lower;

use super::Ter;

/// The normalised text, its tokens separated by single spaces.
pub(crate) fn tokenize(options: &Ter, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut text = if options.case_sensitive { text.to_owned() } else { lower(text).into_owned() };
    if options.normalized {
        text = normalised(text, options.asian_support);
    }
    if options.no_punct {
        text.retain(|c| !matches!(c, '.' | ',' | '?' | ':' | ';' | '!' | '"' | '(' | ')'));
        if options.asian_support {
            text.retain(|c| !is_asian_punctuation(c));
        }
    }
    white::collapse(&text)
}

/// Line ends, XML entities, punctuation apart; with `asian` also ideographs and their punctuation apart. (The reference has patterns for runs of
/// kana as well, but anchors them at the beginning of a text that always begins with a space: they never match.)
fn normalised(text: String, asian: bool) -> String {
    let text = western::unescape(text.replace("\n-", "").replace('\n', " "));
    let mut isolated = Vec::with_capacity(text.len() * 2);
    isolated.push(b' ');
    text.bytes().for_each(|byte| push_isolated(&mut isolated, byte));
    isolated.push(b' ');
    let text = western::text(isolated).replace("'s ", " 's ");
    let text = western::text(split_numbers(text.into_bytes()));
    if !asian {
        return text;
    }
    let mut out = String::with_capacity(text.len() * 2);
    for character in text.chars() {
        if is_ideograph(character) || is_asian_punctuation(character) {
            out.extend([' ', character, ' ']);
        } else {
            out.push(character);
        }
    }
    out
}

fn is_ideograph(character: char) -> bool {
    matches!(character as u32,
        0x2e80..=0x2eff | 0x31c0..=0x31ef | 0x3200..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0xfe30..=0xfe4f)
}

fn is_asian_punctuation(character: char) -> bool {
    matches!(character as u32,
        0x3001 | 0x3002 | 0x3008..=0x3011 | 0x3014..=0x301f | 0xff61..=0xff65 | 0x30fb
        | 0xff0e | 0xff0c | 0xff1f | 0xff1a | 0xff1b | 0xff01 | 0xff02 | 0xff08 | 0xff09)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_change_what_is_a_token() {
        let plain = Ter::default();
        assert_eq!(tokenize(&plain, "  The Dog's  tail, 3.5-x"), "the dog's tail, 3.5-x");
        let norm = Ter { normalized: true, ..plain };
        assert_eq!(
            tokenize(&norm, "The Dog's tail, 3.5-x &lt;"),
            "the dog 's tail , 3.5-x <".replace("3.5-x", "3.5 - x")
        );
        let asian = Ter { normalized: true, asian_support: true, ..plain };
        assert_eq!(tokenize(&asian, "我是，カナ"), "我 是 ， カナ");
        let bare = Ter { no_punct: true, asian_support: true, case_sensitive: true, ..plain };
        assert_eq!(tokenize(&bare, "Yes, 「no」。"), "Yes no");
    }
}
