//! Numbers of Europe, without Germany.

use super::{Verdict, compact, digits, is_date, luhn, number, weighted};

/// NHS number: weights 10 to 2, modulo 11.
pub(crate) fn uk_nhs(text: &str) -> Verdict {
    let digits = digits(text);
    Verdict::sure(digits.len() == 10 && weighted(&digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11))
}

/// National insurance number: prefixes that are never issued.
pub(crate) fn uk_nino(text: &str) -> Verdict {
    const NEVER: [&[u8]; 7] = [b"BG", b"GB", b"NK", b"KN", b"NT", b"TN", b"ZZ"];
    let value = compact(text);
    Verdict::unless(value.get(..2).is_none_or(|prefix| NEVER.contains(&prefix)))
}

/// Driving licence: a surname, padded with nines behind its letters.
pub(crate) fn uk_driving_licence(text: &str) -> Verdict {
    let value = compact(text);
    let surname = value.get(..5).unwrap_or(&[]);
    let letters = surname.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    Verdict::unless(letters == 0 || surname[letters..].iter().any(|byte| *byte != b'9'))
}

/// Registration of the current form: its age identifier is 02 to 29 or 51 to 79.
pub(crate) fn uk_vehicle(text: &str) -> Verdict {
    let value = compact(text);
    if value.len() != 7
        || !value[..2].iter().all(u8::is_ascii_alphabetic)
        || !value[2..4].iter().all(u8::is_ascii_digit)
    {
        return Verdict::Unknown;
    }
    let age = (value[2] - b'0') * 10 + (value[3] - b'0');
    Verdict::sure((2..=29).contains(&age) || (51..=79).contains(&age))
}

/// NIF: the letter is the number modulo 23.
pub(crate) fn es_nif(text: &str) -> Verdict {
    Verdict::sure(spanish_letter(number(&digits(text)), &compact(text)))
}

/// NIE: X, Y, Z count as 0, 1, 2 before the number.
pub(crate) fn es_nie(text: &str) -> Verdict {
    let value = compact(text);
    let first = match value.first() {
        Some(letter @ b'X'..=b'Z') => u64::from(letter - b'X'),
        _ => return Verdict::Invalid,
    };
    let body = &value[1..value.len() - 1];
    if !body.iter().all(u8::is_ascii_digit) || !(8..=9).contains(&value.len()) {
        return Verdict::Invalid;
    }
    let places = u32::try_from(body.len()).unwrap_or(0);
    Verdict::sure(spanish_letter(first * 10_u64.pow(places) + number(&digits(text)), &value))
}

fn spanish_letter(number: u64, value: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    value.last() == LETTERS.get(usize::try_from(number % 23).unwrap_or(0))
}

/// Fiscal code (D.M. 23/12/1976): a control letter; codes changed against collisions keep no right one, so a wrong one
/// proves nothing.
pub(crate) fn it_fiscal_code(text: &str) -> Verdict {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let value = compact(text);
    let Some((control, body)) = value.split_last() else { return Verdict::Invalid };
    let place = |byte: u8| u32::from(if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' });
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(index, byte)| if index % 2 == 0 { ODD[place(*byte) as usize] } else { place(*byte) })
        .sum();
    Verdict::confirm(u32::from(*control) == u32::from(b'A') + sum % 26)
}

/// Partita IVA: Luhn over eleven digits.
pub(crate) fn it_vat(text: &str) -> Verdict {
    let digits = digits(text);
    Verdict::sure(digits.len() == 11 && digits.iter().any(|digit| *digit != 0) && luhn(&digits))
}

/// PESEL: weights 1, 3, 7, 9.
pub(crate) fn pl_pesel(text: &str) -> Verdict {
    let digits = digits(text);
    Verdict::sure(digits.len() == 11 && weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10))
}

/// Personal identity code (Digital and Population Data Services Agency): a real day, remainder modulo 31.
pub(crate) fn fi_hetu(text: &str) -> Verdict {
    const CONTROL: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let bytes = text.as_bytes();
    if bytes.len() != 11 {
        return Verdict::Invalid;
    }
    let century = match bytes[6].to_ascii_uppercase() {
        b'+' => 1800,
        b'-' | b'U'..=b'Y' => 1900,
        _ => 2000,
    };
    let date = digits(&text[..6]);
    let real = is_date(century + date[4] * 10 + date[5], date[2] * 10 + date[3], date[0] * 10 + date[1]);
    let remainder = number(&digits(&[&text[..6], &text[7..10]].concat())) % 31;
    let expected = CONTROL[usize::try_from(remainder).unwrap_or(0)];
    Verdict::sure(real && bytes[10].to_ascii_uppercase() == expected)
}

