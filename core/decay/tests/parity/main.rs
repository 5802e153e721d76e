//! Every figure against the reference implementations: the fixture, or the file that `PARITY_CASES` names. Each mismatch is printed
//! with its section and case; sections and fields that are not ours are left alone.

mod check;
mod streams;
mod two_sample;
mod vectors;

use check::Report;
use serde_json::Value;

#[test]
fn figures_are_those_of_the_references() {
    let path = std::env::var("PARITY_CASES")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parity.json").to_string());
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let cases: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut report = Report::default();
    for (index, case) in check::list(&cases["drift_two_sample"]["cases"]).iter().enumerate() {
        let name = case["name"].as_str().unwrap_or("unnamed");
        two_sample::drift(&mut report.section("drift_two_sample", format!("{index} {name}")), case);
    }
    for (index, case) in check::list(&cases["chi2"]).iter().enumerate() {
        two_sample::chi2(&mut report.section("chi2", index.to_string()), case);
    }
    for (index, case) in check::list(&cases["jensenshannon"]).iter().enumerate() {
        two_sample::jensen_shannon(&mut report.section("jensenshannon", index.to_string()), case);
    }
    for section in ["river_numeric", "river_binary"] {
        for (index, case) in check::list(&cases[section]).iter().enumerate() {
            let kind = case["kind"].as_str().unwrap_or("unnamed");
            streams::river(&mut report.section(section, format!("{index} {kind}")), case);
        }
    }
    if let Some(fields) = cases["python_mt"].as_object() {
        streams::python_random(&mut report.section("python_mt", String::new()), fields);
    }
    report.finish(&path);
}
