//! Average run lengths of cumulative sums, computed rather than simulated, and the limits that follow from them.

use crate::special::normal_sf;

/// Largest limit of a normal cumulative sum that is considered, in standard deviations.
const LARGEST: f64 = 80.0;

/// Average number of observations until a two-sided cumulative sum of standard normal observations, shifted by `shift`, exceeds
/// `limit`, from its start at zero; `None` unless `allowance` and `limit` are positive and `limit` at most 80.
///
/// Page's integral equation by Gauss-Legendre quadrature (Goel and Wu 1971); the two sides join as Kemp's (1961)
/// 1/L = 1/L+ + 1/L-, which is exact for two sums with one allowance.
#[must_use]
pub fn cusum_run_length(allowance: f64, limit: f64, shift: f64) -> Option<f64> {
    if !(allowance > 0.0 && limit > 0.0 && limit <= LARGEST && shift.is_finite()) {
        return None;
    }
    let up = one_sided(allowance - shift, limit);
    let down = one_sided(allowance + shift, limit);
    Some(1.0 / (1.0 / up + 1.0 / down))
}

/// The limit for a run of `run_length` without drift.
pub(crate) fn cusum_limit(allowance: f64, run_length: f64) -> Option<f64> {
    if !(run_length > 1.0 && run_length.is_finite()) {
        return None;
    }
    let (mut low, mut high) = (1e-6, 1.0);
    while cusum_run_length(allowance, high, 0.0)? < run_length {
        high *= 2.0;
        if high > LARGEST {
            return None;
        }
    }
    for _ in 0..30 {
        let middle = 0.5 * (low + high);
        if cusum_run_length(allowance, middle, 0.0)? < run_length { low = middle } else { high = middle }
    }
    Some(high)
}

/// L(0) of L(s) = 1 + L(0) P(X <= k - s) + integral of L(y) phi(y + k - s) over 0..h.
fn one_sided(k: f64, h: f64) -> f64 {
    let (nodes, weights) = legendre((24.0 + 5.0 * h).min(320.0) as usize, h);
    let size = nodes.len() + 1;
    // The unknowns are L(0) and L at the nodes.
    let at = |index: usize| if index == 0 { 0.0 } else { nodes[index - 1] };
    let mut matrix = vec![0.0; size * size];
    for row in 0..size {
        let s = at(row);
        matrix[row * size] = -normal_sf(s - k);
        for column in 1..size {
            let distance = nodes[column - 1] + k - s;
            matrix[row * size + column] =
                -weights[column - 1] * (-0.5 * distance * distance).exp() / (2.0 * std::f64::consts::PI).sqrt();
        }
        matrix[row * size + row] += 1.0;
    }
    solve(&mut matrix, &mut vec![1.0; size])
}

/// First unknown of a dense system by elimination with row pivots.
fn solve(matrix: &mut [f64], right: &mut [f64]) -> f64 {
    let size = right.len();
    // Eliminated from the last to the first, so that the first is left over.
    for pivot in (1..size).rev() {
        let best = (0..=pivot).max_by(|a, b| matrix[a * size + pivot].abs().total_cmp(&matrix[b * size + pivot].abs()));
        if let Some(best) = best.filter(|best| *best != pivot) {
            (0..=pivot).for_each(|column| matrix.swap(best * size + column, pivot * size + column));
            right.swap(best, pivot);
        }
        let (rows, rest) = matrix.split_at_mut(pivot * size);
        let pivot_row = &rest[..size];
        for row in 0..pivot {
            let factor = rows[row * size + pivot] / pivot_row[pivot];
            if factor != 0.0 {
                let row_values = &mut rows[row * size..row * size + pivot];
                row_values.iter_mut().zip(&pivot_row[..pivot]).for_each(|(value, above)| *value -= factor * above);
                right[row] -= factor * right[pivot];
            }
        }
    }
    right[0] / matrix[0]
}

/// Nodes and weights of Gauss-Legendre quadrature over 0..h, by Newton's method on the polynomial (Abramowitz and Stegun 25.4.29).
fn legendre(count: usize, h: f64) -> (Vec<f64>, Vec<f64>) {
    let n = count as f64;
    let mut nodes = Vec::with_capacity(count);
    let mut weights = Vec::with_capacity(count);
    for i in 0..count {
        let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut last, mut now) = (0.0, 1.0);
            for j in 0..count {
                let j = j as f64;
                (last, now) = (now, ((2.0 * j + 1.0) * x * now - j * last) / (j + 1.0));
            }
            slope = n * (x * now - last) / (x * x - 1.0);
            let step = now / slope;
            x -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        nodes.push(0.5 * h * (1.0 - x));
        weights.push(h / ((1.0 - x * x) * slope * slope));
    }
    (nodes, weights)
}

