//! Comparing and counting.

use std::collections::BTreeMap;

use serde_json::Value;

/// Counts per section, and whether anything was wrong.
#[derive(Default)]
pub(crate) struct Report {
    sections: BTreeMap<&'static str, Counts>,
}

#[derive(Default)]
struct Counts {
    checked: u32,
    wrong: u32,
    unknown: BTreeMap<String, u32>,
}

/// One case of a section.
pub(crate) struct Case<'a> {
    section: &'static str,
    id: String,
    counts: &'a mut Counts,
}

impl Report {
    pub(crate) fn section(&mut self, section: &'static str, id: String) -> Case<'_> {
        Case { section, id, counts: self.sections.entry(section).or_default() }
    }

    pub(crate) fn finish(self, path: &str) {
        let mut wrong = 0;
        for (section, counts) in &self.sections {
            println!("{section}: {} of {} figures differ", counts.wrong, counts.checked);
            for (field, times) in &counts.unknown {
                println!("{section}: field {field} is not known here ({times} times)");
            }
            wrong += counts.wrong;
        }
        let checked: u32 = self.sections.values().map(|counts| counts.checked).sum();
        assert!(wrong == 0, "{path}: {wrong} of {checked} figures differ");
    }
}

impl Case<'_> {
    pub(crate) fn unknown(&mut self, field: &str) {
        *self.counts.unknown.entry(field.to_string()).or_default() += 1;
    }

    fn judge(&mut self, field: &str, fits: bool, found: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug) {
        self.counts.checked += 1;
        if !fits {
            self.counts.wrong += 1;
            println!("{} {}: {field} is {found:?}, expected {expected:?}", self.section, self.id);
        }
    }

    /// A distance or statistic: 1e-9 absolute, relative above 1.
    pub(crate) fn figure(&mut self, field: &str, found: Option<f64>, expected: &Value) {
        let expected = number(expected);
        self.judge(field, agree(found, expected, |a, b| (a - b).abs() <= 1e-9 * b.abs().max(1.0)), &found, &expected);
    }

    /// The root of one minus an overlap, which turns a rounding of 1e-16 into 1e-8: compared as its square, to 1e-15, or to 1e-9.
    pub(crate) fn root(&mut self, field: &str, found: Option<f64>, expected: &Value) {
        let expected = number(expected);
        let fits = agree(found, expected, |a, b| (a - b).abs() <= 1e-9 || (a * a - b * b).abs() <= 1e-15);
        self.judge(field, fits, &found, &expected);
    }

    /// A p-value: 1e-8 relative down to 1e-300.
    pub(crate) fn p(&mut self, field: &str, found: Option<f64>, expected: &Value) {
        let expected = number(expected);
        let fits = agree(found, expected, |a, b| (a - b).abs() <= 1e-8 * b.abs() || (a <= 1e-300 && b <= 1e-300));
        self.judge(field, fits, &found, &expected);
    }

    /// A p-value that the reference computes as 1 minus a sum, so that it has 1e-15 absolutely and no more.
    pub(crate) fn complement(&mut self, field: &str, found: Option<f64>, expected: &Value) {
        let expected = number(expected);
        let fits = agree(found, expected, |a, b| (a - b).abs() <= 1e-8 * b.abs() || (a - b).abs() <= 5e-15);
        self.judge(field, fits, &found, &expected);
    }

    pub(crate) fn exactly<T: PartialEq + std::fmt::Debug>(&mut self, field: &str, found: T, expected: T) {
        self.judge(field, found == expected, &found, &expected);
    }
}

fn agree(found: Option<f64>, expected: Option<f64>, close: impl Fn(f64, f64) -> bool) -> bool {
    match (found, expected) {
        (Some(a), Some(b)) => a == b || close(a, b),
        (a, b) => a == b,
    }
}

/// A number, `inf` or `-inf`; anything else is undefined.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok().filter(|value: &f64| !value.is_nan()),
        _ => value.as_f64(),
    }
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(|value| number(value).unwrap_or(f64::NAN)).collect()
}
