//! The shape of a model as data: what `config.json` holds and a training spec's `architecture` says.

use serde::{Deserialize, Serialize};

/// The format name in `config.json`; anything else is refused.
pub const FORMAT: &str = "homeostat-engine/v1";

/// Size of the vocabulary: every byte is a token.
pub const VOCABULARY: usize = 256;

/// The shape of a model. Missing fields take the default, unknown ones are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Architecture {
    /// Always [`FORMAT`].
    pub format: String,
    /// Transformer layers.
    pub layers: usize,
    /// Width of the residual stream; a multiple of `heads`.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Experts in each layer's feed-forward part.
    pub experts: usize,
    /// Experts that each byte is routed to.
    pub top_k: usize,
    /// Hidden width of one expert.
    pub expert_width: usize,
    /// Longest sequence, in bytes: question, answer and the control byte between them.
    pub context: usize,
    /// How many previous bytes have an embedding of their own at each position.
    pub previous_bytes: usize,
}

impl Default for Architecture {
    fn default() -> Self {
        Self {
            format: FORMAT.to_owned(),
            layers: 4,
            width: 64,
            heads: 4,
            experts: 8,
            top_k: 2,
            expert_width: 128,
            context: 128,
            previous_bytes: 3,
        }
    }
}

/// An architecture that cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("architecture.{field} is {value}: {remedy}")]
pub struct ArchitectureError {
    /// The offending field, as in JSON.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What would be accepted.
    pub remedy: String,
}

impl Architecture {
    /// Checks ranges and how fields fit together.
    ///
    /// # Errors
    /// Names the first field out of range, its value and what is accepted.
    pub fn validate(&self) -> Result<(), ArchitectureError> {
        if self.format != FORMAT {
            return Err(refuse("format", &self.format, format!("this engine reads only \"{FORMAT}\"")));
        }
        let ranges = [
            ("layers", self.layers, 1, 24),
            ("width", self.width, 4, 1024),
            ("heads", self.heads, 1, 64),
            ("experts", self.experts, 1, 64),
            ("topK", self.top_k, 1, self.experts),
            ("expertWidth", self.expert_width, 1, 4096),
            ("context", self.context, 8, 4096),
            ("previousBytes", self.previous_bytes, 1, 8),
        ];
        for (field, value, low, high) in ranges {
            if value < low || value > high {
                return Err(refuse(field, &value, format!("use a number from {low} to {high}")));
            }
        }
        if !self.width.is_multiple_of(self.heads) {
            return Err(refuse("width", &self.width, format!("use a multiple of heads ({})", self.heads)));
        }
        Ok(())
    }

    /// Width of one attention head.
    #[must_use]
    pub fn head_width(&self) -> usize {
        self.width / self.heads
    }
}

fn refuse(field: &'static str, value: &dyn std::fmt::Display, remedy: String) -> ArchitectureError {
    ArchitectureError { field, value: value.to_string(), remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_survives_json() {
        let architecture = Architecture::default();
        architecture.validate().unwrap();
        let json = serde_json::to_string(&architecture).unwrap();
        assert!(json.contains("\"topK\":2"), "{json}");
        assert_eq!(serde_json::from_str::<Architecture>(&json).unwrap(), architecture);
    }

    #[test]
    fn an_error_names_field_value_and_remedy() {
        let uneven = Architecture { width: 66, ..Architecture::default() };
        assert_eq!(uneven.validate().unwrap_err().to_string(), "architecture.width is 66: use a multiple of heads (4)");
        let greedy = Architecture { top_k: 9, ..Architecture::default() };
        assert_eq!(greedy.validate().unwrap_err().to_string(), "architecture.topK is 9: use a number from 1 to 8");
        assert!(serde_json::from_str::<Architecture>(r#"{"depth":3}"#).is_err());
    }
}
