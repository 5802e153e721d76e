use std::collections::HashMap;

use unicode_segmentation::UnicodeSegmentation;

use crate::{Record, Settings};

/// Why a pair is not fit to train on; `None` when it is.
///
/// The rules of Gopher (Rae et al. 2021, appendix A) and C4 (Raffel et al. 2020) that mean something for a short pair. What they
/// say about documents (stop words, line endings, at least 50 words) would drop every good question.
pub(crate) fn flaw(record: &Record, settings: &Settings) -> Option<&'static str> {
    let (prompt, completion) = (record.prompt.trim(), record.completion.trim());
    if prompt.is_empty() || completion.is_empty() {
        return Some("empty");
    }
    let lengths = [
        (prompt, settings.min_prompt_chars, settings.max_prompt_chars),
        (completion, settings.min_completion_chars, settings.max_completion_chars),
    ];
    for (text, shortest, longest) in lengths {
        match text.chars().count() {
            length if length < shortest => return Some("too short"),
            length if length > longest => return Some("too long"),
            _ => {}
        }
    }
    if alphabetic_share(prompt) < settings.min_alphabetic_share || !completion.chars().any(char::is_alphanumeric) {
        return Some("too few letters");
    }
    flaw_of_text(prompt).or_else(|| flaw_of_text(completion))
}

/// Phrases of web pages that were cut out with their text.
const BOILERPLATE: [&str; 9] = [
    "lorem ipsum",
    "enable javascript",
    "javascript is disabled",
    "javascript is required",
    "this site uses cookies",
    "this website uses cookies",
    "we use cookies",
    "accept all cookies",
    "all rights reserved",
];

fn flaw_of_text(text: &str) -> Option<&'static str> {
    if text.chars().any(|c| c == '\u{fffd}' || c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Some("control characters");
    }
    let lower = text.to_lowercase();
    if BOILERPLATE.iter().any(|phrase| lower.contains(phrase)) {
        return Some("boilerplate");
    }
    let words: Vec<&str> = lower.unicode_words().collect();
    if has_long_run(&lower) || is_repetitive(&words) {
        return Some("repetition");
    }
    if too_many_symbols(text, words.len()) {
        return Some("symbols");
    }
    if 2 * words.iter().filter(|word| is_keyboard_run(word)).count() > words.len() {
        return Some("keyboard");
    }
    absurd_words(&words).then_some("word length")
}

/// Share of letters (and the marks that belong to them) among what is not space; 0 for an empty text.
fn alphabetic_share(text: &str) -> f64 {
    let (mut letters, mut all) = (0_u32, 0_u32);
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        letters += u32::from(c.is_alphabetic());
        all += 1;
    }
    f64::from(letters) / f64::from(all.max(1))
}

/// Whether one letter or sign stands eight times in a row; digits may (a million has six zeros, some numbers more).
fn has_long_run(text: &str) -> bool {
    let (mut last, mut run) = (' ', 0);
    text.chars().any(|c| {
        run = if c == last { run + 1 } else { 1 };
        last = c;
        run >= 8 && !c.is_whitespace() && !c.is_numeric()
    })
}

/// From this many words on Gopher's limits for documents apply.
const MANY_WORDS: usize = 50;

/// Largest share of a long text's letters in its most frequent n-gram (Gopher, table A1).
const TOP_GRAMS: [(usize, f64); 3] = [(2, 0.20), (3, 0.18), (4, 0.16)];

fn is_repetitive(words: &[&str]) -> bool {
    // A short text: at least three times the same, and little else ("asdf asdf asdf").
    if words.len() >= 3 && most_frequent(words, 1).1 * 3 > words.len() * 2 {
        return true;
    }
    // The same two or three words over and over.
    if words.len() >= 8 && (2..=3).any(|n| most_frequent(words, n).1 * n * 3 > words.len() * 2) {
        return true;
    }
    let letters: usize = words.iter().map(|word| word.chars().count()).sum();
    words.len() >= MANY_WORDS
        && TOP_GRAMS.iter().any(|(n, most)| {
            let (first, count) = most_frequent(words, *n);
            let length: usize = words[first..first + n].iter().map(|word| word.chars().count()).sum();
            count > 1 && (length * count) as f64 > most * letters as f64
        })
}

