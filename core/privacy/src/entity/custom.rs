use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Names seen so far. They live as long as the program, so that an entity stays a copyable value; their number is bounded.
static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
const MOST: usize = 4_096;
const LONGEST: usize = 64;

/// The name of an entity that a policy defines: `CUSTOM_` and capitals, digits, underscores.
///
/// The prefix lets every process parse a name it has not been told of, for instance in another's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomEntity(&'static str);

/// Why a name cannot be a custom entity's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CustomEntityError {
    /// Another form is needed.
    #[error(
        "entity {0:?} is no custom name: write CUSTOM_ and 1 to 57 capitals, digits or underscores, as CUSTOM_EMPLOYEE_ID"
    )]
    Form(String),
    /// Too many different names in one process.
    #[error("entity {0:?} is one too many: a process knows at most 4096 custom names; reuse names")]
    TooMany(String),
}

impl CustomEntity {
    /// The entity of this name.
    ///
    /// # Errors
    /// When the name has another form, or 4,096 others are known already.
    pub fn new(name: &str) -> Result<Self, CustomEntityError> {
        let rest = name.strip_prefix("CUSTOM_").unwrap_or("");
        let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if rest.is_empty() || name.len() > LONGEST || !rest.chars().all(fits) {
            return Err(CustomEntityError::Form(name.to_string()));
        }
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(name) {
            return Ok(Self(known));
        }
        if names.len() >= MOST {
            return Err(CustomEntityError::TooMany(name.to_string()));
        }
        let leaked: &'static str = Box::leak(name.to_string().into_boxed_str());
        names.insert(leaked);
        Ok(Self(leaked))
    }

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for CustomEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
