//! Dates moved by a number of days in the form they are written in.
//!
//! Days, months and years change; the time of day and everything else stays. Understood are years of four digits first
//! (2024-03-31, 20240331), days first with dots (31.03.2024), months first with slashes or hyphens unless the number says
//! otherwise (03/31/2024, 31/03/2024), and names of months in English and German with a day and a year.

use std::ops::Range;

const ENGLISH: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const GERMAN: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const ORDINALS: [&str; 4] = ["st", "nd", "rd", "th"];

/// The text with every date in it moved; `None` when there is none, or a part of one would stay.
pub(super) fn moved(value: &str, days: i64) -> Option<String> {
    let pieces = pieces(value);
    let mut written: Vec<String> = Vec::with_capacity(pieces.len());
    let (mut at, mut found) = (0, false);
    while at < pieces.len() {
        if let Some(date) = Written::at(&pieces, at) {
            written.extend(date.moved(&pieces, at, days)?);
            (at, found) = (at + date.length, true);
        } else if is_rest_of_a_date(pieces[at]) {
            return None;
        } else {
            written.push(pieces[at].to_string());
            at += 1;
        }
    }
    found.then(|| written.concat())
}

/// A date among pieces: how many it takes, and which of them (counted from its first) is what.
struct Written {
    length: usize,
    day: usize,
    month: usize,
    year: usize,
    date: Date,
}

impl Written {
    fn at(pieces: &[&str], at: usize) -> Option<Self> {
        let rest = &pieces[at..];
        // A number behind a dot or a colon is a part of a number or of a time.
        if at > 0 && matches!(pieces[at - 1], "." | ":") {
            return None;
        }
        if let Some(date) = rest.first().and_then(|piece| compact(piece)) {
            return Some(Self { length: 1, day: 0, month: 0, year: 0, date });
        }
        numeric(rest).or_else(|| named(rest))
    }

    fn moved(&self, pieces: &[&str], at: usize, days: i64) -> Option<Vec<String>> {
        let date = self.date.plus(days)?;
        if self.length == 1 {
            return Some(vec![format!("{:04}{:02}{:02}", date.year, date.month, date.day)]);
        }
        let mut written: Vec<String> = pieces[at..at + self.length].iter().map(|piece| (*piece).to_string()).collect();
        let (day, month) = (pieces[at + self.day], pieces[at + self.month]);
        // `1.2.2024` has no zeros, `01.02.2024` and `10.12.2024` have; beside a name only a zero that was there says so.
        let named = month_named(month);
        let zeros = if named.is_some() { day.starts_with('0') } else { day.len() == 2 && month.len() == 2 };
        let two = |number: i64| if zeros { format!("{number:02}") } else { number.to_string() };
        written[self.day] = two(date.day);
        written[self.month] = named.map_or_else(
            || two(date.month),
            |(_, names, short)| cased(names[usize::try_from(date.month - 1).unwrap_or(0)], month, short),
        );
        let year = pieces[at + self.year];
        let number = if year.len() == 2 { date.year.rem_euclid(100) } else { date.year };
        written[self.year] = format!("{number:0width$}", width = year.len());
        if let Some(ordinal) = written.get_mut(self.day + 1).filter(|piece| ORDINALS.contains(&piece.as_str())) {
            *ordinal = ordinal_of(date.day).to_string();
        }
        Some(written)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// A day that is in the calendar, of the years 1 to 9999.
    fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let date = Self { year, month, day };
        let plausible = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        (plausible && Self::of_number(date.number()) == date).then_some(date)
    }

    fn plus(self, days: i64) -> Option<Self> {
        let date = Self::of_number(self.number() + days);
        (1..=9999).contains(&date.year).then_some(date)
    }

    /// Days since 0000-03-01 of the proleptic Gregorian calendar: years begin in March, so that the leap day is the last.
    fn number(self) -> i64 {
        let year = if self.month > 2 { self.year } else { self.year - 1 };
        let month = (self.month + 9) % 12;
        365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + self.day
            - 1
    }

    fn of_number(number: i64) -> Self {
        let first = |year: i64| 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        // 146,097 days are 400 years; the quotient is off by one at most.
        let mut year = (number * 400).div_euclid(146_097);
        while first(year + 1) <= number {
            year += 1;
        }
        while first(year) > number {
            year -= 1;
        }
        let day = number - first(year);
        let month = (5 * day + 2) / 153;
        let (day, month) = (day - (153 * month + 2) / 5 + 1, (month + 2) % 12 + 1);
        Self { year: if month > 2 { year } else { year + 1 }, month, day }
    }
}

fn compact(piece: &str) -> Option<Date> {
    let part = |range: Range<usize>| piece.get(range).and_then(number);
    if piece.len() != 8 || !(1900..2100).contains(&part(0..4)?) {
        return None;
    }
    Date::new(part(0..4)?, part(4..6)?, part(6..8)?)
}

fn numeric(rest: &[&str]) -> Option<Written> {
    let [a, between, b, second, c, ..] = rest else { return None };
    if between != second || !matches!(*between, "-" | "/" | ".") || b.len() > 2 {
        return None;
    }
    let (x, y, z) = (number(a)?, number(b)?, number(c)?);
    let (year, month, day) = match (a.len(), c.len()) {
        (4, 1 | 2) => (0, 2, 4),
        (1 | 2, 2 | 4) if x > 12 || *between == "." => (4, 2, 0),
        (1 | 2, 2 | 4) => (4, 0, 2),
        _ => return None,
    };
    let of = |at: usize| [x, y, z][at / 2];
    let date = Date::new(full_year(of(year), rest[year]), of(month), of(day))?;
    Some(Written { length: 5, day, month, year, date })
}

