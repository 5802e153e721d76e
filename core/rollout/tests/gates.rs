//! The gates on marks of two versions.

use homeostat_clock::Seed;
use homeostat_quality::{ItemScore, Slice};
use homeostat_rollout::gates::{GateOutcome, GatePolicy, GateResult, PairedScores, evaluate, overall};

use GateOutcome::{Failed, Inconclusive, Passed};

/// Groups of (slice, fresh, items, right before, right after).
fn scores(groups: &[(&str, bool, usize, usize, usize)]) -> PairedScores {
    let mut scores = PairedScores { incumbent: vec![], candidate: vec![], fresh: Default::default() };
    for (at, (slice, fresh, items, before, after)) in groups.iter().enumerate() {
        for i in 0..*items {
            let item = format!("{slice}-{at}-{i:03}");
            let mark = |right: usize| Some(f64::from(u8::from(i < right)));
            let score = |right| ItemScore { item: item.clone(), slice: Slice::new(*slice), score: mark(right) };
            scores.incumbent.push(score(*before));
            scores.candidate.push(score(*after));
            if *fresh {
                scores.fresh.insert(item);
            }
        }
    }
    scores
}

fn gates(scores: &PairedScores) -> Vec<GateResult> {
    let results = evaluate(&GatePolicy::default(), scores, &Seed::fixed(1));
    assert!(results.iter().all(|result| result.explanation.ends_with('.')), "{results:#?}");
    results
}

fn outcomes(scores: &PairedScores) -> Vec<(String, GateOutcome)> {
    gates(scores).into_iter().map(|result| (result.name, result.outcome)).collect()
}

fn named(expected: &[(&str, GateOutcome)]) -> Vec<(String, GateOutcome)> {
    expected.iter().map(|(name, outcome)| (name.to_string(), *outcome)).collect()
}

#[test]
fn a_candidate_that_learned_and_kept_passes() {
    let good = scores(&[("currency", true, 96, 2, 94), ("capital", false, 400, 390, 388)]);
    let expected =
        [("fresh-recovery", Passed), ("retained-loss", Passed), ("slice-loss", Passed), ("improvement", Passed)];
    assert_eq!(outcomes(&good), named(&expected));
    let results = gates(&good);
    assert_eq!(overall(&results), Passed);
    assert!((results[0].value.unwrap() - 92.0 / 94.0).abs() < 1e-12);
    assert!((results[1].value.unwrap() - 0.005).abs() < 1e-12);
    assert_eq!(results, gates(&good), "the same seed gives the same intervals");
    let (low, high) = results[3].interval.unwrap();
    assert!(low > 0.9 && high <= 1.0);
}

#[test]
fn poisoned_data_is_stopped_by_the_references() {
    let forgets = scores(&[("currency", true, 96, 2, 94), ("capital", false, 400, 390, 300)]);
    let expected =
        [("fresh-recovery", Passed), ("retained-loss", Failed), ("slice-loss", Failed), ("improvement", Passed)];
    assert_eq!(outcomes(&forgets), named(&expected));
    let learns_nothing = scores(&[("currency", true, 96, 2, 3), ("capital", false, 400, 390, 390)]);
    assert_eq!(outcomes(&learns_nothing)[0].1, Failed);
    assert_eq!(outcomes(&learns_nothing)[3].1, Inconclusive, "one more right answer of 96 may be chance");
    assert_eq!(overall(&gates(&learns_nothing)), Failed);
}

#[test]
fn a_loss_of_exactly_the_bound_is_allowed() {
    let edge = scores(&[("currency", true, 96, 0, 96), ("capital", false, 100, 100, 98)]);
    assert_eq!(overall(&gates(&edge)), Passed);
    let beyond = scores(&[("currency", true, 96, 0, 96), ("capital", false, 100, 100, 97)]);
    assert_eq!(outcomes(&beyond)[1].1, Failed);
}

#[test]
fn one_slice_may_not_pay_for_the_others() {
    let hidden = scores(&[("a", true, 96, 0, 96), ("b", false, 600, 580, 586), ("c", false, 20, 20, 15)]);
    let results = gates(&hidden);
    assert_eq!((results[1].outcome, results[2].outcome), (Passed, Failed));
    assert!(results[2].explanation.contains("c loses most: 25.0 points"), "{}", results[2].explanation);
    let small = scores(&[("a", true, 96, 0, 96), ("b", false, 600, 580, 586), ("c", false, 9, 9, 8)]);
    assert_eq!(gates(&small)[2].outcome, Passed);
}

#[test]
fn without_anything_fresh_the_candidate_must_not_lose() {
    let same = scores(&[("capital", false, 400, 390, 390)]);
    assert_eq!(outcomes(&same), named(&[("retained-loss", Passed), ("slice-loss", Passed), ("improvement", Passed)]));
    let worse = scores(&[("capital", false, 400, 390, 370)]);
    assert_eq!(outcomes(&worse)[2].1, Failed);
    let unsure = scores(&[("capital", false, 60, 60, 59)]);
    assert_eq!(outcomes(&unsure)[2].1, Inconclusive);
}

#[test]
fn too_few_or_missing_marks_are_inconclusive() {
    let few = scores(&[("currency", true, 20, 0, 20), ("capital", false, 400, 390, 390)]);
    assert_eq!(outcomes(&few)[0].1, Inconclusive);
    assert_eq!(overall(&gates(&few)), Inconclusive);
    let mut silent = scores(&[("currency", true, 96, 2, 94), ("capital", false, 400, 390, 390)]);
    silent.candidate.iter_mut().take(20).for_each(|score| score.score = None);
    let results = gates(&silent);
    assert_eq!((results[0].n, overall(&results)), (76, Passed));
    assert!(results[0].explanation.contains("20 items lack a mark"), "{}", results[0].explanation);
    silent.candidate.iter_mut().take(60).for_each(|score| score.score = Some(f64::NAN));
    assert!(gates(&silent).iter().all(|result| result.outcome == Inconclusive));
    assert_eq!(overall(&gates(&scores(&[]))), Inconclusive);
    assert_eq!(overall(&[]), Inconclusive);
}
