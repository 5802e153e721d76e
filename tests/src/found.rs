//! What is done when a program that a test needs is missing.

use std::path::PathBuf;

/// Hands `found` on. Without it: says so on standard error, so that the test passes without having tested anything; or panics
/// when the environment says `CI=true`, where nothing may be missing.
#[must_use]
#[track_caller]
pub fn or_skip<T>(what: &str, remedy: &str, found: Option<T>) -> Option<T> {
    if found.is_none() {
        assert!(!required(), "{what} was not found, and CI=true demands it: {remedy}");
        eprintln!("SKIPPED: {what} was not found; {remedy}");
    }
    found
}

/// Whether everything must be there.
#[must_use]
pub fn required() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}

/// A program in the PATH.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
