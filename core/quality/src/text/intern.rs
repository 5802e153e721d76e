//! Small numbers for equal words, so that n-grams become integers.

/// Gives every distinct word a number, from 1 up in order of first sight. An open-addressing table that is sized for the words of one
/// comparison; numbers mean nothing beyond it.
pub(crate) struct Interner<'a> {
    slots: Vec<Slot>,
    words: Vec<&'a [u8]>,
    mask: usize,
}

/// The number of a word and what it is recognised by.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// Hash, or the whole word where it is short.
    key: u64,
    length: u32,
    /// Zero in an empty slot.
    id: u32,
}

impl<'a> Interner<'a> {
    /// A table for about `expected` words; it grows when there are more.
    pub(crate) fn with_capacity(expected: usize) -> Self {
        let size = (expected * 2).next_power_of_two().max(16);
        Self { slots: vec![Slot::default(); size], words: Vec::with_capacity(expected), mask: size - 1 }
    }

    /// The number of `word`.
    #[inline]
    pub(crate) fn id(&mut self, word: &'a [u8]) -> u32 {
        let key = key(word);
        let length = u32::try_from(word.len()).unwrap_or(u32::MAX);
        let mut at = place(key, length) & self.mask;
        loop {
            let slot = self.slots[at];
            if slot.id == 0 {
                break;
            }
            if slot.key == key && slot.length == length && (length <= 8 || self.words[slot.id as usize - 1] == word) {
                return slot.id;
            }
            at = (at + 1) & self.mask;
        }
        self.words.push(word);
        let id = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.slots[at] = Slot { key, length, id };
        if self.words.len() * 2 > self.slots.len() {
            self.grow();
        }
        id
    }

    /// How many distinct words there were.
    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    fn grow(&mut self) {
        let size = self.slots.len() * 2;
        self.mask = size - 1;
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); size]);
        for slot in old.into_iter().filter(|slot| slot.id != 0) {
            let mut at = place(slot.key, slot.length) & self.mask;
            while self.slots[at].id != 0 {
                at = (at + 1) & self.mask;
            }
            self.slots[at] = slot;
        }
    }
}

/// The word itself where it fits, else a hash: blocks of eight bytes, the last overlapping the one before.
#[inline]
fn key(word: &[u8]) -> u64 {
    let block = |at: usize| word.get(at..at + 8).and_then(|block| block.try_into().ok()).map_or(0, u64::from_le_bytes);
    if word.len() < 8 {
        let half = |at: usize| word.get(at..at + 4).and_then(|half| half.try_into().ok()).map_or(0, u32::from_le_bytes);
        return match word.len() {
            0 => 0,
            length @ 4.. => u64::from(half(0)) | u64::from(half(length - 4)) << 32,
            length => u64::from(word[0]) | u64::from(word[length / 2]) << 8 | u64::from(word[length - 1]) << 16,
        };
    }
    let mut state = block(word.len() - 8);
    for at in (0..word.len() - 8).step_by(8) {
        state = mix(state ^ block(at));
    }
    state
}

#[inline]
fn place(key: u64, length: u32) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "any part of the hash will do")]
    let place = mix(key ^ u64::from(length)) as usize;
    place
}

#[inline]
fn mix(value: u64) -> u64 {
    let wide = u128::from(value ^ 0xa076_1d64_78bd_642f) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are folded on purpose")]
    let folded = (wide as u64) ^ ((wide >> 64) as u64);
    folded
}

/// Renumbers numbers from 1 up in order of first sight; zero is no number.
pub(crate) struct Numbers {
    slots: Vec<(u32, u32)>,
    next: u32,
}

impl Numbers {
    /// A table for at most `most` distinct numbers.
    pub(crate) fn with_capacity(most: usize) -> Self {
        Self { slots: vec![(0, 0); ((most + 1) * 2).next_power_of_two()], next: 0 }
    }

    /// The new number of `number`.
    pub(crate) fn id(&mut self, number: u32) -> u32 {
        let mask = self.slots.len() - 1;
        let mut slot = (number.wrapping_mul(0x9e37_79b1) >> 8) as usize & mask;
        loop {
            let (held, id) = self.slots[slot];
            if held == number {
                return id;
            }
            if held == 0 {
                self.next += 1;
                self.slots[slot] = (number, self.next);
                return self.next;
            }
            slot = (slot + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_words_have_equal_numbers_also_after_growing() {
        let words: Vec<String> = (0..500).map(|n| format!("word{}", n % 250)).collect();
        let mut interner = Interner::with_capacity(2);
        let ids: Vec<u32> = words.iter().map(|word| interner.id(word.as_bytes())).collect();
        assert_eq!(ids[..250], ids[250..]);
        assert_eq!(ids[..250], (1..=250).collect::<Vec<u32>>());
        assert_eq!(interner.len(), 250);
    }
}
