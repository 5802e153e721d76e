//! The distribution of the one-sample two-sided Kolmogorov-Smirnov statistic for n observations.
//!
//! It chooses among the exact and approximate formulas where scipy 1.17.1 `kstwo` does (Simard and L'Ecuyer, "Computing the
//! two-sided Kolmogorov-Smirnov distribution", J. Stat. Software 39(11), 2011).

use std::f64::consts::PI;

use crate::special::ln_binomial;

/// Chance that the statistic of `n` observations is above `d`; 1 for `d` <= 0 and NaN-free for every input (`None` when `n` is 0
/// or `d` is no number).
#[must_use]
pub fn kolmogorov_sf(n: u64, d: f64) -> Option<f64> {
    if n == 0 || d.is_nan() {
        return None;
    }
    Some(survival(n, d).clamp(0.0, 1.0))
}

fn survival(n: u64, d: f64) -> f64 {
    let size = n as f64;
    let t = size * d;
    if d >= 1.0 {
        return 0.0;
    }
    if t <= 0.5 {
        return 1.0;
    }
    if t <= 1.0 {
        // Ruben and Gambino: n! ((2 t - 1) / n)^n.
        let ln_cdf = (1..=n).map(|i| (i as f64 / size).ln()).sum::<f64>() + size * (2.0 * t - 1.0).ln();
        return 1.0 - ln_cdf.exp();
    }
    if t >= size - 1.0 {
        return 2.0 * (1.0 - d).powf(size);
    }
    let squared = t * d;
    if d >= 0.5 || (n <= 140 && squared > 4.0) {
        return 2.0 * one_sided(n, d);
    }
    if n <= 140 {
        return 1.0 - durbin_matrix(n, d);
    }
    if squared >= 370.0 {
        0.0
    } else if squared >= 2.2 {
        2.0 * one_sided(n, d)
    } else if n <= 100_000 && size * d.powf(1.5) <= 1.4 {
        1.0 - durbin_matrix(n, d)
    } else {
        1.0 - pelz_good(size, d)
    }
}

/// Smirnov's exact one-sided tail, a sum of positive terms (Smirnov 1944; Birnbaum and Tingey 1951).
fn one_sided(n: u64, d: f64) -> f64 {
    let size = n as f64;
    let last = (size * (1.0 - d)).floor() as u64;
    let mut terms: Vec<f64> = Vec::new();
    let mut largest = f64::NEG_INFINITY;
    for j in 0..=last.min(n) {
        let k = j as f64;
        let (up, down) = (d + k / size, 1.0 - d - k / size);
        if down <= 0.0 {
            continue;
        }
        let term = ln_binomial(size, k) + (k - 1.0) * up.ln() + (size - k) * down.ln();
        largest = largest.max(term);
        terms.push(term);
    }
    let sum: f64 = terms.iter().map(|term| (term - largest).exp()).sum();
    (d.ln() + largest + sum.ln()).exp()
}

/// P(D <= d) as an entry of a power of Durbin's matrix (Marsaglia, Tsang, Wang, J. Stat. Software 8(18), 2003).
fn durbin_matrix(n: u64, d: f64) -> f64 {
    let size = n as f64;
    let k = (size * d).ceil() as usize;
    let h = k as f64 - size * d;
    let m = 2 * k - 1;
    let mut matrix = vec![0.0; m * m];
    let mut factorials = vec![1.0; m + 1];
    for i in 1..=m {
        factorials[i] = factorials[i - 1] / i as f64;
    }
    for row in 0..m {
        for column in 1..m {
            if row + 1 >= column {
                matrix[row * m + column] = factorials[row + 1 - column];
            }
        }
    }
    // The first column and, turned over, the last row lack what leaves the band.
    let edge = |i: usize| (1.0 - h.powi(i as i32)) * factorials[i];
    for i in 1..=m {
        matrix[(i - 1) * m] = edge(i);
        matrix[(m - 1) * m + (m - i)] = edge(i);
    }
    let corner = 1.0 - 2.0 * h.powi(m as i32) + (2.0 * h - 1.0).max(0.0).powi(m as i32);
    matrix[(m - 1) * m] = corner * factorials[m];
    let (mut power, mut power_scale) = (identity(m), 0_i32);
    let (mut square, mut square_scale) = (matrix, 0_i32);
    let mut left = n;
    while left > 0 {
        if left & 1 == 1 {
            power = multiply(&power, &square, m);
            power_scale += square_scale;
            rescale(&mut power, &mut power_scale, (k - 1) * m + k - 1);
        }
        left >>= 1;
        if left > 0 {
            square = multiply(&square, &square, m);
            square_scale *= 2;
            rescale(&mut square, &mut square_scale, (k - 1) * m + k - 1);
        }
    }
    let mut value = power[(k - 1) * m + k - 1];
    for i in 1..=n {
        value *= i as f64 / size;
        if value < 1e-140 {
            value *= 1e140;
            power_scale -= 140;
        }
    }
    if value <= 0.0 { 0.0 } else { (value.ln() + f64::from(power_scale) * std::f64::consts::LN_10).exp() }
}

