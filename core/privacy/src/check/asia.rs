//! Numbers of Asia and Turkey.

use super::{Verdict, compact, digits, is_date, number, verhoeff, weighted};

/// Aadhaar: twelve digits from 2 on, Verhoeff, no palindrome.
pub(crate) fn in_aadhaar(text: &str) -> Verdict {
    let digits = digits(text);
    let palindrome = digits.iter().eq(digits.iter().rev());
    Verdict::sure(digits.len() == 12 && digits[0] >= 2 && !palindrome && verhoeff(&digits))
}

/// GSTIN: state 01 to 37, a permanent account number, a count, Z and a check character (whose rule is not published).
pub(crate) fn in_gstin(text: &str) -> Verdict {
    let value = compact(text);
    if value.len() != 15 {
        return Verdict::Invalid;
    }
    let state = number(&digits(&text[..2]));
    let letters = value[2..7].iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let account = letters >= 3 && value[7..11].iter().all(u8::is_ascii_digit) && value[11].is_ascii_alphabetic();
    Verdict::sure((1..=37).contains(&state) && account && value[13] == b'Z')
}

/// Vehicle registration: a known district of a state, or a diplomatic code. Others stay as they are.
pub(crate) fn in_vehicle(text: &str) -> Verdict {
    let value = compact(text);
    let zeros: &[u8] = if value.len() == 6 && value[0] == b'I' { b"00000" } else { b"0000" };
    if value.ends_with(zeros) {
        return Verdict::Invalid;
    }
    if value.len() < 8 {
        return Verdict::Unknown;
    }
    let leading = |bytes: &[u8], most: usize| {
        let count = bytes.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then(|| bytes[..count].iter().fold(0_u32, |number, byte| number * 10 + u32::from(byte - b'0')))
    };
    let ranges =
        DISTRICTS.iter().find(|(state, _)| value.starts_with(state.as_bytes())).map_or(&[][..], |(_, all)| all);
    let in_state = leading(&value[2..], 2)
        .is_some_and(|district| ranges.iter().any(|(first, last)| (*first..=*last).contains(&district)));
    let registered = value[value.len() - 4..].iter().all(u8::is_ascii_digit);
    let mission = leading(&value, 3).is_some_and(|mission| (1..=80).contains(&mission) || MISSIONS.contains(&mission));
    let code = value.iter().position(u8::is_ascii_alphabetic).and_then(|at| value.get(at..at + 2));
    let diplomatic = mission && matches!(code, Some(b"CC" | b"CD" | b"UN"));
    Verdict::confirm(in_state && registered || diplomatic)
}

/// Districts of each state that registers vehicles (Ministry of Road Transport), as ranges.
#[rustfmt::skip]
const DISTRICTS: &[(&str, &[(u32, u32)])] = &[
    ("AN", &[(1, 1)]), ("AP", &[(39, 40)]), ("AR", &[(1, 17), (19, 20), (22, 22)]), ("AS", &[(1, 20), (22, 34)]),
    ("BR", &[(1, 11), (19, 19), (21, 22), (24, 34), (37, 39), (43, 46), (50, 53), (55, 56)]), ("CG", &[(1, 30)]),
    ("CH", &[(1, 4)]), ("DD", &[(1, 3)]), ("DN", &[(9, 9)]), ("DL", &[(1, 13)]), ("GA", &[(1, 12)]), ("GJ", &[(1, 39)]),
    ("HP", &[(1, 20), (22, 99)]), ("HR", &[(1, 20), (22, 99)]), ("JH", &[(1, 20), (22, 24)]), ("JK", &[(1, 20), (22, 22)]),
    ("KA", &[(1, 20), (22, 71)]), ("KL", &[(1, 20), (22, 99)]), ("LA", &[(1, 2)]), ("LD", &[(1, 9)]),
    ("MH", &[(1, 20), (22, 51)]), ("ML", &[(1, 10)]), ("MN", &[(1, 7)]), ("MP", &[(1, 20), (22, 71)]), ("MZ", &[(1, 8)]),
    ("NL", &[(1, 10)]), ("OD", &[(1, 20), (22, 35)]), ("OR", &[(1, 20), (22, 31)]), ("PB", &[(1, 20), (22, 99)]),
    ("PY", &[(1, 5)]), ("RJ", &[(1, 20), (22, 58)]), ("SK", &[(1, 8)]), ("TN", &[(1, 20), (22, 99)]), ("TR", &[(1, 8)]),
    ("TS", &[(1, 20), (22, 38)]), ("UK", &[(1, 20)]), ("UP", &[(11, 20), (22, 96)]), ("WB", &[(1, 20), (22, 98)]),
];

/// Codes of foreign missions above 80.
#[rustfmt::skip]
const MISSIONS: &[u32] = &[
    84, 85, 89, 93, 94, 95, 97, 98, 99, 102, 104, 105, 106, 109, 111, 112, 113, 117, 119, 120, 121, 122, 123, 125, 126, 128, 133,
    134, 135, 137, 141, 145, 147, 149, 152, 153, 155, 156, 157, 159, 160,
];

/// Resident number: numbers issued since October 2020 carry no check digit, so a wrong one proves nothing.
pub(crate) fn kr_resident(text: &str) -> Verdict {
    Verdict::confirm(korean(text, 11))
}

