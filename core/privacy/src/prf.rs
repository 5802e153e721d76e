//! The pseudo-random function under keys, surrogates and pseudonyms: HMAC-SHA-256, and a stream of numbers from it.
//!
//! It takes no randomness: the same key and parts give the same bytes for ever.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA-256 (RFC 2104) of `message` in pieces.
pub(crate) fn hmac(key: &[u8; 32], message: &[&[u8]]) -> [u8; 32] {
    // HMAC pads a short key with zeros to the block size; done here, no length can be wrong.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    zeroize::Zeroize::zeroize(&mut block);
    message.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA-256 over parts, each behind its length, so that no two lists of parts are one message.
pub(crate) fn prf(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let lengths: Vec<_> = parts.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
    let message: Vec<&[u8]> = parts.iter().zip(&lengths).flat_map(|(part, length)| [&length[..], part]).collect();
    hmac(key, &message)
}

/// Numbers that follow from a key and parts: block `i` is the function of the parts' hash and `i`.
pub(crate) struct Stream {
    seed: [u8; 32],
    block: [u8; 32],
    used: usize,
    next: u64,
}

impl Stream {
    pub(crate) fn new(key: &[u8; 32], parts: &[&[u8]]) -> Self {
        Self { seed: prf(key, parts), block: [0; 32], used: 32, next: 0 }
    }

    /// A number below `bound` (0 when the bound is 0), as good as uniform for bounds far below 2^64.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if self.used + 8 > self.block.len() {
            self.block = hmac(&self.seed, &[&self.next.to_be_bytes()]);
            self.next += 1;
            self.used = 0;
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.block[self.used..self.used + 8]);
        self.used += 8;
        let scaled = (u128::from(u64::from_be_bytes(bytes)) * u128::from(bound)) >> 64;
        u64::try_from(scaled).unwrap_or(0)
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(from.len() as u64)).ok()?;
        from.get(index).copied()
    }

    pub(crate) fn digit(&mut self) -> char {
        self.of_alphabet(b"0123456789")
    }

    pub(crate) fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| self.digit()).collect()
    }

    pub(crate) fn of_alphabet(&mut self, alphabet: &[u8]) -> char {
        let index = usize::try_from(self.below(alphabet.len() as u64)).unwrap_or(0);
        char::from(alphabet.get(index).copied().unwrap_or(b'0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(prf(&[1; 32], &[b"ab", b"c"]), prf(&[1; 32], &[b"a", b"bc"]));
        assert_ne!(prf(&[1; 32], &[b"ab"]), prf(&[2; 32], &[b"ab"]));
    }

    #[test]
    fn a_stream_repeats_and_stays_below_its_bound() {
        let numbers = |scope: &[u8]| {
            let mut stream = Stream::new(&[1; 32], &[scope]);
            (0..100).map(|_| stream.below(7)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(b"a"), numbers(b"a"));
        assert_ne!(numbers(b"a"), numbers(b"b"));
        assert!(numbers(b"a").iter().all(|number| *number < 7));
        assert_eq!((0..7).filter(|n| !numbers(b"a").contains(n)).count(), 0);
        assert_eq!(Stream::new(&[1; 32], &[]).below(0), 0);
    }
}