fn identity(m: usize) -> Vec<f64> {
    let mut matrix = vec![0.0; m * m];
    (0..m).for_each(|i| matrix[i * m + i] = 1.0);
    matrix
}

fn multiply(a: &[f64], b: &[f64], m: usize) -> Vec<f64> {
    let mut product = vec![0.0; m * m];
    for i in 0..m {
        let row = &mut product[i * m..(i + 1) * m];
        for (j, factor) in a[i * m..(i + 1) * m].iter().enumerate() {
            if *factor != 0.0 {
                row.iter_mut().zip(&b[j * m..(j + 1) * m]).for_each(|(sum, value)| *sum += factor * value);
            }
        }
    }
    product
}

/// Keeps the middle entry below 1e140, with the power of ten taken out.
fn rescale(matrix: &mut [f64], scale: &mut i32, middle: usize) {
    if matrix[middle] > 1e140 {
        matrix.iter_mut().for_each(|value| *value *= 1e-140);
        *scale += 140;
    }
}

/// Pelz and Good's expansion of P(D <= d) to n^(-3/2) (JRSS B 38, 1976), by theta functions that converge for small z.
fn pelz_good(n: f64, d: f64) -> f64 {
    let z = n.sqrt() * d;
    let (z2, z3, z4) = (z * z, z * z * z, z.powi(4));
    let (z6, pi2) = (z.powi(6), PI * PI);
    if -pi2 / 8.0 / z2 < -708.0 {
        return 0.0;
    }
    let terms = (16.0 * z / PI).ceil() as i32;
    let mut sums = [0.0_f64; 4];
    for k in (1..=terms).rev() {
        let m2 = f64::from(2 * k - 1).powi(2);
        let weight = (-pi2 * m2 / (8.0 * z2)).exp();
        let (m4, m6) = (m2 * m2, m2 * m2 * m2);
        sums[0] += weight;
        sums[1] += weight * (pi2 / 4.0 * m2 - z2);
        sums[2] += weight
            * (6.0 * z6 + 2.0 * z4 + (2.0 * z4 - 5.0 * z2) * pi2 / 4.0 * m2 + pi2 * pi2 * (1.0 - 2.0 * z2) / 16.0 * m4);
        sums[3] += weight
            * (-30.0 * z6 - 90.0 * z.powi(8)
                + pi2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
                + pi2 * pi2 * (212.0 * z4 - 60.0 * z2) / 16.0 * m4
                + pi2.powi(3) * (5.0 - 30.0 * z2) / 64.0 * m6);
    }
    let root = (2.0 * PI).sqrt();
    let mut parts = [
        root / z * sums[0],
        root / (6.0 * z4) * sums[1],
        root / (72.0 * z.powi(7)) * sums[2],
        root / (6480.0 * z.powi(10)) * sums[3],
    ];
    let (mut second, mut third) = (0.0, 0.0);
    for k in (1..=terms).rev() {
        let k2 = f64::from(k).powi(2);
        let weight = (-pi2 * k2 / (2.0 * z2)).exp();
        second += k2 * weight;
        third += (3.0 * z2 - pi2 * k2) * k2 * weight;
    }
    parts[2] -= pi2 * root / (36.0 * z3) * second;
    parts[3] += pi2 * root / (216.0 * z6) * third;
    parts[0] + parts[1] / n.sqrt() + parts[2] / n + parts[3] / (n * n.sqrt())
}
