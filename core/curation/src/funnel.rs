use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What each stage took in, dropped and passed on. Holds ids and figures, never text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Funnel {
    /// In the order in which they ran; fresh and replay together.
    pub stages: Vec<Stage>,
    /// (id of the old record, id of the one that took its place), sorted.
    pub superseded: Vec<(String, String)>,
    /// Records in which personal data was replaced and that were kept up to the end of that stage.
    pub redacted_records: u64,
    /// Pieces of personal data replaced in them.
    pub redacted_spans: u64,
}

/// One stage: `input` is `output` plus all that was dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Its name: `supersede`, `deduplicate`, `quality`, `key-cap`, `privacy`, `contamination`.
    pub name: String,
    /// Records that came in.
    pub input: u64,
    /// Records passed on.
    pub output: u64,
    /// What was dropped, sorted by reason.
    pub dropped: Vec<Drop>,
}

/// Records dropped for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drop {
    /// Why, in a word or two.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// Ids of the first few.
    pub examples: Vec<String>,
}

impl Funnel {
    /// How many records a stage dropped for a reason; zero when there was none.
    #[must_use]
    pub fn dropped(&self, stage: &str, reason: &str) -> u64 {
        let stages = self.stages.iter().filter(|row| row.name == stage);
        stages.flat_map(|row| &row.dropped).filter(|drop| drop.reason == reason).map(|drop| drop.count).sum()
    }
}

/// Ids shown per reason.
const EXAMPLES: usize = 5;

/// Collects what a stage drops while it runs.
#[derive(Debug, Default)]
pub(crate) struct Dropped(BTreeMap<&'static str, Vec<String>>);

impl Dropped {
    pub(crate) fn add(&mut self, reason: &'static str, id: &str) {
        self.0.entry(reason).or_default().push(id.to_string());
    }

    pub(crate) fn stage(self, name: &str, input: usize, output: usize) -> Stage {
        let dropped = self.0.into_iter().map(|(reason, mut ids)| {
            ids.sort();
            let count = ids.len() as u64;
            ids.truncate(EXAMPLES);
            Drop { reason: reason.to_string(), count, examples: ids }
        });
        Stage { name: name.to_string(), input: input as u64, output: output as u64, dropped: dropped.collect() }
    }
}
