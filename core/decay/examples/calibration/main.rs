//! False alarms and delays, measured and held against the targets; ends with 1 when one is missed.
//!
//! ```text
//! cargo run -p homeostat-decay --example calibration            # some minutes
//! cargo run -p homeostat-decay --example calibration -- short   # some seconds, wider tolerances
//! cargo run -p homeostat-decay --example calibration -- tests   # one part: tests, detectors or policies
//! cargo run -p homeostat-decay --example calibration -- limits  # finds the limits of the detectors anew
//! ```

mod detectors;
mod levels;
mod policy;

use std::process::ExitCode;

use detectors::{Entry, RATE, RUN_LENGTH, Stream};
use homeostat_decay::{Breach, Calibration, FalseAlarmBudget, Policy, plan};

/// How much is simulated.
#[derive(Clone, Copy)]
struct Extent {
    days: u32,
    runs: u32,
    alarms: u32,
    /// (size of the samples, how many pairs).
    levels: &'static [(usize, u32)],
}

const FULL: Extent =
    Extent { days: 270, runs: 2000, alarms: 400, levels: &[(50, 20_000), (500, 8000), (5000, 3000), (50_000, 1200)] };
const SHORT: Extent = Extent { days: 90, runs: 300, alarms: 60, levels: &[(50, 10_000), (500, 3000)] };

/// Counts misses and prints lines.
#[derive(Default)]
struct Bench {
    missed: u32,
}

impl Bench {
    fn line(&mut self, what: &str, found: String, target: &str, met: bool) {
        self.missed += u32::from(!met);
        println!("{what:<44} {found:<58} target {target:<30} {}", if met { "met" } else { "MISSED" });
    }

    fn note(&self, what: &str, found: String) {
        println!("{what:<44} {found:<58} (to compare)");
    }
}

