//! Tests on counts.

use std::collections::BTreeMap;

use homeostat_quality::special::chi_square_sf;

use super::{SampleError, TestResult, check};
use crate::special::ln_binomial;

/// A chi-square test.
#[derive(Clone, Debug, PartialEq)]
pub struct ChiSquare {
    /// The statistic; infinite where something was observed that was not expected at all.
    pub statistic: f64,
    /// `None` without a degree of freedom.
    pub p_value: Option<f64>,
    /// Degrees of freedom.
    pub freedom: u32,
    /// Expected counts, in the shape of the observed ones.
    pub expected: Vec<Vec<f64>>,
}

/// Fisher's exact test of a table of two by two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FisherExact {
    /// The sample's odds ratio; infinite when only its denominator is zero, `None` when a row or column is empty.
    pub odds_ratio: Option<f64>,
    /// Two-sided: the chance of all tables that are at most as likely as this one.
    pub p_value: f64,
}

/// Pearson's test of independence of the rows and columns of a table of counts, as scipy's `chi2_contingency`: `yates` takes up
/// to half a count off each distance when there is one degree of freedom.
///
/// # Errors
/// When rows are of unequal length, a count is negative or no number, or a whole row or column is zero.
pub fn chi_square_table(table: &[Vec<f64>], yates: bool) -> Result<ChiSquare, SampleError> {
    power_divergence(table, yates, |observed, expected| (observed - expected).powi(2) / expected)
}

/// The likelihood-ratio ("G") test of independence without continuity correction.
///
/// # Errors
/// As [`chi_square_table`].
pub fn g_test(table: &[Vec<f64>]) -> Result<ChiSquare, SampleError> {
    power_divergence(
        table,
        false,
        |observed, expected| {
            if observed > 0.0 { 2.0 * observed * (observed / expected).ln() } else { 0.0 }
        },
    )
}

fn power_divergence(table: &[Vec<f64>], yates: bool, term: impl Fn(f64, f64) -> f64) -> Result<ChiSquare, SampleError> {
    let columns = table.first().map_or(0, Vec::len);
    let shape = |what: &str, remedy| Err(SampleError::Shape { what: what.to_string(), remedy });
    if columns == 0 || table.iter().any(|row| row.len() != columns) {
        return shape("the table's rows are not of one length", "give every row a count for every column");
    }
    if table.iter().flatten().any(|count| !count.is_finite() || *count < 0.0) {
        return shape("a count is negative or no number", "give counts of observations");
    }
    let rows: Vec<f64> = table.iter().map(|row| row.iter().sum()).collect();
    let sums: Vec<f64> = (0..columns).map(|column| table.iter().map(|row| row[column]).sum()).collect();
    if rows.iter().chain(&sums).any(|sum| *sum == 0.0) {
        return shape("a whole row or column of the table is zero", "leave it out");
    }
    let total: f64 = rows.iter().sum();
    let expected: Vec<Vec<f64>> =
        rows.iter().map(|row| sums.iter().map(|column| row * column / total).collect()).collect();
    let freedom = ((rows.len() - 1) * (columns - 1)) as u32;
    let mut statistic = 0.0;
    for (observed, expected) in table.iter().flatten().zip(expected.iter().flatten()) {
        let correction = if yates && freedom == 1 { (expected - observed).abs().min(0.5) } else { 0.0 };
        statistic += term(observed + correction * (expected - observed).signum(), *expected);
    }
    // One row or column says nothing: no distance, and chance explains it wholly.
    let p_value = if freedom == 0 { Some(1.0) } else { Some(chi_square_sf(statistic, f64::from(freedom))) };
    Ok(ChiSquare { statistic, p_value, freedom, expected })
}

