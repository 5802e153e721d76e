//! Edit distances between sequences of numbered words.

/// Levenshtein distance (substitutions, insertions and deletions cost 1).
pub(crate) fn levenshtein(a: &[u32], b: &[u32]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// One step of rewriting a hypothesis into a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Equal words.
    Keep,
    /// One word for another.
    Substitute,
    /// A word of the reference that the hypothesis lacks.
    Insert,
    /// A word of the hypothesis that the reference lacks.
    Delete,
    /// A cell outside the beam.
    Outside,
}

/// Edit distance within a beam around the diagonal, as Tercom limits it: with the rows of the whole table, so that a text that begins like this
/// one need not be computed from the start.
pub(crate) struct Table {
    width: usize,
    costs: Vec<u32>,
    edits: Vec<Edit>,
}

const BEAM: usize = 25;
const OUTSIDE: u32 = 1 << 30;

/// The columns of row `row` that lie within the beam, for a hypothesis of `rows` words and a reference of `width - 1`.
fn beam(row: usize, rows: usize, width: usize) -> (usize, usize) {
    let reference = width - 1;
    #[expect(clippy::cast_precision_loss, reason = "texts stay far below 2^53 words")]
    let ratio = reference as f64 / rows as f64;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small and positive"
    )]
    let half = if (BEAM as f64) < ratio / 2.0 { (ratio / 2.0 + BEAM as f64).ceil() as usize } else { BEAM };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small and positive"
    )]
    let diagonal = (row as f64 * ratio).floor() as usize;
    let end = if row == rows { width } else { width.min(diagonal + half) };
    (diagonal.saturating_sub(half), end)
}

impl Table {
    /// The table of rewriting `hypothesis` into `reference`.
    pub(crate) fn new(hypothesis: &[u32], reference: &[u32]) -> Self {
        let width = reference.len() + 1;
        let mut table = Self { width, costs: Vec::new(), edits: Vec::new() };
        table.costs.extend((0..width).map(|j| u32::try_from(j).unwrap_or(OUTSIDE)));
        table.edits.resize(width, Edit::Insert);
        table.costs.resize(width * (hypothesis.len() + 1), OUTSIDE);
        table.edits.resize(width * (hypothesis.len() + 1), Edit::Outside);
        for (at, word) in hypothesis.iter().enumerate() {
            let (above, below) = table.costs.split_at_mut((at + 1) * width);
            let edits = &mut table.edits[(at + 1) * width..(at + 2) * width];
            let (from, to) = beam(at + 1, hypothesis.len(), width);
            for j in from..to {
                let (cost, edit) = cell(*word, reference, j, &above[at * width..], &below[..width]);
                if cost < OUTSIDE {
                    below[j] = cost;
                    edits[j] = edit;
                }
            }
        }
        table
    }

    /// The number of edits.
    pub(crate) fn distance(&self) -> u32 {
        self.costs.last().copied().unwrap_or(0)
    }

    /// The edits, last first. Empty if the beam missed the way.
    pub(crate) fn trace(&self) -> Vec<Edit> {
        let (mut i, mut j) = (self.costs.len() / self.width - 1, self.width - 1);
        let mut trace = Vec::with_capacity(i + j);
        while i > 0 || j > 0 {
            let edit = self.edits[i * self.width + j];
            match edit {
                Edit::Keep | Edit::Substitute if i > 0 && j > 0 => (i, j) = (i - 1, j - 1),
                Edit::Insert if j > 0 => j -= 1,
                Edit::Delete if i > 0 => i -= 1,
                _ => return Vec::new(),
            }
            trace.push(edit);
        }
        trace
    }

    /// The distance of another hypothesis of the same length that agrees with this table's one before `from` and from `to` on.
    pub(crate) fn distance_of(
        &self,
        other: &[u32],
        from: usize,
        to: usize,
        reference: &[u32],
        scratch: &mut Vec<u32>,
    ) -> u32 {
        let width = self.width;
        scratch.clear();
        scratch.extend_from_slice(&self.costs[from * width..(from + 1) * width]);
        scratch.resize(2 * width, OUTSIDE);
        let (mut above, mut below) = scratch.split_at_mut(width);
        for (at, word) in other.iter().enumerate().skip(from) {
            below.fill(OUTSIDE);
            let (first, end) = beam(at + 1, other.len(), width);
            for j in first..end {
                below[j] = cell(*word, reference, j, above, below).0.min(OUTSIDE);
            }
            if at + 1 >= to && below == &self.costs[(at + 1) * width..(at + 2) * width] {
                // From here on everything is as before.
                return self.distance();
            }
            (above, below) = (below, above);
        }
        above[width - 1]
    }
}

/// Cheapest way into a cell; a substitution is preferred to a deletion, and that to an insertion.
#[inline]
fn cell(word: u32, reference: &[u32], j: usize, above: &[u32], row: &[u32]) -> (u32, Edit) {
    if j == 0 {
        return (above[0] + 1, Edit::Delete);
    }
    let equal = word == reference[j - 1];
    let (mut cost, mut edit) = if equal { (above[j - 1], Edit::Keep) } else { (above[j - 1] + 1, Edit::Substitute) };
    if above[j] + 1 < cost {
        (cost, edit) = (above[j] + 1, Edit::Delete);
    }
    if row[j - 1] + 1 < cost {
        (cost, edit) = (row[j - 1] + 1, Edit::Insert);
    }
    (cost, edit)
}
