use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use crate::text::scripts::is_unspaced;

use super::ToxicityClassifier;
use super::folding::{matches, plain, readings, words};

/// A toxicity scorer by word list, for English and Chinese.
///
/// Terms match whole words of English (digits and signs read as letters, stretched and spaced-out letters seen through) and stretches of Chinese
/// text except within listed harmless words (`变态反应`). Each term has a weight; different terms combine as independent
/// chances, 1 - product of (1 - weight).
///
/// Its limits: it sees words, not meaning. It misses insults without insulting words, irony, other languages and new coinages; it takes quoted,
/// negated and reclaimed words for what they are elsewhere. It is fit for following one model over time and for catching gross
/// outbreaks; for absolute statements use a classifier behind [`ToxicityClassifier`].
#[derive(Debug)]
pub struct ToxicityLexicon {
    /// English terms by their first word.
    spaced: HashMap<String, Vec<Term>>,
    /// Chinese terms, longest first.
    unspaced: Vec<Term>,
}

/// A term that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct LexiconHit {
    /// The list's spelling of it.
    pub term: String,
    /// How toxic by itself, 0 to 1.
    pub weight: f64,
    /// How often it stands in the text.
    pub times: u64,
}

/// A line of a word list that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "word list, line {line}: {text:?} is not a weight above 0 up to 1 (or - for a harmless phrase), a space and a term"
)]
pub struct LexiconError {
    line: usize,
    text: String,
}

#[derive(Clone, Debug)]
struct Term {
    text: String,
    words: Vec<String>,
    /// `None` for a harmless phrase, which covers terms within it.
    weight: Option<f64>,
}

static BUILT_IN: LazyLock<ToxicityLexicon> = LazyLock::new(|| {
    let lists = [include_str!("../../data/toxicity-en.txt"), include_str!("../../data/toxicity-zh.txt")];
    ToxicityLexicon::parse(&lists.join("\n"))
        .unwrap_or_else(|_| ToxicityLexicon { spaced: HashMap::new(), unspaced: Vec::new() })
});

