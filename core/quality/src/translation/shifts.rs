//! Tercom's greedy search for shifts, with its limits as sacrebleu has them.

use super::edits::{Edit, Table};

const MAX_SHIFT_SIZE: usize = 10;
const MAX_SHIFT_DISTANCE: usize = 50;
const MAX_CANDIDATES: usize = 1000;

/// The number of edits, shifts included, that turn `hypothesis` into `reference`.
pub(crate) fn edits(hypothesis: &[u32], reference: &[u32]) -> usize {
    if reference.is_empty() {
        return hypothesis.len();
    }
    let mut words = hypothesis.to_vec();
    let (mut shifts, mut candidates) = (0, 0);
    loop {
        let table = Table::new(&words, reference);
        let best = best_shift(&words, reference, &table, &mut candidates);
        match best {
            Some(shift) if candidates < MAX_CANDIDATES && shift.gain > 0 => {
                words = shifted(&words, shift.start, shift.length, shift.target);
                shifts += 1;
            }
            _ => return shifts + table.distance() as usize,
        }
    }
}

/// A run of words of the hypothesis and where it goes, with the edits that saves.
#[derive(Clone, Copy)]
struct Shift {
    gain: i64,
    length: usize,
    start: usize,
    target: usize,
}

impl Shift {
    /// More gain, then longer, then earlier, then to an earlier place.
    fn is_better_than(&self, other: &Self) -> bool {
        (self.gain, self.length, other.start, other.target) > (other.gain, other.length, self.start, self.target)
    }
}

fn best_shift(words: &[u32], reference: &[u32], table: &Table, candidates: &mut usize) -> Option<Shift> {
    let alignment = Alignment::of(&table.trace(), words.len(), reference.len())?;
    let before = i64::from(table.distance());
    let mut scratch = Vec::new();
    let mut best: Option<Shift> = None;
    for start in 0..words.len() {
        let nearby = start.saturating_sub(MAX_SHIFT_DISTANCE)..reference.len().min(start + MAX_SHIFT_DISTANCE + 1);
        for at in nearby {
            let mut length = 0;
            while length < MAX_SHIFT_SIZE
                && start + length < words.len()
                && at + length < reference.len()
                && words[start + length] == reference[at + length]
            {
                length += 1;
                let run = start..start + length;
                // Only where the hypothesis is wrong and the target does not match already, and not into itself.
                if !alignment.hypothesis_wrong[run.clone()].contains(&true)
                    || !alignment.reference_wrong[at..at + length].contains(&true)
                    || alignment.at[at].checked_sub(1).is_some_and(|position| run.contains(&position))
                {
                    continue;
                }
                let mut previous = None;
                for offset in 0..=length {
                    let target = match (at + offset).checked_sub(1) {
                        None => 0,
                        Some(position) => match alignment.at.get(position) {
                            Some(target) => *target,
                            None => break,
                        },
                    };
                    if previous == Some(target) {
                        continue;
                    }
                    previous = Some(target);
                    let candidate = shifted(words, start, length, target);
                    let (from, to) = (start.min(target), (start + length).max(target + length).min(words.len()));
                    let distance = table.distance_of(&candidate, from, to, reference, &mut scratch);
                    *candidates += 1;
                    let shift = Shift { gain: before - i64::from(distance), length, start, target };
                    if best.as_ref().is_none_or(|held| shift.is_better_than(held)) {
                        best = Some(shift);
                    }
                }
                if *candidates >= MAX_CANDIDATES {
                    return best;
                }
            }
        }
    }
    best
}

/// The words with the run taken out at `start` and put in at `target`, a place before the shift.
fn shifted(words: &[u32], start: usize, length: usize, target: usize) -> Vec<u32> {
    let n = words.len();
    let run = &words[start..start + length];
    if target < start {
        [&words[..target], run, &words[target..start], &words[start + length..]].concat()
    } else {
        // Beyond the run the target stands in the words as they were; within it, it counts on behind the run.
        let end = if target > start + length { target } else { (target + length).min(n) };
        [&words[..start], &words[start + length..end.max(start + length)], run, &words[end.max(start + length)..]]
            .concat()
    }
}

/// Which words of either text are wrong, and where each word of the reference stands in the hypothesis.
struct Alignment {
    /// One more than the position in the hypothesis, so that zero is before its first word.
    at: Vec<usize>,
    reference_wrong: Vec<bool>,
    hypothesis_wrong: Vec<bool>,
}

impl Alignment {
    /// From the trace, last edit first. `None` for a trace that does not cover both texts.
    fn of(trace: &[Edit], hypothesis: usize, reference: usize) -> Option<Self> {
        let mut found = Self { at: Vec::new(), reference_wrong: Vec::new(), hypothesis_wrong: Vec::new() };
        for edit in trace.iter().rev() {
            let wrong = *edit != Edit::Keep;
            if *edit != Edit::Insert {
                found.hypothesis_wrong.push(wrong);
            }
            if *edit != Edit::Delete {
                found.at.push(found.hypothesis_wrong.len());
                found.reference_wrong.push(wrong);
            }
        }
        (found.at.len() == reference && found.hypothesis_wrong.len() == hypothesis).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::translation::edits::levenshtein;

    #[test]
    fn a_shift_costs_one() {
        assert_eq!(edits(&[1, 2, 3, 4], &[3, 4, 1, 2]), 1);
        assert_eq!(edits(&[1, 2, 3], &[1, 2, 3]), 0);
        assert_eq!(edits(&[], &[1, 2]), 2);
        assert_eq!(edits(&[1, 2], &[]), 2);
        assert_eq!(shifted(&[1, 2, 3, 4, 5], 1, 2, 0), [2, 3, 1, 4, 5]);
        assert_eq!(shifted(&[1, 2, 3, 4, 5], 1, 2, 4), [1, 4, 2, 3, 5]);
        assert_eq!(shifted(&[1, 2, 3, 4, 5], 1, 2, 2), [1, 4, 2, 3, 5]);
    }

    proptest! {
        #[test]
        fn shifts_never_cost_more_than_edits(
            a in prop::collection::vec(1_u32..8, 0..20), b in prop::collection::vec(1_u32..8, 1..20),
        ) {
            let found = edits(&a, &b);
            prop_assert!(found <= levenshtein(&a, &b));
            prop_assert!(found >= a.len().abs_diff(b.len()));
            prop_assert_eq!(edits(&b, &b), 0);
        }
    }
}