/// Pearson's test of fit of observed to expected counts, as scipy's `chisquare`.
///
/// A category that was neither expected nor observed leaves the statistic undefined.
///
/// # Errors
/// When there are no categories, the two are of unequal length, or their sums differ by more than rounding.
pub fn chi_square_fit(observed: &[f64], expected: &[f64]) -> Result<TestResult, SampleError> {
    let shape = |what: &str, remedy| Err(SampleError::Shape { what: what.to_string(), remedy });
    if observed.is_empty() || observed.len() != expected.len() {
        return shape("observed and expected counts are not of one length", "give both for every category");
    }
    if observed.iter().chain(expected).any(|count| !count.is_finite() || *count < 0.0) {
        return shape("a count is negative or no number", "give counts of observations");
    }
    let (sum, other): (f64, f64) = (observed.iter().sum(), expected.iter().sum());
    if (sum - other).abs() > 1.5e-8 * sum.min(other) {
        return shape("observed and expected counts have different sums", "scale the expected ones");
    }
    let statistic: f64 = observed.iter().zip(expected).map(|(now, then)| (now - then).powi(2) / then).sum();
    let freedom = (observed.len() - 1) as f64;
    let defined = !statistic.is_nan();
    let p_value = (defined && freedom > 0.0)
        .then(|| if statistic.is_infinite() { 0.0 } else { chi_square_sf(statistic, freedom) });
    Ok(TestResult { statistic: defined.then_some(statistic), p_value })
}

/// Evidently's chi-square: the current sample's counts of each value against the reference's, scaled to as many observations. The
/// reference counts as exact, so a value that it lacks gives a p-value of zero; [`chi_square_table`] treats both as samples.
///
/// # Errors
/// When a sample is empty or holds a value that is not finite.
pub fn evidently_chi_square(reference: &[f64], current: &[f64]) -> Result<TestResult, SampleError> {
    check("reference", reference, 1)?;
    check("current", current, 1)?;
    let scale = current.len() as f64 / reference.len() as f64;
    let (expected, observed): (Vec<f64>, Vec<f64>) =
        categories(reference, current).into_values().map(|(then, now)| (then * scale, now)).unzip();
    chi_square_fit(&observed, &expected)
}

/// How often each value occurs in the reference and in the current sample, in order of the values.
pub(super) fn categories(reference: &[f64], current: &[f64]) -> BTreeMap<u64, (f64, f64)> {
    // Positive floats sort as their bits do, negative ones the other way round.
    let key = |value: f64| {
        let bits = (value + 0.0).to_bits();
        if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
    };
    let mut counts: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    reference.iter().for_each(|value| counts.entry(key(*value)).or_default().0 += 1.0);
    current.iter().for_each(|value| counts.entry(key(*value)).or_default().1 += 1.0);
    counts
}

/// Fisher's exact test of [[a, b], [c, d]], as scipy's `fisher_exact` (two-sided).
#[must_use]
pub fn fisher_exact([[a, b], [c, d]]: [[u64; 2]; 2]) -> FisherExact {
    let [fa, fb, fc, fd] = [a, b, c, d].map(|count| count as f64);
    if a + b == 0 || c + d == 0 || a + c == 0 || b + d == 0 {
        return FisherExact { odds_ratio: None, p_value: 1.0 };
    }
    let odds = if b > 0 && c > 0 { fa * fd / (fb * fc) } else { f64::INFINITY };
    let (row, other, column) = (fa + fb, fc + fd, fa + fc);
    let ln_total = ln_binomial(row + other, column);
    let ln_chance = |k: f64| ln_binomial(row, k) + ln_binomial(other, column - k) - ln_total;
    let this = ln_chance(fa);
    let (low, high) = ((a + c).saturating_sub(c + d), (a + b).min(a + c));
    // As likely counts as "at most as likely": rounding of the logarithms must not split equal tables.
    let p: f64 = (low..=high).map(|k| ln_chance(k as f64)).filter(|ln| *ln <= this + 1e-9).map(f64::exp).sum();
    FisherExact { odds_ratio: Some(odds), p_value: p.min(1.0) }
}
