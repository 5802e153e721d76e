//! What can be found, and where it was.

mod custom;
mod finding;
mod kind;

pub use custom::{CustomEntity, CustomEntityError};
pub use finding::Finding;
pub use kind::{Entity, UnknownEntity};
