use homeostat_clock::Rng;
use rand::Rng as _;

/// A small change of an input that leaves its meaning alone, after HELM's robustness set. The same stream of randomness gives the same change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Perturbation {
    /// Everything in lower case.
    Lowercase,
    /// Each space becomes one to this many.
    ExtraSpaces(u32),
    /// Each ASCII letter is replaced with this chance by a neighbour on a QWERTY keyboard.
    Typos(f64),
    /// Each word of a list of often misspelt ones is misspelt with this chance.
    Misspellings(f64),
    /// `do not` becomes `don't`.
    Contractions,
    /// `don't` becomes `do not`.
    Expansions,
    /// ASCII becomes full-width forms and `,.?!` their Chinese forms, as Chinese and Japanese keyboards write them.
    FullWidth,
}

impl Perturbation {
    /// The set that robustness is measured over: HELM's mild mix and what Chinese and Japanese users do instead.
    pub const STANDARD: [Self; 6] = [
        Self::Lowercase,
        Self::ExtraSpaces(3),
        Self::Typos(0.03),
        Self::Misspellings(0.5),
        Self::Contractions,
        Self::FullWidth,
    ];

    /// The changed text.
    #[must_use]
    pub fn apply(self, text: &str, rng: &mut Rng) -> String {
        match self {
            Self::Lowercase => text.to_lowercase(),
            Self::ExtraSpaces(most) => spaces(text, most.max(1), rng),
            Self::Typos(chance) => typos(text, chance, rng),
            Self::Misspellings(chance) => misspelt(text, chance, rng),
            Self::Contractions => replaced(text, |(long, short)| (long, short)),
            Self::Expansions => replaced(text, |(long, short)| (short, long)),
            Self::FullWidth => text.chars().map(full_width).collect(),
        }
    }
}

fn spaces(text: &str, most: u32, rng: &mut Rng) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for character in text.chars() {
        out.push(character);
        if character == ' ' {
            (0..below(rng, u64::from(most))).for_each(|_| out.push(' '));
        }
    }
    out
}

fn typos(text: &str, chance: f64, rng: &mut Rng) -> String {
    const KEYS: [&str; 26] = [
        "qwsz", "vghn", "xdfv", "serfcx", "wsdr", "drtgvc", "ftyhbv", "gyujnb", "ujko", "huikmn", "jiolm", "kop",
        "njk", "bhjm", "iklp", "ol", "wa", "edft", "awedxz", "rfgy", "yhji", "cfgb", "qase", "zsdc", "tghu", "asx",
    ];
    let near = |letter: char, rng: &mut Rng| {
        let keys = KEYS[usize::from(letter.to_ascii_lowercase() as u8 - b'a')].as_bytes();
        let key = char::from(keys[usize::try_from(below(rng, keys.len() as u64)).unwrap_or(0)]);
        if letter.is_ascii_uppercase() { key.to_ascii_uppercase() } else { key }
    };
    text.chars().map(|c| if c.is_ascii_alphabetic() && happens(rng, chance) { near(c, rng) } else { c }).collect()
}

fn misspelt(text: &str, chance: f64, rng: &mut Rng) -> String {
    const PAIRS: [(&str, &str); 36] = [
        ("the", "teh"),
        ("their", "thier"),
        ("receive", "recieve"),
        ("believe", "beleive"),
        ("separate", "seperate"),
        ("definitely", "definately"),
        ("government", "goverment"),
        ("environment", "enviroment"),
        ("until", "untill"),
        ("which", "wich"),
        ("because", "becuase"),
        ("beginning", "begining"),
        ("different", "diffrent"),
        ("tomorrow", "tommorow"),
        ("people", "poeple"),
        ("really", "realy"),
        ("always", "allways"),
        ("answer", "anwser"),
        ("question", "queston"),
        ("country", "coutry"),
        ("capital", "captial"),
        ("currency", "curency"),
        ("language", "langauge"),
        ("population", "populaton"),
        ("president", "presidant"),
        ("where", "were"),
        ("what", "waht"),
        ("when", "wehn"),
        ("with", "wiht"),
        ("from", "form"),
        ("that", "taht"),
        ("and", "adn"),
        ("address", "adress"),
        ("calendar", "calender"),
        ("occurred", "occured"),
        ("knowledge", "knowlege"),
    ];
    by_word(text, |word| {
        let (_, wrong) = PAIRS.iter().find(|(right, _)| right.eq_ignore_ascii_case(word))?;
        happens(rng, chance).then(|| like(word, wrong))
    })
}

