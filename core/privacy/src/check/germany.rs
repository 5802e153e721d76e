//! Germany's numbers.

use super::{Verdict, compact, digits, mod_11_10, weighted};

/// Tax identification number (§ 139b AO): no digit more than three times among the first ten, ISO 7064 MOD 11,10.
pub(crate) fn tax_id(text: &str) -> Verdict {
    let digits = digits(text);
    let often = |wanted| digits.iter().take(10).filter(|digit| **digit == wanted).count() > 3;
    Verdict::sure(digits.len() == 11 && digits[0] != 0 && !(0..10).any(often) && mod_11_10(&digits))
}

/// VAT number: the check digit is not published, so a wrong one proves nothing.
pub(crate) fn vat(text: &str) -> Verdict {
    Verdict::confirm(mod_11_10(&digits(text)))
}

/// Machine-readable check digit (ICAO 9303) of a passport.
pub(crate) fn passport(text: &str) -> Verdict {
    Verdict::sure(icao(&compact(text)))
}

/// Identity card: the older form (T and digits) carries no check digit of its own.
pub(crate) fn id_card(text: &str) -> Verdict {
    let value = compact(text);
    if value.first() == Some(&b'T') && value[1..].iter().all(u8::is_ascii_digit) {
        return Verdict::Unknown;
    }
    Verdict::sure(icao(&value))
}

/// Pension insurance number (VKVV § 4): birth day and month, weighted digit sum.
pub(crate) fn social_security(text: &str) -> Verdict {
    let value = compact(text);
    if value.len() != 12 || !value[8].is_ascii_uppercase() {
        return Verdict::Invalid;
    }
    let letter = u32::from(value[8] - b'A') + 1;
    let digits = digits(text);
    let (day, month) = (digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]);
    if !((1..=31).contains(&day) || (51..=81).contains(&day)) || !(1..=12).contains(&month) {
        return Verdict::Invalid;
    }
    let mut body = digits[..8].to_vec();
    body.extend([letter / 10, letter % 10, digits[8], digits[9]]);
    Verdict::sure(digit_sum(&body, &[2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]) % 10 == digits[10])
}

/// Health insurance number (§ 290 SGB V): a letter counted as two digits, weights 1 and 2, digit sums.
pub(crate) fn health_insurance(text: &str) -> Verdict {
    let value = compact(text);
    let letter = value.first().map_or(0, |letter| u32::from(letter.saturating_sub(b'A')) + 1);
    let digits = digits(text);
    if value.len() != 10 || digits.len() != 9 {
        return Verdict::Invalid;
    }
    let mut body = vec![letter / 10, letter % 10];
    body.extend(&digits[..8]);
    Verdict::sure(digit_sum(&body, &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2]) % 10 == digits[8])
}

/// Physician number (KBV): weights 4 and 9 over six digits, complement to ten in the seventh.
pub(crate) fn lanr(text: &str) -> Verdict {
    let digits = digits(text);
    let sum = weighted(&digits[..digits.len().min(6)], &[4, 9, 4, 9, 4, 9]);
    Verdict::sure(digits.len() == 9 && (10 - sum % 10) % 10 == digits[6])
}

/// Practice number: no check digit.
pub(crate) fn bsnr(text: &str) -> Verdict {
    Verdict::unless(text.bytes().all(|byte| byte == b'0'))
}

/// Postal codes run from 01001 to 99998.
pub(crate) fn postal_code(text: &str) -> Verdict {
    Verdict::unless(text == "01000" || text == "99999")
}

fn icao(value: &[u8]) -> bool {
    let Some((check, body)) = value.split_last() else { return false };
    let values = body.iter().map(|byte| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        letter => u32::from(letter.saturating_sub(b'A')) + 10,
    });
    let sum: u32 = values.zip([7, 3, 1].iter().cycle()).map(|(value, weight)| value * weight).sum();
    check.is_ascii_digit() && sum % 10 == u32::from(check - b'0')
}

fn digit_sum(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).map(|product| product / 10 + product % 10).sum()
}
