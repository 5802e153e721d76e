//! The demo's world: 150 facts about countries as of 2010 and as of 2026, of which 33 changed in between.
//!
//! It is an example and no part of the product: nothing outside `demo` knows it. It holds what a provider of such a
//! service would have: records to train on, golden sets, and users with their questions and their feedback.
//!
//! ```text
//! table ─▶ World ─▶ records: training of 2010 (with duplicates, junk, personal data), golden sets of both years
//!                └▶ traffic: question number n under a mix of interests, and what a user would say is right
//! ```
//! Everything is a function of a seed: the same run asks the same questions.

mod records;
mod table;
mod traffic;
mod wordings;

use homeostat_clock::UtcMillis;

pub(crate) use records::{golden_2010, golden_2026, leaking_2026, training_2010};
pub(crate) use traffic::{Mix, Question, Traffic};
pub(crate) use wordings::{LEARNT, PROBING, SLICES};

/// From when on what was trained first holds.
pub(crate) const TRAINED: &str = "2010-06-01";

/// What is asked about a country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// ISO 4217 code of its currency.
    Currency,
    /// Its capital.
    Capital,
    /// Its short name, by its ISO 3166 code.
    Name,
    /// Its telephone calling code.
    Calling,
    /// Its top-level domain.
    Domain,
    /// Whether it is a member of NATO.
    Nato,
    /// Of the European Union.
    Eu,
    /// Of the OECD.
    Oecd,
    /// Of the WTO.
    Wto,
}

impl Relation {
    /// The slice its questions belong to.
    pub(crate) fn slice(self) -> &'static str {
        match self {
            Self::Currency => "currency",
            Self::Capital => "capital",
            Self::Name => "name",
            Self::Calling => "calling",
            Self::Domain => "domain",
            Self::Nato | Self::Eu | Self::Oecd | Self::Wto => "membership",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Nato => "nato",
            Self::Eu => "eu",
            Self::Oecd => "oecd",
            Self::Wto => "wto",
            other => other.slice(),
        }
    }
}

/// As of when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Year {
    /// June 2010.
    Then,
    /// June 2026.
    Now,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    /// Stable id, such as `currency/EE`.
    pub(crate) id: String,
    /// What it is about.
    pub(crate) relation: Relation,
    subject: &'static str,
    then: &'static str,
    since: Option<(&'static str, &'static str)>,
}

impl Fact {
    /// The right answer.
    pub(crate) fn answer(&self, year: Year) -> &'static str {
        match (year, self.since) {
            (Year::Now, Some((now, _))) => now,
            _ => self.then,
        }
    }

    /// Whether the answer of 2026 is another than that of 2010.
    pub(crate) fn changed(&self) -> bool {
        self.since.is_some()
    }

    /// A question that is trained on and that users ask.
    pub(crate) fn asked(&self, wording: usize) -> String {
        wordings::prompt(self.relation, self.subject, wording % LEARNT)
    }

    /// A question that only probes.
    pub(crate) fn probe(&self, wording: usize) -> String {
        wordings::prompt(self.relation, self.subject, LEARNT + wording % PROBING)
    }

    fn valid_from(&self, year: Year) -> Option<UtcMillis> {
        let date = match (year, self.since) {
            (Year::Now, Some((_, since))) => since,
            _ => TRAINED,
        };
        UtcMillis::from_rfc3339(&format!("{date}T00:00:00Z"))
    }
}

/// All facts.
#[derive(Clone, Debug)]
pub(crate) struct World {
    facts: Vec<Fact>,
}

impl World {
    /// The world.
    pub(crate) fn new() -> Self {
        let fact = |row: &table::Row| Fact {
            id: format!("{}/{}", row.relation.key(), row.code),
            relation: row.relation,
            subject: row.subject,
            then: row.then,
            since: row.since,
        };
        Self { facts: table::ROWS.iter().map(fact).collect() }
    }

    /// Every fact.
    pub(crate) fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Those that changed between 2010 and 2026.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(|fact| fact.changed())
    }

    /// Those that did not.
    pub(crate) fn retained(&self) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(|fact| !fact.changed())
    }

    /// An answer of the right form that is right in neither year where there is such a one, else wrong today: what
    /// poisoned feedback says. Always the same for a fact, so that many keys agree on it.
    pub(crate) fn wrong(&self, fact: &Fact) -> &'static str {
        if fact.relation.slice() == "membership" {
            return if fact.answer(Year::Now) == "yes" { "no" } else { "yes" };
        }
        let at = self.facts.iter().position(|other| other.id == fact.id).unwrap_or_default();
        let others = self.facts.iter().cycle().skip(at + 1).take(self.facts.len());
        let same = others.filter(|other| other.relation == fact.relation).map(|other| other.answer(Year::Now));
        let mut wrong = same.filter(|answer| *answer != fact.answer(Year::Now) && *answer != fact.answer(Year::Then));
        wrong.next().unwrap_or("unknown")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use regex::Regex;

    use super::*;

    #[test]
    fn there_are_150_facts_of_which_33_changed() {
        let world = World::new();
        let ids: BTreeSet<&String> = world.facts().iter().map(|fact| &fact.id).collect();
        assert_eq!((world.facts().len(), ids.len()), (150, 150));
        assert_eq!((world.changed().count(), world.retained().count()), (33, 117));
        for fact in world.facts() {
            assert!(fact.valid_from(Year::Then) <= fact.valid_from(Year::Now) && fact.valid_from(Year::Now).is_some());
            assert_eq!(fact.changed(), fact.answer(Year::Then) != fact.answer(Year::Now), "{}", fact.id);
        }
    }

    #[test]
    fn answers_have_the_form_of_their_relation() {
        for fact in World::new().facts() {
            let form = Regex::new(match fact.relation.slice() {
                "currency" => r"^[A-Z]{3}$",
                "calling" => r"^\+[0-9]{1,3}$",
                "domain" => r"^\.[a-z]{2}$",
                "membership" => r"^(yes|no)$",
                _ => r"^\p{Lu}[\p{L} ]+$",
            })
            .unwrap();
            for answer in [fact.answer(Year::Then), fact.answer(Year::Now), World::new().wrong(fact)] {
                assert!(form.is_match(answer), "{} {answer}", fact.id);
            }
            assert_ne!(World::new().wrong(fact), fact.answer(Year::Now), "{}", fact.id);
        }
    }

    #[test]
    fn every_wording_is_put_into_its_slice() {
        let rules: Vec<(&str, Regex)> =
            SLICES.iter().map(|(name, pattern)| (*name, Regex::new(pattern).unwrap())).collect();
        let slice = |prompt: &str| rules.iter().find(|(_, rule)| rule.is_match(prompt)).map(|(name, _)| *name);
        for fact in World::new().facts() {
            let prompts = (0..LEARNT).map(|n| fact.asked(n)).chain((0..PROBING).map(|n| fact.probe(n)));
            for prompt in prompts {
                assert_eq!(slice(&prompt), Some(fact.relation.slice()), "{prompt}");
            }
        }
    }

    #[test]
    fn every_question_and_answer_fits_the_engines_context() {
        let longest = |fact: &Fact| [fact.answer(Year::Then).len(), fact.answer(Year::Now).len()].into_iter().max();
        for fact in World::new().facts() {
            let prompts = (0..LEARNT).map(|n| fact.asked(n)).chain((0..PROBING).map(|n| fact.probe(n)));
            for prompt in prompts {
                // The longest salutation with personal data comes before it.
                assert!(prompt.len() + longest(fact).unwrap() + 45 < 128, "{prompt}");
            }
        }
    }
}
