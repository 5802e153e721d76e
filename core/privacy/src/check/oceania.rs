//! Australia's numbers.

use super::{Verdict, digits, weighted};

/// Business number: one is subtracted from the first digit, then weights modulo 89.
pub(crate) fn abn(text: &str) -> Verdict {
    let mut digits = digits(text);
    if digits.len() != 11 || digits[0] == 0 {
        return Verdict::Invalid;
    }
    digits[0] -= 1;
    Verdict::sure(weighted(&digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]).is_multiple_of(89))
}

/// Company number: weights 8 to 1, complement to ten.
pub(crate) fn acn(text: &str) -> Verdict {
    let digits = digits(text);
    let sum = weighted(&digits, &[8, 7, 6, 5, 4, 3, 2, 1]);
    Verdict::sure(digits.len() == 9 && (10 - sum % 10) % 10 == digits[8])
}

/// Tax file number: weights modulo 11.
pub(crate) fn tfn(text: &str) -> Verdict {
    let digits = digits(text);
    Verdict::sure(digits.len() == 9 && weighted(&digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11))
}

/// Medicare number: weights modulo 10 in the ninth digit; the tenth counts issues of the card.
pub(crate) fn medicare(text: &str) -> Verdict {
    let digits = digits(text);
    Verdict::sure(digits.len() == 10 && weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == digits[8])
}
