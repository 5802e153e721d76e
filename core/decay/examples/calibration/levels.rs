//! How often the two-sample tests reject at their nominal level when both samples are of one distribution.

use homeostat_decay::sequential::PythonRandom;
use homeostat_decay::two_sample::{
    Alternative, KsMethod, MannWhitneyMethod, chi_square_table, cramer_von_mises, embedding_energy, embedding_mmd,
    kolmogorov_smirnov, mann_whitney, proportions_z, psi_test, welch,
};

/// Nominal level.
pub(crate) const ALPHA: f64 = 0.05;

/// The tests, in the order of [`levels`].
pub(crate) const TESTS: [&str; 7] = [
    "Kolmogorov-Smirnov",
    "Mann-Whitney",
    "Cramér-von Mises",
    "Welch",
    "PSI, 10 quantiles",
    "chi-square, 5 kinds",
    "z, rate .2",
];

/// Share of `times` pairs of samples of about `n` values that each test rejects. The second sample is 3 % smaller, as two samples are
/// in life: with equal sizes the statistic of Kolmogorov and Smirnov has so few values that no exact test can be near 5 %.
pub(crate) fn levels(n: usize, times: u32, seed: u64) -> [f64; 7] {
    let m = n - (n * 3 / 100).max(1);
    let mut rng = PythonRandom::new(seed);
    let mut rejected = [0_u32; 7];
    for _ in 0..times {
        let (a, b) = (normals(&mut rng, n), normals(&mut rng, m));
        let kinds = [counts(&a), counts(&b)].map(|counts| counts.to_vec());
        let rates = [rate(&mut rng, n), rate(&mut rng, m)];
        let ks = kolmogorov_smirnov(&a, &b, KsMethod::Auto).ok().and_then(|test| test.p_value);
        let u = mann_whitney(&a, &b, Alternative::TwoSided, MannWhitneyMethod::Auto).ok().and_then(|test| test.p_value);
        let found = [
            ks,
            u,
            cramer_von_mises(&a, &b).ok().and_then(|test| test.p_value),
            welch(&a, &b).ok().and_then(|test| test.p_value),
            psi_test(&a, &b, 10).ok().and_then(|test| test.p_value),
            chi_square_table(&kinds, false).ok().and_then(|test| test.p_value),
            proportions_z(rates[0], rates[1]).ok().and_then(|test| test.p_value),
        ];
        for (count, p) in rejected.iter_mut().zip(found) {
            *count += u32::from(p.is_some_and(|p| p <= ALPHA));
        }
    }
    rejected.map(|count| f64::from(count) / f64::from(times))
}

/// The same of the permutation tests on embeddings of 4 dimensions, energy and MMD.
pub(crate) fn embedding_levels(n: usize, times: u32, seed: u64) -> [f64; 2] {
    let mut rng = PythonRandom::new(seed);
    let mut rejected = [0_u32; 2];
    for round in 0..times {
        let mut sample = || -> Vec<Vec<f64>> { (0..n).map(|_| normals(&mut rng, 4)).collect() };
        let (a, b) = (sample(), sample());
        let tests = [embedding_energy(&a, &b, 99, u64::from(round)), embedding_mmd(&a, &b, 99, u64::from(round))];
        for (count, test) in rejected.iter_mut().zip(tests) {
            *count += u32::from(test.is_ok_and(|test| test.p_value <= ALPHA));
        }
    }
    rejected.map(|count| f64::from(count) / f64::from(times))
}

fn normals(rng: &mut PythonRandom, n: usize) -> Vec<f64> {
    let mut values = Vec::with_capacity(n + 1);
    while values.len() < n {
        let radius = (-2.0 * (1.0 - rng.unit()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * rng.unit()).sin_cos();
        values.extend([radius * sine, radius * cosine]);
    }
    values.truncate(n);
    values
}

/// Five kinds by cutting at fixed points.
fn counts(values: &[f64]) -> [f64; 5] {
    let mut counts = [0.0; 5];
    for value in values {
        counts[[-1.0, -0.3, 0.3, 1.0].iter().filter(|edge| value > *edge).count()] += 1.0;
    }
    counts
}

fn rate(rng: &mut PythonRandom, n: usize) -> (u64, u64) {
    ((0..n).filter(|_| rng.unit() < 0.2).count() as u64, n as u64)
}
