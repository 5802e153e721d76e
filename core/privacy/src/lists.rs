//! Values that are always or never reported, whatever the recognizers say.

use std::collections::HashSet;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};

use crate::Entity;
use crate::engine::Candidate;
use crate::text::{fold, is_word_after, is_word_before};

/// Allowed and denied values, compiled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists {
    allowed: HashSet<String>,
    denied: Vec<(Entity, String)>,
    automaton: Option<AhoCorasick>,
}

impl Lists {
    /// Values compare without regard to case, in plain spelling. None when the denied ones are too many to compile.
    pub(crate) fn new(allowed: &[String], denied: &[(Entity, String)]) -> Option<Self> {
        let denied: Vec<_> = denied
            .iter()
            .map(|(entity, value)| (*entity, plain(value)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let automaton = match denied.is_empty() {
            true => None,
            false => Some(
                AhoCorasickBuilder::new()
                    .ascii_case_insensitive(true)
                    .match_kind(MatchKind::LeftmostLongest)
                    .build(denied.iter().map(|(_, value)| value))
                    .ok()?,
            ),
        };
        Some(Self { allowed: allowed.iter().map(|value| plain(value)).collect(), denied, automaton })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.automaton.is_none()
    }

    pub(crate) fn allows(&self, text: &str, candidate: &Candidate) -> bool {
        !self.allowed.is_empty()
            && text.get(candidate.start..candidate.end).is_some_and(|value| self.allowed.contains(&plain(value)))
    }

    /// Calls back for each denied value in `from..until` that stands there as whole words.
    pub(crate) fn denied(&self, text: &str, from: usize, until: usize, mut found: impl FnMut(Entity, usize, usize)) {
        let Some(automaton) = &self.automaton else { return };
        for hit in automaton.find_iter(&text.as_bytes()[from..until]) {
            let (start, end) = (from + hit.start(), from + hit.end());
            let whole = (!is_word_before(text, start) || !is_word_after(text, start))
                && (!is_word_before(text, end) || !is_word_after(text, end));
            if let Some((entity, _)) = self.denied.get(hit.pattern().as_usize()).filter(|_| whole) {
                found(*entity, start, end);
            }
        }
    }
}

fn plain(value: &str) -> String {
    fold(value.trim()).text.to_lowercase()
}
