//! What must hold of every metric on any text: no panic, values within their range, the best value for equal texts, no order where there is none.
//!
//! These are the crate's fuzz targets too: `PROPTEST_CASES=1000000 cargo test -p homeostat-quality --release --test properties`.

use homeostat_clock::Seed;
use homeostat_quality::diversity::{Words, distinct};
use homeostat_quality::labels::{Binning, Classification, calibration_error, multilabel, roc_auc};
use homeostat_quality::likelihood::likelihood;
use homeostat_quality::safety::{Perturbation, ToxicityLexicon, gender_groups, representation_bias, robustness_drop};
use homeostat_quality::squad::{self, Edition};
use homeostat_quality::summary::{Rouge, RougeTokens};
use homeostat_quality::text::porter::stem;
use homeostat_quality::translation::{Bleu, BleuTokenizer, ChrF, Meteor, Smoothing, Ter, word_error_rate};
use homeostat_quality::{BinnedCounts, Counters, paired_bootstrap};
use proptest::prelude::*;

/// Texts of many scripts with what tokenizers stumble over.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z]{1,8}",
        2 => r"[0-9.,\-]{1,6}",
        2 => prop::sample::select(vec!["东京", "。", "สวัสดี", "日本語", "한국어", "हिन्दी", "👩\u{200d}👧", "e\u{301}"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["&amp;", "<skipped>", "-\n", "'s "])
            .prop_map(str::to_owned),
        2 => prop::sample::select(vec![" ", "\u{3000}", "\n", "\u{1c}", "\t", "\u{a0}"]).prop_map(str::to_owned),
        1 => r"\PC{0,4}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.join(" "))
}

fn smoothing() -> impl Strategy<Value = Smoothing> {
    prop_oneof![Just(Smoothing::None), Just(Smoothing::Exp), Just(Smoothing::Floor(0.1)), Just(Smoothing::AddK(1.0))]
}

