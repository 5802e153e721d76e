//! The chance of a weighted sum of sample means being so far off, to a few per cent however small it is.
//!
//! The normal approximation is off by an order of magnitude at the levels that a false-alarm budget asks for: at a rate of .9 and
//! n = 240 the tail at 4.6 standard deviations is 16 times as heavy. The saddlepoint approximation (Lugannani and Rice 1980, in
//! Barndorff-Nielsen's form) is not: its error is relative.

use crate::special::normal_sf;

/// One sample mean of the sum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Factor of the mean in the sum, positive.
    pub(crate) weight: f64,
    /// Observations.
    pub(crate) n: f64,
    /// Variance of one observation when nothing has changed.
    pub(crate) variance: f64,
    /// How far one observation can be above its expectation; infinite when there is no end.
    ///
    /// With an end the distribution is taken to be the worst with that variance, of two points (Bennett 1962), which for zeros and
    /// ones is their own; without one it is taken to be normal.
    pub(crate) reach: f64,
}

impl Part {
    fn says_something(&self) -> bool {
        self.weight > 0.0 && self.n > 0.0 && self.variance > 0.0 && self.variance.is_finite() && self.reach > 0.0
    }

    /// Cumulant generating function of the weighted mean at `t`, with its first two derivatives.
    fn cumulants(&self, t: f64) -> [f64; 3] {
        let step = self.weight / self.n;
        let theta = t * step;
        let (k, first, second) = if self.reach.is_infinite() {
            (0.5 * theta * theta * self.variance, theta * self.variance, self.variance)
        } else {
            let (top, bottom) = (self.reach, self.variance / self.reach);
            let chance = self.variance / (self.variance + top * top);
            let rest = (1.0 - chance) / chance * (-theta * (top + bottom)).exp();
            let k = theta * top + chance.ln() + rest.ln_1p();
            (k, (top - bottom * rest) / (1.0 + rest), (top + bottom).powi(2) * rest / (1.0 + rest).powi(2))
        };
        [self.n * k, self.weight * first, self.weight * step * second]
    }
}

/// Chance that the sum of the parts' weighted means is at least `distance` above its expectation.
pub(crate) fn chance(parts: &[Part], distance: f64) -> f64 {
    let parts: Vec<Part> = parts.iter().copied().filter(Part::says_something).collect();
    if distance.is_nan() || distance <= 0.0 || parts.is_empty() {
        return 1.0;
    }
    let most: f64 = parts.iter().map(|part| part.weight * part.reach).sum();
    if distance >= most * (1.0 - 1e-12) {
        let ln: f64 =
            parts.iter().map(|part| part.n * (part.variance / (part.variance + part.reach * part.reach)).ln()).sum();
        return ln.exp();
    }
    let cumulants = |t: f64| {
        parts
            .iter()
            .map(|part| part.cumulants(t))
            .fold([0.0; 3], |sum, add| [sum[0] + add[0], sum[1] + add[1], sum[2] + add[2]])
    };
    let spread = cumulants(0.0)[2];
    let mut high = distance / spread;
    for _ in 0..200 {
        if cumulants(high)[1] >= distance {
            break;
        }
        high *= 2.0;
    }
    let mut low = 0.0;
    let mut t = (distance / spread).min(high);
    for _ in 0..100 {
        let [_, slope, curve] = cumulants(t);
        if slope < distance {
            low = t
        } else {
            high = t
        }
        let next = t - (slope - distance) / curve;
        let next = if next > low && next < high { next } else { 0.5 * (low + high) };
        if (next - t).abs() <= 1e-12 * t {
            t = next;
            break;
        }
        t = next;
    }
    let [k, _, curve] = cumulants(t);
    let r = (2.0 * (t * distance - k)).max(0.0).sqrt();
    let u = t * curve.sqrt();
    if r < 1e-4 || u <= 0.0 {
        return 0.5;
    }
    let p = normal_sf(r + (u / r).ln() / r);
    // Chernoff's bound holds in any case.
    if p.is_nan() { (k - t * distance).exp() } else { p.min((k - t * distance).exp()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binomial_tails_are_met_within_the_weight_of_one_outcome() {
        // P(X <= k) of 240 at .9, exactly (sum of the binomial distribution).
        for k in [190.0, 196.0, 202.0, 208.0] {
            let exact = |k: f64| -> f64 {
                (0..=k as u32)
                    .map(f64::from)
                    .map(|i| {
                        (crate::special::ln_binomial(240.0, i) + i * 0.9_f64.ln() + (240.0 - i) * 0.1_f64.ln()).exp()
                    })
                    .sum()
            };
            let part = Part { weight: 1.0, n: 240.0, variance: 0.09, reach: 0.9 };
            let found = chance(&[part], 0.9 - k / 240.0);
            assert!(found < exact(k) * 1.05 && found > exact(k - 1.0) * 0.9, "{k}: {found:e} {:e}", exact(k));
        }
    }

    #[test]
    fn normal_parts_are_normal_and_ends_are_met() {
        let part = Part { weight: 1.0, n: 100.0, variance: 4.0, reach: f64::INFINITY };
        let p = chance(&[part], 1.0);
        assert!((p / normal_sf(5.0) - 1.0).abs() < 1e-6, "{p:e}");
        let all = Part { weight: 1.0, n: 10.0, variance: 0.25, reach: 0.5 };
        assert!((chance(&[all], 0.5) - 0.5_f64.powi(10)).abs() < 1e-12);
        assert_eq!(chance(&[all], 0.0), 1.0);
        assert_eq!(chance(&[], 0.5), 1.0);
        assert_eq!(chance(&[all], f64::NAN), 1.0);
    }
}
