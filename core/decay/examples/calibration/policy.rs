//! A policy over simulated months: how often it alerts without drift, and how soon with one.

use std::collections::BTreeMap;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_decay::sequential::PythonRandom;
use homeostat_decay::{
    Action, Baseline, Breach, Calibration, Condition, Margin, MetricBaseline, MetricRule, MetricSource, Outcome,
    Policy, PolicyWindow, Reference, SeriesState, Severity, SliceBaseline, analyse_calibrated,
};
use homeostat_quality::registry::metric;
use homeostat_quality::{Moments, Sketch, Slice, Source};

/// One observation a second.
const SAMPLES: u64 = 60;
const WINDOW: Duration = Duration::from_secs(60);
const START: UtcMillis = UtcMillis(1_779_999_960_000);
const METRIC: &str = "exact_match";

/// `metrics` rules on rates: below the baseline by `margin`.
pub(crate) fn policy(metrics: u32, breach: Breach, margin: f64) -> Policy {
    let rule = |index| MetricRule {
        name: format!("metric {index}"),
        source: MetricSource::Agents(metric(METRIC).expect("a metric"), Source::Golden),
        condition: Condition::BelowBaseline(Margin::Absolute(margin)),
        action: Action::Alert,
        severity: Severity::Warning,
    };
    let policy = Policy {
        window: WINDOW,
        minimum_samples: 50,
        breach,
        no_data_after: Duration::from_secs(3600),
        false_alarms: homeostat_decay::FalseAlarmBudget::default(),
        metrics: (0..metrics).map(rule).collect(),
    };
    policy.checked().expect("a sound policy")
}

/// Windows of zeros and ones of one rate, drawn by the inverse of their binomial distribution.
struct Draw {
    cumulative: Vec<f64>,
}

impl Draw {
    fn of(rate: f64) -> Self {
        let mut chance = (1.0 - rate).powf(SAMPLES as f64);
        let mut sum = 0.0;
        let cumulative = (0..=SAMPLES).map(|k| {
            sum += chance;
            chance *= (SAMPLES - k) as f64 / (k + 1) as f64 * rate / (1.0 - rate);
            sum
        });
        Self { cumulative: cumulative.collect() }
    }

    fn right(&self, rng: &mut PythonRandom) -> u64 {
        let u = rng.unit();
        (self.cumulative.partition_point(|sum| *sum < u) as u64).min(SAMPLES)
    }
}

fn moments(right: u64, n: u64) -> Sketch {
    Sketch::Moments(Moments { n, sum: right as f64, squares: right as f64 })
}

/// What was right in each recent window of one rule, with its series for the analysis.
struct Series {
    windows: Vec<PolicyWindow>,
    right: Vec<u64>,
    keep: usize,
}

impl Series {
    fn push(&mut self, index: u32, right: u64) {
        if self.windows.len() == self.keep {
            self.windows.remove(0);
            self.right.remove(0);
        }
        let slices = BTreeMap::from([(Slice::default(), moments(right, SAMPLES))]);
        self.windows.push(PolicyWindow { start: START.plus(WINDOW * index), slices });
        self.right.push(right);
    }

    /// Whether M of the last N windows are beyond the threshold, without which no verdict is Degraded.
    fn may_be_degraded(&self, breach: Breach, threshold: f64) -> bool {
        let last = &self.right[self.right.len().saturating_sub(breach.of as usize)..];
        let beyond = last.iter().filter(|right| (**right as f64) < threshold * SAMPLES as f64).count();
        beyond >= breach.windows as usize
    }
}

/// A day's worth of answers, as the soak of a version leaves them.
fn baseline(rate: f64, rng: &mut PythonRandom) -> Baseline {
    let draw = Draw::of(rate);
    let right: u64 = (0..1440).map(|_| draw.right(rng)).sum();
    let held = SliceBaseline { sketch: moments(right, 1440 * SAMPLES), weight: 1.0 };
    let metric = MetricBaseline {
        metric: METRIC.to_string(),
        source: Source::Golden,
        slices: BTreeMap::from([(Slice::default(), held)]),
    };
    Baseline {
        frozen_at: START,
        prompts_digest: "prompts".to_string(),
        references_digest: "references".to_string(),
        metrics: vec![metric],
    }
}

