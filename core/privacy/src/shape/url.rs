//! Addresses on the web, with a scheme or without.

use crate::shape::domain;

/// Longest host looked at, in bytes.
const HOST: usize = 256;

/// An address and how it was recognised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Address {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) score: f64,
    /// Whether a scheme or `www.` shows that an address is meant.
    pub(crate) meant: bool,
}

/// All addresses of the run of host characters around the dot at `dot`, not starting before `from`; and where the run ends.
pub(crate) fn around(text: &str, from: usize, dot: usize, found: &mut Vec<Address>) -> usize {
    let bytes = text.as_bytes();
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let before = bytes[from.max(dot.saturating_sub(HOST))..dot].iter().rev().take_while(|byte| is_host(byte)).count();
    let run_end = dot + bytes[dot..].iter().take_while(|byte| is_host(byte)).count();
    let mut start = dot - before;
    let end = run_end.min(start + HOST);
    while start < end {
        let with_scheme = scheme(bytes, from, start);
        let Some(host_end) = host_end(&bytes[start..end], with_scheme.is_some()).map(|length| start + length) else {
            break;
        };
        let path = match bytes.get(host_end) {
            Some(b'/') => path(&text[host_end..]),
            _ => 0,
        };
        let mut address = Address {
            start: with_scheme.unwrap_or(start),
            end: host_end + path,
            score: if with_scheme.is_some() { 0.6 } else { 0.5 },
            meant: with_scheme.is_some()
                || bytes[start..host_end].get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"www.")),
        };
        // Quotes around all of it belong to it.
        let quote = address.start.checked_sub(1).filter(|before| *before >= from).map(|before| bytes[before]);
        if matches!(quote, Some(b'"' | b'\'')) && matches!(bytes.get(address.end), Some(b'"' | b'\'')) {
            address.start -= 1;
            address.end += 1;
        }
        found.push(address);
        start = host_end.max(address.end);
        if start >= run_end {
            break;
        }
    }
    run_end.max(dot + 1)
}

/// Start of `http://` or `https://` right before `host`.
fn scheme(bytes: &[u8], from: usize, host: usize) -> Option<usize> {
    ["https://", "http://"].iter().find_map(|scheme| {
        let start = host.checked_sub(scheme.len()).filter(|start| *start >= from)?;
        bytes[start..host].eq_ignore_ascii_case(scheme.as_bytes()).then_some(start)
    })
}

/// Length of the longest host at the start: labels of which the last ends a domain.
fn host_end(run: &[u8], with_scheme: bool) -> Option<usize> {
    let mut end = run.len();
    loop {
        let dot = run[..end].iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0)?;
        let label = run[dot + 1..end].split(|byte| *byte == b'-').next().unwrap_or(&[]);
        let whole = dot + 1 + label.len();
        let ends = if with_scheme { domain::ends_address(label) } else { domain::ends_bare_address(label) };
        if ends && run[..dot].last().is_some_and(u8::is_ascii_alphanumeric) {
            return Some(whole);
        }
        end = dot;
    }
}

/// Length of a path, without the full stop or comma that ends a sentence there.
fn path(text: &str) -> usize {
    let stop = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '<' | '>' | '"' | '\'');
    let end = text.find(stop).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ',', ';', ':', '!', '?']).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let (mut found, mut done) = (Vec::new(), 0);
        while let Some(dot) = text[done..].find('.').map(|dot| dot + done) {
            done = around(text, 0, dot, &mut found);
        }
        found.iter().map(|address| &text[address.start..address.end]).collect()
    }

    #[test]
    fn addresses_are_found_with_their_paths() {
        assert_eq!(found("see https://a.example.com/x?y=1#z, or"), ["https://a.example.com/x?y=1#z"]);
        assert_eq!(found("'https://example.org/'"), ["'https://example.org/'"]);
        assert_eq!(found("www.example.co.uk."), ["www.example.co.uk"]);
        assert_eq!(found("http://microsoft"), [""; 0]);
        assert_eq!(found("'www.microsoft'"), [""; 0]);
        assert_eq!(found("1.5 and x.y()"), [""; 0]);
    }
}
