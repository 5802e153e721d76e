//! Longest common subsequences of numbered words.

/// The length of the longest common subsequence, bit-parallel (Hyyrö 2004): 64 cells of the table a step.
pub(super) fn length(a: &[u32], b: &[u32]) -> usize {
    if a.is_empty() || b.is_empty() {
        return 0;
    }
    let blocks = a.len().div_ceil(64);
    let symbols = a.iter().chain(b).copied().max().unwrap_or(0) as usize + 1;
    let mut places = vec![0_u64; symbols * blocks];
    for (at, symbol) in a.iter().enumerate() {
        places[*symbol as usize * blocks + at / 64] |= 1 << (at % 64);
    }
    // A zero bit is a place where the row steps up.
    let mut row = vec![u64::MAX; blocks];
    for symbol in b {
        let places = &places[*symbol as usize * blocks..][..blocks];
        let mut carry = false;
        for (bits, places) in row.iter_mut().zip(places) {
            let hit = *bits & places;
            let (sum, first) = bits.overflowing_add(hit);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            carry = first || second;
            *bits = sum | (*bits & !places);
        }
    }
    let zeros: u32 = row.iter().map(|bits| bits.count_zeros()).sum();
    // Bits beyond the text never turn to zero: no symbol is there, and a carry adds into ones only to leave them in `bits & !places`.
    zeros as usize
}

/// Positions in `a` of one longest common subsequence, last first: the one that the reference's way back through its table finds.
pub(super) fn positions(a: &[u32], b: &[u32]) -> Vec<usize> {
    let width = b.len() + 1;
    let mut table = vec![0_u32; (a.len() + 1) * width];
    for (i, x) in a.iter().enumerate() {
        let (above, row) = table[i * width..(i + 2) * width].split_at_mut(width);
        for (j, y) in b.iter().enumerate() {
            row[j + 1] = if x == y { above[j] + 1 } else { above[j + 1].max(row[j]) };
        }
    }
    let (mut i, mut j) = (a.len(), b.len());
    let mut found = Vec::new();
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            found.push(i - 1);
            (i, j) = (i - 1, j - 1);
        } else if table[i * width + j - 1] > table[(i - 1) * width + j] {
            j -= 1;
        } else {
            i -= 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_ways_find_the_same_length(
            a in prop::collection::vec(1_u32..6, 0..150), b in prop::collection::vec(1_u32..6, 0..150),
        ) {
            prop_assert_eq!(length(&a, &b), positions(&a, &b).len());
            prop_assert_eq!(length(&a, &b), length(&b, &a));
            prop_assert_eq!(length(&a, &a), a.len());
        }
    }
}
