//! Telephone numbers that regulators keep free for films and manuals.

use crate::prf::Stream;

/// ACMA, numbers for radio, books, film and television.
const AUSTRALIA: &[&str] = &["2 5550", "2 7010", "3 5550", "3 7010", "7 5550", "7 7010", "8 5550", "8 7010"];
/// ARCEP, numbers for audiovisual works.
const FRANCE: &[&str] = &["1 99 00", "2 61 91", "3 53 01", "4 65 71", "5 36 49", "6 39 98"];
/// Bundesnetzagentur, numbers for media productions.
const GERMANY: &[&str] = &["30 23125", "40 66969", "69 90009", "89 99998"];
/// Ofcom, numbers for drama.
const UNITED_KINGDOM: &[&str] = &["20 7946 0", "161 496 0", "113 496 0", "7700 900"];

/// A number of the same country where that keeps numbers free, else of North America (555-0100 to 555-0199 of any area).
pub(super) fn number(value: &str, stream: &mut Stream) -> String {
    let digits: String = value.chars().filter_map(|c| c.to_digit(10)).filter_map(|d| char::from_digit(d, 10)).collect();
    let abroad = value.trim_start().starts_with(['+', '＋']) || digits.starts_with("00");
    let international = digits.trim_start_matches('0');
    if abroad {
        let country = ["44", "49", "33", "61"].into_iter().find(|country| international.starts_with(country));
        return match country {
            Some("44") => format!("+44 {}", united_kingdom(stream)),
            Some("49") => format!("+49 {}", germany(stream)),
            Some("33") => format!("+33 {}", france(stream)),
            Some("61") => format!("+61 {}", australia(stream)),
            _ => format!("+1 {}", north_america(stream)),
        };
    }
    match digits.strip_prefix('0') {
        Some(_) => format!("0{}", united_kingdom(stream)),
        None if digits.len() == 11 && digits.starts_with('1') => format!("1 {}", north_america(stream)),
        None => north_america(stream),
    }
}

/// Whether the invented number has the country of the found one, or both have none: then it is written the same way.
pub(super) fn same_country(invented: &str, value: &str) -> bool {
    let Some(country) = invented.strip_prefix('+').and_then(|number| number.split(' ').next()) else { return true };
    let digits: String = value.chars().filter_map(|c| c.to_digit(10)).filter_map(|d| char::from_digit(d, 10)).collect();
    digits.trim_start_matches('0').starts_with(country)
}

/// Whether the digits are ones of those kept free; without their country only the North American ones can be told.
pub(super) fn is_reserved(digits: &str, abroad: bool) -> bool {
    let free = |national: &str, prefixes: &[&str], rest: usize| {
        prefixes.iter().any(|prefix| {
            let prefix: String = prefix.chars().filter(char::is_ascii_digit).collect();
            national.strip_prefix(&prefix).is_some_and(|number| number.len() == rest)
        })
    };
    let national = |country: &str| digits.strip_prefix(country).filter(|_| abroad);
    let america = digits.strip_prefix('1').filter(|number| number.len() == 10).or((!abroad).then_some(digits));
    america.is_some_and(|number| number.len() == 10 && number.get(3..8) == Some("55501"))
        || national("44").is_some_and(|number| free(number, UNITED_KINGDOM, 3))
        || (!abroad && digits.strip_prefix('0').is_some_and(|number| free(number, UNITED_KINGDOM, 3)))
        || national("49").is_some_and(|number| free(number, GERMANY, 3))
        || national("33").is_some_and(|number| free(number, FRANCE, 4))
        || national("61").is_some_and(|number| free(number, AUSTRALIA, 4))
}

fn north_america(stream: &mut Stream) -> String {
    // No area code has 9 in the middle, ends in 11 or begins with 0 or 1.
    let area = loop {
        let area = 200 + stream.below(800);
        if area / 10 % 10 != 9 && area % 100 != 11 {
            break area;
        }
    };
    format!("{area}-555-01{}", stream.digits(2))
}

fn united_kingdom(stream: &mut Stream) -> String {
    let prefix = stream.pick(UNITED_KINGDOM).unwrap_or("20 7946 0");
    format!("{prefix}{}", stream.digits(3))
}

fn germany(stream: &mut Stream) -> String {
    let prefix = stream.pick(GERMANY).unwrap_or("30 23125");
    format!("{prefix}{}", stream.digits(3))
}

fn france(stream: &mut Stream) -> String {
    let prefix = stream.pick(FRANCE).unwrap_or("1 99 00");
    format!("{prefix} {} {}", stream.digits(2), stream.digits(2))
}

fn australia(stream: &mut Stream) -> String {
    let prefix = stream.pick(AUSTRALIA);
    format!("{} {}", prefix.unwrap_or("2 5550"), stream.digits(4))
}
