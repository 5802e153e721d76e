use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::{Entity, Finding, card, email};

/// How often what stands between findings is read again. Only a text made for the purpose needs more than two.
const ROUNDS: u32 = 8;

/// The recognizers that are switched on.
///
/// Each runs in time linear in the text's length, whatever the text; none reads with a backtracking pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognizers {
    entities: Vec<Entity>,
}

impl Recognizers {
    /// Recognizers for these entities; naming one twice changes nothing.
    #[must_use]
    pub fn new(entities: &[Entity]) -> Self {
        let mut entities = entities.to_vec();
        entities.sort_unstable();
        entities.dedup();
        Self { entities }
    }

    /// Recognizers for everything there is.
    #[must_use]
    pub fn all() -> Self {
        Self::new(Entity::ALL)
    }

    /// What is looked for, sorted.
    #[must_use]
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }

    /// All findings, sorted by position, none overlapping another: of two that overlap the longer stays, at equal length
    /// the one with the higher score, then the earlier.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        // What stands between two findings is read again as if they were gone: it may be the rest of one that lost to a
        // longer one, or look like no part of a word any more. So nothing is left to find after a redaction.
        let mut open = vec![(0..text.len(), 0)];
        while let Some((gap, round)) = open.pop() {
            let kept = without_overlaps(self.candidates(text.get(gap.clone()).unwrap_or(""), gap.start));
            if !kept.is_empty() && round < ROUNDS {
                let starts = std::iter::once(gap.start).chain(kept.iter().map(|finding| finding.end));
                let ends = kept.iter().map(|finding| finding.start).chain(std::iter::once(gap.end));
                let gaps = starts.zip(ends).map(|(start, end)| start..end).filter(|gap| !gap.is_empty());
                open.extend(gaps.map(|gap| (gap, round + 1)));
            }
            found.extend(kept);
        }
        found.sort_by_key(|finding: &Finding| finding.start);
        found
    }

    fn candidates(&self, text: &str, offset: usize) -> Vec<Finding> {
        let mut candidates = Vec::new();
        for entity in &self.entities {
            match entity {
                Entity::EmailAddress => email::find(text, &mut candidates),
                Entity::CreditCard => card::find(text, &mut candidates),
            }
        }
        for candidate in &mut candidates {
            candidate.start += offset;
            candidate.end += offset;
        }
        candidates
    }
}

impl Default for Recognizers {
    fn default() -> Self {
        Self::all()
    }
}

fn without_overlaps(mut candidates: Vec<Finding>) -> Vec<Finding> {
    candidates.sort_by(|a, b| {
        (b.end - b.start)
            .cmp(&(a.end - a.start))
            .then(b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal))
            .then(a.start.cmp(&b.start))
            .then(a.entity.cmp(&b.entity))
    });
    let mut kept: BTreeMap<usize, Finding> = BTreeMap::new();
    for candidate in candidates {
        // The kept ones do not overlap each other, so the last that starts before our end is the only one to look at.
        let before = kept.range(..candidate.end).next_back();
        if before.is_none_or(|(_, finding)| finding.end <= candidate.start) {
            kept.insert(candidate.start, candidate);
        }
    }
    kept.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_overlapping_findings_the_longer_then_the_surer_stays() {
        let finding = |entity, start, end, score| Finding { entity, start, end, score };
        let long = finding(Entity::EmailAddress, 0, 20, 0.5);
        let inner = finding(Entity::CreditCard, 2, 18, 1.0);
        let sure = finding(Entity::CreditCard, 30, 40, 1.0);
        let unsure = finding(Entity::EmailAddress, 30, 40, 0.4);
        assert_eq!(without_overlaps(vec![unsure, inner, sure, long]), vec![long, sure]);
    }

    #[test]
    fn what_a_longer_finding_leaves_of_another_is_found_too() {
        let text = "4012 8888 8888 1881'a@b.co";
        let found: Vec<_> = Recognizers::all().find(text).iter().map(|finding| finding.of(text)).collect();
        assert_eq!(found, ["4012 8888 8888 1881", "a@b.co"]);
        assert_eq!(Recognizers::all().find("ann@example.orgé4111111111111111").len(), 2);
    }

    #[test]
    fn only_what_was_asked_for_is_found() {
        let text = "ann@example.org 4111111111111111";
        let cards = Recognizers::new(&[Entity::CreditCard, Entity::CreditCard]);
        assert_eq!(cards.entities(), [Entity::CreditCard]);
        assert_eq!(cards.find(text).len(), 1);
        assert_eq!(Recognizers::all().find(text).len(), 2);
        assert!(Recognizers::new(&[]).find(text).is_empty());
    }
}