fn main() -> ExitCode {
    let mode = std::env::args().nth(1).unwrap_or_default();
    if mode == "limits" {
        limits();
        return ExitCode::SUCCESS;
    }
    let extent = if mode == "short" { SHORT } else { FULL };
    let mut bench = Bench::default();
    let asked = |part: &str| !["policies", "detectors", "tests"].contains(&mode.as_str()) || mode == part;
    if asked("tests") {
        tests(&mut bench, extent);
    }
    if asked("detectors") {
        raw(&mut bench, extent);
    }
    if asked("policies") {
        policies(&mut bench, extent);
    }
    println!("{} targets missed", bench.missed);
    if bench.missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn policies(bench: &mut Bench, extent: Extent) {
    let days = f64::from(extent.days);
    println!("Policies: 20 rates of .9, windows of 60 s, one observation a second, {days} days without drift");
    let calibration = Calibration::default();
    let slow = policy::policy(20, Breach { windows: 32, of: 64 }, 0.01);
    let fast = policy::policy(20, Breach { windows: 3, of: 4 }, 0.03);
    for (name, rules) in [("32 of 64, 1 point", &slow), ("3 of 4, 3 points", &fast)] {
        let alerts = policy::false_alerts(rules, &calibration, 0.9, extent.days, 17);
        let upper = policy::poisson_upper(alerts) * 30.0 / days;
        let found = format!("{alerts} false alerts, at most {upper:.2} in 30 days (95 %)");
        bench.line(&format!("{name}: false alerts"), found, "<= 1 in 30 days", upper <= 1.0);
    }
    for (name, rules, drop) in [
        ("32 of 64, 1 point", &slow, (0.9, 0.85)),
        ("3 of 4, 3 points", &fast, (0.9, 0.85)),
        ("3 of 4, 3 points", &fast, (0.98, 0.02)),
    ] {
        let delays = policy::delays(rules, &calibration, drop, extent.runs, 240, 18);
        let least = rules.breach.windows;
        let within = delays.iter().filter(|delay| **delay <= least + 2).count() as f64 / delays.len() as f64;
        let mean = delays.iter().sum::<u32>() as f64 / delays.len() as f64;
        let (median, most) = (delays[delays.len() / 2], delays[delays.len() * 95 / 100]);
        let what = format!("{name}: {} to {}", drop.0, drop.1);
        let found = format!(
            "mean {mean:.1} windows, median {median}, 95 % by {most}; {:.0} % by {}",
            within * 100.0,
            least + 2
        );
        if std::ptr::eq(rules, &slow) || drop.1 < 0.5 {
            bench.line(&what, found, &format!("90 % by M + 2 = {}", least + 2), within >= 0.9);
        } else {
            bench.note(&what, found);
        }
    }
    if let Some(plan) = plan(&fast, &calibration, 0.9, 0.05, 60, 0.9) {
        let found = format!("{} windows; this test needs about {}", plan.least, plan.windows);
        bench.note("no test finds .05 of .9 (90 %) before", found);
    }
    unlimited(bench, &fast, 30);
    bench.note("always fires", "43200 false alerts a metric in 30 days, delay 1 window".to_string());
    bench.note("never fires", "0 false alerts, finds nothing".to_string());
}

/// A level of .025 a test, which is what an interval of 95 % amounts to.
fn unlimited(bench: &Bench, rules: &Policy, days: u32) {
    let lavish = FalseAlarmBudget { alerts: 1e12, ..FalseAlarmBudget::default() };
    let lax = Calibration { budget: lavish, ..Calibration::default() };
    let alerts = policy::false_alerts(rules, &lax, 0.9, days, 17);
    bench.note("3 of 4, 3 points, 95 % interval without budget", format!("{alerts} false alerts in {days} days"));
}

fn raw(bench: &mut Bench, extent: Extent) {
    println!("Detectors at a run of {RUN_LENGTH:.0} without drift, zeros and ones of rate {RATE}");
    let slack = 1.0 - 2.5 / f64::from(extent.alarms).sqrt();
    let mut row = |entry: &Entry, before: Stream, changes: &[(&str, Stream, f64)]| {
        let most = u64::from(extent.alarms) * if entry.offered { 400_000 } else { 10_000 };
        let run = detectors::run_length(entry, before, extent.alarms, most, 5);
        let mut found = format!("run {run:.0}");
        let mut target = format!(">= {:.0}", RUN_LENGTH);
        let mut met = run >= RUN_LENGTH * slack;
        for (name, after, most) in changes {
            let (delay, missed) =
                detectors::delay(entry, before, *after, if entry.offered { extent.runs.min(1000) } else { 60 }, 6);
            found.push_str(&format!(", {name} in {delay:.0}"));
            if missed > 0 {
                found.push_str(&format!(" ({missed} missed)"));
            }
            target.push_str(&format!(", {most}"));
            met &= delay <= *most && missed == 0;
        }
        if entry.offered {
            bench.line(entry.name, found, &target, met);
        } else {
            bench.note(entry.name, found);
        }
    };
    let changes = [("to .5", Stream::Rate(0.5), 80.0), ("to .3", Stream::Rate(0.3), 530.0)];
    for entry in detectors::on_rates() {
        row(&entry, Stream::Rate(RATE), &changes);
    }
    let changes = [(".5 sigma", Stream::Shift(0.5), 115.0)];
    for entry in detectors::on_normals() {
        row(&entry, Stream::Shift(0.0), &changes);
    }
}

fn tests(bench: &mut Bench, extent: Extent) {
    println!("Tests: share rejected at {} without drift", levels::ALPHA);
    let held = |found: f64| (found / levels::ALPHA - 1.0).abs() <= 0.2;
    for (n, times) in extent.levels {
        for (name, found) in levels::TESTS.iter().zip(levels::levels(*n, *times, 31)) {
            let what = format!("{name}, n = {n}");
            bench.line(&what, format!("{found:.4} of {times}"), ".04 to .06", held(found));
        }
    }
    let times = extent.levels[0].1 / 5;
    for (name, found) in ["energy", "MMD"].iter().zip(levels::embedding_levels(50, times, 32)) {
        bench.line(&format!("embeddings, {name}, n = 50"), format!("{found:.4} of {times}"), ".04 to .06", held(found));
    }
}

/// Finds limits by bisection on simulated runs.
fn limits() {
    let streams = [(detectors::on_rates(), Stream::Rate(RATE)), (detectors::on_normals(), Stream::Shift(0.0))];
    for (entries, stream) in streams {
        for entry in entries.iter().filter(|entry| entry.limit != RUN_LENGTH && !entry.name.ends_with("as it comes")) {
            let at = |limit: f64| {
                let entry = Entry { name: entry.name, offered: entry.offered, limit, make: entry.make };
                detectors::run_length(&entry, stream, 200, 40_000_000, 99)
            };
            // Confidences are below one and shorten the run as they grow, limits lengthen it.
            let rising = entry.limit >= 1.0;
            let (mut low, mut high) = (entry.limit / 4.0, entry.limit * 4.0);
            for _ in 0..12 {
                let middle = (low * high).sqrt();
                if (at(middle) < RUN_LENGTH) == rising { low = middle } else { high = middle }
            }
            println!("{:<30} {:.5}", entry.name, (low * high).sqrt());
        }
    }
}
