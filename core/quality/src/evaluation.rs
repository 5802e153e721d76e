use std::collections::HashMap;

use homeostat_clock::UtcMillis;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use crate::Slice;

/// How an answer is marked against its references.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grader {
    /// Equal after SQuAD normalisation.
    #[default]
    ExactMatch,
    /// Token overlap, best reference.
    TokenF1,
}

/// One probe: a prompt, how its answer is marked, and the right answers with their date. One line of a golden set's JSONL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvaluationItem {
    /// Stable id of the probe.
    pub id: String,
    /// Part of the input.
    #[serde(default)]
    pub slice: Slice,
    /// What is asked.
    pub prompt: String,
    /// The right answers; at least one.
    pub references: Vec<String>,
    /// Since when these answers hold. A later date for the same prompt supersedes.
    #[serde(default, with = "optional_rfc3339", skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<UtcMillis>,
    /// How the answer is marked.
    #[serde(default)]
    pub grader: Grader,
}

/// A merged evaluation set: one item a prompt, the latest reference winning.
///
/// `prompts_digest` changes when a prompt or a grader changes ("probe changed"); `references_digest` alone changes when the
/// world did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluationSet {
    /// The probes, sorted by id.
    pub items: Vec<EvaluationItem>,
    /// sha256 (hex) over ids, prompts, slices and graders.
    pub prompts_digest: String,
    /// sha256 (hex) over ids and references.
    pub references_digest: String,
}

/// Why a golden set was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationSetError {
    /// A line that is no item.
    #[error(
        "{set}, line {line}: {problem}; each line is {{\"id\", \"prompt\", \"references\": [..]}} with optional slice, validFrom, grader"
    )]
    Line {
        /// Name of the set.
        set: String,
        /// One-based.
        line: usize,
        /// What was wrong.
        problem: String,
    },
    /// Nothing in it.
    #[error("{set} holds no probe: give at least one line")]
    Empty {
        /// Name of the set.
        set: String,
    },
}

impl EvaluationSet {
    /// Merges sets given as (name, JSONL text), oldest first. For the same normalised prompt the later `validFrom` wins; a
    /// missing date is oldest; at equal dates the later set wins, so that adding a set can correct an older one. Id and wording
    /// stay those of the first item.
    ///
    /// # Errors
    /// Names the set and the line of the first item that cannot be read, has no reference or an empty prompt.
    pub fn merge<'a>(sets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, EvaluationSetError> {
        let mut latest: HashMap<String, EvaluationItem> = HashMap::new();
        for (set, text) in sets {
            for item in parse(set, text)? {
                let prompt = normalise_prompt(&item.prompt);
                match latest.get_mut(&prompt) {
                    Some(held) if held.valid_from > item.valid_from => {}
                    // A newer answer to the same prompt is a change of the world, so the first id (it names the probe in
                    // baselines), wording and slice are kept: a changed probe would be another matter.
                    Some(held) => {
                        let slice =
                            if held.slice.as_str().is_empty() { item.slice.clone() } else { held.slice.clone() };
                        *held = EvaluationItem { id: held.id.clone(), prompt: held.prompt.clone(), slice, ..item };
                    }
                    None => {
                        latest.insert(prompt, item);
                    }
                }
            }
        }
        Ok(Self::from_items(latest.into_values().collect()))
    }

    /// The set of these items, sorted by id.
    #[must_use]
    pub fn from_items(mut items: Vec<EvaluationItem>) -> Self {
        items.sort_by(|a, b| a.id.cmp(&b.id).then_with(|| a.prompt.cmp(&b.prompt)));
        let prompts_digest = digest(items.iter().flat_map(|item| {
            [
                item.id.as_str(),
                item.prompt.as_str(),
                item.slice.as_str(),
                if item.grader == Grader::ExactMatch { "em" } else { "f1" },
            ]
        }));
        let references_digest = digest(
            items
                .iter()
                .flat_map(|item| std::iter::once(item.id.as_str()).chain(item.references.iter().map(String::as_str))),
        );
        Self { items, prompts_digest, references_digest }
    }
}

/// The form in which two prompts are the same: NFKC, lower case, whitespace collapsed, no trailing `?`, `.` or `!`.
#[must_use]
pub fn normalise_prompt(prompt: &str) -> String {
    let folded = prompt.nfkc().collect::<String>().to_lowercase();
    let words = folded.split_whitespace().collect::<Vec<_>>().join(" ");
    words.trim_end_matches(['?', '.', '!', ' ']).to_string()
}

