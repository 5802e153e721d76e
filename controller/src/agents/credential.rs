//! Credentials of agents: random, shown once, kept as their sha256 only.

use homeostat_clock::Seed;
use sha2::{Digest, Sha256};
use tonic::Status;
use tonic::metadata::MetadataMap;

/// A new credential: 32 random bytes in hex. The root is fresh from the operating system every time: a credential must not
/// follow from anything that is stored.
pub(super) fn draw() -> Result<String, Status> {
    let seed = Seed::from_os().map_err(|error| {
        tracing::error!(error = %error, "the operating system gives no randomness");
        Status::unavailable("the controller has no randomness for a credential; try again")
    })?;
    Ok(hex::encode(seed.derive("agent credential")))
}

/// As it is stored and looked up.
pub(super) fn digest(credential: &str) -> String {
    hex::encode(Sha256::digest(credential.as_bytes()))
}

/// Whether both are the same, in a time that tells nothing about where they differ (their hashes are compared, so it tells
/// nothing about the length either).
pub(super) fn same(given: &str, expected: &str) -> bool {
    let (given, expected) = (Sha256::digest(given.as_bytes()), Sha256::digest(expected.as_bytes()));
    given.iter().zip(expected.iter()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// The credential of a call.
pub(super) fn bearer(metadata: &MetadataMap) -> Result<&str, Status> {
    let value = metadata.get("authorization").and_then(|value| value.to_str().ok());
    value
        .and_then(|value| value.strip_prefix("Bearer "))
        .filter(|credential| !credential.is_empty())
        .ok_or_else(|| Status::unauthenticated("no credential; send it as \"authorization: Bearer <credential>\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_differ_and_compare() {
        let (one, other) = (draw().expect("randomness"), draw().expect("randomness"));
        assert_eq!(one.len(), 64);
        assert!(same(&one, &one) && !same(&one, &other) && !same(&one, &one[1..]) && !same("", &one));
    }
}
