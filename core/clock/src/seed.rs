use rand::SeedableRng;
use sha2::{Digest, Sha256};

/// The generator that every seeded computation uses: portable, so that a seed gives the same stream on every machine.
pub type Rng = rand_chacha::ChaCha8Rng;

/// Where randomness comes from: one root, and an independent stream for each named purpose.
///
/// The same root and purpose always give the same stream, so that a plan made again after a restart is the same plan.
#[derive(Clone, Debug)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A fixed root, for tests, replays and everything that must come out the same again.
    #[must_use]
    pub fn fixed(root: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&root.to_le_bytes());
        Self(bytes)
    }

    /// The root that `bytes` are, for one that is kept in a file.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A fresh root from the operating system.
    ///
    /// # Errors
    /// When the operating system has no randomness to give, which callers treat as fatal at start-up.
    pub fn from_os() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The stream for `purpose`, for instance `"gates/atlas-r1"`.
    #[must_use]
    pub fn rng(&self, purpose: &str) -> Rng {
        Rng::from_seed(self.derive(purpose))
    }

    /// A root of its own for `purpose`, for instance one run.
    #[must_use]
    pub fn child(&self, purpose: &str) -> Self {
        Self(self.derive(purpose))
    }

    /// 32 bytes for `purpose`: a key or a token. Secret only as far as the root is.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(purpose.as_bytes());
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;

    #[test]
    fn a_purpose_has_its_own_repeatable_stream() {
        let seed = Seed::fixed(7);
        let draw = |purpose: &str| seed.rng(purpose).next_u64();
        assert_eq!(draw("gates"), draw("gates"));
        assert_ne!(draw("gates"), draw("canary"));
        assert_ne!(Seed::fixed(8).rng("gates").next_u64(), draw("gates"));
    }
}
