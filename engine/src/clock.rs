//! The wall clock, for timestamps in progress lines and responses and for the deadline of a training run.
//!
//! The engine depends on no other crate of the workspace, so it carries this one call itself. Nothing that decides what
//! is learnt reads it.

/// Now, from the operating system.
#[expect(clippy::disallowed_methods, reason = "the engine stands alone; this is its only wall clock")]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
