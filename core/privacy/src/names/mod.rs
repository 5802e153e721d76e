//! Names of people, places and companies: lists and what stands around them. Modest on purpose; whoever needs more gives a
//! model through [`NamedEntities`].
//!
//! A word of a list alone is weak evidence (there are people called Paris, and a place is no personal data): it scores .3.
//! A title, an introduction ("my name is"), or a given name before a family name make a person; a company's form behind
//! capitalised words makes a company; words about living somewhere make a place matter.

mod lists;
mod read;

pub(crate) use read::at_word;

use crate::Finding;

/// A model that finds names in text, given by the caller. None is built in.
///
/// ```
/// use homeostat_privacy::{Entity, Finding, NamedEntities, Recognizers};
///
/// struct Model;
/// impl NamedEntities for Model {
///     fn find(&self, text: &str) -> Vec<Finding> {
///         let name = "Zyx Qwe";
///         text.find(name).map(|start| Finding { entity: Entity::Person, start, end: start + name.len(), score: 0.9 }).into_iter().collect()
///     }
/// }
/// let found = Recognizers::all().find_with("ask Zyx Qwe", &Model);
/// assert_eq!((found[0].entity, found[0].start), (Entity::Person, 4));
/// ```
pub trait NamedEntities {
    /// What the model finds, as bytes of `text`, with its own confidence. What does not lie on character boundaries of the
    /// text is dropped.
    fn find(&self, text: &str) -> Vec<Finding>;
}
