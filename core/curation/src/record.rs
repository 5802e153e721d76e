use homeostat_clock::UtcMillis;
use homeostat_quality::{Slice, normalise_prompt};
use serde::{Deserialize, Serialize};

/// One pair of prompt and completion to train on.
///
/// As JSONL one object a line, camelCase; only `prompt` and `completion` are required and unknown fields are ignored.
/// The derived order (id first) is the order of snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Stable id; a line without one is called after its file and line.
    #[serde(default)]
    pub id: String,
    /// What is asked.
    pub prompt: String,
    /// The right answer.
    pub completion: String,
    /// Part of the input; empty when unclassified.
    #[serde(default)]
    pub slice: Slice,
    /// Stable id of what is asked, shared by its wordings, so that a new answer to one wording supersedes the old answers
    /// to all. Answers to one fact are expected in one form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<String>,
    /// Since when the answer holds; written as a date or as RFC 3339.
    #[serde(default, with = "date_or_time", skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<UtcMillis>,
    /// Id of the feedback key it came in with; none for data that no user sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_key: Option<String>,
    /// Whether it is new or repeated from the parent's training.
    #[serde(default)]
    pub origin: Origin,
}

/// Where a record of a snapshot comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// Collected since the parent version was trained.
    #[default]
    Fresh,
    /// Repeated from earlier training so that nothing is forgotten.
    Replay,
}

/// A line that is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file}, line {line}: {problem}; each line is a JSON object with \"prompt\" and \"completion\" (optional: id, slice, fact, validFrom, weightKey)"
)]
pub struct RecordError {
    /// Name of the file.
    pub file: String,
    /// One-based.
    pub line: usize,
    /// What was wrong. Holds no text of the record.
    pub problem: String,
}

/// Reads JSONL; empty lines are skipped, an empty text is no record and no error.
///
/// # Errors
/// Names `file` and the line of the first object that cannot be read.
pub fn read_jsonl(file: &str, text: &str) -> Result<Vec<Record>, RecordError> {
    let mut records = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let mut record: Record = serde_json::from_str(line).map_err(|error| RecordError {
            file: file.to_string(),
            line: index + 1,
            problem: error.to_string(),
        })?;
        if record.id.is_empty() {
            record.id = format!("{file}:{}", index + 1);
        }
        records.push(record);
    }
    Ok(records)
}

/// One JSON object a line, fields in a fixed order, so that equal records give equal bytes.
#[must_use]
pub fn to_jsonl(records: &[Record]) -> String {
    let mut text = String::new();
    for record in records {
        // Strings, numbers and options only: there is nothing in a record that JSON cannot hold.
        text.push_str(&serde_json::to_string(record).unwrap_or_default());
        text.push('\n');
    }
    text
}

/// The form in which two completions say the same.
pub(crate) fn normalise_completion(completion: &str) -> String {
    normalise_prompt(completion)
}

mod date_or_time {
    use homeostat_clock::UtcMillis;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "the signature serde asks for")]
    pub(super) fn serialize<S: Serializer>(time: &Option<UtcMillis>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_str(&time.to_rfc3339()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UtcMillis>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.clone() };
        UtcMillis::from_rfc3339(&full).map(Some).ok_or_else(|| {
            D::Error::custom(format!("validFrom {text:?} is no date: write 2026-01-31 or 2026-01-31T00:00:00Z"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_round_trip_and_unknown_fields_are_ignored() {
        let text = "\u{feff}{\"prompt\":\"p\",\"completion\":\"c\",\"color\":\"red\"}\n\n\
                    {\"id\":\"b\",\"prompt\":\"p\",\"completion\":\"c\",\"slice\":\"s\",\"fact\":\"f\",\"validFrom\":\"2026-01-31\",\"weightKey\":\"k\",\"origin\":\"Replay\"}";
        let records = read_jsonl("data.jsonl", text).unwrap_or_default();
        assert_eq!(records[0].id, "data.jsonl:1");
        assert_eq!((records[0].origin, records[1].origin), (Origin::Fresh, Origin::Replay));
        assert_eq!(records[1].valid_from, UtcMillis::from_rfc3339("2026-01-31T00:00:00Z"));
        assert_eq!(read_jsonl("other", &to_jsonl(&records)), Ok(records));
    }

    #[test]
    fn a_bad_line_is_named() {
        for (line, problem) in [
            ("{\"prompt\":\"secret\"}", "missing field `completion`"),
            ("not json", "expected"),
            (
                "{\"prompt\":\"secret\",\"completion\":\"c\",\"validFrom\":\"last year\"}",
                "validFrom \"last year\" is no date",
            ),
            ("{\"prompt\":\"secret\",\"completion\":7}", "expected a string"),
        ] {
            let error = read_jsonl("data.jsonl", &format!("\n{line}\n")).map_err(|error| error.to_string());
            let Err(error) = error else { panic!("{line} was read") };
            assert!(error.starts_with("data.jsonl, line 2: ") && error.contains(problem), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
