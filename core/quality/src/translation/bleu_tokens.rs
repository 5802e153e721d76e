use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::text::classes::{self, NUMBER, PUNCTUATION, SYMBOL};
use crate::text::{western, white};

use super::bleu_words::tokens;

/// How BLEU cuts a text into tokens, as sacrebleu 2.6.0 does.
///
/// `V13a` suits languages with spaces; `Zh` Chinese; `Char` any script without spaces (Japanese, Thai), where sacrebleu would use a
/// dictionary (`ja-mecab`) that is not part of this crate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BleuTokenizer {
    /// Only white space separates.
    None,
    /// mteval-v13a, the default of WMT.
    #[default]
    V13a,
    /// mteval-v14's international tokenizer: Unicode punctuation and symbols stand alone.
    Intl,
    /// Every character is a token.
    Char,
    /// Chinese characters (and, by an accident of the reference, the symbols U+2001 to U+2A6D) stand alone, the rest as in 13a.
    Zh,
}

impl BleuTokenizer {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::None, Self::V13a, Self::Intl, Self::Char, Self::Zh];

    /// sacrebleu's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::V13a => "13a",
            Self::Intl => "intl",
            Self::Char => "char",
            Self::Zh => "zh",
        }
    }

    /// The tokens of a line separated by spaces, as the reference returns them. (`None` returns the line itself, and `Char` keeps
    /// white-space characters between its spaces: splitting at white space gives the tokens.)
    #[must_use]
    pub fn tokenize(self, line: &str) -> String {
        match self {
            Self::None => line.to_owned(),
            Self::V13a | Self::Intl | Self::Zh => white::collapse(&self.spaced(line)),
            Self::Char => self.spaced(line),
        }
    }

    /// A text that [`Self::each`] cuts into tokens.
    pub(crate) fn prepare(self, line: &str) -> Cow<'_, str> {
        match self {
            Self::V13a => rewritten_13a(line),
            Self::None => line.into(),
            Self::Intl | Self::Char | Self::Zh => self.spaced(line).into(),
        }
    }

    /// The tokens of a prepared text.
    pub(crate) fn each<'a>(self, prepared: &'a str, each: impl FnMut(&'a str)) {
        match self {
            Self::V13a => tokens(prepared, each),
            _ => white::words(prepared).for_each(each),
        }
    }

    /// A text whose white-space-separated words are the tokens.
    fn spaced(self, line: &str) -> String {
        match self {
            Self::None => line.to_owned(),
            Self::V13a => spaced_13a(line),
            Self::Intl => spaced_intl(line),
            Self::Char => spaced_char(line),
            Self::Zh => spaced_zh(line),
        }
    }
}

impl fmt::Display for BleuTokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for BleuTokenizer {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|tokenizer| tokenizer.as_str() == name)
            .ok_or_else(|| format!("tokenizer {name:?} is none of none, 13a, intl, char, zh"))
    }
}

fn spaced_13a(line: &str) -> String {
    isolated(&rewritten_13a(line))
}

/// What 13a rewrites before it cuts: skipped segments, hyphens at line ends, line ends, entities.
fn rewritten_13a(line: &str) -> Cow<'_, str> {
    // Without an early end, which the compiler makes wide comparisons of.
    if line.bytes().fold(false, |found, byte| found | (byte == b'<') | (byte == b'\n') | (byte == b'&')) {
        let joined = line.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
        western::unescape(joined).into()
    } else {
        line.into()
    }
}

fn isolated(line: &str) -> String {
    let mut out = Vec::with_capacity(line.len() + line.len() / 4 + 8);
    out.push(b' ');
    for byte in line.bytes() {
        western::push_isolated(&mut out, byte);
    }
    out.push(b' ');
    western::text(western::split_numbers(out))
}

fn spaced_zh(line: &str) -> String {
    let mut out = Vec::with_capacity(line.len() * 2);
    let mut buffer = [0; 4];
    for character in white::trim(line).chars() {
        if character.is_ascii() {
            western::push_isolated(&mut out, character as u8);
        } else if is_chinese(character) {
            out.push(b' ');
            out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            out.push(b' ');
        } else {
            out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
        }
    }
    western::text(western::split_numbers(out))
}

/// The ranges of the reference. Its two entries beyond the basic plane are written with four hexadecimal digits too few, so that they
/// name U+2001..=U+2A6D and U+2F81..=U+2FA1 instead.
fn is_chinese(character: char) -> bool {
    matches!(character as u32,
        0x2001..=0x2a6d | 0x2e80..=0x303f | 0x3100..=0x312f | 0x31a0..=0x31bf | 0x31c0..=0x31ef | 0x3200..=0x4db5
        | 0x4e00..=0x9fbb | 0xf900..=0xfa2d | 0xfa30..=0xfa6a | 0xfa70..=0xfad9 | 0xfe10..=0xfe1f | 0xfe30..=0xfe4f
        | 0xff00..=0xffef)
        && !matches!(character as u32, 0x2fe0..=0x2fef)
}

fn spaced_char(line: &str) -> String {
    let mut out = String::with_capacity(line.len() * 2);
    for character in line.chars() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push(character);
    }
    out
}

fn spaced_intl(line: &str) -> String {
    let is = classes::is;
    let line: Vec<char> = line.chars().collect();
    let line =
        western::pairs(&line, |a, b| !is(a, NUMBER) && is(b, PUNCTUATION), |out, a, b| out.extend([a, ' ', b, ' ']));
    let line =
        western::pairs(&line, |a, b| is(a, PUNCTUATION) && !is(b, NUMBER), |out, a, b| out.extend([' ', a, ' ', b]));
    let mut out = String::with_capacity(line.len() + line.len() / 2);
    for character in line {
        if is(character, SYMBOL) {
            out.push(' ');
            out.push(character);
            out.push(' ');
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_as_by_sacrebleu() {
        let cut = |tokenizer: BleuTokenizer, text: &str| tokenizer.tokenize(text);
        assert_eq!(
            cut(BleuTokenizer::V13a, "Hello, world... 3.14 1,000 5-3 &amp;lt; x"),
            "Hello , world . . . 3.14 1,000 5 - 3 < x"
        );
        assert_eq!(cut(BleuTokenizer::V13a, "...5 a..5"), ". . . 5 a . .5");
        assert_eq!(cut(BleuTokenizer::Intl, "“Hi”—3,5€ x."), "“ Hi ” —3,5 € x .");
        assert_eq!(cut(BleuTokenizer::Zh, "我喜欢apple。“好”"), "我 喜 欢 apple 。 “ 好 ”");
        assert_eq!(cut(BleuTokenizer::Char, "a b"), "a   b");
        assert_eq!("zh".parse(), Ok(BleuTokenizer::Zh));
        assert!("mecab".parse::<BleuTokenizer>().unwrap_err().contains("13a"));
    }
}