/// Average number of zeros and ones of rate `rate` until a cumulative sum with steps `up` and `-down`, never below zero, reaches
/// `limit`: the exact solution of its Markov chain. `None` unless 0 < `rate` < 1 and all steps are between 1 and 10,000.
#[must_use]
pub fn bernoulli_cusum_run_length(rate: f64, up: i64, down: i64, limit: i64) -> Option<f64> {
    let sound = |step: i64| (1..=10_000).contains(&step);
    if !(rate > 0.0 && rate < 1.0 && sound(up) && sound(down) && (1..=100_000).contains(&limit)) {
        return None;
    }
    let (size, up, down) = (limit as usize, up as usize, down as usize);
    // L(s) = 1 + rate L(s + up) + (1 - rate) L(s - down), eliminated upwards in a band of `down` below and `up` above.
    let width = up + down + 1;
    let mut band = vec![0.0; size * width];
    let mut right = vec![1.0; size];
    for s in 0..size {
        let row = &mut band[s * width..(s + 1) * width];
        row[down] += 1.0;
        row[s.saturating_sub(down) + down - s] -= 1.0 - rate;
        if s + up < size {
            row[down + up] -= rate;
        }
    }
    for s in (1..size).rev() {
        let pivot = band[s * width + down];
        let (upper, lower) = band.split_at_mut(s * width);
        for above in s.saturating_sub(up)..s {
            let row = &mut upper[above * width..(above + 1) * width];
            let factor = row[s - above + down] / pivot;
            if factor != 0.0 {
                for column in s.saturating_sub(down)..s {
                    let from = lower[column + down - s];
                    if column + down >= above {
                        row[column + down - above] -= factor * from;
                    }
                }
                right[above] -= factor * right[s];
            }
        }
    }
    Some(right[0] / band[down])
}

/// Steps and limit for the increase `from` to `to`.
pub(crate) fn bernoulli_cusum_limit(from: f64, to: f64, run_length: f64) -> Option<(i64, i64, i64)> {
    if !(from > 0.0 && from < to && to < 1.0 && (1.0..=1e12).contains(&run_length)) {
        return None;
    }
    let ratio = (to / from).ln() / ((1.0 - from) / (1.0 - to)).ln();
    // The smallest whole numbers whose ratio is within 2 %.
    let (up, down) = (1..=64_i64)
        .flat_map(|part| {
            let other = if ratio >= 1.0 { (part as f64 * ratio).round() } else { (part as f64 / ratio).round() };
            let other = (other as i64).clamp(1, 10_000);
            [if ratio >= 1.0 { (other, part) } else { (part, other) }]
        })
        .find(|(up, down)| (*up as f64 / *down as f64 / ratio - 1.0).abs() < 0.02)?;
    let long_enough =
        |limit: i64| bernoulli_cusum_run_length(from, up, down, limit).is_some_and(|run| run >= run_length);
    let (mut low, mut high) = (0_i64, 1_i64);
    while !long_enough(high) {
        (low, high) = (high, high * 2);
        if high > 65_536 {
            return None;
        }
    }
    while high - low > 1 {
        let middle = (low + high) / 2;
        if long_enough(middle) { high = middle } else { low = middle }
    }
    Some((up, down, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_lengths_agree_with_the_tables() {
        // Lucas and Crosier 1982, table 1: two-sided, allowance .5.
        for (limit, without, with) in [(4.0, 168.0, 8.38), (5.0, 465.0, 10.38)] {
            let found = (cusum_run_length(0.5, limit, 0.0).unwrap(), cusum_run_length(0.5, limit, 1.0).unwrap());
            assert!((found.0 - without).abs() < 1.0 && (found.1 - with).abs() < 0.01, "{limit}: {found:?}");
        }
        let limit = cusum_limit(0.25, 1e5).unwrap();
        assert!((cusum_run_length(0.25, limit, 0.0).unwrap() / 1e5 - 1.0).abs() < 1e-6);
        assert_eq!(cusum_run_length(0.5, f64::NAN, 0.0), None);
        assert_eq!(cusum_limit(0.5, f64::INFINITY), None);
    }

    #[test]
    fn bernoulli_runs_solve_their_equations() {
        // One step up: until the first one. Two: by hand, (1 + 1/p) / p for sums that fall back to zero.
        assert!((bernoulli_cusum_run_length(0.2, 3, 1, 3).unwrap() - 5.0).abs() < 1e-12);
        let p = 0.2_f64;
        assert!((bernoulli_cusum_run_length(p, 1, 1, 2).unwrap() - (1.0 + p) / (p * p)).abs() < 1e-9);
        let (up, down, limit) = bernoulli_cusum_limit(0.2, 0.3, 1e5).unwrap();
        assert!(bernoulli_cusum_run_length(0.2, up, down, limit).unwrap() >= 1e5);
        assert!(bernoulli_cusum_run_length(0.2, up, down, limit - 1).unwrap() < 1e5);
        assert_eq!(bernoulli_cusum_limit(0.3, 0.2, 1e5), None);
    }
}
