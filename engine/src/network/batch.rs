//! Records laid out as rows of equal length.

use crate::architecture::VOCABULARY;
use crate::template::{BEFORE_START, Encoded};

/// Some records, one a row, padded to the longest of them: batches are made of records of about the same length, so
/// that little is computed for nothing.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) rows: usize,
    pub(crate) length: usize,
    /// `[rows * length]`, padded with [`BEFORE_START`].
    pub(crate) inputs: Vec<u8>,
    /// Each row's own length.
    lengths: Vec<usize>,
    /// The position of each row's first byte.
    offsets: Vec<usize>,
    /// Each learnt byte: the place (row * length + column) that has to predict it, and the byte.
    pub(crate) targets: Vec<(usize, u8)>,
}

impl Batch {
    /// Lays out `records`; the first byte of each is at the position given for it in `offsets`.
    pub(crate) fn new(records: &[&Encoded], offsets: &[usize]) -> Self {
        let length = records.iter().map(|record| record.bytes.len() - 1).max().unwrap_or(1);
        let mut inputs = vec![BEFORE_START; records.len() * length];
        let mut targets = Vec::new();
        for (row, record) in records.iter().enumerate() {
            let read = record.bytes.len() - 1;
            inputs[row * length..][..read].copy_from_slice(&record.bytes[..read]);
            targets.extend((record.question..read).map(|place| (row * length + place, record.bytes[place + 1])));
        }
        let lengths = records.iter().map(|record| record.bytes.len() - 1).collect();
        Self { rows: records.len(), length, inputs, lengths, offsets: offsets.to_vec(), targets }
    }

    /// Bytes that are read, padding left out.
    pub(crate) fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// Which places are no padding.
    pub(crate) fn live(&self) -> Vec<bool> {
        self.places().map(|(row, column)| column < self.lengths[row]).collect()
    }

    /// Each place's position, at most `context` - 1 (only padding reaches that far).
    pub(crate) fn positions(&self, context: usize) -> impl Iterator<Item = i32> {
        self.places().map(move |(row, column)| (self.offsets[row] + column).min(context - 1) as i32)
    }

    /// For each place and each of the `back` bytes before it, its row in the table of previous bytes.
    pub(crate) fn previous(&self, back: usize) -> impl Iterator<Item = i32> {
        self.places().flat_map(move |(row, column)| {
            (1..=back).map(move |distance| {
                let byte = column.checked_sub(distance).map_or(BEFORE_START, |at| self.inputs[row * self.length + at]);
                ((distance - 1) * VOCABULARY + usize::from(byte)) as i32
            })
        })
    }

    fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        let length = self.length;
        (0..self.rows).flat_map(move |row| (0..length).map(move |column| (row, column)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template;

    #[test]
    fn only_the_answer_and_its_end_are_learnt() {
        let (short, long) = (template::record("q", "a"), template::record("qq", "b"));
        let batch = Batch::new(&[&short, &long], &[0, 5]);
        assert_eq!((batch.rows, batch.length, batch.tokens()), (2, 4, 7));
        assert_eq!(batch.inputs, b"q\x02a\0qq\x02b");
        assert_eq!(batch.targets, [(1, b'a'), (2, 3), (6, b'b'), (7, 3)]);
        assert_eq!(batch.live().iter().filter(|live| !**live).count(), 1);
        assert_eq!(batch.positions(8).collect::<Vec<_>>(), [0, 1, 2, 3, 5, 6, 7, 7]);
        let first: Vec<i32> = batch.previous(2).take(4).collect();
        assert_eq!(first, [0, 256, i32::from(b'q'), 256]);
    }
}
