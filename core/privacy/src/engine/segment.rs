/// How much text before a segment is still seen, in bytes: for word boundaries and context.
pub(crate) const LOOK_BEHIND: usize = 128;

/// A line up to this long is one segment.
const LINE: usize = 256;
/// From here on any space divides, and from there on anything does.
const SPACE: usize = 2_048;
const HARD: usize = 4_096;

/// Short lines are scanned together up to about this size.
const BLOCK: usize = 4 << 10;

/// Where the segment that starts at `from` ends; none when that depends on text still to come.
///
/// A segment is a line. A longer one is divided where nothing that is looked for stands: between plain words; then at any
/// space; then anywhere. The places depend on the text alone, not on how it arrives, so they are the same in a stream.
pub(crate) fn next_end(text: &str, from: usize, complete: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let line = bytes.get(from..(from + LINE).min(bytes.len()))?;
    if let Some(at) = line.iter().position(|byte| *byte == b'\n') {
        return Some(from + at + 1);
    }
    for at in from + LINE..(from + HARD).min(bytes.len()) {
        match bytes[at] {
            b'\n' => return Some(at + 1),
            b' ' | b'\t' if at >= from + SPACE => return Some(at + 1),
            b' ' if bytes[at - 4..at].iter().all(u8::is_ascii_lowercase) => {
                let Some(next) = bytes.get(at + 1..at + 5) else { if complete { continue } else { return None } };
                // The words of a spelled-out address stay together.
                let spelled = next.starts_with(b"at ") || next.starts_with(b"dot ");
                if next[0].is_ascii_lowercase() && !spelled {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    if bytes.len() >= from + HARD {
        let mut at = from + HARD;
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        return Some(at);
    }
    (complete && from < bytes.len()).then_some(bytes.len())
}

/// The segments of a whole text in blocks: each block's start and the ends of its segments.
pub(crate) struct Segments<'a> {
    text: &'a str,
    from: usize,
}

impl<'a> Segments<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, from: 0 }
    }

    /// Fills `ends` with the next block's and returns where it starts.
    pub(crate) fn next_block(&mut self, ends: &mut Vec<usize>) -> Option<usize> {
        ends.clear();
        let start = self.from;
        while let Some(end) = next_end(self.text, self.from, true) {
            // A line that was divided ends the block: what is scanned together must end as a line does.
            let whole = self.text.as_bytes()[end - 1] == b'\n';
            ends.push(end);
            self.from = end;
            if !whole || end - start >= BLOCK {
                break;
            }
        }
        (!ends.is_empty()).then_some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(text: &str) -> Vec<usize> {
        let (mut ends, mut from) = (Vec::new(), 0);
        while let Some(end) = next_end(text, from, true) {
            ends.push(end);
            from = end;
        }
        ends
    }

    #[test]
    fn segments_are_lines_and_long_lines_are_divided() {
        assert_eq!(ends("ab\ncd\n\nef"), [3, 6, 7, 9]);
        let prose = "there are plain words ".repeat(100);
        assert!(ends(&prose).windows(2).all(|pair| pair[1] - pair[0] <= LINE + 32));
        let digits = "é1".repeat(5_000);
        assert!(ends(&digits).iter().all(|end| digits.is_char_boundary(*end)));
        assert_eq!(ends(""), [0; 0]);
    }

    #[test]
    fn an_end_once_known_does_not_change_with_more_text() {
        let text = format!("{}\n{}", "some words at hand 12 34 ".repeat(40), "x1".repeat(4_000));
        let all = ends(&text);
        let mut from = 0;
        for end in all {
            for seen in from..text.len().min(end + 8) {
                if let Some(early) = next_end(&text[..seen], from, false) {
                    assert_eq!(early, end);
                }
            }
            from = end;
        }
    }
}
