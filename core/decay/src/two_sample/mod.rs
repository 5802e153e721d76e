//! Two-sample tests and distances: has what is observed now the distribution of the reference?
//!
//! Statistics and p-values are those of scipy 1.17.1, binning and distances those of Evidently 0.7.23, to rounding; each
//! function names its definition. Nothing here decides that anything has drifted: fixed cut-offs on these figures alarm on noise
//! at small n and on nothing at large n. [`crate::Calibration`] turns a false-alarm budget into the level to hold a p-value against.
//!
//! A sample that is empty or holds a value that is no number is an error, an undefined figure is `None`: never zero.

mod binning;
mod contingency;
mod cramer_von_mises;
mod distance;
mod embedding;
mod kolmogorov;
mod ks;
mod mann_whitney;
mod means;

pub use binning::{Binned, evidently_bins, quantile_bins};
pub use contingency::{
    ChiSquare, FisherExact, chi_square_fit, chi_square_table, evidently_chi_square, fisher_exact, g_test,
};
pub use cramer_von_mises::cramer_von_mises;
pub use distance::{
    energy_distance, entropy, evidently_hellinger, hellinger, jensen_shannon, kullback_leibler, normed_wasserstein,
    psi, psi_test, total_variation, wasserstein,
};
pub use embedding::{EmbeddingTest, embedding_energy, embedding_mmd};
pub use kolmogorov::kolmogorov_sf;
pub(crate) use ks::of_sorted;
pub use ks::{KolmogorovSmirnov, KsMethod, kolmogorov_smirnov};
pub use mann_whitney::{Alternative, MannWhitney, MannWhitneyMethod, mann_whitney};
pub use means::{evidently_z, proportions_z, welch};

/// A statistic with its p-value; either is `None` where it is not defined (0 divided by 0).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestResult {
    /// The statistic, in the unit that its test defines.
    pub statistic: Option<f64>,
    /// Chance of a statistic at least as extreme when both samples have one distribution, 0 to 1.
    pub p_value: Option<f64>,
}

/// Why two samples cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SampleError {
    /// Nothing was observed.
    #[error("the {which} sample has {n} values: the test needs at least {minimum}")]
    TooFew {
        /// `reference` or `current`.
        which: &'static str,
        /// Values there are.
        n: usize,
        /// Values needed.
        minimum: usize,
    },
    /// A value that cannot be compared.
    #[error("value {index} of the {which} sample is {value}: leave missing values out before testing")]
    NotANumber {
        /// `reference` or `current`.
        which: &'static str,
        /// Position in the sample.
        index: usize,
        /// What is there.
        value: f64,
    },
    /// Parts that do not fit together.
    #[error("{what}: {remedy}")]
    Shape {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
}

/// Both samples sorted, when each has at least `minimum` values and all of them are finite.
fn sorted(reference: &[f64], current: &[f64], minimum: usize) -> Result<(Vec<f64>, Vec<f64>), SampleError> {
    let sort = |which: &'static str, values: &[f64]| {
        check(which, values, minimum)?;
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        // Zero has one value here, however it is signed.
        values.iter_mut().filter(|value| **value == 0.0).for_each(|value| *value = 0.0);
        Ok(values)
    };
    Ok((sort("reference", reference)?, sort("current", current)?))
}

fn check(which: &'static str, values: &[f64], minimum: usize) -> Result<(), SampleError> {
    if values.len() < minimum {
        return Err(SampleError::TooFew { which, n: values.len(), minimum });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(SampleError::NotANumber { which, index, value: values[index] }),
        None => Ok(()),
    }
}

/// How many of `sorted` are at most `value`.
fn at_most(sorted: &[f64], value: f64) -> usize {
    sorted.partition_point(|held| *held <= value)
}

/// Midranks (1-based) of both samples pooled, in the order given, and the sizes of the groups of equal values.
fn midranks(reference: &[f64], current: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let pooled: Vec<f64> = reference.iter().chain(current).copied().collect();
    let mut order: Vec<usize> = (0..pooled.len()).collect();
    order.sort_by(|a, b| pooled[*a].total_cmp(&pooled[*b]));
    let mut ranks = vec![0.0; pooled.len()];
    let mut ties = Vec::new();
    let mut start = 0;
    while start < order.len() {
        let mut end = start;
        while end < order.len() && pooled[order[end]] == pooled[order[start]] {
            end += 1;
        }
        let rank = (start + 1 + end) as f64 / 2.0;
        order[start..end].iter().for_each(|index| ranks[*index] = rank);
        ties.push((end - start) as f64);
        start = end;
    }
    (ranks, ties)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sum of squared deviations from the mean.
fn squared_deviations(values: &[f64]) -> f64 {
    let centre = mean(values);
    values.iter().map(|value| (value - centre).powi(2)).sum()
}
