use std::cmp::Ordering;
use std::sync::Arc;

use crate::engine::{EntitySet, Ground, LOOK_BEHIND, Rules, Scratch, Segments, scan};
use crate::lists::Lists;
use crate::names::NamedEntities;
use crate::recognizer::{Compiled, CustomRecognizer, CustomRecognizerError};
use crate::text::{boundary, fold};
use crate::{Entity, Finding};

/// The recognizers that are switched on, and what of their findings is reported.
///
/// By default a finding is reported when its form or checksum leaves little doubt, or when words beside it say what it is:
/// what a weak pattern alone matches (any nine digits may be a passport) is not. [`Recognizers::minimum`] sets a plain
/// threshold instead. Everything runs in time linear in the text's length, whatever the text.
#[derive(Clone, Debug)]
pub struct Recognizers {
    entities: Vec<Entity>,
    set: EntitySet,
    minimum: Option<f64>,
    allowed: Vec<String>,
    denied: Vec<(Entity, String)>,
    lists: Arc<Lists>,
    custom: Vec<CustomRecognizer>,
    compiled: Vec<Compiled>,
}

/// Too many denied values for one automaton.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("deny: {count} values are too many or too long to be compiled: give fewer, or a custom recognizer's pattern")]
pub struct DenyListError {
    /// How many were given.
    pub count: usize,
}

/// A score that is none.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("minimum: {value} is no score: give a number from 0 to 1")]
pub struct MinimumError {
    /// What was given.
    pub value: f64,
}

impl Recognizers {
    /// Recognizers for these entities; naming one twice changes nothing.
    #[must_use]
    pub fn new(entities: &[Entity]) -> Self {
        let mut entities = entities.to_vec();
        entities.sort_unstable();
        entities.dedup();
        let set = EntitySet::of(&entities);
        let (lists, allowed, denied) = (Arc::default(), Vec::new(), Vec::new());
        Self { entities, set, minimum: None, allowed, denied, lists, custom: Vec::new(), compiled: Vec::new() }
    }

    /// Recognizers for everything there is.
    #[must_use]
    pub fn all() -> Self {
        Self::new(Entity::ALL)
    }

    /// Reports everything from this score on, context counted, and nothing below: 0 reports what any pattern matches.
    ///
    /// # Errors
    /// When it is not from 0 to 1.
    pub fn minimum(mut self, score: f64) -> Result<Self, MinimumError> {
        if !(0.0..=1.0).contains(&score) {
            return Err(MinimumError { value: score });
        }
        self.minimum = Some(score);
        Ok(self)
    }

    /// Never reports these values, compared whole and without regard to case.
    #[must_use]
    pub fn allow(mut self, values: impl IntoIterator<Item = String>) -> Self {
        self.allowed.extend(values);
        if let Some(lists) = Lists::new(&self.allowed, &self.denied) {
            self.lists = Arc::new(lists);
        }
        self
    }

    /// Always reports these values where they stand as whole words, as the entity given with each.
    ///
    /// # Errors
    /// When they are too many.
    pub fn deny(mut self, values: impl IntoIterator<Item = (Entity, String)>) -> Result<Self, DenyListError> {
        self.denied.extend(values);
        let lists = Lists::new(&self.allowed, &self.denied).ok_or(DenyListError { count: self.denied.len() })?;
        self.lists = Arc::new(lists);
        self.entities.extend(self.denied.iter().map(|(entity, _)| *entity));
        self.entities.sort_unstable();
        self.entities.dedup();
        Ok(self)
    }

    /// Adds a recognizer that a policy defines.
    ///
    /// # Errors
    /// When a field of it cannot be used.
    pub fn with(mut self, custom: CustomRecognizer) -> Result<Self, CustomRecognizerError> {
        let compiled = custom.compile()?;
        self.entities.push(compiled.entity());
        self.entities.sort_unstable();
        self.entities.dedup();
        self.compiled.push(compiled);
        self.custom.push(custom);
        Ok(self)
    }

