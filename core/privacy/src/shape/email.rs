//! E-mail addresses: what stands around each at sign, read by hand in one pass.
//!
//! The grammar is the dot-atom part of RFC 5322 with the lengths of RFC 5321 and the letters of RFC 6531, narrowed to
//! what people write: characters that separate things in URLs and queries (`= / ? & {`) end a local part. Quoted local
//! parts and address literals (`x@[1.2.3.4]`) are not looked for.

use crate::shape::domain;

/// Longest local part (RFC 5321, 4.5.3.1.1) and longest domain (4.5.3.1.2), in characters.
const LOCAL: usize = 64;
const DOMAIN: usize = 253;
const LABEL: usize = 63;

/// The address around the at sign at `at`, looked for behind `from`.
pub(crate) fn around(text: &str, from: usize, at: usize) -> Option<(usize, usize)> {
    let sign = text.get(at..)?.chars().next().filter(|c| is_at(*c))?;
    let start = from + local_start(text.get(from..at)?)?;
    let after = at + sign.len_utf8();
    Some((start, after + domain_length(text.get(after..)?)?))
}

/// The local part of `text` when all of it is one address.
pub(crate) fn local_part(text: &str) -> Option<&str> {
    let at = text.find(is_at)?;
    let whole = around(text, 0, at) == Some((0, text.len()));
    if whole { text.get(..at) } else { None }
}

/// Where the local part that ends `before` starts.
fn local_start(before: &str) -> Option<usize> {
    let mut start = before.len();
    let mut glued = None;
    let mut previous = '@';
    for (characters, (index, c)) in before.char_indices().rev().enumerate() {
        // A dot may neither end a local part nor follow another dot.
        if !is_local(c) || is_dot(c) && (previous == '@' || is_dot(previous)) {
            break;
        }
        if characters >= LOCAL {
            // Too long for an address: a match would start in the middle of a word, unless a script without spaces
            // gave us a start already.
            start = glued?;
            break;
        }
        // Text in a script without spaces runs into the address: the address starts after it, if anything is left of it.
        if is_spaceless(c) && glued.is_none() {
            glued = Some(start);
        }
        start = index;
        previous = c;
    }
    [glued, Some(start)].into_iter().flatten().find_map(|start| {
        let local = &before[start..];
        let trimmed = local.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_');
        trimmed.contains(char::is_alphanumeric).then(|| before.len() - trimmed.len())
    })
}

/// Length in bytes of the domain that starts `after`.
fn domain_length(after: &str) -> Option<usize> {
    let mut end = 0;
    let mut previous = '@';
    let mut dotted = false;
    for (characters, (index, c)) in after.char_indices().enumerate() {
        let glued = dotted && is_spaceless(c) && previous.is_ascii_alphanumeric();
        if !(is_word(c) || c == '-' || is_dot(c)) || glued || is_dot(c) && is_dot(previous) {
            break;
        }
        if characters >= DOMAIN {
            return None;
        }
        dotted |= is_dot(c);
        end = index + c.len_utf8();
        previous = c;
    }
    // The longest part that is a domain: "b.com-and" and "b.com.5" hold "b.com".
    let mut domain = &after[..end];
    loop {
        if is_domain(domain) {
            return Some(domain.len());
        }
        let cut = domain.rfind(|c| c == '-' || is_dot(c))?;
        domain = &domain[..cut];
    }
}

fn is_domain(domain: &str) -> bool {
    let mut labels = 0;
    let mut last = "";
    for label in domain.split(is_dot) {
        if label.is_empty() || label.starts_with('-') || label.ends_with('-') || label.chars().count() > LABEL {
            return false;
        }
        labels += 1;
        last = label;
    }
    labels >= 2 && domain::is_top_level(last)
}

fn is_at(c: char) -> bool {
    matches!(c, '@' | '\u{ff20}' | '\u{fe6b}')
}

fn is_dot(c: char) -> bool {
    matches!(c, '.' | '\u{ff0e}')
}

/// A letter, a digit, or an accent that was written as a character of its own.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&c)
}

fn is_local(c: char) -> bool {
    is_word(c) || is_dot(c) || matches!(c, '_' | '%' | '+' | '-' | '\'' | '~' | '#' | '$' | '!' | '^')
}

/// Scripts that write no spaces between words, so that an address may stand between letters: Thai, Lao, Khmer, kana, Han.
fn is_spaceless(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        text.char_indices().filter_map(|(at, _)| around(text, 0, at)).map(|(start, end)| &text[start..end]).collect()
    }

    #[test]
    fn addresses_are_found_without_what_stands_around_them() {
        for (text, address) in [
            ("Write to ann@example.org.", "ann@example.org"),
            ("(ann.b+news@mail.example.co.uk)", "ann.b+news@mail.example.co.uk"),
            ("<a@b.co>, and more", "a@b.co"),
            ("'ann@example.org'", "ann@example.org"),
            ("mailto:ann@example.org?subject=x", "ann@example.org"),
            ("?user=ann@example.org&x=1", "ann@example.org"),
            ("**ann@example.org**", "ann@example.org"),
            ("...ann@example.org...", "ann@example.org"),
            ("ann@example.org-", "ann@example.org"),
            ("ann@example.org.5", "ann@example.org"),
            ("ann@example.org-and-more", "ann@example.org"),
            ("ANN_O'HARA@EXAMPLE.ORG!", "ANN_O'HARA@EXAMPLE.ORG"),
            ("josé@exämple.de", "josé@exämple.de"),
            ("jose\u{301}@example.de", "jose\u{301}@example.de"),
            ("我的邮箱是zhang.san@163.com，谢谢", "zhang.san@163.com"),
            ("邮箱zhang.san@163.com是我的", "zhang.san@163.com"),
            ("用户@例子.公司", "用户@例子.公司"),
            ("ann＠example．org", "ann＠example．org"),
            ("a@xn--d1acufc.xn--p1ai", "a@xn--d1acufc.xn--p1ai"),
        ] {
            assert_eq!(found(text), [address], "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_an_address_is_left_alone() {
        for text in [
            "a@b",
            "a@@b.com",
            "@ann",
            "ann@",
            "@",
            "ann @ example.org",
            "root@192.168.1.1",
            "ann@[192.168.1.1]",
            "lodash@4.17.21",
            "icon@2x.png",
            "ann@-example.org",
            "ann@example.o",
            "ann@.org",
            "ann.@example.org",
            "___@example.org",
            "a@b.c1",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
        assert_eq!(found(&format!("{}@example.org", "x".repeat(LOCAL + 1))), [""; 0]);
        assert_eq!(found(&format!("a@{}.org", "x".repeat(LABEL + 1))), [""; 0]);
    }

    #[test]
    fn a_local_part_is_given_only_for_a_whole_address() {
        assert_eq!(local_part("ann@example.org"), Some("ann"));
        assert_eq!(local_part("to ann@example.org"), None);
        assert_eq!(local_part("4111111111111111"), None);
    }
}
