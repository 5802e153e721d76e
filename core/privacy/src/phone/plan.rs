use std::sync::OnceLock;

use regex_automata::meta::{Config, Regex};
use regex_automata::{Anchored, Input};

use crate::text::WordMap;

/// A region whose numbers count without their calling code.
struct Home {
    region: &'static str,
    /// What is dialled before a foreign number.
    international: &'static str,
    /// What is dialled before a number at home.
    trunk: &'static str,
    /// Whether a number must be written with it, by the first digits behind it.
    needs_trunk: fn(&str) -> bool,
}

/// Presidio's default regions; Canada's numbers are read as those of the United States, whose calling code it shares.
const HOMES: [Home; 7] = [
    Home { region: "US", international: "011", trunk: "1", needs_trunk: |_| false },
    Home { region: "GB", international: "00", trunk: "0", needs_trunk: |_| true },
    Home { region: "DE", international: "00", trunk: "0", needs_trunk: |number| number != "227700" },
    Home { region: "FR", international: "00", trunk: "0", needs_trunk: |number| number.len() > 6 },
    Home { region: "IL", international: "00", trunk: "0", needs_trunk: |number| !number.starts_with('1') },
    Home { region: "IN", international: "00", trunk: "0", needs_trunk: |_| false },
    Home {
        region: "BR",
        international: "00",
        trunk: "0",
        needs_trunk: |number| matches!(number.get(..3), Some("300" | "500" | "800" | "900")),
    },
];

/// Fewest digits of what is looked at; shorter numbers are services'.
pub(super) const LEAST: usize = 7;

/// Number of default regions.
pub(super) const NATIONAL: usize = HOMES.len();

/// One region's plan; patterns are compiled when first asked for.
struct Plan {
    region: &'static str,
    leading: &'static str,
    general: &'static str,
    valid: &'static str,
    compiled: OnceLock<Option<[Regex; 3]>>,
}

/// Whether a candidate is a valid number when read in a default region.
pub(super) fn is_valid(candidate: &str, region: usize) -> bool {
    let home = &HOMES[region];
    let candidate = without_extension(candidate);
    let digits: String = candidate.chars().filter(char::is_ascii_digit).collect();
    if !(LEAST..=20).contains(&digits.len()) {
        return false;
    }
    if candidate.trim_start_matches(['(', '[']).starts_with('+') {
        return international(&digits);
    }
    if let Some(rest) = digits.strip_prefix(home.international)
        && international(rest)
    {
        return true;
    }
    let Some((code, plan)) = homes().get(region).copied().flatten() else { return false };
    // A plan whose numbers need their trunk prefix has nothing else to offer.
    if (home.needs_trunk)(&digits) && !digits.starts_with(home.trunk) && !digits.starts_with(code) {
        return false;
    }
    // The calling code may stand there without a plus, when the whole is no number at home.
    if let Some(rest) = digits.strip_prefix(code)
        && !plan.allows(&digits)
        && plan.allows(rest)
    {
        return valid_under(code, rest);
    }
    let (national, trunk) = match digits.strip_prefix(home.trunk) {
        Some(rest) if !plan.allows(&digits) || plan.allows(rest) => (rest, true),
        _ => (digits.as_str(), false),
    };
    (trunk || !(home.needs_trunk)(national)) && valid_under(code, national)
}

/// A calling code and a valid number of one of its regions.
fn international(digits: &str) -> bool {
    (1..=3).any(|length| {
        digits.get(..length).is_some_and(|code| {
            let rest = &digits[length..];
            // A trunk zero is often written though it should not be: "+44 (0)20 ...". Italy's belongs to the number.
            valid_under(code, rest) || rest.strip_prefix('0').is_some_and(|rest| valid_under(code, rest))
        })
    })
}

fn valid_under(code: &str, number: &str) -> bool {
    (4..=17).contains(&number.len())
        && plans().get(code).is_some_and(|plans| plans.iter().any(|plan| plan.is_valid(number)))
}

/// The number without ` ext. 123` or `x123`.
fn without_extension(candidate: &str) -> &str {
    let letter = candidate.find(['e', 'E', 'x', 'X', '#', ';']);
    letter.filter(|at| *at > 6).map_or(candidate, |at| &candidate[..at])
}

impl Plan {
    fn compiled(&self) -> Option<&[Regex; 3]> {
        self.compiled
            .get_or_init(|| {
                let build = |pattern: &str| {
                    let config = Config::new().nfa_size_limit(Some(4 << 20)).hybrid_cache_capacity(256 << 10);
                    Regex::builder().configure(config).build(pattern).ok()
                };
                Some([
                    build(&format!("^(?:{})", self.leading))?,
                    build(&format!("^(?:{})$", self.general))?,
                    build(&format!("^(?:{})$", self.valid))?,
                ])
            })
            .as_ref()
    }

    /// Whether the number has a length and start of this plan.
    fn allows(&self, number: &str) -> bool {
        self.compiled().is_some_and(|[_, general, _]| is_match(general, number))
    }

    fn is_valid(&self, number: &str) -> bool {
        self.compiled().is_some_and(|[leading, general, valid]| {
            (self.leading.is_empty() || is_match(leading, number))
                && is_match(general, number)
                && is_match(valid, number)
        })
    }
}

fn is_match(regex: &Regex, number: &str) -> bool {
    regex.is_match(Input::new(number).anchored(Anchored::Yes))
}

/// The default regions' calling codes and plans.
fn homes() -> &'static [Option<(&'static str, &'static Plan)>] {
    static FOUND: OnceLock<Vec<Option<(&'static str, &'static Plan)>>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let of = |home: &Home| {
            plans().iter().find_map(|(code, plans)| {
                plans.iter().find(|plan| plan.region == home.region).map(|plan| (*code, plan))
            })
        };
        HOMES.iter().map(of).collect()
    })
}

/// All plans by calling code.
fn plans() -> &'static WordMap<Vec<Plan>> {
    static PLANS: OnceLock<WordMap<Vec<Plan>>> = OnceLock::new();
    PLANS.get_or_init(|| {
        let mut plans: WordMap<Vec<Plan>> = WordMap::default();
        for line in include_str!("../../data/phone.tsv").lines().filter(|line| !line.starts_with('#')) {
            let mut fields = line.split('\t');
            if let (Some(region), Some(code), Some(leading), Some(general), Some(valid)) =
                (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
            {
                let plan = Plan { region, leading, general, valid, compiled: OnceLock::new() };
                plans.entry(code).or_default().push(plan);
            }
        }
        plans
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anywhere(number: &str) -> bool {
        (0..NATIONAL).any(|region| is_valid(number, region))
    }

    #[test]
    fn every_plan_compiles() {
        assert!(plans().len() > 200);
        assert!(plans().values().flatten().all(|plan| plan.compiled().is_some()));
    }

    #[test]
    fn numbers_of_the_plans_are_valid() {
        for good in [
            "+1 415 555 0132",
            "(415) 555-0132",
            "+30 21 0 1234567",
            "020 7946 0958",
            "+44 (0)20 7946 0958",
            "030 123456",
            "+372 5123 4567",
            "91-415-555-0132",
        ] {
            assert!(anywhere(good), "{good}");
        }
        for bad in ["+372", "123", "1234567", "+999 123456789", "000 000 0000"] {
            assert!(!anywhere(bad), "{bad}");
        }
    }
}