/// Personnummer: a day (coordination numbers add 60), Luhn over the last ten digits.
pub(crate) fn se_personnummer(text: &str) -> Verdict {
    let all = digits(text);
    let Some(last) = all.len().checked_sub(10).map(|from| &all[from..]) else { return Verdict::Invalid };
    let (month, day) = (last[2] * 10 + last[3], last[4] * 10 + last[5]);
    let day = if day >= 61 { day - 60 } else { day };
    Verdict::sure((1..=12).contains(&month) && (1..=31).contains(&day) && luhn(last))
}

/// Organisation number: third digit at least 2, Luhn.
pub(crate) fn se_organisation(text: &str) -> Verdict {
    let digits = digits(text);
    Verdict::sure(digits.len() == 10 && digits[2] >= 2 && luhn(&digits))
}

/// NIR: 97 minus the remainder modulo 97; Corsica's departments 2A and 2B count as 19 and 18 (INSEE).
pub(crate) fn fr_nir(text: &str) -> Verdict {
    let value = compact(text);
    if value.len() != 15 {
        return Verdict::Invalid;
    }
    let department = match &value[5..7] {
        b"2A" => [1, 9],
        b"2B" => [1, 8],
        other if other.iter().all(u8::is_ascii_digit) => [u32::from(other[0] - b'0'), u32::from(other[1] - b'0')],
        _ => return Verdict::Invalid,
    };
    let of = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(byte.saturating_sub(b'0'))).collect::<Vec<_>>();
    let body = [of(&value[..5]), department.to_vec(), of(&value[7..13])].concat();
    Verdict::sure(97 - number(&body) % 97 == number(&of(&value[13..])))
}

/// BSN: weights 9 to 2 and -1, modulo 11.
pub(crate) fn nl_bsn(text: &str) -> Verdict {
    let digits = digits(text);
    if digits.len() != 9 || digits.iter().all(|digit| *digit == 0) {
        return Verdict::Invalid;
    }
    let sum = weighted(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]);
    Verdict::sure((sum + 11 - digits[8]).is_multiple_of(11))
}

/// National register number: 97 minus the remainder modulo 97, with a 2 in front for births since 2000.
pub(crate) fn be_national(text: &str) -> Verdict {
    let digits = digits(text);
    if digits.len() != 11 {
        return Verdict::Invalid;
    }
    let (month, day) = (digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]);
    // Provisional numbers add 20 or 40 to the month; an unknown day or month is 0.
    if month % 20 > 12 || day > 31 {
        return Verdict::Invalid;
    }
    let (body, check) = (number(&digits[..9]), number(&digits[9..]));
    Verdict::sure(97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check)
}

/// NIF: weights 9 to 2, modulo 11.
pub(crate) fn pt_nif(text: &str) -> Verdict {
    let digits = digits(text);
    if digits.len() != 9 || !matches!(digits[0], 1..=3 | 5..=9) {
        return Verdict::Invalid;
    }
    let rest = weighted(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    Verdict::sure(digits[8] == if rest < 2 { 0 } else { 11 - rest })
}

/// Insurance number: the fourth digit checks the others modulo 11; then a birth date, whose month may exceed 12 when days
/// ran out of numbers.
pub(crate) fn at_social_security(text: &str) -> Verdict {
    let digits = digits(text);
    if digits.len() != 10 || digits[0] == 0 {
        return Verdict::Invalid;
    }
    let (day, month) = (digits[4] * 10 + digits[5], digits[6] * 10 + digits[7]);
    let sum = weighted(&digits, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11;
    Verdict::sure((1..=31).contains(&day) && (1..=15).contains(&month) && sum == digits[3])
}

/// AHV number: an EAN-13 under the country prefix 756.
pub(crate) fn ch_ahv(text: &str) -> Verdict {
    let digits = digits(text);
    Verdict::sure(digits.len() == 13 && weighted(&digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10))
}
