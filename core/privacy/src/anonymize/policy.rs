use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::operator::{Mask, Operator};
use crate::Entity;

/// Which operator is for which entity: checked, ready to [apply](Anonymization::apply).
///
/// Parsed from an [`AnonymizationSpec`], also by serde.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AnonymizationSpec", into = "AnonymizationSpec")]
pub struct Anonymization {
    default: Operator,
    entities: BTreeMap<Entity, Operator>,
}

/// The same as data, as a CompliancePolicy holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnonymizationSpec {
    /// For every entity that is not named; `Replace` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<OperatorSpec>,
    /// For single entities, each named once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<EntityOperatorSpec>,
}

/// The operator of one entity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntityOperatorSpec {
    /// Name of the entity, such as `EMAIL_ADDRESS`.
    pub name: String,
    /// One of [`Operator::NAMES`].
    pub operator: String,
    /// `Mask`: characters at the beginning that stay, at most 8; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_prefix: Option<u32>,
    /// `Mask`: characters at the end that stay, at most 8; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_suffix: Option<u32>,
    /// `Mask`: what is written for each hidden character; `*` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub character: Option<String>,
    /// `Replace`: what is written instead of the entity's name, at most 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl EntityOperatorSpec {
    /// An operator for an entity.
    #[must_use]
    pub fn new(name: &str, operator: OperatorSpec) -> Self {
        let OperatorSpec { operator, keep_prefix, keep_suffix, character, text } = operator;
        Self { name: name.to_string(), operator, keep_prefix, keep_suffix, character, text }
    }

    fn operator(&self) -> OperatorSpec {
        // Not `serde(flatten)`, which would let a misspelt field pass.
        let Self { name: _, operator, keep_prefix, keep_suffix, character, text } = self.clone();
        OperatorSpec { operator, keep_prefix, keep_suffix, character, text }
    }
}

/// An operator and what it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperatorSpec {
    /// One of [`Operator::NAMES`].
    pub operator: String,
    /// `Mask`: characters at the beginning that stay, at most 8; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_prefix: Option<u32>,
    /// `Mask`: characters at the end that stay, at most 8; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_suffix: Option<u32>,
    /// `Mask`: what is written for each hidden character; `*` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub character: Option<String>,
    /// `Replace`: what is written instead of the entity's name, at most 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}: {remedy}")]
pub struct AnonymizationError {
    /// Path of the field, such as `entities[1].keepSuffix`.
    pub field: String,
    /// What it is.
    pub value: String,
    /// What it may be.
    pub remedy: String,
}

const MOST_KEPT: u32 = 8;
const LONGEST_TEXT: usize = 64;

impl Anonymization {
    /// The operator of an entity.
    #[must_use]
    pub fn operator(&self, entity: Entity) -> &Operator {
        self.entities.get(&entity).unwrap_or(&self.default)
    }

    /// Whether an operator of it does nothing without keys, so that a [`Scope`](crate::Scope) must have them.
    #[must_use]
    pub fn needs_keys(&self) -> bool {
        self.default.needs_keys() || self.entities.values().any(Operator::needs_keys)
    }
}

impl Default for Anonymization {
    /// Every entity is replaced by its name.
    fn default() -> Self {
        Self { default: Operator::Replace { text: None }, entities: BTreeMap::new() }
    }
}

impl TryFrom<AnonymizationSpec> for Anonymization {
    type Error = AnonymizationError;

    fn try_from(spec: AnonymizationSpec) -> Result<Self, AnonymizationError> {
        let default = match &spec.default {
            Some(default) => default.parse("default")?,
            None => Self::default().default,
        };
        if default == Operator::Keep {
            return Err(wrong("default.operator", "Keep", "name the entities that may stay one by one under entities"));
        }
        let mut entities = BTreeMap::new();
        for (index, entry) in spec.entities.iter().enumerate() {
            let field = format!("entities[{index}]");
            let name = format!("{field}.name");
            let entity: Entity = entry.name.parse().map_err(|_| {
                wrong(
                    &name,
                    &shown(&entry.name),
                    "use the name of an entity such as EMAIL_ADDRESS, or CUSTOM_ and a name of your own",
                )
            })?;
            if entities.insert(entity, entry.operator().parse(&field)?).is_some() {
                return Err(wrong(&name, entity.as_str(), "each entity can be named once: remove one of the two"));
            }
        }
        Ok(Self { default, entities })
    }
}

