use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How often each of some named things was seen in a window: languages, refusals, outcomes of a format check. Merges exactly, in any order.
///
/// Names are categories of ours, never text of users. At most [`Counters::MOST`] names are kept apart; what comes after is counted
/// under [`Counters::OTHER`], so that a window stays small.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Most names that observing keeps apart.
    pub const MOST: usize = 256;
    /// Longest name, in bytes.
    pub const LONGEST: usize = 128;
    /// The name for all others.
    pub const OTHER: &'static str = "other";

    /// Counts one more of `name`.
    pub fn observe(&mut self, name: &str) {
        self.add(name, 1);
    }

    /// Counts `times` more of `name`.
    pub fn add(&mut self, name: &str, times: u64) {
        let fits = name.len() <= Self::LONGEST && (self.0.len() < Self::MOST || self.0.contains_key(name));
        let name = if fits { name } else { Self::OTHER };
        if times > 0 {
            let count = self.0.entry(name.to_owned()).or_default();
            *count = count.saturating_add(times);
        }
    }

    /// Adds all counts of `other`. Merging keeps every name, so that it is associative; it does not invent names, so that the sum of windows
    /// stays small.
    pub fn merge(&mut self, other: &Self) {
        for (name, times) in &other.0 {
            let count = self.0.entry(name.clone()).or_default();
            *count = count.saturating_add(*times);
        }
    }

    /// Counters read from a report, names in order and counts above zero.
    pub(crate) fn from_parts(counts: BTreeMap<String, u64>) -> Self {
        Self(counts)
    }

    /// How often `name` was seen.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// All of them.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.0.values().fold(0, |n, count| n.saturating_add(*count))
    }

    /// Names and counts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, count)| (name.as_str(), *count))
    }
}
