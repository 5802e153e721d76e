//! International bank account numbers (ISO 13616): each country's own form, check digits modulo 97 (ISO 7064).

use super::Verdict;

/// What follows country and check digits: counts of digits (n), capitals (a) and either (c), from the SWIFT IBAN registry.
#[rustfmt::skip]
const COUNTRIES: &[(&str, &str)] = &[
    ("AD", "8n12c"), ("AE", "19n"), ("AL", "8n16c"), ("AT", "16n"), ("AZ", "4c20n"), ("BA", "16n"), ("BE", "12n"),
    ("BG", "4a6n8c"), ("BH", "4a14c"), ("BR", "23n1a1c"), ("BY", "4c4n16c"), ("CH", "5n12c"), ("CR", "18n"),
    ("CY", "8n16c"), ("CZ", "20n"), ("DE", "18n"), ("DK", "14n"), ("DO", "4a20n"), ("EE", "16n"), ("EG", "25n"),
    ("ES", "20n"), ("FI", "14n"), ("FO", "14n"), ("FR", "10n11c2n"), ("GB", "4a14n"), ("GE", "2c16n"),
    ("GI", "4a15c"), ("GL", "14n"), ("GR", "7n16c"), ("GT", "24c"), ("HR", "17n"), ("HU", "24n"), ("IE", "4c14n"),
    ("IL", "19n"), ("IQ", "4a15n"), ("IS", "22n"), ("IT", "1a10n12c"), ("JO", "4a22n"), ("KW", "4a22c"),
    ("KZ", "3n13c"), ("LB", "4n20c"), ("LC", "4a24c"), ("LI", "5n12c"), ("LT", "16n"), ("LU", "3n13c"),
    ("LV", "4a13c"), ("LY", "21n"), ("MC", "10n11c2n"), ("MD", "20c"), ("ME", "18n"), ("MK", "3n10c2n"),
    ("MR", "23n"), ("MT", "4a5n18c"), ("MU", "4a19n3a"), ("NL", "4a10n"), ("NO", "11n"), ("PK", "4c16n"),
    ("PL", "24n"), ("PS", "4c21n"), ("PT", "21n"), ("QA", "4a21c"), ("RO", "4a16c"), ("RS", "18n"), ("SA", "2n18c"),
    ("SC", "4a20n3a"), ("SE", "20n"), ("SI", "15n"), ("SK", "20n"), ("SM", "1a10n12c"), ("TL", "19n"),
    ("TN", "20n"), ("TR", "5n17c"), ("UA", "6n19c"), ("VA", "18n"), ("VG", "4c16n"), ("XK", "16n"),
];

/// Where the account number that starts at `start` ends, if it is one. Groups of four may be divided by one space or hyphen.
pub(crate) fn end(text: &[u8], start: usize) -> Option<usize> {
    let head = text.get(start..start + 4)?;
    let country = std::str::from_utf8(&head[..2]).ok()?;
    let form = COUNTRIES.binary_search_by_key(&country, |(country, _)| country).ok()?;
    let form = COUNTRIES[form].1;
    let mut compact: Vec<u8> = head.to_vec();
    let mut position = start + 4;
    for (count, kind) in parts(form) {
        for _ in 0..count {
            if compact.len().is_multiple_of(4) && matches!(text.get(position), Some(b' ' | b'-')) {
                position += 1;
            }
            let byte = *text.get(position)?;
            let fits = match kind {
                b'n' => byte.is_ascii_digit(),
                b'a' => byte.is_ascii_uppercase(),
                _ => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            };
            if !fits {
                return None;
            }
            compact.push(byte);
            position += 1;
        }
    }
    let apart = text.get(position).is_none_or(|byte| !byte.is_ascii_digit() && !byte.is_ascii_uppercase());
    (apart && is_valid(&compact)).then_some(position)
}

/// Whether a whole text is an account number.
pub(crate) fn whole(text: &str) -> Verdict {
    Verdict::sure(end(text.as_bytes(), 0) == Some(text.len()))
}

fn parts(form: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut count = 0;
    form.bytes().filter_map(move |byte| {
        if byte.is_ascii_digit() {
            count = count * 10 + usize::from(byte - b'0');
            None
        } else {
            Some((std::mem::take(&mut count), byte))
        }
    })
}

fn is_valid(compact: &[u8]) -> bool {
    let check = u32::from(compact[2].saturating_sub(b'0')) * 10 + u32::from(compact[3].saturating_sub(b'0'));
    let remainder = compact[4..].iter().chain(&compact[..4]).fold(0_u32, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        letter => (remainder * 100 + u32::from(letter.saturating_sub(b'A')) + 10) % 97,
    });
    // 00, 01 and 99 give the same remainders as 97, 98 and 02, but nobody issues them.
    remainder == 1 && (2..=98).contains(&check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_sorted_and_numbers_are_read_in_groups() {
        assert!(COUNTRIES.is_sorted());
        for good in ["DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "GB82-WEST-1234-5698-7654-32"] {
            assert_eq!(whole(good), Verdict::Valid, "{good}");
        }
        for bad in ["DE89370400440532013001", "DE893704004405320130000", "DE89 37 04 0044 0532 0130 00", "XX00", ""] {
            assert_eq!(whole(bad), Verdict::Invalid, "{bad}");
        }
    }
}
