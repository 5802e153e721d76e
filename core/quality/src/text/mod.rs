//! Text as the reference implementations see it: their idea of white space, of letters and punctuation, their tokenizers and
//! their stemmer. Everything here is exact down to the quirks, because a token more or less changes a score; what is
//! deliberately missing is any judgement of which tokenizer suits a language (`homeostat_quality::BleuTokenizer` says).

pub(crate) mod classes;
pub(crate) mod intern;
pub mod porter;
pub(crate) mod scripts;
pub(crate) mod western;
pub(crate) mod white;
pub(crate) mod words;
