use std::borrow::Cow;

/// A text in plain spelling, with the way back to the original.
///
/// Full-width characters, other scripts' decimal digits, unusual spaces and hyphens become their ASCII forms; characters
/// without width go. Nothing else changes, and each character is folded for itself, so that a part of a text folds to the
/// same part of its folding.
#[derive(Clone, Debug)]
pub(crate) struct Folded<'a> {
    pub(crate) text: Cow<'a, str>,
    /// For each byte of the folding the start and end of the original character; empty when nothing changed.
    origins: Vec<(u32, u32)>,
}

impl Folded<'_> {
    /// The original range of a range of the folding.
    pub(crate) fn original(&self, start: usize, end: usize) -> (usize, usize) {
        if self.origins.is_empty() || start >= end {
            return (start, end);
        }
        match (self.origins.get(start), self.origins.get(end - 1)) {
            (Some((start, _)), Some((_, end))) => (*start as usize, *end as usize),
            _ => (0, 0),
        }
    }

    /// Where the first character at or after an original position is in the folding.
    pub(crate) fn folded(&self, original: usize) -> usize {
        if self.origins.is_empty() {
            return original;
        }
        self.origins.partition_point(|(start, _)| (*start as usize) < original)
    }
}

/// Folds a text of at most 4 GiB; one that is plain already is borrowed.
pub(crate) fn fold(text: &str) -> Folded<'_> {
    let may_change = |byte: &u8| matches!(byte, 0xc2 | 0xd9 | 0xdb | 0xe0 | 0xe2 | 0xe3 | 0xef);
    if text.is_ascii() || !text.as_bytes().iter().any(may_change) || u32::try_from(text.len()).is_err() {
        return Folded { text: Cow::Borrowed(text), origins: Vec::new() };
    }
    let mut folded = String::with_capacity(text.len());
    let mut origins = Vec::with_capacity(text.len());
    for (index, c) in text.char_indices() {
        let Some(plain) = plain(c) else { continue };
        folded.push(plain);
        let origin = (index as u32, (index + c.len_utf8()) as u32);
        origins.extend(std::iter::repeat_n(origin, plain.len_utf8()));
    }
    Folded { text: Cow::Owned(folded), origins }
}

fn plain(c: char) -> Option<char> {
    let digit = |zero: u32| char::from_digit(u32::from(c) - zero, 10);
    match c {
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => None,
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Some(' '),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => Some('-'),
        '\u{fe6b}' => Some('@'),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        '\u{660}'..='\u{669}' => digit(0x660),
        '\u{6f0}'..='\u{6f9}' => digit(0x6f0),
        '\u{966}'..='\u{96f}' => digit(0x966),
        '\u{e50}'..='\u{e59}' => digit(0xe50),
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folding_leads_back_to_what_it_came_from() {
        let text = "x ４1\u{200b}1１\u{a0}é";
        let folded = fold(text);
        assert_eq!(folded.text, "x 4111 é");
        let (start, end) = folded.original(2, 6);
        assert_eq!(&text[start..end], "４1\u{200b}1１");
        assert_eq!(folded.folded(start), 2);
        assert!(matches!(fold("plain é").text, Cow::Borrowed(_)));
    }
}
