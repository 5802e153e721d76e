//! What must hold for every text.

use std::time::{Duration, Instant};

use homeostat_privacy::{Anonymizer, Recognizers, SubjectKey, redact};
use proptest::prelude::*;

/// Texts of pieces that meet each other in bad places.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(vec![
            "@", ".", "-", " ", "_", "*", "'", "<", "用", "é", "\u{301}", "＠", "ｱ", "0", "4", "１", "com", ".org", "ann", "xn--p1ai",
            "ann@example.org", "4111111111111111", "4012 8888 8888 1881", "4012-8888-8888-1881", "3782 822463 10005", "1111", "8888",
            "@example.org", "a@b.co", "<EMAIL_ADDRESS>", "<CREDIT_CARD>", "是", "🦀", "\u{200b}", "\0",
        ]).prop_map(str::to_string),
        1 => any::<String>(),
        1 => "[0-9 -]{0,24}",
        1 => "[a-c@.4-]{0,12}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn findings_are_sorted_disjoint_and_on_character_boundaries(text in texts()) {
        let mut end = 0;
        for finding in Recognizers::all().find(&text) {
            prop_assert!(finding.start >= end && finding.end > finding.start);
            prop_assert!(text.get(finding.start..finding.end).is_some());
            prop_assert!((0.0..=1.0).contains(&finding.score));
            end = finding.end;
        }
        prop_assert!(end <= text.len());
    }

    #[test]
    fn nothing_is_left_after_redaction(text in texts()) {
        let recognizers = Recognizers::all();
        for anonymizer in [Anonymizer::Replace, Anonymizer::Mask, Anonymizer::Hash(SubjectKey::new([3; 32]))] {
            let once = redact(&text, &recognizers, &anonymizer);
            prop_assert_eq!(recognizers.find(&once.text), vec![], "{:?} left something in {:?} of {:?}", anonymizer, &once.text, &text);
            prop_assert_eq!(&redact(&once.text, &recognizers, &anonymizer).text, &once.text);
        }
    }
}

#[test]
fn hostile_texts_take_linear_time() {
    let started = Instant::now();
    for piece in [
        "@",
        "a@",
        "a.",
        "a-",
        "4",
        "4 ",
        "4111 ",
        "4111-",
        "a@b.",
        "a@b.co@",
        "用a",
        "\u{301}",
        "_@",
        "4111111111111111ann@b.orgé",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        let _ = redact(&text, &Recognizers::all(), &Anonymizer::Replace);
    }
    // A megabyte each; quadratic behaviour would take hours, so the bound may be generous on a busy machine.
    assert!(started.elapsed() < Duration::from_secs(60));
}