    /// What is looked for, sorted.
    #[must_use]
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }

    /// All findings, sorted by position, none overlapping another: of two that overlap the likely one stays, of two of those
    /// the longer, at equal length the one with the higher score, then the earlier.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut ground = Ground::default();
        let mut segments = Segments::of(text);
        let mut ends = Vec::new();
        while let Some(start) = segments.next_block(&mut ends) {
            let offset = boundary(text, start.saturating_sub(LOOK_BEHIND));
            let end = ends.last().copied().unwrap_or(start);
            for end in &mut ends {
                *end -= offset;
            }
            if let Some(piece) = text.get(offset..end) {
                ground.findings(&self.rules(), piece, start - offset, &ends, offset, &mut found);
            }
        }
        found
    }

    /// As [`Recognizers::find`], together with what a model finds; of two that overlap the surer stays. What the model finds
    /// counts when its entity is looked for and its score reaches the minimum, or a half without one.
    #[must_use]
    pub fn find_with(&self, text: &str, model: &dyn NamedEntities) -> Vec<Finding> {
        let least = self.minimum.unwrap_or(0.5);
        let own = self.find(text);
        let named = model.find(text).into_iter().filter(|finding| {
            finding.score >= least && self.entities.contains(&finding.entity) && !finding.of(text).is_empty()
        });
        let mut all: Vec<_> = own.into_iter().chain(named).collect();
        all.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal).then(a.start.cmp(&b.start)));
        let mut kept: Vec<Finding> = Vec::new();
        for finding in all {
            let place = kept.partition_point(|kept| kept.start < finding.start);
            let free_before = place.checked_sub(1).is_none_or(|index| kept[index].end <= finding.start);
            if free_before && kept.get(place).is_none_or(|next| next.start >= finding.end) {
                kept.insert(place, finding);
            }
        }
        kept
    }

    /// Everything that any built-in recognizer says of a text by itself, with the score that form and checksum give: before
    /// context, thresholds, lists and overlaps of different entities. For tests and tuning; sorted by entity and position.
    #[must_use]
    pub fn candidates(&self, text: &str) -> Vec<Finding> {
        let folded = fold(text);
        let mut candidates = Vec::new();
        scan(&folded.text, 0, folded.text.len(), self.set, &mut Scratch::default(), &mut candidates);
        candidates.sort_by(|a, b| {
            (a.entity.cmp(&b.entity))
                .then(a.start.cmp(&b.start))
                .then(b.end.cmp(&a.end))
                .then(b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal))
        });
        // Of one entity, what lies within another that is as sure says nothing more.
        let mut kept: Vec<crate::engine::Candidate> = Vec::new();
        for candidate in candidates {
            let within = kept
                .iter()
                .rev()
                .take_while(|kept| kept.entity == candidate.entity)
                .take(8)
                .any(|kept| kept.end >= candidate.end && kept.score >= candidate.score);
            if !within {
                kept.push(candidate);
            }
        }
        kept.into_iter()
            .map(|candidate| {
                let (start, end) = folded.original(candidate.start, candidate.end);
                Finding { entity: candidate.entity, start, end, score: candidate.score }
            })
            .collect()
    }

    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules { entities: self.set, minimum: self.minimum, custom: &self.compiled, lists: &self.lists }
    }
}

impl PartialEq for Recognizers {
    fn eq(&self, other: &Self) -> bool {
        let Self { entities, set: _, minimum, allowed, denied, lists: _, custom, compiled: _ } = self;
        *entities == other.entities
            && *minimum == other.minimum
            && *allowed == other.allowed
            && *denied == other.denied
            && *custom == other.custom
    }
}

/// Scores are checked when they come in, so that none is unequal to itself.
impl Eq for Recognizers {}

impl Default for Recognizers {
    fn default() -> Self {
        Self::all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_longer_finding_leaves_of_another_is_found_too() {
        let text = "4012 8888 8888 1881'a@b.co";
        let found: Vec<_> = Recognizers::all().find(text).iter().map(|finding| finding.of(text)).collect();
        assert_eq!(found, ["4012 8888 8888 1881", "a@b.co"]);
        assert_eq!(Recognizers::all().find("ann@example.org用4111111111111111").len(), 2);
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
