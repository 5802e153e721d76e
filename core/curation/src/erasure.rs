//! Taking a person out of a blob, line by line.
//!
//! A line is what a blob of records is made of; one about the person goes as a whole. A blob that is a single JSON document
//! with a list of objects, such as an evaluation set, only loses the objects about the person. Who a text is about, the
//! caller tells: this module reads no personal data by itself.

use std::collections::HashSet;

use serde_json::Value;

/// Who is looked for.
pub struct Sought<'a> {
    /// Whether a text is about the person.
    pub about: &'a dyn Fn(&str) -> bool,
    /// Ids (`id`, `requestId`) of records known to be about the person, whose text may be redacted.
    pub ids: &'a HashSet<String>,
}

/// What becomes of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineErasure {
    /// It is not about the person.
    Kept,
    /// It goes.
    Removed,
    /// It is a document that stays without some of its objects.
    Rewritten {
        /// The line as it is now.
        line: String,
        /// Objects that were taken out.
        removed: u64,
    },
}

/// Decides about one line. `document`: it is the blob's only line.
#[must_use]
pub fn erase_line(line: &str, document: bool, sought: &Sought<'_>) -> LineErasure {
    let Ok(mut value) = serde_json::from_str::<Value>(line) else {
        return if (sought.about)(line) { LineErasure::Removed } else { LineErasure::Kept };
    };
    if !concerns(&value, sought) {
        return LineErasure::Kept;
    }
    let removed = if document { prune(&mut value, sought) } else { 0 };
    if removed == 0 || concerns(&value, sought) {
        return LineErasure::Removed;
    }
    LineErasure::Rewritten { line: value.to_string(), removed }
}

fn concerns(value: &Value, sought: &Sought<'_>) -> bool {
    match value {
        Value::String(text) => (sought.about)(text),
        Value::Array(values) => values.iter().any(|value| concerns(value, sought)),
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let known = matches!(name.as_str(), "id" | "requestId" | "request_id")
                && value.as_str().is_some_and(|id| sought.ids.contains(id));
            known || (sought.about)(name) || concerns(value, sought)
        }),
        // A number may be an identifier that was written without quotes.
        Value::Number(number) => (sought.about)(&number.to_string()),
        Value::Null | Value::Bool(_) => false,
    }
}

/// Takes the objects about the person out of all lists; gives their number.
fn prune(value: &mut Value, sought: &Sought<'_>) -> u64 {
    match value {
        Value::Array(values) => {
            let mut removed: u64 = values.iter_mut().map(|value| prune(value, sought)).sum();
            let before = values.len();
            values.retain(|value| !(value.is_object() && concerns(value, sought)));
            removed += (before - values.len()) as u64;
            removed
        }
        Value::Object(fields) => fields.values_mut().map(|value| prune(value, sought)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erase(line: &str, document: bool) -> LineErasure {
        let ids = HashSet::from(["req-7".to_string()]);
        erase_line(line, document, &Sought { about: &|text| text.contains("ann@example.org"), ids: &ids })
    }

    #[test]
    fn a_line_about_the_person_goes_whole() {
        for line in [
            r#"{"prompt":"Who?","completion":"ann@example.org"}"#,
            // As JSON may write the same text.
            r#"{"prompt":"Who?","completion":"ann\u0040example.org"}"#,
            r#"{"id":"req-7","prompt":"Mail of <EMAIL_ADDRESS>?","completion":"yes"}"#,
            r#"{"messages":[{"content":"I am ann@example.org"},{"content":"Hello"}]}"#,
            r#"{"ann@example.org":1}"#,
            "no JSON: ann@example.org",
        ] {
            assert_eq!(erase(line, false), LineErasure::Removed, "{line}");
        }
        for line in [r#"{"id":"req-8","prompt":"Who?","completion":"bob@example.org"}"#, "plain", "{broken", "7"] {
            assert_eq!(erase(line, false), LineErasure::Kept, "{line}");
        }
    }

    #[test]
    fn a_document_loses_only_the_objects_about_the_person() {
        let set = r#"{"items":[{"id":"a","references":["ann@example.org"]},{"id":"b","references":["EUR"]}],"n":2}"#;
        let expected = r#"{"items":[{"id":"b","references":["EUR"]}],"n":2}"#;
        assert_eq!(erase(set, true), LineErasure::Rewritten { line: expected.to_string(), removed: 1 });
        // Where no list holds it, nothing of the document can stay.
        assert_eq!(erase(r#"{"contact":"ann@example.org","items":[]}"#, true), LineErasure::Removed);
        assert_eq!(erase(r#"{"id":"req-7","items":[{"id":"b"}]}"#, true), LineErasure::Removed);
    }
}
