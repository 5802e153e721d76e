//! Check digits of what is written here: Luhn (ISO/IEC 7812-1), IBAN (ISO 13616, mod 97), NHS (mod 11).
//!
//! All work on the ASCII letters and digits among some characters and leave the rest alone.

pub(crate) fn is_luhn(characters: &[char]) -> bool {
    let digits = digits(characters);
    matches!(digits.split_last(), Some((check, rest)) if !rest.is_empty() && luhn(rest) == *check)
}

/// Makes the last digit right.
pub(crate) fn set_luhn(characters: &mut [char]) {
    let digits = digits(characters);
    if let (Some((_, rest)), Some(last)) = (digits.split_last(), characters.iter_mut().rfind(|c| c.is_ascii_digit())) {
        *last = char::from(b'0' + luhn(rest));
    }
}

/// The check digit that makes `digits` right.
pub(crate) fn luhn(digits: &[u8]) -> u8 {
    let doubled = |digit: u8| if digit < 5 { 2 * digit } else { 2 * digit - 9 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| u32::from(if at % 2 == 0 { doubled(*digit) } else { *digit }))
        .sum();
    u8::try_from((10 - sum % 10) % 10).unwrap_or(0)
}

pub(crate) fn is_iban(characters: &[char]) -> bool {
    let letters = alphanumeric(characters);
    let form = letters.len() > 4
        && letters[..2].iter().all(|c| c.is_ascii_alphabetic())
        && letters[2..4].iter().all(|c| c.is_ascii_digit());
    form && remainder_97(letters[4..].iter().chain(&letters[..4])) == 1
        // 00, 01 and 99 leave the same remainders as 97, 98 and 02; none is ever computed.
        && !matches!((letters[2], letters[3]), ('0', '0' | '1') | ('9', '9'))
}

/// Makes the two digits behind the country right.
pub(crate) fn set_iban(characters: &mut [char]) {
    let letters = alphanumeric(characters);
    if letters.len() < 5 {
        return;
    }
    let check = 98 - remainder_97(letters[4..].iter().chain(&letters[..2]).chain(&['0', '0']));
    let mut digits = check_digits(check).into_iter();
    for c in characters.iter_mut().filter(|c| c.is_ascii_alphanumeric()).skip(2).take(2) {
        *c = digits.next().unwrap_or('0');
    }
}

/// The check digit behind nine digits of an NHS number; `None` for the few that have none.
pub(crate) fn nhs(digits: &[u8]) -> Option<u8> {
    let sum: u32 = digits.iter().zip((2..=10).rev()).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    match 11 - sum % 11 {
        11 => Some(0),
        10 => None,
        check => u8::try_from(check).ok(),
    }
}

pub(crate) fn digits(characters: &[char]) -> Vec<u8> {
    characters.iter().filter_map(|c| c.to_digit(10)).filter_map(|digit| u8::try_from(digit).ok()).collect()
}

fn alphanumeric(characters: &[char]) -> Vec<char> {
    characters.iter().copied().filter(char::is_ascii_alphanumeric).collect()
}

fn check_digits(number: u32) -> [char; 2] {
    [number / 10, number % 10].map(|digit| char::from_digit(digit, 10).unwrap_or('0'))
}

fn remainder_97<'a>(letters: impl Iterator<Item = &'a char>) -> u32 {
    letters
        .filter_map(|c| c.to_digit(36))
        .fold(0, |rest, value| if value < 10 { (rest * 10 + value) % 97 } else { (rest * 100 + value) % 97 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn characters(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn published_examples_are_right() {
        assert!(is_luhn(&characters("7992 7398 713")) && !is_luhn(&characters("79927398714")) && !is_luhn(&['0']));
        for iban in ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "nl91abna0417164300"] {
            assert!(is_iban(&characters(iban)), "{iban}");
            let mut broken = characters(iban);
            let place = broken.iter().position(char::is_ascii_digit).unwrap_or(0);
            broken[place] = if broken[place] == '1' { '2' } else { '1' };
            assert!(!is_iban(&broken));
            set_iban(&mut broken);
            assert_eq!(broken, characters(iban));
        }
        assert!(!is_iban(&characters("DE89")) && !is_iban(&[]));
        assert_eq!(nhs(&[9, 4, 3, 4, 7, 6, 5, 9, 1]), Some(9));
    }

    #[test]
    fn the_last_digit_is_set_behind_any_separators() {
        let mut card = characters("4111-1111-1111-111x0.");
        set_luhn(&mut card);
        assert!(is_luhn(&card));
        set_luhn(&mut []);
        set_iban(&mut ['D', 'E']);
    }
}
