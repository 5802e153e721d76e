//! Every metric against its reference implementation; see fixtures/README.md for where the figures come from.
//!
//! `PARITY_CASES` names another file of the same form to read instead of the fixture; it may hold some of the sections only, and fields that
//! are not known here. Each mismatch is printed with its section and case.

mod check;
mod corpora;
mod labels;
mod pairs;

use check::Check;
use serde_json::Value;

type Section = fn(&mut Check, &Value, &Value);

const SECTIONS: [(&str, Section); 7] = [
    ("pairs", pairs::pairs),
    ("corpora", corpora::corpora),
    ("corpus_multiref", corpora::multiple_references),
    ("classification", labels::classification),
    ("multilabel", labels::multilabel),
    ("calibration", labels::calibration),
    ("perplexity", labels::perplexity),
];

#[test]
fn figures_agree_with_the_references() {
    let text = match std::env::var_os("PARITY_CASES") {
        Some(path) => {
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("PARITY_CASES {}: {error}", path.display()))
        }
        None => include_str!("../fixtures/parity.json").to_owned(),
    };
    let all: Value = serde_json::from_str(&text).expect("the cases are JSON");
    let mut check = Check::default();
    let mut sections = 0;
    for (name, section) in SECTIONS {
        if let Some(cases) = all.get(name) {
            sections += 1;
            check.section = name;
            section(&mut check, cases, &all);
            check.close_section();
        }
    }
    println!("{} checks in {sections} sections, {} mismatches", check.checks, check.mismatches);
    assert!(sections == 0 || check.checks > 0, "no case was recognised");
    assert_eq!(check.mismatches, 0, "of {} checks", check.checks);
}
