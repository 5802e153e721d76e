//! Payment cards: digits with the length and prefix of an issuer and a right check digit (Luhn, ISO/IEC 7812-1).
//!
//! Digits may stand in groups, with one separator of one sort between them. Numbers that are part of something longer
//! (a decimal, an identifier with letters, a chain of hyphens) are not cards.

use crate::Entity;
use crate::engine::Candidate;

/// Prefix range and the lengths that the issuer uses: (first, last, shortest, longest).
const ISSUERS: &[(u32, u32, usize, usize)] = &[
    (1, 1, 15, 15),       // UATP
    (2200, 2204, 16, 19), // Mir
    (2221, 2720, 16, 16), // Mastercard
    (300, 305, 14, 19),   // Diners Club
    (3095, 3095, 14, 19), // Diners Club
    (34, 34, 15, 15),     // American Express
    (3528, 3589, 16, 19), // JCB
    (36, 36, 14, 19),     // Diners Club
    (37, 37, 15, 15),     // American Express
    (38, 39, 14, 19),     // Diners Club
    (4, 4, 13, 13),       // Visa, old
    (4, 4, 16, 16),       // Visa
    (4, 4, 19, 19),       // Visa
    (50, 50, 13, 19),     // Maestro
    (51, 55, 16, 16),     // Mastercard
    (56, 58, 13, 19),     // Maestro
    (60, 60, 16, 19),     // Discover, RuPay
    (62, 62, 16, 19),     // UnionPay
    (6304, 6304, 13, 19), // Maestro
    (636, 636, 16, 19),   // InterPayment
    (637, 639, 16, 16),   // InstaPayment
    (644, 659, 16, 19),   // Discover
    (6703, 6703, 16, 19), // Bancontact
    (6759, 6763, 13, 19), // Maestro
    (81, 82, 16, 19),     // UnionPay, RuPay
    (9792, 9792, 16, 16), // Troy
];

/// A card is written in at most this many groups.
const GROUPS: usize = 5;
const SHORTEST: usize = 13;
const LONGEST: usize = 19;

/// Looks in `from..to`, a chain of digits and single separators; around it the text only says where a number stands alone.
pub(crate) fn find(text: &str, from: usize, to: usize, findings: &mut Vec<Candidate>) {
    let groups = groups(text.get(from..to).unwrap_or(""), from);
    for first in 0..groups.len() {
        let mut digits = Vec::with_capacity(LONGEST);
        for (count, last) in (first..groups.len().min(first + GROUPS)).enumerate() {
            let group = &groups[last];
            if count > 0 && !joins(&groups[first..=last]) {
                break;
            }
            digits.extend_from_slice(&group.digits);
            if digits.len() > LONGEST || group.length > LONGEST {
                break;
            }
            let (start, end) = (groups[first].start, group.end);
            let sizes_fit = count == 0 || groups[first..=last].iter().all(|group| (2..=6).contains(&group.length));
            if sizes_fit && is_card(&digits) && stands_alone(text, start, end) {
                findings.push(Candidate::sure(Entity::CreditCard, start, end));
            }
        }
    }
}

/// A run of digits.
struct Group {
    start: usize,
    end: usize,
    /// Number of digits, of which at most one more than a card can have is kept below.
    length: usize,
    digits: Vec<u8>,
    /// The one separator between the group before and this one.
    separator: Option<char>,
}

fn groups(text: &str, offset: usize) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut between: Option<(usize, char)> = None;
    for (index, c) in text.char_indices() {
        let index = index + offset;
        let Some(digit) = digit(c) else {
            // Only a separator right behind a group counts; a second one in a row replaces it and fits no more.
            between = Some((index, c));
            continue;
        };
        let end = index + c.len_utf8();
        match groups.last_mut() {
            Some(group) if group.end == index => {
                group.end = end;
                group.length += 1;
                if group.digits.len() <= LONGEST {
                    group.digits.push(digit);
                }
            }
            previous => {
                let separator = match (previous, between) {
                    (Some(group), Some((at, c))) if group.end == at && is_separator(c) => Some(c),
                    _ => None,
                };
                groups.push(Group { start: index, end, length: 1, digits: vec![digit], separator });
            }
        }
    }
    groups
}

/// Whether the groups are joined by one separator, the same between all.
fn joins(groups: &[Group]) -> bool {
    groups[1..].iter().all(|group| group.separator.is_some() && group.separator == groups[1].separator)
}

fn is_card(digits: &[u8]) -> bool {
    (SHORTEST..=LONGEST).contains(&digits.len())
        && digits.iter().any(|digit| *digit != digits[0])
        && ISSUERS.iter().any(|issuer| issued_by(*issuer, digits))
        && luhn(digits)
}

fn issued_by((first, last, shortest, longest): (u32, u32, usize, usize), digits: &[u8]) -> bool {
    let places = first.ilog10() as usize + 1;
    let prefix = digits.iter().take(places).fold(0, |prefix, digit| prefix * 10 + u32::from(*digit));
    (first..=last).contains(&prefix) && (shortest..=longest).contains(&digits.len())
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether nothing around the range makes it a part of a longer word or number.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let mut before = text[..start].chars().rev();
    let mut after = text[end..].chars();
    !continues(before.next(), before.next()) && !continues(after.next(), after.next())
}

fn continues(next: Option<char>, over: Option<char>) -> bool {
    match next {
        Some('.' | ',' | '-' | '\u{2010}'..='\u{2013}') => over.and_then(digit).is_some(),
        Some(c) => c.is_ascii_alphanumeric() || c == '_' || digit(c).is_some(),
        None => false,
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-' | '\u{a0}' | '\u{202f}' | '\u{2010}'..='\u{2013}')
}

fn digit(c: char) -> Option<u8> {
    match c {
        '0'..='9' => Some(c as u8 - b'0'),
        '\u{ff10}'..='\u{ff19}' => u8::try_from(u32::from(c) - 0xff10).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut findings = Vec::new();
        find(text, 0, text.len(), &mut findings);
        findings.iter().map(|finding| &text[finding.start..finding.end]).collect()
    }

    #[test]
    fn cards_are_found_as_people_write_them() {
        for (text, card) in [
            ("4111111111111111", "4111111111111111"),
            ("card 4111 1111 1111 1111, thanks", "4111 1111 1111 1111"),
            ("4111-1111-1111-1111.", "4111-1111-1111-1111"),
            ("4111\u{a0}1111\u{a0}1111\u{a0}1111", "4111\u{a0}1111\u{a0}1111\u{a0}1111"),
            ("3782 822463 10005", "3782 822463 10005"),
            ("(5555555555554444)", "5555555555554444"),
            ("2223003122003222", "2223003122003222"),
            ("卡号4111111111111111。", "4111111111111111"),
            ("４１１１１１１１１１１１１１１１", "４１１１１１１１１１１１１１１１"),
            ("4111111111111111 123", "4111111111111111"),
        ] {
            assert_eq!(found(text), [card], "{text}");
        }
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in [
            "4111111111111112",
            "0000000000000000",
            "0000 0000 0000 0000",
            "41111111111111110",
            "04111111111111111",
            "0.4111111111111111",
            "4111111111111111.5",
            "id4111111111111111",
            "4111111111111111f",
            "x_4111111111111111",
            "4111-1111-1111-1111-1111",
            "4111 1111-1111 1111",
            "4111  1111  1111  1111",
            "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
            "7992739871300000",
            "1748503543012",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
