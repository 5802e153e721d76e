//! Comparing and counting.

use std::fmt::Debug;

use serde_json::Value;

/// What was compared so far.
#[derive(Default)]
pub(crate) struct Check {
    pub(crate) section: &'static str,
    pub(crate) checks: u64,
    pub(crate) mismatches: u64,
    case: String,
    before: (u64, u64),
}

impl Check {
    /// Names the case that is looked at.
    pub(crate) fn case(&mut self, id: impl ToString) {
        self.case = id.to_string();
    }

    /// A figure within 1e-9, or within 1e-12 of itself where a double has no room for that. An expected null is a figure that does not exist; a
    /// field that the file lacks is not compared.
    pub(crate) fn figure(&mut self, name: &str, found: impl Into<Option<f64>>, expected: Option<&Value>) {
        let Some(expected) = expected else { return };
        let found = found.into().filter(|found| !found.is_nan());
        let wanted = number(expected);
        let close = match (found, wanted) {
            (None, None) => true,
            (Some(a), Some(b)) => a == b || (a - b).abs() <= 1e-9_f64.max(1e-12 * b.abs()),
            _ => false,
        };
        self.note(close, name, &found, &wanted);
    }

    /// The figures of a list.
    pub(crate) fn figures(&mut self, name: &str, found: &[f64], expected: Option<&Value>) {
        let Some(list) = expected.and_then(Value::as_array) else { return };
        self.note(found.len() == list.len(), &format!("length of {name}"), &found.len(), &list.len());
        for (at, (found, expected)) in found.iter().zip(list).enumerate() {
            self.figure(&format!("{name}[{at}]"), *found, Some(expected));
        }
    }

    /// Something that has to be equal.
    pub(crate) fn equal<T: PartialEq + Debug>(&mut self, name: &str, found: &T, expected: &T) {
        self.note(found == expected, name, found, expected);
    }

    /// A text that has to be equal.
    pub(crate) fn text(&mut self, name: &str, found: &str, expected: Option<&Value>) {
        if let Some(expected) = expected.and_then(Value::as_str) {
            self.note(found == expected, name, &found, &expected);
        }
    }

    /// Says how the section went.
    pub(crate) fn close_section(&mut self) {
        println!(
            "{}: {} checks, {} mismatches",
            self.section,
            self.checks - self.before.0,
            self.mismatches - self.before.1
        );
        self.before = (self.checks, self.mismatches);
    }

    fn note(&mut self, equal: bool, name: &str, found: &dyn Debug, expected: &dyn Debug) {
        self.checks += 1;
        if !equal {
            self.mismatches += 1;
            println!("MISMATCH {} {} {name}: found {found:?}, expected {expected:?}", self.section, self.case);
        }
    }
}

/// A number as the file writes it: null is none, infinities are words.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("inf") => Some(f64::INFINITY),
        Some("-inf") => Some(f64::NEG_INFINITY),
        _ => value.as_f64(),
    }
}

/// The entries of a list, none if it is none.
pub(crate) fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of a list.
pub(crate) fn texts(value: Option<&Value>) -> Vec<&str> {
    list(value).iter().filter_map(Value::as_str).collect()
}
