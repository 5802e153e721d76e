use super::plan::{self, NATIONAL};

/// Most digits in one candidate block, and most characters of a candidate.
const BLOCK: usize = 20;
const LONGEST: usize = 60;

fn is_punctuation(byte: u8) -> bool {
    matches!(byte, b'-' | b'x' | b'/' | b' ' | b'(' | b')' | b'[' | b']' | b'.' | b'~')
}

/// Where the candidate around the digits at `digits` starts, not before `from`, and where it ends: plus signs and brackets,
/// blocks of digits with at most four punctuation characters between them, an extension.
pub(crate) fn end(text: &str, from: usize, digits: usize) -> (usize, usize, usize) {
    let bytes = text.as_bytes();
    let mut start = digits;
    for _ in 0..2 {
        // One lead character, with up to four punctuation characters behind it.
        let reach = start.saturating_sub(5).max(from);
        let gap = bytes[reach..start].iter().rev().take_while(|byte| is_punctuation(**byte)).count();
        let lead = (reach..start).find(|at| matches!(bytes[*at], b'+' | b'(' | b'[') && *at + 1 + gap >= start);
        let Some(lead) = lead else { break };
        start = lead;
    }
    let mut position = digits;
    let mut count = 0;
    loop {
        let block = bytes[position..].iter().take(BLOCK).take_while(|byte| byte.is_ascii_digit()).count();
        count += block;
        position += block;
        let gap = bytes[position..].iter().take(4).take_while(|byte| is_punctuation(**byte)).count();
        let next = (0..=gap).find(|gap| bytes.get(position + gap).is_some_and(u8::is_ascii_digit));
        match next {
            Some(gap) if gap > 0 && position + gap < start + LONGEST => position += gap,
            _ => break,
        }
    }
    let extension = extension(&bytes[position..]);
    (start, position + extension, count)
}

/// Length of ` ext. 123`, `x123`, ` #123` behind a number.
fn extension(bytes: &[u8]) -> usize {
    let spaces = bytes.iter().take(2).take_while(|byte| matches!(byte, b' ' | b',')).count();
    let rest = &bytes[spaces..];
    let words: [&[u8]; 6] = [b";ext=", b"extension", b"extn", b"ext", b"x", b"#"];
    let Some(word) =
        words.iter().find(|word| rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)))
    else {
        return 0;
    };
    let after = &rest[word.len()..];
    let marks = after.iter().take(3).take_while(|byte| matches!(byte, b'.' | b':' | b' ')).count();
    let digits = after[marks..].iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
    if (1..=7).contains(&digits) { spaces + word.len() + marks + digits } else { 0 }
}

/// The numbers that a candidate holds, for each default region the first one; sorted, each once.
pub(super) fn matches(text: &str, start: usize, end: usize) -> Vec<(usize, usize)> {
    let candidate = &text[start..end];
    // Two numbers with one divided end: "+41 79 123 45 67 / x68".
    let end = start + candidate.find("/x").or_else(|| candidate.find("/ x")).unwrap_or(candidate.len());
    let candidate = trimmed(&text[start..end]);
    let end = start + candidate.len();
    if has_slash_date(candidate) || is_time_stamp(text, candidate, end) {
        return Vec::new();
    }
    let mut found: Vec<_> = (0..NATIONAL)
        .filter_map(|region| whole(text, start, end, region).or_else(|| inner(text, start, end, region)))
        .collect();
    found.sort_unstable();
    found.dedup();
    // One inside another says nothing new.
    let all = found.clone();
    found.retain(|(start, end)| !all.iter().any(|(s, e)| (s, e) != (start, end) && s <= start && e >= end));
    found
}

fn whole(text: &str, start: usize, end: usize, region: usize) -> Option<(usize, usize)> {
    let candidate = text.get(start..end)?;
    if !brackets_match(candidate) || looks_like_pages(candidate) {
        return None;
    }
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    let led = candidate.starts_with(['+', '(', '[']);
    if !led && before.is_some_and(forbids) || after.is_some_and(forbids) {
        return None;
    }
    plan::is_valid(candidate, region).then_some((start, end))
}

