use serde::{Deserialize, Serialize};

use super::Entity;

/// Where an entity was found. Holds no text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub entity: Entity,
    /// First byte, on a character boundary.
    pub start: usize,
    /// One past the last byte, on a character boundary.
    pub end: usize,
    /// How sure the recognizer is, 0 to 1; 1 for what a checksum or a full grammar confirms.
    pub score: f64,
}

impl Finding {
    /// The text it covers; empty when the finding belongs to another text.
    #[must_use]
    pub fn of<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start..self.end).unwrap_or("")
    }

    /// The same place as Unicode code points of `text`, first and one past the last.
    #[must_use]
    pub fn characters(&self, text: &str) -> (usize, usize) {
        let start = text.get(..self.start).unwrap_or("").chars().count();
        (start, start + self.of(text).chars().count())
    }
}
