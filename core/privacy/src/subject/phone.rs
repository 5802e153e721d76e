//! Telephone numbers as digits. A number without its country stays without: the country of a text is not ours to guess.

/// `+` and the digits of a number given with its country, else the bare digits; an extension is dropped.
pub(super) fn normalised(value: &str) -> String {
    let lower = value.to_lowercase();
    let lower = lower.trim().strip_prefix("tel:").unwrap_or(lower.trim());
    let end =
        [";", "ext", "x", "#", "durchwahl"].iter().filter_map(|mark| lower.find(mark)).min().unwrap_or(lower.len());
    // `+49 (0)171`: the zero is for callers within the country.
    let number = lower[..end].replace("(0)", "");
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    if number.trim_start_matches(|c: char| !c.is_ascii_digit() && c != '+').starts_with('+') {
        return format!("+{digits}");
    }
    match digits.strip_prefix("00").filter(|digits| !digits.starts_with('0') && digits.len() > 6) {
        Some(international) => format!("+{international}"),
        None => digits,
    }
}

/// How an international number is written within its country: bare, behind the usual 0, in North America behind 1.
pub(super) fn national_spellings(value: &str) -> Vec<String> {
    let number = super::normal::normalised(crate::Entity::PhoneNumber, value);
    let Some(digits) = number.strip_prefix('+') else { return Vec::new() };
    let Some(national) = digits.get(country_length(digits)..).filter(|national| national.len() >= 4) else {
        return Vec::new();
    };
    let mut spellings = vec![national.to_string(), format!("0{national}")];
    if digits.starts_with(['1', '7']) {
        let trunk = if digits.starts_with('1') { '1' } else { '8' };
        spellings.push(format!("{trunk}{national}"));
    }
    spellings
}

/// Digits of the country code (ITU-T E.164, list of assigned codes): 1 and 7 stand alone, some zones have two, others three.
fn country_length(digits: &str) -> usize {
    const TWO: [&str; 43] = [
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
        "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84",
        "86", "90", "91", "92", "93", "94", "95",
    ];
    match digits.get(..2) {
        _ if digits.starts_with(['1', '7']) => 1,
        Some(two) if TWO.contains(&two) || two == "98" => 2,
        _ => 3,
    }
}
