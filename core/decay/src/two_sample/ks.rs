use super::{SampleError, kolmogorov_sf, sorted};

/// How the p-value is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KsMethod {
    /// Exact up to 10,000 values a sample, asymptotic above.
    Auto,
    /// By counting paths, unless the sizes' least common multiple exceeds 2^31, where it is asymptotic.
    Exact,
    /// The one-sample distribution for n m / (n + m) observations, rounded.
    Asymptotic,
}

/// The two-sample Kolmogorov-Smirnov test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KolmogorovSmirnov {
    /// The largest distance of the two empirical distribution functions, 0 to 1.
    pub statistic: f64,
    /// Two-sided; `None` when the asymptotic formula has no observation left after rounding.
    pub p_value: Option<f64>,
    /// The value at which they are farthest apart.
    pub location: f64,
    /// 1 when the reference's function is above the current one's there, -1 otherwise.
    pub sign: i8,
    /// The method that was used, never `Auto`.
    pub method: KsMethod,
}

/// Most values of a sample for which [`KsMethod::Auto`] is exact.
const EXACT_UP_TO: usize = 10_000;

/// Two-sided test that both samples have one distribution, as scipy 1.17.1 `ks_2samp(reference, current)`.
///
/// Exact p-values count lattice paths (Hodges 1958); for unequal sizes by Viehmann's recursion on the complement (arXiv 2102.08037),
/// which loses nothing to cancellation.
///
/// # Errors
/// When a sample is empty or holds a value that is not finite.
pub fn kolmogorov_smirnov(
    reference: &[f64],
    current: &[f64],
    method: KsMethod,
) -> Result<KolmogorovSmirnov, SampleError> {
    let (a, b) = sorted(reference, current, 1)?;
    Ok(of_sorted(&a, &b, method))
}

/// As [`kolmogorov_smirnov`], of samples that are sorted, not empty and finite.
pub(crate) fn of_sorted(a: &[f64], b: &[f64], method: KsMethod) -> KolmogorovSmirnov {
    let (n, m) = (a.len(), b.len());
    let (mut above, mut below) = ((f64::NEG_INFINITY, 0.0), (f64::INFINITY, 0.0));
    // The reference's values first, then the others: of equal distances the first is where they are farthest apart.
    for values in [a, b] {
        let (mut i, mut j) = (0, 0);
        for value in values {
            while i < n && a[i] <= *value {
                i += 1;
            }
            while j < m && b[j] <= *value {
                j += 1;
            }
            let gap = i as f64 / n as f64 - j as f64 / m as f64;
            if gap > above.0 {
                above = (gap, *value);
            }
            if gap < below.0 {
                below = (gap, *value);
            }
        }
    }
    let lowest = (-below.0).clamp(0.0, 1.0);
    let (mut statistic, location, sign) = if lowest > above.0 { (lowest, below.1, -1) } else { (above.0, above.1, 1) };
    let divisor = gcd(n, m);
    let multiple = (n / divisor) as f64 * m as f64;
    let exact = match method {
        KsMethod::Auto => n.max(m) <= EXACT_UP_TO,
        KsMethod::Exact => ((n / divisor) as f64) < f64::from(i32::MAX) / (m / divisor) as f64,
        KsMethod::Asymptotic => false,
    };
    if exact {
        let steps = (statistic * multiple).round_ties_even();
        let p = if steps == 0.0 {
            1.0
        } else if n == m {
            outside_square(n as f64, steps)
        } else {
            outside_band(n, m, divisor, steps as i64)
        };
        if (0.0..=1.0).contains(&p) {
            statistic = steps / multiple;
            return KolmogorovSmirnov { statistic, p_value: Some(p), location, sign, method: KsMethod::Exact };
        }
    }
    let (n, m) = (n as f64, m as f64);
    let size = (n * m / (n + m)).round_ties_even();
    let p_value = kolmogorov_sf(size as u64, statistic);
    KolmogorovSmirnov { statistic, p_value, location, sign, method: KsMethod::Asymptotic }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Share of the paths from (0, 0) to (n, n) that leave |x - y| < h: an alternating sum of binomials, nested so that each factor is
/// below 1.
fn outside_square(n: f64, h: f64) -> f64 {
    let mut p = 0.0;
    for k in (0..=(n / h).floor() as u64).rev() {
        let k = k as f64;
        let mut ratio = 1.0;
        for j in 0..h as u64 {
            let j = j as f64;
            ratio = (n - k * h - j) * ratio / (n + k * h + j + 1.0);
        }
        p = ratio * (1.0 - p);
    }
    2.0 * p
}

/// Share of the paths from (0, 0) to (m, n) that touch |x / m - y / n| >= h / lcm(m, n), column by column over the cells within the
/// band: the share of a cell is the mean of its two predecessors' shares, weighted by how many paths come from each.
fn outside_band(m: usize, n: usize, divisor: usize, h: i64) -> f64 {
    let (m, n) = (m.max(n) as i64, m.min(n) as i64);
    let (mg, ng) = (m / divisor as i64, n / divisor as i64);
    let ceiling = |value: i64| -(-value).div_euclid(mg);
    let mut high = ceiling(h).min(n + 1);
    // Cells outside the band are 1: every path through them has left it.
    let mut column = vec![1.0; n as usize + 2];
    column[..high as usize].fill(0.0);
    for i in 1..=m {
        let next_low = ((ng * i - h).div_euclid(mg) + 1).clamp(0, n);
        let next_high = ceiling(ng * i + h).min(n + 1);
        if next_high <= next_low {
            return 1.0;
        }
        let mut value = if next_low == 0 { 0.0 } else { 1.0 };
        let x = i as f64;
        for (offset, cell) in column[next_low as usize..next_high as usize].iter_mut().enumerate() {
            let y = (next_low + offset as i64) as f64;
            value = (*cell * x + value * y) / (x + y);
            *cell = value;
        }
        high = next_high;
    }
    column[high as usize - 1]
}
