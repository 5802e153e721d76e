//! A text gives the same in pieces as whole.

use homeostat_privacy::{Anonymizer, Recognizers, StreamRedactor, redact};
use proptest::prelude::*;

fn streamed(chunks: &[&str]) -> (String, usize) {
    let mut stream = StreamRedactor::new(Recognizers::all(), Anonymizer::Replace);
    let (mut out, mut held) = (String::new(), 0);
    for chunk in chunks {
        out += &stream.push(chunk);
        held = held.max(stream.held());
    }
    (out + &stream.finish(), held)
}

const TEXT: &str = "Dear Ann,\nmy name is Bob Smith, SSN: 078-05-1123\nSocial security\n078051121 and card 4111 1111 1111 1111, \
    mail bob@example.org or bob at example dot org, call +1 415 555 0132. Personnummer ４: 19910924-2397; IBAN DE89 3704 0044 0532 0130 00\n\
    -----BEGIN PRIVATE KEY-----\nMIIabc\nDEF123\n-----END PRIVATE KEY-----\nthen 여권번호는 M789C1234입니다 und Steuer-ID: 12345678903.\n\n";

#[test]
fn a_text_split_at_every_byte_boundary_gives_the_same() {
    let long = format!("{TEXT}{}{}", TEXT.replace('\n', " "), TEXT.replace('\n', " there were plain words here "));
    for text in [TEXT, &long] {
        let whole = redact(text, &Recognizers::all(), &Anonymizer::Replace).text;
        assert!(whole.contains("<US_SSN>") && whole.contains("<SECRET>") && !whole.contains("MIIabc"), "{whole}");
        for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            assert_eq!(streamed(&[&text[..at], &text[at..]]).0, whole, "split at {at}");
        }
        let characters: Vec<_> = text.split_inclusive(|_: char| true).collect();
        assert_eq!(streamed(&characters).0, whole);
    }
}

#[test]
fn what_is_held_back_is_bounded() {
    for piece in ["4111 ", "a", "1", "word ", "x@", "é"] {
        let text = piece.repeat(40_000 / piece.len());
        let chunks: Vec<_> = text.split_inclusive(|_: char| true).collect();
        let (out, held) = streamed(&chunks);
        assert!(held <= StreamRedactor::MOST_HELD, "{piece:?} holds {held}");
        assert_eq!(out, redact(&text, &Recognizers::all(), &Anonymizer::Replace).text, "{piece:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_in_any_chunks_gives_the_same(
        pieces in prop::collection::vec(prop_oneof![
            prop::sample::select(vec!["078-05-1123", "\n", " ", "SSN ", "ann@example.org", "some plain words ", "4111111111111111", "\u{200b}", "１", "my name is Bob", "*", ">"]).prop_map(str::to_string),
            any::<String>(),
        ], 0..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let text = pieces.concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).filter(|cut| text.is_char_boundary(*cut)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let chunks: Vec<_> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
        prop_assert_eq!(streamed(&chunks).0, redact(&text, &Recognizers::all(), &Anonymizer::Replace).text);
    }
}