/// Breaks a candidate on one sort of separator after the other and tries the pieces.
fn inner(text: &str, start: usize, end: usize, region: usize) -> Option<(usize, usize)> {
    let candidate = text.get(start..end)?;
    if candidate.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let breaks: [fn(&str, usize) -> Option<usize>; 5] = [
        |text, at| text[at..].starts_with('/').then_some(1),
        |text, at| text[at..].starts_with('(').then_some(0),
        |text, at| (text[at..].starts_with(" -") || text[at..].starts_with("- ")).then_some(2),
        |text, at| text[at..].starts_with('.').then_some(1),
        |text, at| text[at..].starts_with(' ').then_some(1),
    ];
    for (index, splits) in breaks.into_iter().enumerate() {
        let mut first = true;
        let mut at = 0;
        while at < candidate.len() {
            let Some(skip) = candidate.is_char_boundary(at).then(|| splits(candidate, at)).flatten() else {
                at += 1;
                continue;
            };
            if first {
                first = false;
                let head = trimmed(&candidate[..at]);
                if let Some(found) = whole(text, start, start + head.len(), region) {
                    return Some(found);
                }
            }
            let from = at + skip + candidate[at + skip..].bytes().take_while(|byte| *byte == b' ').count();
            let rest = &candidate[from.min(candidate.len())..];
            // Spaces and full stops divide again at their next; the others take all that follows.
            let stop = match index {
                1 => rest.get(1..).and_then(|tail| tail.find('(')).map_or(rest.len(), |at| at + 1),
                3 => rest.find('.').unwrap_or(rest.len()),
                4 => rest.find(' ').unwrap_or(rest.len()),
                _ => rest.len(),
            };
            let group = trimmed(&rest[..stop]);
            if !group.is_empty()
                && let Some(found) = whole(text, start + from, start + from + group.len(), region)
            {
                return Some(found);
            }
            at = from.max(at + 1);
        }
    }
    None
}

/// Without what cannot end a number.
fn trimmed(text: &str) -> &str {
    text.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '#')
}

/// Latin letters, percent and currency signs make a longer word or an amount.
fn forbids(c: char) -> bool {
    let latin = c.is_alphabetic() && u32::from(c) < 0x250 || ('\u{1e00}'..='\u{1eff}').contains(&c);
    latin || ('\u{300}'..='\u{36f}').contains(&c) || matches!(c, '%' | '$' | '¢'..='¥' | '₠'..='₿')
}

/// At most the first bracket may be unclosed, and every pair holds something.
fn brackets_match(text: &str) -> bool {
    let mut open = None;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' if open.is_some() => return false,
            b'(' | b'[' => open = Some(index),
            b')' | b']' => {
                if open.is_some_and(|open| open + 1 == index) {
                    return false;
                }
                open = None;
            }
            _ => {}
        }
    }
    open.is_none_or(|open| open == 0)
}

/// `211-227 (2003)`: pages of a journal and a year.
fn looks_like_pages(text: &str) -> bool {
    let Some((pages, year)) = text.split_once('(') else { return false };
    let mut parts = pages.trim_end().split('-').filter(|part| !part.is_empty());
    let short =
        |part: Option<&str>| part.is_some_and(|part| part.len() <= 5 && part.bytes().all(|byte| byte.is_ascii_digit()));
    year.starts_with(|c: char| c.is_ascii_digit())
        && short(parts.next())
        && short(parts.next())
        && parts.next().is_none()
}

/// Whether a date with slashes stands somewhere in it.
fn has_slash_date(text: &str) -> bool {
    let parts: Vec<_> = text.split('/').collect();
    parts.windows(3).any(|parts| {
        let tail: String = parts[0].bytes().rev().take_while(u8::is_ascii_digit).take(2).map(char::from).collect();
        let middle = parts[1].len() <= 2 && !parts[1].is_empty() && parts[1].bytes().all(|byte| byte.is_ascii_digit());
        let year = parts[2].bytes().take_while(u8::is_ascii_digit).count() >= 2;
        !tail.is_empty() && middle && year
    })
}

/// `2012-01-02 08` with `:00` behind it.
fn is_time_stamp(text: &str, candidate: &str, end: usize) -> bool {
    let digits: String = candidate.chars().filter(char::is_ascii_digit).collect();
    let shaped = digits.len() == 10
        && matches!(digits.as_bytes()[0], b'1' | b'2')
        && candidate.as_bytes().iter().rev().nth(2) == Some(&b' ');
    let tail = &text.as_bytes()[end..];
    shaped && tail.first() == Some(&b':') && tail.get(1).is_some_and(u8::is_ascii_digit)
}
