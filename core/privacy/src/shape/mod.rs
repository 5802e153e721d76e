//! What no bounded pattern describes: addresses, cards, keys, spelled-out addresses. Each is read by hand around the
//! character that gives it away, in time linear in what it reads.

pub(crate) mod card;
pub(crate) mod domain;
pub(crate) mod email;
mod secret;
pub(crate) mod signs;
mod spelled;
pub(crate) mod url;
