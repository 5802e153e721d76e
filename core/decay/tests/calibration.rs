//! The calibration bench in short: `examples/calibration` measures the same at length.

#[path = "../examples/calibration/detectors.rs"]
mod detectors;
#[path = "../examples/calibration/levels.rs"]
mod levels;
#[path = "../examples/calibration/policy.rs"]
mod policy;

use detectors::{RATE, RUN_LENGTH, Stream};
use homeostat_decay::{Breach, Calibration};

#[test]
fn a_policy_of_twenty_metrics_keeps_its_budget_and_finds_drops() {
    let calibration = Calibration::default();
    let fast = policy::policy(20, Breach { windows: 3, of: 4 }, 0.03);
    let alerts = policy::false_alerts(&fast, &calibration, 0.9, 10, 1);
    assert!(alerts <= 1, "{alerts} false alerts in a month, against a budget of a tenth");
    assert!((policy::poisson_upper(0) - 2.9957).abs() < 1e-3);
    let crash = policy::delays(&fast, &calibration, (0.98, 0.02), 50, 20, 2);
    assert!(crash.iter().all(|delay| *delay <= 3), "a crash is found as soon as M windows say so: {crash:?}");
    let slow = policy::policy(20, Breach { windows: 32, of: 64 }, 0.01);
    let delays = policy::delays(&slow, &calibration, (0.9, 0.85), 60, 240, 3);
    let within = delays.iter().filter(|delay| **delay <= 34).count();
    assert!(within * 100 >= 85 * delays.len(), "{within} of 60 drops of 5 points found within two windows of M");
}

#[test]
fn detectors_for_alerting_find_changes_near_lordens_bound() {
    let rates = [("to .5", Stream::Rate(0.5), 80.0), ("to .3", Stream::Rate(0.3), 530.0)];
    let shifts = [(".5 sigma", Stream::Shift(0.5), 115.0)];
    let all = [
        (detectors::on_rates(), Stream::Rate(RATE), &rates[..]),
        (detectors::on_normals(), Stream::Shift(0.0), &shifts[..]),
    ];
    for (entries, before, changes) in all {
        for entry in entries.iter().filter(|entry| entry.offered) {
            for (change, after, most) in changes {
                let (delay, missed) = detectors::delay(entry, before, *after, 100, 4);
                assert!(delay <= *most && missed == 0, "{}: {change} in {delay}, {missed} missed", entry.name);
            }
            // Ten alarms: one run in a thousand is below 30 %.
            let run = detectors::run_length(entry, before, 10, 4_000_000, 5);
            assert!(run > 0.3 * RUN_LENGTH, "{} at {}: {run}", entry.name, entry.limit);
        }
    }
}

#[test]
fn tests_hold_their_level() {
    for (name, level) in levels::TESTS.iter().zip(levels::levels(60, 4000, 6)) {
        // Within 20 %, and three deviations of 4000 draws.
        assert!((level - levels::ALPHA).abs() < 0.01 + 0.01, "{name}: {level}");
    }
    for level in levels::embedding_levels(20, 1000, 7) {
        assert!((level - levels::ALPHA).abs() < 0.01 + 0.02, "{level}");
    }
}