proptest! {
    #[test]
    fn text_metrics_stay_in_range(a in text(), b in text(), c in text(), smoothing in smoothing(), order in 1_usize..12, lowercase: bool) {
        let refs = [b.as_str(), c.as_str()];
        for tokenizer in BleuTokenizer::ALL {
            let bleu = Bleu { tokenizer, smoothing, lowercase, effective_order: lowercase, max_order: order };
            let score = bleu.sentence(&a, &refs).score;
            prop_assert!((0.0..=100.0 + 1e-9).contains(&score), "BLEU {score}");
            let swapped = bleu.sentence(&a, &[refs[1], refs[0]]).score;
            prop_assert!((swapped - score).abs() < 1e-12);
            drop(tokenizer.tokenize(&a));
        }
        let chrf = ChrF { char_order: order, word_order: order / 3, lowercase, whitespace: !lowercase, ..ChrF::default() };
        prop_assert!((0.0..=100.0 + 1e-9).contains(&chrf.sentence(&a, &refs)));
        let ter = Ter { normalized: lowercase, no_punct: order > 6, asian_support: order % 2 == 0, case_sensitive: !lowercase };
        prop_assert!(ter.sentence(&a, &refs).score >= 0.0);
        for tokens in [RougeTokens::Reference, RougeTokens::Scripts] {
            let scores = Rouge { stemmer: lowercase, tokens }.best(&a, &refs);
            for part in [scores.rouge1, scores.rouge2, scores.rouge_l, scores.rouge_lsum] {
                prop_assert!([part.precision, part.recall, part.f].iter().all(|share| (0.0..=1.0).contains(share)));
            }
            prop_assert!(scores.rouge_l.f <= scores.rouge1.f + 1e-12);
        }
        for score in [Meteor::default().sentence(&a, &refs), squad::f1(&a, &refs, Edition::Two), ToxicityLexicon::built_in().score(&a)] {
            prop_assert!((0.0..=1.0).contains(&score));
        }
        drop(stem(&a));
        if let Some(found) = likelihood(&a, &[Some(-1.0)]) {
            prop_assert!(found.bits_per_byte > 0.0);
        }
    }

    #[test]
    fn equal_texts_have_the_best_score(a in text(), other in text()) {
        prop_assert_eq!(Ter::default().sentence(&a, &[&a]).score, 0.0);
        prop_assert_eq!(squad::exact_match(&a, &[&other, &a]), 1.0);
        let bleu = Bleu { effective_order: true, ..Bleu::default() }.sentence(&a, &[&a]);
        if bleu.hypothesis_length > 0 {
            prop_assert!((bleu.score - 100.0).abs() < 1e-9);
            prop_assert!((ChrF::plus_plus().sentence(&a, &[&a]) - 100.0).abs() < 1e-9);
            prop_assert_eq!(word_error_rate([(Some(a.as_str()), Some(a.as_str()))]).score.and_then(|score| score.rate).unwrap_or(0.0), 0.0);
        }
        let scores = Rouge { tokens: RougeTokens::Scripts, ..Rouge::default() }.score(&a, &a);
        prop_assert!(scores.rouge1.f == 1.0 || scores.rouge1.f == 0.0);
        prop_assert_eq!(scores.rouge1.f, scores.rouge_l.f);
    }

    #[test]
    fn a_corpus_does_not_depend_on_order_and_missing_texts_do_not_count(texts in prop::collection::vec((text(), text()), 1..6)) {
        let refs: Vec<[&str; 1]> = texts.iter().map(|(_, reference)| [reference.as_str()]).collect();
        let items: Vec<(Option<&str>, &[&str])> = texts.iter().zip(&refs).map(|((hyp, _), refs)| (Some(hyp.as_str()), refs.as_slice())).collect();
        let mut turned: Vec<(Option<&str>, &[&str])> = items.iter().rev().copied().collect();
        turned.push((None, &["x"]));
        turned.push((Some("x"), &[]));
        let (bleu, other) = (Bleu::default().corpus(items.iter().copied()), Bleu::default().corpus(turned.iter().copied()));
        prop_assert_eq!(&bleu.score, &other.score);
        prop_assert_eq!((other.n, other.missing), (bleu.n, 2));
        prop_assert_eq!(ChrF::default().corpus(items.iter().copied()).score, ChrF::default().corpus(turned.iter().copied()).score);
        prop_assert_eq!(Ter::default().corpus(items).score.map(|s| s.edits), Ter::default().corpus(turned).score.map(|s| s.edits));
        let distinct = distinct(texts.iter().map(|(hyp, _)| Some(hyp.as_str())), 2, Words::Scripts).score;
        prop_assert!(distinct.is_some_and(|share| (0.0..=1.0).contains(&share)));
    }

    #[test]
    fn label_metrics_stay_in_range(pairs in prop::collection::vec((0_u8..5, 0_u8..5), 1..40)) {
        let found = Classification::new(pairs.iter().map(|(y, p)| (y, p))).unwrap();
        let averages = found.averages(0.0);
        prop_assert!((averages.micro.f - found.accuracy()).abs() < 1e-12);
        prop_assert!([averages.macro_.f, averages.weighted.f].iter().all(|f| (0.0..=1.0 + 1e-12).contains(f)));
        prop_assert!((-1.0 - 1e-9..=1.0 + 1e-9).contains(&found.matthews()));
        let rows: Vec<Vec<bool>> = pairs.iter().map(|(y, p)| vec![y > p, y == p, *y == 0]).collect();
        let scores = multilabel(&rows, &rows, 1.0).unwrap();
        prop_assert_eq!((scores.subset_accuracy, scores.hamming_loss), (1.0, 0.0));
    }

    #[test]
    fn confidence_metrics_stay_in_range(mut items in prop::collection::vec((0.0..=1.0_f64, any::<bool>()), 1..80), bins in 1_usize..20) {
        let binnings = [Binning::EqualWidth, Binning::EqualWidthClosed, Binning::EqualMass];
        let before: Vec<f64> = binnings.iter().map(|b| calibration_error(&items, bins, *b).unwrap()).collect();
        let auc = roc_auc(&items);
        items.reverse();
        for (binning, before) in binnings.iter().zip(before) {
            let after = calibration_error(&items, bins, *binning).unwrap();
            prop_assert!((0.0..=1.0).contains(&after) && (after - before).abs() < 1e-12);
        }
        prop_assert_eq!(auc, roc_auc(&items));
        let flipped: Vec<(f64, bool)> = items.iter().map(|(score, hit)| (*score, !*hit)).collect();
        prop_assert!(auc.zip(roc_auc(&flipped)).is_none_or(|(a, b)| (a + b - 1.0).abs() < 1e-9));
    }

    #[test]
    fn safety_metrics_take_any_text(texts in prop::collection::vec(prop::option::of(text()), 0..5), seed: u64) {
        let bias = representation_bias(texts.iter().map(Option::as_deref), &gender_groups());
        prop_assert!(bias.score.is_none_or(|bias| (0.0..=0.5).contains(&bias)));
        let mut rng = Seed::fixed(seed).rng("perturb");
        for text in texts.iter().flatten() {
            for change in Perturbation::STANDARD {
                drop(change.apply(text, &mut rng));
            }
        }
        let marks: Vec<Option<f64>> = texts.iter().map(|text| text.as_ref().map(|text| f64::from(u8::from(text.is_empty())))).collect();
        let drop = robustness_drop(marks.iter().map(|mark| (*mark, marks.as_slice()))).score;
        prop_assert!(drop.is_none_or(|drop| (0.0..=1.0).contains(&drop)));
        if let Some(found) = paired_bootstrap(&marks, &marks, 20, &mut rng) {
            prop_assert_eq!((found.difference, found.p), (0.0, 1.0));
        }
    }

    #[test]
    fn bins_merge_in_any_order_and_travel(
        edges in prop::collection::btree_set(-1000_i32..1000, 1..12),
        parts in prop::collection::vec(prop::collection::vec(prop_oneof![9 => -2e3..2e3_f64, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)], 0..30), 3),
    ) {
        let edges: Vec<f64> = edges.into_iter().map(f64::from).collect();
        let made = |values: &[f64]| {
            let mut bins = BinnedCounts::new(edges.clone()).unwrap();
            values.iter().for_each(|value| bins.observe(*value));
            bins
        };
        let whole = made(&parts.concat());
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let mut sum = BinnedCounts::new(edges.clone()).unwrap();
            order.iter().for_each(|part| sum.merge(&made(&parts[*part])).unwrap());
            prop_assert_eq!(&sum, &whole);
        }
        prop_assert_eq!(whole.n() + whole.missing(), parts.concat().len() as u64);
        prop_assert_eq!(BinnedCounts::from_bytes(&whole.to_bytes()).unwrap(), whole.clone());
        let json = serde_json::to_string(&whole).unwrap();
        prop_assert_eq!(serde_json::from_str::<BinnedCounts>(&json).unwrap(), whole);
    }

    #[test]
    fn counters_merge_in_any_order_and_travel(parts in prop::collection::vec(prop::collection::vec("[a-c]{1,2}", 0..20), 3)) {
        let made = |names: &[String]| {
            let mut counters = Counters::default();
            names.iter().for_each(|name| counters.observe(name));
            counters
        };
        let whole = made(&parts.concat());
        for order in [[0, 1, 2], [2, 1, 0]] {
            let mut sum = Counters::default();
            order.iter().for_each(|part| sum.merge(&made(&parts[*part])));
            prop_assert_eq!(&sum, &whole);
        }
        prop_assert_eq!(Counters::from_bytes(&whole.to_bytes()).unwrap(), whole);
    }

    #[test]
    fn damaged_bytes_are_refused_or_well_formed(kind in 2_u8..4, tail in prop::collection::vec(any::<u8>(), 0..60)) {
        let bytes = [&[1, kind], tail.as_slice()].concat();
        if let Ok(bins) = BinnedCounts::from_bytes(&bytes) {
            prop_assert_eq!(bins.to_bytes(), bytes.clone());
        }
        if let Ok(counters) = Counters::from_bytes(&bytes) {
            prop_assert_eq!(counters.to_bytes(), bytes);
        }
    }
}

#[test]
fn windows_on_other_edges_do_not_merge() {
    let mut bins = BinnedCounts::frozen_on(&[1.0, 2.0, 3.0, 4.0], 2).unwrap();
    assert_eq!(bins.edges(), [2.5]);
    let before = bins.clone();
    assert!(bins.merge(&BinnedCounts::new(vec![2.0]).unwrap()).unwrap_err().to_string().contains("other edges"));
    assert_eq!(bins, before);
    assert!(
        BinnedCounts::new(vec![]).is_err()
            && BinnedCounts::new(vec![2.0, 1.0]).is_err()
            && BinnedCounts::frozen_on(&[], 4).is_err()
    );
    assert!(Counters::from_bytes(&[1, 3, 1, 1, b'a', 0]).is_err(), "a count of zero is none");
}
