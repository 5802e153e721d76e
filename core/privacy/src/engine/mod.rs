//! One pass over a text: bytes that can start something are told by a table, an automaton tries all patterns there at once,
//! and what it matches is verified.
//!
//! ```text
//! text ─ fold ─ segments ─ scan (table → automata, readers) ─ candidates ─ context ─ what is reported ─ overlaps ─ findings
//! ```
//! Everything a candidate depends on lies in its segment and a bounded piece before it, so that a stream gives the same
//! findings as the whole text. Nothing here reads backwards or forwards without a bound, except over what it then skips.

mod context;
mod machine;
mod resolve;
mod scan;
mod segment;

use crate::Entity;

pub(crate) use resolve::{Ground, Rules};
pub(crate) use scan::{Scratch, scan};
pub(crate) use segment::{LOOK_BEHIND, Segments, next_end};

/// Something that may be a finding, in bytes of the folded text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) entity: Entity,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) score: f64,
    /// Whether a checksum confirmed it.
    pub(crate) checked: bool,
    /// Whether its form alone says what it is, whatever its score.
    pub(crate) firm: bool,
}

impl Candidate {
    pub(crate) fn sure(entity: Entity, start: usize, end: usize) -> Self {
        Self { entity, start, end, score: 1.0, checked: true, firm: true }
    }
}

/// Which built-in entities are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EntitySet(u128);

const _: () = assert!(Entity::ALL.len() <= 128, "EntitySet needs a bit for each entity");

impl EntitySet {
    pub(crate) fn of(entities: &[Entity]) -> Self {
        let bits = entities.iter().filter_map(|entity| entity.index()).map(|index| 1 << index);
        Self(bits.fold(0, |all, bit| all | bit))
    }

    pub(crate) fn has(self, entity: Entity) -> bool {
        // A built-in entity's discriminant order is its index; the lookup stays cheap by comparing in place.
        entity.index().is_some_and(|index| self.0 >> index & 1 == 1)
    }

    pub(crate) fn any(self, entities: &[Entity]) -> bool {
        self.0 & Self::of(entities).0 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}
