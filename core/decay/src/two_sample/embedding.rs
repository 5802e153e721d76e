//! Tests on embeddings: points in many dimensions, with permutation p-values, which hold their level at every n.

use super::SampleError;
use crate::sequential::PythonRandom;

/// A permutation test of two sets of points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmbeddingTest {
    /// Energy distance (squared) or unbiased MMD squared.
    pub statistic: f64,
    /// (1 + permutations with at least this statistic) / (1 + permutations): never zero, and at most alpha with a chance of at
    /// most alpha under no drift.
    pub p_value: f64,
}

/// Székely and Rizzo's energy statistic 2 E|X - Y| - E|X - X'| - E|Y - Y'| over Euclidean distances, with `permutations` shuffles
/// from `seed`.
///
/// # Errors
/// With fewer than two points in a sample, points of unequal dimension, or a value that is not finite.
pub fn embedding_energy(
    reference: &[Vec<f64>],
    current: &[Vec<f64>],
    permutations: u32,
    seed: u64,
) -> Result<EmbeddingTest, SampleError> {
    let points = pooled(reference, current)?;
    let distances = pairwise(&points, f64::sqrt);
    let negative: Vec<f64> = distances.iter().map(|distance| -distance).collect();
    let statistic = |chosen: &[usize]| {
        // With the V-statistic's denominators, so that it is never negative.
        let n = reference.len() as f64;
        let m = current.len() as f64;
        let (xx, yy, xy) = sums(&negative, points.len(), chosen, reference.len());
        xx / (n * n) + yy / (m * m) - 2.0 * xy / (n * m)
    };
    Ok(permute(points.len(), permutations, seed, statistic))
}

/// Unbiased squared maximum mean discrepancy with a Gaussian kernel, whose width is the median heuristic on the reference as in
/// Evidently (Gretton et al., JMLR 13, 2012).
///
/// # Errors
/// As [`embedding_energy`].
pub fn embedding_mmd(
    reference: &[Vec<f64>],
    current: &[Vec<f64>],
    permutations: u32,
    seed: u64,
) -> Result<EmbeddingTest, SampleError> {
    let points = pooled(reference, current)?;
    let squared = pairwise(&points, |square| square);
    let n = reference.len();
    let mut own: Vec<f64> =
        (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| squared[i * points.len() + j]).collect();
    own.sort_by(f64::total_cmp);
    let median = own[((own.len() - 1) as f64 / 2.0).round_ties_even() as usize];
    let variance = if median > 0.0 { 0.5 * median } else { 0.5 };
    let kernel: Vec<f64> = squared.iter().map(|square| (-square / (2.0 * variance)).exp()).collect();
    let statistic = |chosen: &[usize]| {
        let (n, m) = (reference.len() as f64, current.len() as f64);
        let (xx, yy, xy) = sums(&kernel, points.len(), chosen, reference.len());
        xx / (n * (n - 1.0)) + yy / (m * (m - 1.0)) - 2.0 * xy / (n * m)
    };
    Ok(permute(points.len(), permutations, seed, statistic))
}

fn pooled<'a>(reference: &'a [Vec<f64>], current: &'a [Vec<f64>]) -> Result<Vec<&'a [f64]>, SampleError> {
    let dimension = reference.first().map_or(0, Vec::len);
    for (which, sample) in [("reference", reference), ("current", current)] {
        if sample.len() < 2 {
            return Err(SampleError::TooFew { which, n: sample.len(), minimum: 2 });
        }
        if let Some(point) = sample.iter().find(|point| point.len() != dimension) {
            let what =
                format!("a point of the {which} sample has {} dimensions, the first has {dimension}", point.len());
            return Err(SampleError::Shape { what, remedy: "compare embeddings of one model" });
        }
        let wrong = sample.iter().flatten().position(|value| !value.is_finite());
        if let Some(index) = wrong {
            let value = sample[index / dimension][index % dimension];
            return Err(SampleError::NotANumber { which, index: index / dimension, value });
        }
    }
    Ok(reference.iter().chain(current).map(Vec::as_slice).collect())
}

fn pairwise(points: &[&[f64]], of_square: impl Fn(f64) -> f64) -> Vec<f64> {
    let size = points.len();
    let mut matrix = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..i {
            let square: f64 = points[i].iter().zip(points[j]).map(|(a, b)| (a - b) * (a - b)).sum();
            let value = of_square(square);
            (matrix[i * size + j], matrix[j * size + i]) = (value, value);
        }
    }
    // Diagonals are left out of every sum.
    matrix
}

/// Off-diagonal sums of the matrix within the first `n` of `chosen`, within the rest, and between.
fn sums(matrix: &[f64], size: usize, chosen: &[usize], n: usize) -> (f64, f64, f64) {
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (at, i) in chosen.iter().enumerate() {
        let row = &matrix[i * size..(i + 1) * size];
        for (other, j) in chosen[..at].iter().enumerate() {
            match (at < n, other < n) {
                (true, true) => xx += row[*j],
                (false, false) => yy += row[*j],
                _ => xy += row[*j],
            }
        }
    }
    (2.0 * xx, 2.0 * yy, xy)
}

fn permute(size: usize, permutations: u32, seed: u64, statistic: impl Fn(&[usize]) -> f64) -> EmbeddingTest {
    let mut chosen: Vec<usize> = (0..size).collect();
    let observed = statistic(&chosen);
    let mut random = PythonRandom::new(seed);
    let mut at_least = 1_u32;
    for _ in 0..permutations {
        for i in (1..size).rev() {
            chosen.swap(i, random.below(i as u64 + 1) as usize);
        }
        at_least += u32::from(statistic(&chosen) >= observed - 1e-12 * observed.abs());
    }
    EmbeddingTest { statistic: observed, p_value: f64::from(at_least) / (f64::from(permutations) + 1.0) }
}
