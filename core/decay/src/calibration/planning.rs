use super::Calibration;
use crate::Policy;
use crate::special::{normal_isf, normal_sf};

/// What a policy can find in a rate, and how soon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Level of one look at one metric.
    pub alpha: f64,
    /// Windows after which the policy's test finds the drop with the wanted chance: M of the policy's M-of-N should be about this.
    pub windows: u32,
    /// Windows before which no test whatsoever finds it with that chance at as few false alarms (Neyman and Pearson).
    pub least: u32,
}

/// How many windows of `n` samples it takes to tell a rate of `rate` from one that is lower by `drop`, with the chance `power`,
/// within the budget; `None` for figures that are no rates, or when 100,000 windows do not do.
///
/// By the normal approximation with a long baseline: a plan, not a test.
#[must_use]
pub fn plan(policy: &Policy, calibration: &Calibration, rate: f64, drop: f64, n: u64, power: f64) -> Option<Plan> {
    let after = rate - drop;
    if !(rate < 1.0 && after > 0.0 && drop > 0.0 && power > 0.0 && power < 1.0 && n > 0) {
        return None;
    }
    let alpha = calibration.alpha(policy);
    let spread = |rate: f64| (rate * (1.0 - rate)).sqrt();
    let needed = |tests: f64| {
        let z = normal_isf(alpha / tests) * spread(rate) + normal_isf(1.0 - power) * spread(after);
        ((z / drop).powi(2) / n as f64).ceil().max(1.0)
    };
    let first = needed(1.0);
    // The test is made over several numbers of windows, which share the level.
    let windows = needed(crate::confirm::lengths(policy.breach, (2.0 * first) as usize).len().max(1) as f64);
    // The likelihood ratio's mean and spread of one sample after the drop.
    let (gain, loss) = ((after / rate).ln(), ((1.0 - after) / (1.0 - rate)).ln());
    let mean = after * gain + (1.0 - after) * loss;
    let deviation = spread(after) * (loss - gain);
    let possible = |windows: f64| {
        let samples = windows * n as f64;
        // At best an alarm at every ratio above c: chance after the drop <= e^c P(alarm without) + P(ratio > c).
        let without = alpha * windows;
        let best = (1..400)
            .map(|step| f64::from(step) * 0.1)
            .map(|c| c.exp() * without + normal_sf((c - samples * mean) / (samples.sqrt() * deviation)));
        best.fold(1.0, f64::min)
    };
    let least = (1..=100_000_u32).find(|windows| possible(f64::from(*windows)) >= power)?;
    (windows <= 1e5).then_some(Plan { alpha, windows: windows as u32, least })
}
