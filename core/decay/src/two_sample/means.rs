//! Tests of means and of shares.

use super::{SampleError, TestResult, check, mean, squared_deviations};
use crate::special::{erfc, student_two_sided};

/// Welch's test that two means are equal (two-sided), as scipy's `ttest_ind(reference, current, equal_var=False)`; undefined with
/// fewer than two values in a sample, or without any spread when the means are equal.
///
/// # Errors
/// When a sample is empty or holds a value that is not finite.
pub fn welch(reference: &[f64], current: &[f64]) -> Result<TestResult, SampleError> {
    check("reference", reference, 1)?;
    check("current", current, 1)?;
    let undefined = TestResult { statistic: None, p_value: None };
    if reference.len() < 2 || current.len() < 2 {
        return Ok(undefined);
    }
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let a = squared_deviations(reference) / (n - 1.0) / n;
    let b = squared_deviations(current) / (m - 1.0) / m;
    let t = (mean(reference) - mean(current)) / (a + b).sqrt();
    if t.is_nan() {
        return Ok(undefined);
    }
    if t.is_infinite() {
        return Ok(TestResult { statistic: Some(t), p_value: Some(0.0) });
    }
    let freedom = (a + b).powi(2) / (a * a / (n - 1.0) + b * b / (m - 1.0));
    Ok(TestResult { statistic: Some(t), p_value: Some(student_two_sided(t, freedom)) })
}

/// The pooled two-sample z-test of shares (two-sided): `successes` of `n` each. Undefined when both are all or nothing.
///
/// # Errors
/// When a sample is empty or has more successes than values.
pub fn proportions_z(reference: (u64, u64), current: (u64, u64)) -> Result<TestResult, SampleError> {
    for (which, (successes, n)) in [("reference", reference), ("current", current)] {
        if n == 0 {
            return Err(SampleError::TooFew { which, n: 0, minimum: 1 });
        }
        if successes > n {
            let what = format!("the {which} sample has {successes} successes of {n}");
            return Err(SampleError::Shape { what, remedy: "give (successes, all)" });
        }
    }
    let share = |(successes, n): (u64, u64)| successes as f64 / n as f64;
    let (n, m) = (reference.1 as f64, current.1 as f64);
    let pooled = (reference.0 as f64 + current.0 as f64) / (n + m);
    let z = (share(reference) - share(current)) / (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    if z.is_nan() {
        return Ok(TestResult { statistic: None, p_value: None });
    }
    Ok(TestResult { statistic: Some(z), p_value: Some(erfc(z.abs() / std::f64::consts::SQRT_2)) })
}

/// Evidently's z-test of a column of at most two values: the share of what is not the smallest value; 1 when both samples are of
/// one and the same value.
///
/// # Errors
/// When a sample is empty, holds a value that is not finite, or there are more than two values.
pub fn evidently_z(reference: &[f64], current: &[f64]) -> Result<TestResult, SampleError> {
    check("reference", reference, 1)?;
    check("current", current, 1)?;
    let mut values: Vec<f64> = reference.iter().chain(current).copied().collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    match values.as_slice() {
        [_] => Ok(TestResult { statistic: Some(0.0), p_value: Some(1.0) }),
        [smallest, _] => {
            let count =
                |sample: &[f64]| (sample.iter().filter(|value| *value != smallest).count() as u64, sample.len() as u64);
            proportions_z(count(reference), count(current))
        }
        more => Err(SampleError::Shape {
            what: format!("the samples have {} values", more.len()),
            remedy: "use chi-square for more than two categories",
        }),
    }
}