/// `31 March 2024`, `31st of March, 2024`, `31. März 2024`, `March 31, 2024`, `Mar 31st 2024`.
fn named(rest: &[&str]) -> Option<Written> {
    let parts: Vec<usize> = rest
        .iter()
        .take(12)
        .enumerate()
        .filter(|(_, piece)| !matches!(**piece, " " | "," | "." | "-" | "of" | "\u{a0}") && !ORDINALS.contains(piece))
        .map(|(at, _)| at)
        .take(3)
        .collect();
    let [0, second, year] = parts[..] else { return None };
    let (day, month) = if month_named(rest[0]).is_some() { (second, 0) } else { (0, second) };
    let (month_number, ..) = month_named(rest[month])?;
    if rest[day].len() > 2 || rest[year].len() != 4 {
        return None;
    }
    let date = Date::new(number(rest[year])?, month_number, number(rest[day])?)?;
    Some(Written { length: year + 1, day, month, year, date })
}

/// The number of a month, the names of its language, and whether it is written short.
fn month_named(piece: &str) -> Option<(i64, &'static [&'static str; 12], bool)> {
    let piece = piece.to_lowercase();
    for names in [&ENGLISH, &GERMAN] {
        for (month, name) in (1..).zip(names) {
            let name = name.to_lowercase();
            let short: String = name.chars().take(3).collect();
            if piece == name {
                return Some((month, names, false));
            }
            if piece == short {
                return Some((month, names, true));
            }
        }
    }
    None
}

fn is_rest_of_a_date(piece: &str) -> bool {
    let year = piece.len() == 4 && number(piece).is_some_and(|year| (1800..2200).contains(&year));
    year || month_named(piece).is_some()
}

fn full_year(year: i64, written: &str) -> i64 {
    match written.len() {
        2 if year < 50 => 2000 + year,
        2 => 1900 + year,
        _ => year,
    }
}

fn cased(name: &str, like: &str, short: bool) -> String {
    let name: String = if short { name.chars().take(3).collect() } else { name.to_string() };
    let any = |test: fn(char) -> bool| like.chars().any(test);
    match (any(char::is_uppercase), any(char::is_lowercase)) {
        (true, false) => name.to_uppercase(),
        (false, true) => name.to_lowercase(),
        _ => name,
    }
}

fn ordinal_of(day: i64) -> &'static str {
    match day {
        1 | 21 | 31 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    }
}

fn number(piece: &str) -> Option<i64> {
    (piece.len() <= 8 && piece.bytes().all(|byte| byte.is_ascii_digit())).then(|| piece.parse().ok())?
}

/// Runs of ASCII digits, runs of letters, and every other character by itself.
fn pieces(value: &str) -> Vec<&str> {
    let sort = |c: char| if c.is_ascii_digit() { 1 } else { 2 * u8::from(c.is_alphabetic()) };
    let mut pieces = Vec::new();
    let (mut start, mut before) = (0, 0);
    for (at, c) in value.char_indices() {
        if at > start && (sort(c) != before || before == 0) {
            pieces.push(&value[start..at]);
            start = at;
        }
        before = sort(c);
    }
    if start < value.len() {
        pieces.push(&value[start..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_date_moves_in_its_own_form() {
        for (value, expected) in [
            ("2024-02-26", "2024-03-04"),
            ("2024-12-30T10:20:30.1234Z", "2025-01-06T10:20:30.1234Z"),
            ("20231231", "20240107"),
            ("26.02.2023", "05.03.2023"),
            ("1.2.23", "8.2.23"),
            ("28.9.2023", "5.10.2023"),
            ("12/28/1999", "01/04/2000"),
            ("28/12/1999", "04/01/2000"),
            ("25 December 2023", "1 January 2024"),
            ("Tuesday, MAR 25th, 2025", "Tuesday, APR 1st, 2025"),
            ("24. Dezember 2024", "31. Dezember 2024"),
            ("14th of march 2024", "21st of march 2024"),
            ("2024-01-01 to 2024-02-01", "2024-01-08 to 2024-02-08"),
        ] {
            assert_eq!(moved(value, 7).as_deref(), Some(expected), "{value}");
            assert_eq!(moved(expected, -7).map(|back| back.len()), Some(value.len()), "back to {value}");
        }
    }

    #[test]
    fn what_is_no_full_date_is_refused() {
        for value in [
            "",
            "March",
            "2024",
            "March 2024",
            "2023-02-29",
            "31/31/2024",
            "2024-01-01 and May",
            "9999-12-31",
            "yesterday",
            "12:30",
        ] {
            assert_eq!(moved(value, 7), None, "{value}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn days_count_up_without_gaps(number in 400i64..3_600_000) {
            let (date, next) = (Date::of_number(number), Date::of_number(number + 1));
            prop_assert_eq!(date.number(), number);
            prop_assert!(Date::new(date.year, date.month, date.day).is_some());
            prop_assert!((date.year, date.month, date.day) < (next.year, next.month, next.day));
        }

        #[test]
        fn no_text_panics(text in "[0-9./, -]{0,20}|[0-9MarchMay ,.thof]{0,20}|\\PC{0,20}", days in -365i64..365) {
            let _ = moved(&text, days);
        }
    }
}
