//! An e-process for two streams of Bernoulli outcomes: evidence that may be looked at after every request.

use homeostat_quality::special::ln_gamma;

/// How often something bad happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Count {
    /// Bad outcomes, 0 to `n`.
    pub(crate) bad: f64,
    /// All outcomes.
    pub(crate) n: f64,
}

/// ln of the e-value against "the candidate's rate is at most the stable version's plus `margin`".
///
/// Numerator: the likelihood of both streams, each mixed over its rate with Jeffreys' prior Beta(1/2, 1/2), which has a closed
/// form. Denominator: the largest likelihood that any pair of rates within the null hypothesis gives. For every fixed pair in
/// the null the mixture over its likelihood is a martingale of mean 1 in whatever order the outcomes arrive, and the ratio is
/// below it; so by Ville's inequality it ever reaches 1/alpha with a chance of at most alpha, however often it is looked at
/// (universal inference: Wasserman, Ramdas, Balakrishnan, PNAS 2020, section 7; mixtures: Robbins 1970).
pub(crate) fn ln_e_value(candidate: Count, stable: Count, margin: f64) -> f64 {
    ln_mixture(candidate) + ln_mixture(stable) - ln_largest_under_null(candidate, stable, margin)
}

/// ln of (B(k + 1/2, n - k + 1/2) / B(1/2, 1/2)).
fn ln_mixture(Count { bad, n }: Count) -> f64 {
    let ln_beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    ln_beta(bad + 0.5, n - bad + 0.5) - ln_beta(0.5, 0.5)
}

fn ln_likelihood(Count { bad, n }: Count, rate: f64) -> f64 {
    let part = |count: f64, chance: f64| if count > 0.0 { count * chance.max(0.0).ln() } else { 0.0 };
    part(bad, rate) + part(n - bad, 1.0 - rate)
}

fn ln_largest_under_null(candidate: Count, stable: Count, margin: f64) -> f64 {
    let rate = |count: Count| if count.n > 0.0 { count.bad / count.n } else { 0.0 };
    let free = |count: Count| ln_likelihood(count, rate(count));
    if candidate.n <= 0.0 || stable.n <= 0.0 || rate(candidate) <= rate(stable) + margin {
        return free(candidate) + free(stable);
    }
    // Outside the null, so the largest lies on its edge, along which the logarithm of the likelihood is concave.
    let edge = |low: f64| ln_likelihood(stable, low) + ln_likelihood(candidate, (low + margin).min(1.0));
    let (mut low, mut high) = (rate(stable), (rate(candidate) - margin).max(rate(stable)));
    for _ in 0..80 {
        let (left, right) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if edge(left) < edge(right) { low = left } else { high = right }
    }
    edge((low + high) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_data_is_no_evidence() {
        let none = Count { bad: 0.0, n: 0.0 };
        assert!(ln_e_value(none, none, 0.01).abs() < 1e-12);
        assert!(ln_e_value(Count { bad: 50.0, n: 50.0 }, none, 0.01) <= 0.0, "without a control nothing is proven");
    }

    #[test]
    fn evidence_grows_with_the_difference_and_not_without() {
        let stable = Count { bad: 10.0, n: 1000.0 };
        assert!(ln_e_value(Count { bad: 1.0, n: 100.0 }, stable, 0.01) < 0.0);
        assert!(ln_e_value(Count { bad: 15.0, n: 100.0 }, stable, 0.01) > 3.0);
        assert!(ln_e_value(Count { bad: 50.0, n: 100.0 }, stable, 0.01) > 30.0);
        assert!(ln_e_value(Count { bad: 5.0, n: 5.0 }, Count { bad: 0.0, n: 5.0 }, 0.0).is_finite());
    }
}
