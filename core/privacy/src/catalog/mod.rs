//! Every pattern that is built in, by country.
//!
//! A pattern is the form of an identifier as its issuer defines it, the score it has by form alone, the edges it needs
//! and the check that decides further. Forms and scores follow Microsoft Presidio's recognizers where it has one, so that
//! its users find the entities and scores they know; the checks are written from the issuers' definitions.

mod americas;
mod asia;
mod context;
mod england;
mod europe;
mod generic;
mod germany;
mod trust;

use crate::Entity;
use crate::check::{Check, none};

pub(crate) use context::words;
pub(crate) use trust::trust;

/// What must stand beside a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// A word boundary.
    Word,
    /// No ASCII letter or digit.
    Alphanumeric,
    /// No digit.
    Digit,
    /// No letter, digit or underscore.
    NoWord,
    /// Neither these nor a hyphen.
    NoWordHyphen,
    /// Neither these nor a colon.
    NoWordColon,
    /// Neither these, nor a colon, nor a dot with a digit behind it.
    AddressEnd,
    /// Anything.
    Any,
}

/// Where matching starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// At the start of a run of letters and digits.
    Run,
    /// At any digit.
    Digit,
    /// At the first colon of a chain of hexadecimal groups, or its first group.
    Colon,
    /// Two letters, or one and a nine, before digits.
    Licence,
    /// Anywhere in a long run of letters and digits.
    Inside,
}

/// One form of an entity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    pub(crate) entity: Entity,
    /// Regular expression over ASCII, either case, without look-around; bounded in length.
    pub(crate) form: &'static str,
    pub(crate) score: f64,
    pub(crate) before: Edge,
    pub(crate) after: Edge,
    pub(crate) anchor: Anchor,
    pub(crate) check: Check,
}

impl Pattern {
    const fn new(entity: Entity, score: f64, form: &'static str) -> Self {
        Self { entity, form, score, before: Edge::Word, after: Edge::Word, anchor: Anchor::Run, check: none }
    }

    const fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    const fn between(mut self, before: Edge, after: Edge) -> Self {
        self.before = before;
        self.after = after;
        self
    }

    const fn at(mut self, anchor: Anchor) -> Self {
        self.anchor = anchor;
        self
    }
}

/// All patterns.
pub(crate) fn patterns() -> impl Iterator<Item = &'static Pattern> {
    [generic::PATTERNS, americas::PATTERNS, england::PATTERNS, germany::PATTERNS, europe::PATTERNS, asia::PATTERNS]
        .into_iter()
        .flatten()
}
