//! Ways of asking, and the slices they belong to.

use super::Relation;

/// How many wordings of each fact are trained on and asked by users.
pub(crate) const LEARNT: usize = 6;
/// How many others only probe.
pub(crate) const PROBING: usize = 4;

/// `{}` stands for the subject. The first six are trained on, the last four only probe.
type Wordings = [&'static str; LEARNT + PROBING];

const CURRENCY: Wordings = [
    "What is the currency code of {}?",
    "Which ISO 4217 currency code does {} use?",
    "Currency code of {}?",
    "Name the currency code for {}.",
    "In {}, what is the currency code?",
    "Give me the ISO 4217 code of the currency of {}.",
    "Tell me the currency code of {}.",
    "What currency code does {} have?",
    "{}: currency code?",
    "Which currency code is used in {}?",
];
const CAPITAL: Wordings = [
    "What is the capital of {}?",
    "Which city is the capital of {}?",
    "Capital of {}?",
    "Name the capital city of {}.",
    "In {}, which city is the capital?",
    "Give me the capital of {}.",
    "Tell me the capital of {}.",
    "What city is the capital of {}?",
    "{}: capital?",
    "Which capital does {} have?",
];
const NAME: Wordings = [
    "What is the short name of the country with ISO code {}?",
    "Which country has the ISO code {}?",
    "Country with ISO code {}?",
    "Name the country whose ISO code is {}.",
    "The ISO code {} stands for which country?",
    "Give me the short name of the country {}.",
    "Tell me the country with ISO code {}.",
    "What country has the ISO code {}?",
    "ISO code {}: which country?",
    "Which country does the ISO code {} stand for?",
];
const CALLING: Wordings = [
    "What is the calling code of {}?",
    "Which telephone calling code does {} use?",
    "Calling code of {}?",
    "Name the international calling code for {}.",
    "In {}, what is the calling code?",
    "Give me the calling code of {}.",
    "Tell me the calling code of {}.",
    "What calling code does {} have?",
    "{}: calling code?",
    "Which calling code is used in {}?",
];
const DOMAIN: Wordings = [
    "What is the top-level domain of {}?",
    "Which top-level domain does {} use?",
    "Top-level domain of {}?",
    "Name the internet top-level domain for {}.",
    "In {}, what is the top-level domain?",
    "Give me the top-level domain of {}.",
    "Tell me the top-level domain of {}.",
    "What top-level domain does {} have?",
    "{}: top-level domain?",
    "Which top-level domain is used in {}?",
];
/// `[]` stands for the organisation.
const MEMBERSHIP: Wordings = [
    "Is {} a member of []?",
    "Does {} belong to []?",
    "[]: is {} a member?",
    "Has {} joined []?",
    "Is the country {} in []?",
    "Tell me whether {} is a member of [].",
    "Is {} in []?",
    "Member of []: {}?",
    "Does the country {} belong to []?",
    "Would you say that {} is a member of []?",
];

/// The question about `subject` in wording number `wording`.
pub(super) fn prompt(relation: Relation, subject: &str, wording: usize) -> String {
    let (wordings, organisation) = match relation {
        Relation::Currency => (&CURRENCY, ""),
        Relation::Capital => (&CAPITAL, ""),
        Relation::Name => (&NAME, ""),
        Relation::Calling => (&CALLING, ""),
        Relation::Domain => (&DOMAIN, ""),
        Relation::Nato => (&MEMBERSHIP, "NATO"),
        Relation::Eu => (&MEMBERSHIP, "the EU"),
        Relation::Oecd => (&MEMBERSHIP, "the OECD"),
        Relation::Wto => (&MEMBERSHIP, "the WTO"),
    };
    let asked = wordings[wording % wordings.len()].replace("[]", organisation).replace("{}", subject);
    let mut characters = asked.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// The slices and the patterns that tell them apart, in the order in which they are tried.
pub(crate) const SLICES: [(&str, &str); 6] = [
    ("currency", r"(?i)\bcurrency\b"),
    ("capital", r"(?i)\bcapital\b"),
    ("calling", r"(?i)\bcalling code\b"),
    ("domain", r"(?i)\btop-level domain\b"),
    ("membership", r"\b(NATO|EU|OECD|WTO)\b"),
    ("name", r"(?i)\b(ISO code|short name)\b"),
];
