//! Addresses spelled out against collectors: `ann (at) example (dot) org`, `ann at example dot org`.

use crate::shape::email;

/// The longest piece of text that is read on each side.
const SPAN: usize = 160;

/// What gives such an address away, for the automaton that looks for all signs at once.
pub(super) const SIGNS: [&str; 7] = ["(at)", "[at]", "{at}", " dot ", "(dot)", "[dot]", "{dot}"];

/// The address around the sign at `start..end`, not before `from`: what stands there is rewritten in plain form, remembering
/// where each byte came from.
pub(super) fn around(text: &str, from: usize, start: usize, end: usize) -> Option<(usize, usize)> {
    let low = crate::text::boundary(text, from.max(start.saturating_sub(SPAN)));
    let high = (end + SPAN).min(text.len());
    let high = (high..=text.len()).find(|at| text.is_char_boundary(*at))?;
    let piece = text.get(low..high)?;
    let line = piece[..start - low].rfind('\n').map_or(0, |at| at + 1);
    let (mut plain, mut origins) = (String::new(), Vec::new());
    let mut rest = &piece[line..];
    while let Some(c) = rest.chars().next() {
        if c == '\n' {
            break;
        }
        let (put, used) = [("at", '@'), ("dot", '.')]
            .iter()
            .find_map(|(word, sign)| spelled(rest, word).map(|used| (*sign, used)))
            .unwrap_or((c, c.len_utf8()));
        let origin = low + (piece.len() - rest.len());
        origins.extend(std::iter::repeat_n((origin, origin + used), put.len_utf8()));
        plain.push(put);
        rest = &rest[used..];
    }
    let (start, end) = plain
        .char_indices()
        .filter(|(_, c)| *c == '@')
        .filter_map(|(at, _)| email::around(&plain, 0, at))
        .find(|(first, last)| origins[*first].0 < end && origins[last - 1].1 > start)?;
    let range = (origins[start].0, origins[end - 1].1);
    // Without any spelled sign in it, it is found as it stands.
    (text.get(range.0..range.1)? != &plain[start..end]).then_some(range)
}

/// Length of a spelled sign at the start: ` at `, `(at)`, ` [at] `.
fn spelled(text: &str, word: &str) -> Option<usize> {
    let inner = text.trim_start_matches(' ');
    let spaces = text.len() - inner.len();
    let (inner, close) = match inner.as_bytes().first()? {
        b'(' => (&inner[1..], Some(')')),
        b'[' => (&inner[1..], Some(']')),
        b'{' => (&inner[1..], Some('}')),
        _ if spaces > 0 => (inner, None),
        _ => return None,
    };
    let head = inner.get(..word.len())?;
    if spaces > 2 || !head.eq_ignore_ascii_case(word) {
        return None;
    }
    let after = &inner[word.len()..];
    let after = match close {
        Some(close) => after.strip_prefix(close)?,
        None => after.strip_prefix(' ')?,
    };
    Some(text.len() - after.trim_start_matches(' ').len())
}

#[cfg(test)]
mod tests {
    fn found(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        crate::shape::signs::find(text, 0, text.len(), false, true, &mut found);
        found.iter().map(|candidate| &text[candidate.start..candidate.end]).collect()
    }

    #[test]
    fn spelled_addresses_are_found_whole() {
        assert_eq!(found("write to ann at example dot org today"), ["ann at example dot org"]);
        assert_eq!(found("ann.b (at) mail [dot] example (dot) org!"), ["ann.b (at) mail [dot] example (dot) org"]);
        assert_eq!(found("ann[at]example.org"), ["ann[at]example.org"]);
        for text in ["look at the dot there", "a dot is at home", "meet at noon dot", "ann@example.org dot"] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
