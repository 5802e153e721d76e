//! Marks against the reference implementations; see fixtures/README.md for where the figures come from.

use homeostat_quality::grade::{bits_per_byte, exact_match, normalise_answer, token_f1};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    pairs: Vec<Pair>,
    bits_per_byte: Vec<Bits>,
}

#[derive(Deserialize)]
struct Pair {
    id: u32,
    hyp: String,
    refs: Vec<String>,
    norm: String,
    em: f64,
    f1: f64,
}

#[derive(Deserialize)]
struct Bits {
    total: f64,
    bytes: u64,
    bits_per_byte: f64,
}

#[test]
fn marks_agree_with_squad_and_lm_eval() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/squad.json")).unwrap();
    assert!(fixture.pairs.len() > 50 && fixture.bits_per_byte.len() > 5);
    for Pair { id, hyp, refs, norm, em, f1 } in &fixture.pairs {
        assert_eq!(&normalise_answer(hyp), norm, "pair {id}");
        assert_eq!(exact_match(hyp, refs), *em, "pair {id}");
        assert!((token_f1(hyp, refs) - f1).abs() < 1e-9, "pair {id}: {} is not {f1}", token_f1(hyp, refs));
    }
    for case in &fixture.bits_per_byte {
        let found = bits_per_byte(case.total, case.bytes).unwrap();
        assert!((found - case.bits_per_byte).abs() < 1e-9, "{found}");
    }
}