/// One probe's marks for one version; pairs of these are what the gates' bootstrap resamples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemScore {
    /// Id of the probe.
    pub item: String,
    /// Part of the input.
    pub slice: Slice,
    /// The mark of the item's grader, 0 to 1; `None` when the engine gave no answer (missing is not wrong).
    pub score: Option<f64>,
}

fn parse(set: &str, text: &str) -> Result<Vec<EvaluationItem>, EvaluationSetError> {
    let mut items = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let fail = |problem: String| EvaluationSetError::Line { set: set.to_string(), line: index + 1, problem };
        let item: EvaluationItem = serde_json::from_str(line).map_err(|error| fail(error.to_string()))?;
        if item.prompt.trim().is_empty() {
            return Err(fail("\"prompt\" is empty".to_string()));
        }
        if item.references.is_empty() {
            return Err(fail(format!("item {:?} has no references", item.id)));
        }
        items.push(item);
    }
    if items.is_empty() {
        return Err(EvaluationSetError::Empty { set: set.to_string() });
    }
    Ok(items)
}

fn digest<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

mod optional_rfc3339 {
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

    const OLD: &str = r#"{"id":"hr-1","slice":"currency","prompt":"Currency of Croatia?","references":["HRK"],"validFrom":"2010-01-01"}
{"id":"de-1","prompt":"Capital of Germany?","references":["Berlin"]}"#;
    const NEW: &str = r#"{"id":"hr-9","slice":"currency","prompt":"currency  of Croatia","references":["EUR"],"validFrom":"2023-01-01"}"#;

    fn reference<'a>(set: &'a EvaluationSet, id: &str) -> &'a str {
        &set.items.iter().find(|item| item.id == id).unwrap().references[0]
    }

    #[test]
    fn the_later_reference_wins_in_either_order_and_keeps_the_first_id() {
        let set = EvaluationSet::merge([("old", OLD), ("new", NEW)]).unwrap();
        assert_eq!(set.items.len(), 2);
        let old = EvaluationSet::merge([("old", OLD)]).unwrap();
        assert_eq!(set.prompts_digest, old.prompts_digest, "another spelling of the same prompt is no changed probe");
        assert_ne!(set.references_digest, old.references_digest);
        assert_eq!(reference(&set, "hr-1"), "EUR");
        let set = EvaluationSet::merge([("new", NEW), ("old", OLD)]).unwrap();
        assert_eq!(reference(&set, "hr-9"), "EUR");
    }

    #[test]
    fn at_equal_dates_the_later_set_corrects() {
        let fix = r#"{"id":"x","prompt":"Capital of Germany","references":["Bonn"]}"#;
        let set = EvaluationSet::merge([("old", OLD), ("fix", fix)]).unwrap();
        assert_eq!(reference(&set, "de-1"), "Bonn");
    }

    #[test]
    fn digests_tell_a_changed_world_from_a_changed_probe() {
        let before = EvaluationSet::merge([("old", OLD)]).unwrap();
        let world = EvaluationSet::merge([("old", OLD.replace("HRK", "EUR").as_str())]).unwrap();
        assert_eq!(before.prompts_digest, world.prompts_digest);
        assert_ne!(before.references_digest, world.references_digest);
        let probe =
            EvaluationSet::merge([("old", OLD.replace("Capital of", "What is the capital of").as_str())]).unwrap();
        assert_ne!(before.prompts_digest, probe.prompts_digest);
        assert_eq!(before.references_digest, probe.references_digest);
        let grader = OLD.replace(r#""references":["Berlin"]"#, r#""references":["Berlin"],"grader":"token_f1""#);
        let grader = EvaluationSet::merge([("old", grader.as_str())]).unwrap();
        assert_ne!(before.prompts_digest, grader.prompts_digest);
    }

    #[test]
    fn an_unreadable_set_is_refused_by_set_and_line() {
        let error = |text: &str| EvaluationSet::merge([("atlas-golden", text)]).unwrap_err().to_string();
        assert!(error("\n{\"id\":1}").starts_with("atlas-golden, line 2: "));
        assert!(error(r#"{"id":"a","prompt":" ","references":["x"]}"#).contains("\"prompt\" is empty"));
        assert!(error(r#"{"id":"a","prompt":"p","references":[]}"#).contains("has no references"));
        assert!(error(r#"{"id":"a","prompt":"p","references":["x"],"validFrom":"soon"}"#).contains("2026-01-31"));
        assert!(error("\n").contains("holds no probe"));
    }

    #[test]
    fn a_set_round_trips_through_json() {
        let set = EvaluationSet::merge([("old", OLD), ("new", NEW)]).unwrap();
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<EvaluationSet>(&text).unwrap(), set);
    }
}