impl OperatorSpec {
    fn parse(&self, field: &str) -> Result<Operator, AnonymizationError> {
        self.no_stray(field)?;
        Ok(match self.operator.as_str() {
            "Keep" => Operator::Keep,
            "Redact" => Operator::Redact,
            "Replace" => Operator::Replace { text: self.replacement(field)? },
            "Mask" => Operator::Mask(Mask {
                character: self.mask_character(field)?,
                keep_prefix: kept(self.keep_prefix, field, "keepPrefix")?,
                keep_suffix: kept(self.keep_suffix, field, "keepSuffix")?,
            }),
            "Surrogate" => Operator::Surrogate,
            "Pseudonym" => Operator::Pseudonym,
            "Encrypt" => Operator::Encrypt,
            "FormatPreserving" => Operator::FormatPreserving,
            other => {
                let remedy = format!("use one of {}", Operator::NAMES.join(", "));
                return Err(wrong(&format!("{field}.operator"), &shown(other), &remedy));
            }
        })
    }

    /// A parameter of another operator is a misunderstanding, not something to skip.
    fn no_stray(&self, field: &str) -> Result<(), AnonymizationError> {
        let given = [
            ("Mask", "keepPrefix", self.keep_prefix.map(|kept| kept.to_string())),
            ("Mask", "keepSuffix", self.keep_suffix.map(|kept| kept.to_string())),
            ("Mask", "character", self.character.as_deref().map(shown)),
            ("Replace", "text", self.text.as_deref().map(shown)),
        ];
        for (operator, name, value) in given {
            if let Some(value) =
                value.filter(|_| self.operator != operator && Operator::NAMES.contains(&&*self.operator))
            {
                let remedy = format!("only {operator} takes it: remove it or set {field}.operator to {operator}");
                return Err(wrong(&format!("{field}.{name}"), &value, &remedy));
            }
        }
        Ok(())
    }

    fn replacement(&self, field: &str) -> Result<Option<String>, AnonymizationError> {
        let Some(text) = &self.text else { return Ok(None) };
        if text.chars().count() > LONGEST_TEXT || text.chars().any(char::is_control) {
            let remedy = format!("use at most {LONGEST_TEXT} characters and no control characters");
            return Err(wrong(&format!("{field}.text"), &shown(text), &remedy));
        }
        Ok(Some(text.clone()))
    }

    fn mask_character(&self, field: &str) -> Result<char, AnonymizationError> {
        let Some(text) = &self.character else { return Ok('*') };
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(c), None) if !c.is_alphanumeric() && !c.is_whitespace() && !c.is_control() => Ok(c),
            _ => Err(wrong(
                &format!("{field}.character"),
                &shown(text),
                "use one character that is no letter, digit or space, as *",
            )),
        }
    }
}

impl From<Anonymization> for AnonymizationSpec {
    fn from(policy: Anonymization) -> Self {
        let entities = policy.entities.into_iter();
        Self {
            default: Some(policy.default.into()),
            entities: entities
                .map(|(entity, operator)| EntityOperatorSpec::new(entity.as_str(), operator.into()))
                .collect(),
        }
    }
}

impl From<Operator> for OperatorSpec {
    fn from(operator: Operator) -> Self {
        let plain = Self { operator: operator.name().to_string(), ..Self::default() };
        let some = |kept: usize| u32::try_from(kept).ok().filter(|kept| *kept > 0);
        match operator {
            Operator::Replace { text } => Self { text, ..plain },
            Operator::Mask(mask) => Self {
                keep_prefix: some(mask.keep_prefix),
                keep_suffix: some(mask.keep_suffix),
                character: (mask.character != '*').then(|| mask.character.to_string()),
                ..plain
            },
            _ => plain,
        }
    }
}

fn kept(given: Option<u32>, field: &str, name: &str) -> Result<usize, AnonymizationError> {
    let kept = given.unwrap_or(0);
    if kept > MOST_KEPT {
        let remedy = format!("keep at most {MOST_KEPT} characters");
        return Err(wrong(&format!("{field}.{name}"), &kept.to_string(), &remedy));
    }
    Ok(usize::try_from(kept).unwrap_or(0))
}

fn wrong(field: &str, value: &str, remedy: &str) -> AnonymizationError {
    AnonymizationError { field: field.to_string(), value: value.to_string(), remedy: remedy.to_string() }
}

/// The beginning of what was given, quoted: a status has little room.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    if short.len() < text.len() { format!("{:?}", short + "…") } else { format!("{short:?}") }
}

#[cfg(test)]
mod tests;
