//! Row-major products, written so that the compiler turns the inner loops into vector instructions: they add scaled
//! rows, and never sum up along a row.

/// `[rows, inner] · [inner, outer]`.
pub(super) fn matmul(x: &[f32], matrix: &[f32], inner: usize, outer: usize) -> Vec<f32> {
    let mut out = vec![0.0; x.len() / inner * outer];
    let mut four = x.chunks_exact(4 * inner);
    let mut into = out.chunks_exact_mut(4 * outer);
    for (rows, into) in four.by_ref().zip(into.by_ref()) {
        four_rows(rows, matrix, inner, outer, into);
    }
    for (row, into) in four.remainder().chunks_exact(inner).zip(into.into_remainder().chunks_exact_mut(outer)) {
        one_row(row, matrix, outer, into);
    }
    out
}

/// `into += from * by`.
pub(super) fn add_scaled(into: &mut [f32], from: &[f32], by: f32) {
    for (into, from) in into.iter_mut().zip(from) {
        *into += from * by;
    }
}

pub(super) fn transpose(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| matrix[row * columns + column])).collect()
}

/// Four rows at once: the matrix is read once for all of them.
fn four_rows(rows: &[f32], matrix: &[f32], inner: usize, outer: usize, into: &mut [f32]) {
    let (a, rest) = into.split_at_mut(outer);
    let (b, rest) = rest.split_at_mut(outer);
    let (c, d) = rest.split_at_mut(outer);
    for (number, line) in matrix.chunks_exact(outer).enumerate() {
        let by = [rows[number], rows[inner + number], rows[2 * inner + number], rows[3 * inner + number]];
        for ((((line, a), b), c), d) in line.iter().zip(&mut *a).zip(&mut *b).zip(&mut *c).zip(&mut *d) {
            *a += line * by[0];
            *b += line * by[1];
            *c += line * by[2];
            *d += line * by[3];
        }
    }
}

/// One row, four lines of the matrix at once: the sum is loaded and stored a quarter as often.
fn one_row(row: &[f32], matrix: &[f32], outer: usize, into: &mut [f32]) {
    let mut four = row.chunks_exact(4);
    let mut lines = matrix.chunks_exact(4 * outer);
    for (by, lines) in four.by_ref().zip(lines.by_ref()) {
        let (a, rest) = lines.split_at(outer);
        let (b, rest) = rest.split_at(outer);
        let (c, d) = rest.split_at(outer);
        for ((((into, a), b), c), d) in into.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *into += (a * by[0] + b * by[1]) + (c * by[2] + d * by[3]);
        }
    }
    for (by, line) in four.remainder().iter().zip(lines.remainder().chunks_exact(outer)) {
        add_scaled(into, line, *by);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_product_equals_its_definition(rows in 1usize..7, inner in 1usize..11, outer in 1usize..9, seed in 0u64..1000) {
            let mut chance = crate::chance::Chance::new(seed, "matrix", 0);
            let mut draw = |count: usize| (0..count).map(|_| chance.normal() as f32).collect::<Vec<_>>();
            let (x, matrix) = (draw(rows * inner), draw(inner * outer));
            let product = matmul(&x, &matrix, inner, outer);
            for row in 0..rows {
                for column in 0..outer {
                    let expected: f32 = (0..inner).map(|k| x[row * inner + k] * matrix[k * outer + column]).sum();
                    prop_assert!((product[row * outer + column] - expected).abs() < 1e-4);
                }
            }
            let back = transpose(&transpose(&matrix, inner, outer), outer, inner);
            prop_assert_eq!(back, matrix);
        }
    }
}
