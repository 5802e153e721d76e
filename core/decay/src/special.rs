//! Special functions behind the tests, good to about 1e-11 relative down to the smallest normal number.

use homeostat_quality::special::{chi_square_sf, ln_gamma};

/// Complementary error function: Q(1/2, x^2) for x >= 0 (Abramowitz and Stegun 6.5.17), by reflection below.
pub(crate) fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        2.0 - erfc(-x)
    } else if x > 40.0 {
        0.0
    } else {
        chi_square_sf(2.0 * x * x, 1.0)
    }
}

/// Upper tail of the standard normal distribution.
pub(crate) fn normal_sf(z: f64) -> f64 {
    0.5 * erfc(z / std::f64::consts::SQRT_2)
}

/// The point whose upper tail is `p`, 0 < p < 1, by bisection on the tail (which is monotone): absolute error below 1e-12.
pub(crate) fn normal_isf(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if normal_sf(middle) > p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// ln of n over k for 0 <= k <= n.
pub(crate) fn ln_binomial(n: f64, k: f64) -> f64 {
    ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0)
}

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (modified Lentz; Numerical Recipes, third
/// edition, section 6.4), on the side where it converges fast.
pub(crate) fn beta_inc(a: f64, b: f64, x: f64) -> f64 {
    if x.is_nan() || a <= 0.0 || b <= 0.0 || x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b)).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, 1.0 - x) / b
    }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let not_zero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..20_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / not_zero(1.0 + even * d);
        c = not_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / not_zero(1.0 + odd * d);
        c = not_zero(1.0 + odd / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}

/// Chance of |T| >= |t| under Student's distribution: I_{v / (v + t^2)}(v / 2, 1 / 2) (Abramowitz and Stegun 26.7.1).
pub(crate) fn student_two_sided(t: f64, freedom: f64) -> f64 {
    if t.is_infinite() { 0.0 } else { beta_inc(0.5 * freedom, 0.5, freedom / (freedom + t * t)) }
}

/// exp(x) K_{1/4}(x) for x > 0, from the integral of exp(-x (cosh t - 1)) cosh(t / 4) over t > 0 (Abramowitz and Stegun 9.6.24). The
/// integrand falls doubly exponentially, so the trapezoidal rule is exact to rounding.
pub(crate) fn bessel_k_quarter_scaled(x: f64) -> f64 {
    let step = 1.0 / 64.0;
    let mut sum = 0.5;
    for i in 1..4096 {
        let t = step * f64::from(i);
        let decay = x * (t.cosh() - 1.0);
        if decay > 745.0 {
            break;
        }
        sum += (-decay).exp() * (0.25 * t).cosh();
    }
    sum * step
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found} is not {expected}");
    }

    #[test]
    fn tails_agree_with_scipy() {
        close(erfc(0.3), 0.671_373_240_540_872_6, 1e-12);
        close(erfc(-1.0), 1.842_700_792_949_714_8, 1e-13);
        close(normal_sf(5.0), 2.866_515_718_791_933e-7, 1e-12);
        close(normal_sf(37.0), 5.725_571_222_524_577e-300, 1e-10);
        close(normal_isf(0.025), 1.959_963_984_540_054, 1e-12);
        close(student_two_sided(2.0, 10.0), 0.073_388_034_770_740_35, 1e-12);
        close(student_two_sided(93.0, 60.0), 1.438_786_555_555_922e-66, 1e-11);
        close(bessel_k_quarter_scaled(1.0), 0.430_739_774_448_581_4 * std::f64::consts::E, 1e-12);
        close(bessel_k_quarter_scaled(0.003), 8.729_160_915_523_021 * 0.003_f64.exp(), 1e-10);
    }
}