/// One rule of a policy by itself, with the whole policy's level.
struct Watch<'a> {
    policy: &'a Policy,
    calibration: &'a Calibration,
    baseline: Baseline,
    threshold: f64,
    series: Series,
}

impl<'a> Watch<'a> {
    fn new(policy: &'a Policy, calibration: &'a Calibration, rate: f64, rng: &mut PythonRandom) -> Self {
        let baseline = baseline(rate, rng);
        let held = baseline.metrics[0].value_of(METRIC).expect("a value").value;
        let threshold = policy.metrics[0].condition.threshold(Some(held)).expect("a threshold");
        // As many as the controller reads.
        let keep = policy.breach.of as usize + 60;
        let series = Series { windows: Vec::new(), right: Vec::new(), keep };
        Self { policy, calibration, baseline, threshold, series }
    }

    fn is_degraded(&mut self, index: u32, right: u64) -> bool {
        self.series.push(index, right);
        if !self.series.may_be_degraded(self.policy.breach, self.threshold) {
            return false;
        }
        let now = START.plus(WINDOW * (index + 1));
        let state = SeriesState::Windows { windows: std::mem::take(&mut self.series.windows), newest: Some(now) };
        let mut series = BTreeMap::from([(self.policy.metrics[0].name.clone(), state)]);
        let reference = Reference::Frozen(&self.baseline);
        let analysis = analyse_calibrated(self.policy, reference, self.calibration, &series, START, now);
        if let Some(SeriesState::Windows { windows, .. }) = series.remove(&self.policy.metrics[0].name) {
            self.series.windows = windows;
        }
        analysis.verdicts[0].outcome == Outcome::Degraded
    }
}

/// False alerts of all metrics of `policy` in `days` days at a steady rate: beginnings of Degraded. The baseline is frozen anew every 30
/// days.
pub(crate) fn false_alerts(policy: &Policy, calibration: &Calibration, rate: f64, days: u32, seed: u64) -> u32 {
    let draw = Draw::of(rate);
    let mut alerts = 0;
    for rule in 0..policy.metrics.len() {
        let mut rng = PythonRandom::new(seed << 16 | rule as u64);
        for start in (0..days).step_by(30) {
            let mut watch = Watch::new(policy, calibration, rate, &mut rng);
            let mut was = false;
            for index in 0..(days - start).min(30) * 1440 {
                let right = draw.right(&mut rng);
                let is = watch.is_degraded(index, right);
                alerts += u32::from(is && !was);
                was = is;
            }
        }
    }
    alerts
}

/// In how many windows after a drop of one metric it is found, sorted; `limit` stands for not found by then.
pub(crate) fn delays(
    policy: &Policy,
    calibration: &Calibration,
    (before, after): (f64, f64),
    runs: u32,
    limit: u32,
    seed: u64,
) -> Vec<u32> {
    let (good, bad) = (Draw::of(before), Draw::of(after));
    let mut rng = PythonRandom::new(seed);
    let mut delays: Vec<u32> = (0..runs)
        .map(|_| {
            let mut watch = Watch::new(policy, calibration, before, &mut rng);
            let warm = watch.series.keep as u32;
            for index in 0..warm {
                let right = good.right(&mut rng);
                watch.series.push(index, right);
            }
            (1..=limit).find(|step| watch.is_degraded(warm + step - 1, bad.right(&mut rng))).unwrap_or(limit)
        })
        .collect();
    delays.sort_unstable();
    delays
}

/// The upper end of the one-sided 95 % interval of a Poisson mean of which `count` were seen (Garwood 1936), by bisection.
pub(crate) fn poisson_upper(count: u32) -> f64 {
    let cdf = |mean: f64| {
        let mut term = (-mean).exp();
        let mut sum = term;
        for k in 1..=count {
            term *= mean / f64::from(k);
            sum += term;
        }
        sum
    };
    let (mut low, mut high) = (0.0, 10.0 + 3.0 * f64::from(count));
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if cdf(middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}
