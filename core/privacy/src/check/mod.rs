//! Checksums and structures: each takes what a pattern matched and says whether it can be the real thing.
//!
//! Separators are skipped here, so that a check sees digits however they are grouped. The algorithms are those that the
//! issuers publish; where an issuer publishes none, the check says so by answering [`Verdict::Unknown`].

pub(crate) mod americas;
pub(crate) mod asia;
pub(crate) mod crypto;
pub(crate) mod europe;
pub(crate) mod germany;
pub(crate) mod iban;
pub(crate) mod internet;
pub(crate) mod oceania;

/// What a check says of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Certain: the finding scores 1.
    Valid,
    /// Cannot be: the match is dropped.
    Invalid,
    /// Nothing known: the finding keeps its pattern's score.
    Unknown,
}

pub(crate) type Check = fn(&str) -> Verdict;

impl Verdict {
    /// A checksum that decides both ways.
    pub(crate) fn sure(valid: bool) -> Self {
        if valid { Self::Valid } else { Self::Invalid }
    }

    /// A rule that only drops.
    pub(crate) fn unless(invalid: bool) -> Self {
        if invalid { Self::Invalid } else { Self::Unknown }
    }

    /// A checksum that only confirms.
    pub(crate) fn confirm(valid: bool) -> Self {
        if valid { Self::Valid } else { Self::Unknown }
    }
}

/// For patterns without any rule beyond their form.
pub(crate) fn none(_: &str) -> Verdict {
    Verdict::Unknown
}

/// The ASCII digits of a match.
pub(crate) fn digits(text: &str) -> Vec<u32> {
    text.bytes().filter(u8::is_ascii_digit).map(|byte| u32::from(byte - b'0')).collect()
}

/// Its letters and digits, in capitals.
pub(crate) fn compact(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_uppercase()).collect()
}

/// Sum of products; the shorter of the two sets the length.
pub(crate) fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// Luhn's check digit at the end (ISO/IEC 7812-1, annex B).
pub(crate) fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, *digit) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO 7064 MOD 11,10 with the check digit at the end.
pub(crate) fn mod_11_10(digits: &[u32]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let mut product = 10;
    for digit in body {
        let sum = (digit + product) % 10;
        product = (if sum == 0 { 10 } else { sum }) * 2 % 11;
    }
    (11 - product) % 10 == *check
}

/// Verhoeff's check digit at the end (1969; the dihedral group of order 10).
pub(crate) fn verhoeff(digits: &[u32]) -> bool {
    // The permutation is applied once more for each place; 5-digit rotations and reflections make the product.
    const PERMUTED: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let product = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let mut check = 0;
    for (place, digit) in digits.iter().rev().enumerate() {
        let permuted = (0..place % 8).fold(*digit, |digit, _| PERMUTED[digit as usize % 10]);
        check = product(check, permuted);
    }
    check == 0
}

/// Whether this is a day of the Gregorian calendar.
pub(crate) fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// The number that some digits write.
pub(crate) fn number(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + u64::from(*digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_agree_with_published_examples() {
        assert!(luhn(&digits("79927398713")) && !luhn(&digits("79927398710")));
        assert!(verhoeff(&digits("2363")) && !verhoeff(&digits("2364")));
        assert!(mod_11_10(&digits("794623")) && !mod_11_10(&digits("794624")));
        assert!(is_date(2000, 2, 29) && !is_date(1900, 2, 29) && !is_date(2001, 13, 1) && !is_date(2001, 4, 31));
    }
}
