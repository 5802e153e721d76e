use super::{SampleError, check, midranks};
use crate::special::{ln_binomial, normal_sf};

/// What is tested against "one distribution".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alternative {
    /// The distributions differ.
    TwoSided,
    /// The reference tends to be smaller.
    Less,
    /// The reference tends to be larger.
    Greater,
}

/// How the p-value is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MannWhitneyMethod {
    /// Exact when a sample has at most 8 values and none are equal, asymptotic with continuity correction otherwise.
    Auto,
    /// From all arrangements; asymptotic where their number exceeds 2^126.
    Exact,
    /// The normal approximation with correction for ties.
    Asymptotic {
        /// Whether half a rank is taken off the distance.
        continuity: bool,
    },
}

/// The Mann-Whitney U test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannWhitney {
    /// U of the reference: pairs in which the reference is larger, equal pairs counted half.
    pub statistic: f64,
    /// `None` when all values are equal and no correction for continuity makes up for it.
    pub p_value: Option<f64>,
}

/// Tests whether values of one sample tend to be larger, as scipy 1.17.1 `mannwhitneyu(reference, current)`.
///
/// # Errors
/// When a sample is empty or holds a value that is not finite.
pub fn mann_whitney(
    reference: &[f64],
    current: &[f64],
    alternative: Alternative,
    method: MannWhitneyMethod,
) -> Result<MannWhitney, SampleError> {
    check("reference", reference, 1)?;
    check("current", current, 1)?;
    let (ranks, ties) = midranks(reference, current);
    let (n1, n2) = (reference.len() as f64, current.len() as f64);
    let statistic = ranks[..reference.len()].iter().sum::<f64>() - n1 * (n1 + 1.0) / 2.0;
    let other = n1 * n2 - statistic;
    let (u, sides) = match alternative {
        Alternative::Greater => (statistic, 1.0),
        Alternative::Less => (other, 1.0),
        Alternative::TwoSided => (statistic.max(other), 2.0),
    };
    let tied = ties.iter().any(|count| *count > 1.0);
    let few = n1 <= 8.0 || n2 <= 8.0;
    let exact = match method {
        MannWhitneyMethod::Auto => few && !tied,
        MannWhitneyMethod::Exact => true,
        MannWhitneyMethod::Asymptotic { .. } => false,
    };
    let tail = exact.then(|| exact_tail(u.floor() as usize, reference.len(), current.len())).flatten();
    let tail = tail.or_else(|| {
        let continuity = method != MannWhitneyMethod::Asymptotic { continuity: false };
        let n = n1 + n2;
        let tie_term: f64 = ties.iter().map(|t| t * t * t - t).sum();
        let spread = (n1 * n2 / 12.0 * ((n + 1.0) - tie_term / (n * (n - 1.0)))).max(0.0).sqrt();
        let z = (u - n1 * n2 / 2.0 - if continuity { 0.5 } else { 0.0 }) / spread;
        (!z.is_nan()).then(|| normal_sf(z))
    });
    Ok(MannWhitney { statistic, p_value: tail.map(|tail| (sides * tail).clamp(0.0, 1.0)) })
}

/// Chance of at least `u`, from the counts of arrangements: the coefficients of the Gaussian binomial of n1 + n2 over n1 (Mann and
/// Whitney 1947), built factor by factor in integers. `None` where they do not fit.
fn exact_tail(u: usize, n1: usize, n2: usize) -> Option<f64> {
    let (few, many) = (n1.min(n2), n1.max(n2));
    let ln_total = ln_binomial((n1 + n2) as f64, few as f64);
    if ln_total > 126.0 * std::f64::consts::LN_2 || few.saturating_mul(many) > 50_000_000 {
        return None;
    }
    let (u, most) = (u.min(few * many), few * many);
    // The distribution is symmetric: sum from whichever end is nearer.
    let complement = most - u;
    let last = complement.min(u);
    let mut counts = vec![0_i128; last + 1];
    counts[0] = 1;
    for i in 1..=few {
        for at in (many + i..=last).rev() {
            counts[at] -= counts[at - many - i];
        }
        for at in i..=last {
            counts[at] += counts[at - i];
        }
    }
    let mut total = 1_i128;
    for i in 1..=few {
        total = total * (many + i) as i128 / i as i128;
    }
    let sum: i128 = counts.iter().sum();
    let share = |count: i128| count as f64 / total as f64;
    Some(if u < complement { 1.0 - share(sum) + share(counts[last]) } else { share(sum) })
}