const CONTRACTIONS: [(&str, &str); 28] = [
    ("is not", "isn't"),
    ("are not", "aren't"),
    ("was not", "wasn't"),
    ("were not", "weren't"),
    ("do not", "don't"),
    ("does not", "doesn't"),
    ("did not", "didn't"),
    ("cannot", "can't"),
    ("could not", "couldn't"),
    ("would not", "wouldn't"),
    ("should not", "shouldn't"),
    ("have not", "haven't"),
    ("has not", "hasn't"),
    ("had not", "hadn't"),
    ("will not", "won't"),
    ("i am", "i'm"),
    ("you are", "you're"),
    ("we are", "we're"),
    ("they are", "they're"),
    ("it is", "it's"),
    ("that is", "that's"),
    ("what is", "what's"),
    ("who is", "who's"),
    ("where is", "where's"),
    ("i have", "i've"),
    ("i will", "i'll"),
    ("let us", "let's"),
    ("there is", "there's"),
];

/// Replaces whole phrases, in the order of the table.
fn replaced(text: &str, direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str)) -> String {
    CONTRACTIONS.into_iter().map(direction).fold(text.to_owned(), |text, (from, to)| {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        let mut before = None;
        while let Some(first) = rest.chars().next() {
            let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            let head = rest.get(..from.len()).filter(|head| head.eq_ignore_ascii_case(from));
            match head {
                Some(head) if !is_word(before) && !is_word(rest[head.len()..].chars().next()) => {
                    out.push_str(&like(head, to));
                    before = head.chars().next_back();
                    rest = &rest[head.len()..];
                }
                _ => {
                    out.push(first);
                    before = Some(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        out
    })
}

fn by_word(text: &str, mut change: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        out.push_str(&change(word).unwrap_or_else(|| word.to_owned()));
        let gap = tail.find(char::is_alphanumeric).unwrap_or(tail.len());
        out.push_str(&tail[..gap]);
        rest = &tail[gap..];
    }
    out
}

/// `word`, with a capital where `model` has one.
fn like(model: &str, word: &str) -> String {
    let mut characters = word.chars();
    match (model.chars().next(), characters.next()) {
        (Some(first), Some(own)) if first.is_uppercase() => own.to_uppercase().chain(characters).collect(),
        _ => word.to_owned(),
    }
}

fn full_width(character: char) -> char {
    match character {
        '.' => '。',
        ' ' => '\u{3000}',
        '!'..='~' => char::from_u32(character as u32 + 0xfee0).unwrap_or(character),
        other => other,
    }
}

fn happens(rng: &mut Rng, chance: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    let draw = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    draw < chance
}

/// A number below `n`, even to 2^-32.
fn below(rng: &mut Rng, n: u64) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(n)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use homeostat_clock::Seed;

    use super::*;

    #[test]
    fn changes_are_repeatable_and_small() {
        let apply = |change: Perturbation, text: &str| change.apply(text, &mut Seed::fixed(1).rng("perturb"));
        assert_eq!(apply(Perturbation::Lowercase, "Ab Ç"), "ab ç");
        assert_eq!(apply(Perturbation::Contractions, "It is what I am; do not"), "It's what I'm; don't");
        assert_eq!(apply(Perturbation::Expansions, "It's; undon't"), "It is; undon't");
        assert_eq!(apply(Perturbation::FullWidth, "a, b?"), "ａ，\u{3000}ｂ？");
        assert_eq!(apply(Perturbation::Misspellings(1.0), "The capital, 北京"), "Teh captial, 北京");
        let spaced = apply(Perturbation::ExtraSpaces(3), "a b c");
        assert_eq!(spaced.split_whitespace().collect::<String>(), "abc");
        let text = "the quick brown fox jumps over the lazy dog ".repeat(20);
        let typos = apply(Perturbation::Typos(0.1), &text);
        let changed = text.chars().zip(typos.chars()).filter(|(a, b)| a != b).count();
        assert!((20..150).contains(&changed), "{changed}");
        assert_eq!(typos, apply(Perturbation::Typos(0.1), &text));
    }
}
