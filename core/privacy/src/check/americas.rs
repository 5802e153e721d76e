//! Numbers of the Americas, Africa and the Philippines.

use super::{Verdict, digits, is_date, luhn, verhoeff, weighted};

/// Routing number (ABA): weights 3, 7, 1.
pub(crate) fn us_routing(text: &str) -> Verdict {
    let digits = digits(text);
    Verdict::sure(digits.len() == 9 && weighted(&digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10))
}

/// DEA registration: odd places once, even places twice, last digit of the sum.
pub(crate) fn us_dea(text: &str) -> Verdict {
    // The second character may be a 9; only what follows is checked.
    let digits = digits(text.get(2..).unwrap_or(""));
    Verdict::sure(digits.len() == 7 && weighted(&digits, &[1, 2, 1, 2, 1, 2]) % 10 == digits[6])
}

/// NPI: Luhn with the prefix 80840; not the same digit throughout.
pub(crate) fn us_npi(text: &str) -> Verdict {
    let digits = digits(text);
    let degenerate = digits.len() < 2 || digits[..digits.len() - 1].iter().all(|digit| *digit == digits[0]);
    Verdict::sure(!degenerate && luhn(&[&[8, 0, 8, 4, 0], digits.as_slice()].concat()))
}

/// Social security number: one sort of separator, and none of the numbers never issued or printed as examples.
pub(crate) fn us_ssn(text: &str) -> Verdict {
    let mut separators = text.bytes().filter(|byte| matches!(byte, b'-' | b'.' | b' '));
    let first = separators.next();
    let mixed = separators.any(|separator| Some(separator) != first);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let same = digits.bytes().all(|digit| Some(digit) == digits.bytes().next());
    let never = digits.get(3..5) == Some("00")
        || digits.get(5..) == Some("0000")
        || matches!(digits.get(..3), Some("000" | "666"))
        || matches!(digits.as_str(), "123456789" | "987654320" | "078051120");
    Verdict::unless(mixed || same || never)
}

/// Social insurance number: Luhn; a right one proves little, a wrong one cannot be.
pub(crate) fn ca_sin(text: &str) -> Verdict {
    let mut separators = text.bytes().filter(|byte| !byte.is_ascii_digit());
    let first = separators.next();
    Verdict::unless(separators.any(|separator| Some(separator) != first) || !luhn(&digits(text)))
}

/// CPF: two check digits modulo 11.
pub(crate) fn br_cpf(text: &str) -> Verdict {
    let digits = digits(text);
    let same = digits.iter().all(|digit| *digit == digits[0]);
    Verdict::sure(digits.len() == 11 && !same && brazilian(&digits, 9, 11) && brazilian(&digits, 10, 11))
}

/// CNPJ: two check digits modulo 11, weights 2 to 9 from the right.
pub(crate) fn br_cnpj(text: &str) -> Verdict {
    let digits = digits(text);
    let same = digits.iter().all(|digit| *digit == digits[0]);
    Verdict::sure(digits.len() == 14 && !same && brazilian(&digits, 12, 9) && brazilian(&digits, 13, 9))
}

/// Whether the digit at `place` checks those before it; weights count up from 2 to `last` and start again.
fn brazilian(digits: &[u32], place: usize, last: u32) -> bool {
    let weights = (2..=last).cycle();
    let sum: u32 = digits[..place].iter().rev().zip(weights).map(|(digit, weight)| digit * weight).sum();
    let rest = sum % 11;
    digits[place] == if rest < 2 { 0 } else { 11 - rest }
}

/// Identity number: a birth day in one of two centuries, citizenship, Luhn.
pub(crate) fn za_id(text: &str) -> Verdict {
    let digits = digits(text);
    if digits.len() != 13 {
        return Verdict::Invalid;
    }
    let (year, month, day) = (digits[0] * 10 + digits[1], digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]);
    Verdict::sure((is_date(1900 + year, month, day) || is_date(2000 + year, month, day)) && luhn(&digits))
}

/// NIN: Verhoeff.
pub(crate) fn ng_nin(text: &str) -> Verdict {
    let digits = digits(text);
    Verdict::sure(digits.len() == 11 && verhoeff(&digits))
}

/// TIN: weights 9 to 2 over eight digits, modulo 11 in the ninth; a branch may follow.
pub(crate) fn ph_tin(text: &str) -> Verdict {
    let digits = digits(text);
    let fits = matches!(digits.len(), 9 | 12);
    Verdict::unless(!fits || weighted(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 != digits[8])
}
