//! The tokens of the 13a tokenizer as slices of the line, without building the spaced text first. The tokenizer only ever puts spaces in, so its
//! tokens are stretches of the line, and what it does between two spaces or lone signs depends on nothing outside.

use crate::text::western::{split_numbers, stands_alone};
use crate::text::white::is_white;

/// Hands each token of `line` (entities and line ends resolved already) to `each`, in order.
pub(super) fn tokens<'a>(line: &'a str, mut each: impl FnMut(&'a str)) {
    let bytes = line.as_bytes();
    let mut start = 0;
    let mut has_point = false;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        match KIND[usize::from(byte)] {
            Kind::Letter => at += 1,
            Kind::Point => {
                has_point = true;
                at += 1;
            }
            Kind::Lead => {
                // Only characters that begin with one of these bytes can be white space.
                let length = line[at..].chars().next().map_or(1, |character| {
                    if is_white(character) {
                        chunk(&line[start..at], has_point, &mut each);
                        has_point = false;
                        start = at + character.len_utf8();
                    }
                    character.len_utf8()
                });
                at += length;
            }
            kind => {
                chunk(&line[start..at], has_point, &mut each);
                has_point = false;
                if kind == Kind::Alone {
                    each(&line[at..=at]);
                }
                at += 1;
                start = at;
            }
        }
    }
    chunk(&line[start..], has_point, &mut each);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    /// Point, comma or dash: what number rules look at.
    Point,
    White,
    Alone,
    Lead,
}

const KIND: [Kind; 256] = {
    let mut kinds = [Kind::Letter; 256];
    let mut at = 0;
    while at < 256 {
        kinds[at] = match at as u8 {
            b'.' | b',' | b'-' => Kind::Point,
            b'\t'..=b'\r' | 0x1c..=b' ' => Kind::White,
            0xc2 | 0xe1 | 0xe2 | 0xe3 => Kind::Lead,
            byte if stands_alone(byte) => Kind::Alone,
            _ => Kind::Letter,
        };
        at += 1;
    }
    kinds
};

/// The tokens of a stretch without white space and lone signs.
#[inline]
fn chunk<'a>(text: &'a str, has_point: bool, each: &mut impl FnMut(&'a str)) {
    if text.is_empty() {
    } else if !has_point {
        each(text);
    } else {
        numbers(text, each);
    }
}

fn numbers<'a>(text: &'a str, each: &mut impl FnMut(&'a str)) {
    let bytes = text.as_bytes();
    let (last, body) = (bytes[bytes.len() - 1], &bytes[..bytes.len() - 1]);
    if last != b'-' && !body.is_empty() && !body.iter().any(|byte| matches!(byte, b'.' | b',' | b'-')) {
        // A word and one point or comma: the usual end of a sentence.
        let (word, point) = text.split_at(body.len());
        each(word);
        each(point);
        return;
    }
    let mut padded = Vec::with_capacity(bytes.len() + 2);
    padded.push(b' ');
    padded.extend_from_slice(bytes);
    padded.push(b' ');
    let mut from = 0;
    for token in split_numbers(padded).split(|byte| *byte == b' ').filter(|token| !token.is_empty()) {
        each(&text[from..from + token.len()]);
        from += token.len();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::translation::BleuTokenizer;

    proptest! {
        #[test]
        fn slices_are_what_the_spaced_text_splits_into(line in r"([a-z0-9.,\-'/ &é中\u{a0}\u{3000}\t]|\PC){0,40}") {
            // Without what the tokenizer rewrites.
            let line = line.replace(['&', '<', '\n'], "");
            let mut found = Vec::new();
            tokens(&line, |token| found.push(token.to_owned()));
            let spaced = BleuTokenizer::V13a.tokenize(&line);
            prop_assert_eq!(found.join(" "), spaced);
        }
    }
}
