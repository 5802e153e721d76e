use std::sync::OnceLock;

use crate::text::WordMap;

/// What a word can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) first: bool,
    pub(super) last: bool,
    pub(super) title: bool,
    /// Whether a place starts with it; the whole names are in [`Lists::places`].
    pub(super) place: bool,
    pub(super) company_form: bool,
}

pub(super) struct Lists {
    pub(super) words: WordMap<Word>,
    /// Whole names of places by their first word, longest first.
    pub(super) places: WordMap<Vec<&'static str>>,
}

const TITLES: &[&str] = &[
    "Mr",
    "Mrs",
    "Ms",
    "Miss",
    "Mx",
    "Dr",
    "Prof",
    "Professor",
    "Sir",
    "Dame",
    "Herr",
    "Herrn",
    "Frau",
    "Monsieur",
    "Madame",
    "Mme",
    "Señor",
    "Señora",
    "Sr",
    "Sra",
    "Signor",
    "Signora",
    "Sig",
    "Dott",
    "Pan",
    "Pani",
    "Rabbi",
    "Rev",
];

const FORMS: &[&str] = &[
    "Inc",
    "Corp",
    "Corporation",
    "Ltd",
    "Limited",
    "LLC",
    "LLP",
    "PLC",
    "GmbH",
    "AG",
    "SE",
    "KG",
    "SA",
    "SARL",
    "SAS",
    "SpA",
    "Srl",
    "BV",
    "NV",
    "AB",
    "ASA",
    "Oy",
    "Oyj",
    "Pty",
    "Co",
];

pub(super) fn lists() -> &'static Lists {
    static LISTS: OnceLock<Lists> = OnceLock::new();
    LISTS.get_or_init(|| {
        let mut words: WordMap<Word> = WordMap::default();
        let mut places: WordMap<Vec<&'static str>> = WordMap::default();
        for name in data(include_str!("../../data/first_names.txt")).flat_map(str::split_whitespace) {
            words.entry(name).or_default().first = true;
        }
        for name in data(include_str!("../../data/last_names.txt")).flat_map(str::split_whitespace) {
            words.entry(name).or_default().last = true;
        }
        for name in TITLES {
            words.entry(name).or_default().title = true;
        }
        for name in FORMS {
            words.entry(name).or_default().company_form = true;
        }
        for name in data(include_str!("../../data/places.txt")) {
            if let Some(first) = name.split(' ').next() {
                words.entry(first).or_default().place = true;
                places.entry(first).or_default().push(name);
            }
        }
        for names in places.values_mut() {
            names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        }
        Lists { words, places }
    })
}

fn data(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}