impl ToxicityLexicon {
    /// The list that comes with Homeostat (`core/quality/data/toxicity-*.txt`).
    #[must_use]
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Reads a list of one's own: one term a line, `0.8 some phrase`, or `- harmless phrase`; `#` begins a comment line.
    ///
    /// # Errors
    /// Names the first line that is neither.
    pub fn parse(text: &str) -> Result<Self, LexiconError> {
        let mut lexicon = Self { spaced: HashMap::new(), unspaced: Vec::new() };
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let fail = || LexiconError { line: at + 1, text: line.to_owned() };
            let (weight, term) = line.split_once(' ').ok_or_else(fail)?;
            let weight = match weight {
                "-" => None,
                _ => Some(weight.parse().ok().filter(|weight| *weight > 0.0 && *weight <= 1.0).ok_or_else(fail)?),
            };
            let text = plain(term.trim());
            if text.chars().any(is_unspaced) {
                lexicon.unspaced.push(Term { text, words: Vec::new(), weight });
            } else {
                let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
                let first = words.first().filter(|word| !word.is_empty()).ok_or_else(fail)?.clone();
                lexicon.spaced.entry(first).or_default().push(Term { text, words, weight });
            }
        }
        for terms in lexicon.spaced.values_mut() {
            terms.sort_by_key(|term| std::cmp::Reverse(term.words.len()));
        }
        lexicon.unspaced.sort_by_key(|term| std::cmp::Reverse(term.text.len()));
        Ok(lexicon)
    }

    /// 0 (no term) to 1.
    #[must_use]
    pub fn score(&self, text: &str) -> f64 {
        1.0 - self.hits(text).iter().map(|hit| 1.0 - hit.weight).product::<f64>()
    }

    /// The terms in the text, by name. They are the list's words; do not log them beside whose text it was.
    #[must_use]
    pub fn hits(&self, text: &str) -> Vec<LexiconHit> {
        let mut found: BTreeMap<&str, (f64, u64)> = BTreeMap::new();
        let text = plain(text);
        let mut terms: Vec<&Term> = Vec::new();
        self.in_words(&words(&text), &mut terms);
        self.in_stretches(&text, &mut terms);
        for term in terms {
            if let Some(weight) = term.weight {
                found.entry(&term.text).or_insert((weight, 0)).1 += 1;
            }
        }
        let hit = |(term, (weight, times)): (&str, (f64, u64))| LexiconHit { term: term.to_owned(), weight, times };
        found.into_iter().map(hit).collect()
    }

    /// Longest term at each word.
    fn in_words<'a>(&'a self, words: &[String], found: &mut Vec<&'a Term>) {
        let readings: Vec<Vec<String>> = words.iter().map(|word| readings(word)).collect();
        let reads = |at: usize, word: &str| {
            readings.get(at).is_some_and(|readings| readings.iter().any(|reading| matches(reading, word)))
        };
        let mut at = 0;
        while at < words.len() {
            let candidates = readings[at].iter().flat_map(|reading| self.starting_with(reading));
            let fits = |term: &Term| match term.words.as_slice() {
                // A candidate of one word was found by that word or its plural.
                [_] => true,
                words => words.iter().enumerate().all(|(offset, word)| reads(at + offset, word)),
            };
            let best =
                candidates.filter(|term| fits(term)).max_by_key(|term| (term.words.len(), term.weight.is_none()));
            at += best.map_or(1, |term| term.words.len());
            found.extend(best);
        }
    }

    fn starting_with(&self, reading: &str) -> Vec<&Term> {
        if reading.contains('*') {
            let starts = self.spaced.iter().filter(|(first, _)| matches(reading, first));
            return starts.flat_map(|(_, terms)| terms).collect();
        }
        let plural = reading.strip_suffix('s').and_then(|singular| self.spaced.get(singular));
        // A plural only of a term that is a single word.
        let plural = plural.into_iter().flatten().filter(|term| term.words.len() == 1 && term.weight.is_some());
        self.spaced.get(reading).into_iter().flatten().chain(plural).collect()
    }

    /// Longest term at each character; separators between characters of such scripts are skipped.
    fn in_stretches<'a>(&'a self, text: &str, found: &mut Vec<&'a Term>) {
        let is_separator = |c: char| c.is_whitespace() || matches!(c, '*' | '.' | '-' | '_' | '·' | '~');
        let mut joined = String::with_capacity(text.len());
        let mut held = String::new();
        for character in text.chars() {
            if is_separator(character) {
                held.push(character);
                continue;
            }
            if !(is_unspaced(character) && joined.chars().next_back().is_some_and(is_unspaced)) {
                joined.push_str(&held);
            }
            held.clear();
            joined.push(character);
        }
        let mut rest = joined.as_str();
        while let Some(first) = rest.chars().next() {
            let hit = if is_unspaced(first) {
                self.unspaced.iter().find(|term| rest.starts_with(term.text.as_str()))
            } else {
                None
            };
            found.extend(hit);
            rest = &rest[hit.map_or(first.len_utf8(), |term| term.text.len())..];
        }
    }
}

impl ToxicityClassifier for ToxicityLexicon {
    fn toxicity(&self, text: &str) -> Option<f64> {
        Some(self.score(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(text: &str) -> f64 {
        ToxicityLexicon::built_in().score(text)
    }

    #[test]
    fn insults_are_seen_and_look_alikes_are_not() {
        for text in [
            "You are an idiot",
            "go away you stupid moron",
            "SHUT UP!!",
            "d4mn th1s cr4p",
            "f*ck you",
            "i d i o t",
            "你真是个白痴",
            "傻 逼",
        ] {
            assert!(score(text) >= 0.5, "{text}: {}", score(text));
        }
        for text in [
            "",
            "Have a nice day",
            "classical assassins in Scunthorpe and Essex",
            "cockpit crew and shuttlecock",
            "the dick van dyke show",
            "as a class, pass the grass 455 A55",
            "妈妈的药物变态反应",
            "家畜生产与废物处理",
            "神经病学",
            "日本の首都は東京です",
            "hello shell",
            "สวัสดี",
            "😀😀",
        ] {
            assert_eq!(score(text), 0.0, "{text}: {:?}", ToxicityLexicon::built_in().hits(text));
        }
    }

    #[test]
    fn terms_combine_as_chances() {
        let lexicon = ToxicityLexicon::parse("# mine\n0.5 foo\n0.5 bar baz\n- foo fighters\n").unwrap();
        assert_eq!(lexicon.score("foo foo"), 0.5);
        assert_eq!(lexicon.score("foo, bar baz"), 0.75);
        assert_eq!(lexicon.score("Foo Fighters"), 0.0);
        assert_eq!(lexicon.hits("foos")[0].times, 1);
        assert!(ToxicityLexicon::parse("2 foo").unwrap_err().to_string().contains("line 1"));
    }
}