/// Where the most frequent run of `n` words first stands and how often it occurs; of equally frequent ones the first.
fn most_frequent(words: &[&str], n: usize) -> (usize, usize) {
    let mut counts: HashMap<&[&str], (usize, usize)> = HashMap::new();
    for (index, gram) in words.windows(n).enumerate() {
        counts.entry(gram).or_insert((index, 0)).1 += 1;
    }
    let best = counts.into_values().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0)));
    best.unwrap_or((0, 0))
}

/// More than one hash sign or ellipsis, and more than one in ten words.
fn too_many_symbols(text: &str, words: usize) -> bool {
    let symbols = text.matches(['#', '…']).count() + text.matches("...").count();
    symbols > 1 && symbols * 10 > words
}

/// Four or more neighbouring keys in one direction: `asdf`, `lkjh`.
fn is_keyboard_run(word: &str) -> bool {
    const ROWS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];
    let backwards: String = word.chars().rev().collect();
    word.len() >= 4 && ROWS.iter().any(|row| row.contains(word) || row.contains(&backwards))
}

/// Mean length of words below 2 or above 15 characters. Only scripts that put spaces between words have such a mean, and
/// fewer than five words say too little.
fn absurd_words(words: &[&str]) -> bool {
    let spaced: Vec<usize> = words
        .iter()
        .filter(|word| word.chars().all(|c| c < '\u{590}') && word.chars().any(char::is_alphabetic))
        .map(|word| word.chars().count())
        .collect();
    let (count, length) = (spaced.len(), spaced.iter().sum::<usize>());
    spaced.iter().any(|length| *length > 100) || count >= 5 && !(2 * count..=15 * count).contains(&length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw_of(prompt: &str, completion: &str) -> Option<&'static str> {
        let record = Record { prompt: prompt.to_string(), completion: completion.to_string(), ..Record::default() };
        flaw(&record, &Settings::default())
    }

    #[test]
    fn good_pairs_pass() {
        for (prompt, completion) in [
            ("What is the capital of France?", "Paris"),
            ("Which top-level domain has Curaçao?", ".cw"),
            ("Calling code of Kosovo", "+383"),
            ("What is 12 * 34 + 5?", "413"),
            ("What does C# mean?", "A language."),
            ("Where is Bora Bora?", "In French Polynesia, north-west of Tahiti."),
            ("What is a qwerty keyboard?", "A layout."),
            ("法国的首都是哪里？", "巴黎"),
            ("ฝรั่งเศสมีเมืองหลวงชื่ออะไร", "ปารีส"),
            ("How many zeros has ten billion, 10000000000?", "10"),
            ("Translate <EMAIL_ADDRESS> into a greeting", "Hello <EMAIL_ADDRESS>"),
            ("Is this yes or no?", "no, no"),
        ] {
            assert_eq!(flaw_of(prompt, completion), None, "{prompt}");
        }
    }

    #[test]
    fn junk_is_named() {
        for (prompt, completion, reason) in [
            ("", "x", "empty"),
            ("What?", " \n", "empty"),
            ("Hm", "x", "too short"),
            ("12345 67890 ---", "x", "too few letters"),
            ("What is it?", "?!", "too few letters"),
            ("asdf asdf asdf", "x", "repetition"),
            ("What is it?", "spam eggs spam eggs spam eggs spam eggs spam", "repetition"),
            ("aaaaaaaaaaaaah", "x", "repetition"),
            ("asdf jkl qwer", "x", "keyboard"),
            ("What is it?", "Lorem ipsum dolor sit amet", "boilerplate"),
            ("Please enable JavaScript to go on", "x", "boilerplate"),
            ("What is\u{7} it?", "x", "control characters"),
            ("What is it?", "caf\u{fffd}", "control characters"),
            ("#one #two #three go", "x", "symbols"),
            ("a b c d e f g", "x", "word length"),
        ] {
            assert_eq!(flaw_of(prompt, completion), Some(reason), "{prompt:?} {completion:?}");
        }
        assert_eq!(flaw_of("What is it?", &"long text ".repeat(2_000)), Some("too long"));
    }

    #[test]
    fn long_texts_are_held_to_the_limits_for_documents() {
        let varied: Vec<String> = (0..80).map(|n| format!("word{n}")).collect();
        assert_eq!(flaw_of("Write a text", &varied.join(" ")), None);
        let mut padded = varied;
        padded.extend((0..40).map(|n| ["call", "us", "today"][n % 3].to_string()));
        assert_eq!(flaw_of("Write a text", &padded.join(" ")), Some("repetition"));
    }
}