/// Foreigner number: as a resident's, with another constant.
pub(crate) fn kr_foreigner(text: &str) -> Verdict {
    Verdict::confirm(korean(text, 13))
}

fn korean(text: &str, constant: u32) -> bool {
    let digits = digits(text);
    if digits.len() != 13 || digits[7] * 10 + digits[8] > 95 {
        return false;
    }
    let sum = weighted(&digits[..12], &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    (constant - sum % 11) % 10 == digits[12]
}

/// Business number: weights 1, 3, 7; the ninth digit's product counts with its tens.
pub(crate) fn kr_business(text: &str) -> Verdict {
    let digits = digits(text);
    if digits.len() != 10 {
        return Verdict::Invalid;
    }
    let sum = weighted(&digits[..9], &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + digits[8] * 5 / 10;
    Verdict::sure((10 - sum % 10) % 10 == digits[9])
}

/// Driver license: a region that issues them.
pub(crate) fn kr_driver(text: &str) -> Verdict {
    let digits = digits(text);
    Verdict::sure(digits.len() == 12 && matches!(digits[0] * 10 + digits[1], 11..=26 | 28))
}

/// Unique entity number (ACRA): three forms, each with its weights and letters.
pub(crate) fn sg_uen(text: &str) -> Verdict {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWX0123456789";
    #[rustfmt::skip]
    const KINDS: [&[u8; 2]; 39] = [
        b"CC", b"CD", b"CH", b"CL", b"CM", b"CP", b"CS", b"CX", b"DP", b"FB", b"FC", b"FM", b"FN", b"GA", b"GB", b"GS", b"HC",
        b"HS", b"LL", b"LP", b"MB", b"MC", b"MD", b"MH", b"MM", b"MQ", b"NB", b"NR", b"PA", b"PB", b"PF", b"RF", b"RP", b"SM",
        b"SS", b"TC", b"TU", b"VH", b"XL",
    ];
    let value = compact(text);
    let places = |bytes: &[u8]| -> Vec<u32> {
        bytes.iter().map(|byte| LETTERS.iter().position(|known| known == byte).unwrap_or(0) as u32).collect()
    };
    let sum = match value.len() {
        9 => weighted(&digits(text), &[10, 4, 9, 3, 8, 2, 7, 1]),
        10 if value[0].is_ascii_alphabetic() => {
            let kind = KINDS.iter().any(|kind| kind[..] == value[3..5]);
            let sum = weighted(&places(&value[..9]), &[4, 3, 5, 3, 10, 2, 2, 5, 7]);
            return Verdict::sure(kind && value[9] == LETTERS[(sum as usize + 11 - 5) % 11]);
        }
        10 => weighted(&digits(text), &[10, 8, 6, 4, 9, 7, 5, 3, 1]),
        _ => return Verdict::Invalid,
    };
    let letters = if value.len() == 9 { b"XMKECAWLJDB" } else { b"ZKCMDNERGWH" };
    Verdict::sure(value.last() == Some(&letters[sum as usize % 11]))
}

/// National number: weights 13 to 2 modulo 11.
pub(crate) fn th_national(text: &str) -> Verdict {
    let digits = digits(text);
    if digits.len() != 13 {
        return Verdict::Invalid;
    }
    let rest = weighted(&digits[..12], &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    Verdict::sure(digits[12] == if rest <= 1 { 1 - rest } else { 11 - rest })
}

/// National number: the tenth digit weighs odd against even places, the eleventh sums all.
pub(crate) fn tr_national(text: &str) -> Verdict {
    let digits = digits(text);
    if digits.len() != 11 || digits[0] == 0 {
        return Verdict::Invalid;
    }
    let odd: u32 = digits[..9].iter().step_by(2).sum();
    let even: u32 = digits[1..8].iter().step_by(2).sum();
    let tenth = (odd * 7 + 100 - even) % 10;
    Verdict::sure(tenth == digits[9] && digits[..10].iter().sum::<u32>() % 10 == digits[10])
}

/// License plate: provinces 01 to 81.
pub(crate) fn tr_plate(text: &str) -> Verdict {
    let digits = digits(text);
    Verdict::sure(digits.len() >= 2 && (1..=81).contains(&(digits[0] * 10 + digits[1])))
}

/// Resident number (GB 11643): a birth day, ISO 7064 MOD 11-2 with X for ten.
pub(crate) fn cn_resident(text: &str) -> Verdict {
    let value = compact(text);
    if value.len() != 18 {
        return Verdict::Invalid;
    }
    let digits = digits(&text[..17]);
    let (year, month, day) =
        (number(&digits[6..10]) as u32, digits[10] * 10 + digits[11], digits[12] * 10 + digits[13]);
    let sum = weighted(&digits, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let expected = b"10X98765432"[sum as usize % 11];
    Verdict::sure((1850..=2100).contains(&year) && is_date(year, month, day) && value[17] == expected)
}

/// Individual number: weights 6 to 2 and 7 to 2, modulo 11.
pub(crate) fn jp_my_number(text: &str) -> Verdict {
    let digits = digits(text);
    if digits.len() != 12 {
        return Verdict::Invalid;
    }
    let rest = weighted(&digits[..11], &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    Verdict::sure(digits[11] == if rest <= 1 { 0 } else { 11 - rest })
}
