//! Special functions that the tests of the other crates stand on.

/// ln Gamma(x) for x > 0, to about 1e-14: shifted above 10, then Stirling's series (Abramowitz and Stegun 6.1.41).
#[must_use]
pub fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 10.0 {
        shift += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let terms = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    let series = inverse * terms.iter().rev().fold(0.0, |sum, term| sum * square + term);
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - shift
}

/// Survival function of the chi-square distribution: the chance of at least `statistic` with `freedom` degrees.
///
/// The regularised upper incomplete gamma function Q(freedom / 2, statistic / 2), by its series below a + 1 and by its
/// continued fraction (modified Lentz) above: Numerical Recipes, third edition, section 6.2.
#[must_use]
pub fn chi_square_sf(statistic: f64, freedom: f64) -> f64 {
    let (a, x) = (freedom / 2.0, statistic / 2.0);
    if a <= 0.0 || x.is_nan() || x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    let tail = if x < a + 1.0 { 1.0 - front * gamma_series(a, x) } else { front * gamma_fraction(a, x) };
    tail.clamp(0.0, 1.0)
}

fn gamma_series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut k) = (1.0 / a, 1.0 / a, a);
    for _ in 0..10_000 {
        k += 1.0;
        term *= x / k;
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum
}

fn gamma_fraction(a: f64, x: f64) -> f64 {
    let tiny = 1e-300;
    let not_zero = |value: f64| if value.abs() < tiny { tiny } else { value };
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / tiny;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for i in 1..10_000 {
        let i = f64::from(i);
        let step = -i * (i - a);
        b += 2.0;
        d = 1.0 / not_zero(step * d + b);
        c = not_zero(b + step / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found} is not {expected}");
    }

    #[test]
    fn the_chi_square_tail_agrees_with_scipy() {
        close(chi_square_sf(10.0, 3.0), 0.018_566_135_463_043_25, 1e-12);
        // Goodness of fit of seven cells from the project's reference answers (scipy 1.17.1).
        close(chi_square_sf(164.888_933_282_579_44, 6.0), 5.453_188_776_633_536_5e-33, 1e-11);
        // One degree: erfc(1 / sqrt 2). Two degrees: exp(-x / 2).
        close(chi_square_sf(1.0, 1.0), 0.317_310_507_862_914_15, 1e-12);
        close(chi_square_sf(7.0, 2.0), (-3.5_f64).exp(), 1e-13);
        close(chi_square_sf(0.5, 2.0), (-0.25_f64).exp(), 1e-13);
        assert_eq!(chi_square_sf(0.0, 3.0), 1.0);
        assert_eq!(chi_square_sf(5.0, 0.0), 1.0);
    }

    #[test]
    fn the_gamma_function_agrees_with_its_closed_forms() {
        close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-13);
        close(ln_gamma(11.0), 3_628_800_f64.ln(), 1e-14);
        close(ln_gamma(3.0), 2.0_f64.ln(), 1e-13);
    }
}
