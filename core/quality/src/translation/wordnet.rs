use std::collections::{BTreeSet, HashMap};

/// Where METEOR's third stage finds synonyms.
pub trait Synonyms: std::fmt::Debug {
    /// Words, written as one word and in lower case, that share a sense with `word` or one of its base forms.
    fn synonyms(&self, word: &str) -> Vec<String>;
}

/// No synonyms: the stage is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSynonyms;

impl Synonyms for NoSynonyms {
    fn synonyms(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// The synonyms of WordNet, with inflected forms led back to their base forms as nltk's `morphy` does.
///
/// The text to give it is `core/quality/data/wordnet-3.0.txt`: one line a sense, `n dog frump ...`, and exceptions, `xn mice mouse`.
#[derive(Debug)]
pub struct WordNet {
    /// Single words of each sense.
    senses: Vec<Vec<String>>,
    /// Senses of a word by part of speech, as in [`PARTS`].
    index: [HashMap<String, Vec<u32>>; 4],
    exceptions: [HashMap<String, Vec<String>>; 4],
}

/// A line that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "WordNet text, line {line}: {text:?} is neither a sense (\"n dog frump\") nor an exception (\"xn mice mouse\")"
)]
pub struct WordNetError {
    line: usize,
    text: String,
}

const PARTS: [&str; 4] = ["n", "v", "a", "r"];

/// Endings and what replaces them, by part of speech (`morphy`).
const ENDINGS: [&[(&str, &str)]; 4] = [
    &[
        ("s", ""),
        ("ses", "s"),
        ("ves", "f"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ],
    &[("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")],
    &[("er", ""), ("est", ""), ("er", "e"), ("est", "e")],
    &[],
];

impl WordNet {
    /// Reads the compact text. Lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// Names the first line that is neither a sense nor an exception.
    pub fn parse(text: &str) -> Result<Self, WordNetError> {
        let mut found = Self { senses: Vec::new(), index: Default::default(), exceptions: Default::default() };
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty()) {
            let fail = || WordNetError { line: at + 1, text: line.chars().take(60).collect() };
            let mut fields = line.split(' ');
            let kind = fields.next().ok_or_else(fail)?;
            let (part, exception) = kind.strip_prefix('x').map_or((kind, false), |part| (part, true));
            let part = PARTS.iter().position(|name| *name == part).ok_or_else(fail)?;
            if exception {
                let form = fields.next().ok_or_else(fail)?.to_owned();
                found.exceptions[part].entry(form).or_default().extend(fields.map(str::to_owned));
                continue;
            }
            let sense = u32::try_from(found.senses.len()).map_err(|_| fail())?;
            let mut words = Vec::new();
            for word in fields {
                let lower = word.to_lowercase();
                if lower == word {
                    words.push(word.to_owned());
                }
                found.index[part].entry(lower).or_default().push(sense);
            }
            found.senses.push(words);
        }
        Ok(found)
    }

    fn base_forms(&self, word: &str, part: usize) -> Vec<String> {
        let mut forms = vec![word.to_owned()];
        match self.exceptions[part].get(word) {
            Some(bases) => forms.extend(bases.iter().cloned()),
            None => forms.extend(ENDINGS[part].iter().filter_map(|(ending, replacement)| {
                word.strip_suffix(ending).map(|stem| format!("{stem}{replacement}"))
            })),
        }
        forms
    }
}

impl Synonyms for WordNet {
    fn synonyms(&self, word: &str) -> Vec<String> {
        let mut found = BTreeSet::new();
        for part in 0..PARTS.len() {
            for form in self.base_forms(word, part) {
                for sense in self.index[part].get(&form).into_iter().flatten() {
                    found.extend(self.senses[*sense as usize].iter().cloned());
                }
            }
        }
        found.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_forms_lead_to_senses() {
        let text = "# licence\nn dog domestic Canis\nv chase dog tail\nn mouse\nxn mice mouse\n";
        let net = WordNet::parse(text).unwrap();
        assert_eq!(net.synonyms("dogs"), ["chase", "dog", "domestic", "tail"]);
        assert_eq!(net.synonyms("mice"), ["mouse"]);
        assert_eq!(net.synonyms("canis"), ["dog", "domestic"]);
        assert!(net.synonyms("zzz").is_empty());
        assert!(WordNet::parse("q x").unwrap_err().to_string().contains("line 1"));
    }
}
