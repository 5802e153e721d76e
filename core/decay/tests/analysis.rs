//! One rule held against its series: the five outcomes, and what noise and a shifted mix may not do.

use std::collections::BTreeMap;
use std::time::Duration;

use homeostat_clock::{Seed, UtcMillis};
use homeostat_decay::{
    Action, Baseline, BaselineError, BaselineSeries, Breach, Condition, Margin, MetricRule, MetricSource, Outcome,
    Policy, PolicyWindow, SeriesState, Severity, Verdict, analyse,
};
use homeostat_quality::registry::metric;
use homeostat_quality::{Sketch, Slice, Source};
use rand::RngExt;

const MINUTE: Duration = Duration::from_secs(60);
const START: UtcMillis = UtcMillis(1_779_999_960_000);

fn policy(name: &str, condition: Condition) -> Policy {
    let source = MetricSource::Agents(metric(name).expect("a registry metric"), Source::Golden);
    with_source(name, source, condition)
}

fn with_source(name: &str, source: MetricSource, condition: Condition) -> Policy {
    let rule =
        MetricRule { name: name.to_string(), source, condition, action: Action::Retrain, severity: Severity::Critical };
    let policy = Policy {
        window: MINUTE,
        minimum_samples: 50,
        breach: Breach { windows: 3, of: 4 },
        no_data_after: Duration::from_secs(600),
        false_alarms: homeostat_decay::FalseAlarmBudget::default(),
        metrics: vec![rule],
    };
    policy.checked().expect("a sound policy")
}

fn below_baseline() -> Condition {
    Condition::BelowBaseline(Margin::Absolute(0.03))
}

/// A window's slices as (name, right answers, answers).
fn window(index: u32, slices: &[(&str, u32, u32)]) -> PolicyWindow {
    let sketches = slices.iter().map(|(slice, right, n)| {
        let mut sketch = Sketch::empty(metric("exact_match").expect("a metric").statistic);
        (0..*n).for_each(|i| sketch.observe(f64::from(u8::from(i < *right))));
        (Slice::new(*slice), sketch)
    });
    PolicyWindow { start: START.plus(MINUTE * index), slices: sketches.collect() }
}

fn latencies(index: u32, seconds: &[f64]) -> PolicyWindow {
    let mut sketch = Sketch::empty(metric("ttft_p99").expect("a metric").statistic);
    seconds.iter().for_each(|value| sketch.observe(*value));
    PolicyWindow { start: START.plus(MINUTE * index), slices: BTreeMap::from([(Slice::default(), sketch)]) }
}

fn baseline(windows: &[PolicyWindow]) -> Baseline {
    let series = BaselineSeries { metric: "exact_match", source: Source::Golden, windows };
    Baseline::freeze(START, "prompts", "references", 50, [series]).expect("enough samples")
}

fn good() -> Baseline {
    baseline(&[window(0, &[("currency", 360, 400), ("capital", 540, 600)])])
}

/// Judges windows 0.. at the end of the last one.
fn judge(policy: &Policy, baseline: Option<&Baseline>, windows: Vec<PolicyWindow>) -> Verdict {
    let end = windows.iter().map(|window| window.start.plus(MINUTE)).max().unwrap_or(START);
    judge_at(policy, baseline, SeriesState::Windows { windows, newest: Some(end) }, end)
}

fn judge_at(policy: &Policy, baseline: Option<&Baseline>, state: SeriesState, now: UtcMillis) -> Verdict {
    let series = BTreeMap::from([(policy.metrics[0].name.clone(), state)]);
    let analysis = analyse(policy, baseline, &series, START.minus(MINUTE * 1000), now);
    assert_eq!((analysis.at, analysis.verdicts.len()), (now, 1));
    let verdict = analysis.verdicts.into_iter().next().expect("one verdict");
    assert!(verdict.explanation.ends_with('.'), "{}", verdict.explanation);
    verdict
}

#[test]
fn a_loss_within_slices_is_degraded_with_its_evidence() {
    let windows = [
        window(0, &[("currency", 90, 100), ("capital", 135, 150)]),
        window(1, &[("currency", 50, 100), ("capital", 135, 150)]),
        window(2, &[("currency", 52, 100), ("capital", 133, 150)]),
        window(3, &[("currency", 48, 100), ("capital", 136, 150)]),
    ];
    let verdict = judge(&policy("exact_match", below_baseline()), Some(&good()), windows.to_vec());
    assert_eq!(verdict.outcome, Outcome::Degraded, "{verdict:#?}");
    assert_eq!((verdict.breached, verdict.judged, verdict.since), (3, 4, Some(START.plus(MINUTE))));
    assert_eq!(verdict.slices[0].0, Slice::new("currency"));
    insta::assert_snapshot!(verdict.explanation, @"exact_match on golden probes is 0.779 (95 % interval 0.755 to 0.803, n = 1000) at fixed mix, 0.121 below the baseline of 0.900; 3 of the last 4 windows of 1m were below the threshold of 0.870.");
}

#[test]
fn a_shifted_mix_is_not_a_loss() {
    let before = baseline(&[window(0, &[("easy", 470, 500), ("hard", 350, 500)])]);
    // The same rates within slices; the plain mean falls from .82 to .72.
    let shifted: Vec<PolicyWindow> = (0..4).map(|i| window(i, &[("easy", 94, 100), ("hard", 630, 900)])).collect();
    let verdict = judge(&policy("exact_match", below_baseline()), Some(&before), shifted);
    assert_eq!(verdict.outcome, Outcome::Healthy, "{}", verdict.explanation);
    assert!((verdict.current.expect("a value").value - 0.82).abs() < 1e-9);
}

#[test]
fn an_absent_slice_is_left_out_on_both_sides_until_too_little_is_covered() {
    let before = baseline(&[window(0, &[("easy", 588, 600), ("hard", 280, 400)])]);
    let easy: Vec<PolicyWindow> = (0..4).map(|i| window(i, &[("easy", 98, 100)])).collect();
    let verdict = judge(&policy("exact_match", below_baseline()), Some(&before), easy);
    assert_eq!(verdict.outcome, Outcome::Healthy);
    assert!((verdict.baseline.expect("a baseline").value - 0.98).abs() < 1e-9);
    assert!(verdict.explanation.contains("60 % of the baseline's mix"), "{}", verdict.explanation);
    let hard: Vec<PolicyWindow> = (0..4).map(|i| window(i, &[("hard", 10, 100), ("new", 0, 10)])).collect();
    let verdict = judge(&policy("exact_match", below_baseline()), Some(&before), hard);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    assert!(verdict.explanation.contains("only 40 %"), "{}", verdict.explanation);
}

#[test]
fn small_windows_and_missing_baselines_say_nothing() {
    let rule = policy("exact_match", below_baseline());
    let small: Vec<PolicyWindow> = (0..4).map(|i| window(i, &[("currency", 0, 20), ("capital", 0, 20)])).collect();
    let verdict = judge(&rule, Some(&good()), small);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    assert!(verdict.explanation.contains("the last has 40"), "{}", verdict.explanation);
    let bad: Vec<PolicyWindow> = (0..4).map(|i| window(i, &[("currency", 0, 100)])).collect();
    let verdict = judge(&rule, None, bad);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    assert!(verdict.explanation.contains("no frozen baseline") && verdict.current.is_some());
}

#[test]
fn breaches_that_may_be_chance_are_inconclusive() {
    // Three windows of .86 against a threshold of .87: beyond it, by less than the interval.
    let windows: Vec<PolicyWindow> = (0..4).map(|i| window(i, &[("currency", 34, 40), ("capital", 52, 60)])).collect();
    let verdict = judge(&policy("exact_match", below_baseline()), Some(&good()), windows);
    assert_eq!((verdict.outcome, verdict.breached, verdict.since), (Outcome::Inconclusive, 4, None));
}

#[test]
fn silence_is_no_data_after_its_time_and_inconclusive_before() {
    let rule = policy("exact_match", below_baseline());
    let series = BTreeMap::new();
    let at = |since: UtcMillis, now: UtcMillis| analyse(&rule, None, &series, since, now).verdicts[0].outcome;
    assert_eq!(at(START, START.plus(MINUTE * 10)), Outcome::Inconclusive);
    assert_eq!(at(START, START.plus(MINUTE * 11)), Outcome::NoData);
    let windows: Vec<PolicyWindow> = (0..4).map(|i| window(i, &[("currency", 0, 100)])).collect();
    let state = SeriesState::Windows { windows, newest: Some(START.plus(MINUTE * 4)) };
    let verdict = judge_at(&rule, Some(&good()), state, START.plus(MINUTE * 20));
    assert_eq!(verdict.outcome, Outcome::NoData);
    assert!(verdict.explanation.contains("for 16m"), "{}", verdict.explanation);
}

#[test]
fn open_windows_do_not_count() {
    let windows: Vec<PolicyWindow> = (0..3).map(|i| window(i, &[("currency", 0, 100), ("capital", 0, 100)])).collect();
    let now = START.plus(MINUTE * 3);
    let state = |windows| SeriesState::Windows { windows, newest: Some(now) };
    let rule = policy("exact_match", below_baseline());
    assert_eq!(judge_at(&rule, Some(&good()), state(windows.clone()), now).outcome, Outcome::Degraded);
    let early = now.minus(Duration::from_secs(1));
    assert_eq!(judge_at(&rule, Some(&good()), state(windows), early).outcome, Outcome::Inconclusive);
}

#[test]
fn latencies_against_an_absolute_bound_go_by_the_windows() {
    let rule = policy("ttft_p99", Condition::AboveAbsolute(0.8));
    let slow: Vec<f64> = (0..60).map(|i| if i < 57 { 0.2 } else { 1.5 }).collect();
    let verdict = judge(&rule, None, (0..4).map(|i| latencies(i, &slow)).collect());
    assert_eq!(verdict.outcome, Outcome::Degraded);
    assert!(verdict.explanation.contains("above the threshold of 800ms"), "{}", verdict.explanation);
    let verdict = judge(&rule, None, (0..4).map(|i| latencies(i, &[0.2; 60])).collect());
    assert_eq!((verdict.outcome, verdict.breached), (Outcome::Healthy, 0));
}

#[test]
fn a_query_is_judged_by_its_values() {
    let rule = with_source("queue", MetricSource::PromQl("sum(queue)".to_string()), Condition::AboveAbsolute(5.0));
    let judge = |values: &[Option<f64>]| {
        let values: Vec<(UtcMillis, Option<f64>)> =
            values.iter().zip(0..).map(|(value, i)| (START.plus(MINUTE * i), *value)).collect();
        let now = START.plus(MINUTE * u32::try_from(values.len()).expect("few"));
        judge_at(&rule, None, SeriesState::Values { values }, now)
    };
    assert_eq!(judge(&[Some(1.0), Some(9.0), Some(9.0), Some(9.0)]).outcome, Outcome::Degraded);
    assert_eq!(judge(&[Some(9.0), None, Some(9.0), Some(f64::NAN)]).outcome, Outcome::Inconclusive);
    // The missing window could have made it three.
    assert_eq!(judge(&[Some(1.0), None, Some(9.0), Some(9.0)]).outcome, Outcome::Inconclusive);
    assert_eq!(judge(&[Some(1.0), None, Some(1.0), Some(9.0)]).outcome, Outcome::Healthy);
    assert_eq!(judge(&[None, None, None, None]).outcome, Outcome::NoData);
}

#[test]
fn a_failed_source_is_its_own_outcome() {
    let rule = policy("exact_match", below_baseline());
    let state = SeriesState::Failed { reason: "the grader timed out".to_string() };
    let verdict = judge_at(&rule, Some(&good()), state, START);
    assert_eq!(verdict.outcome, Outcome::SourceError);
    assert!(verdict.explanation.contains("the grader timed out."));
    let verdict = judge_at(&rule, Some(&good()), SeriesState::Values { values: vec![] }, START);
    assert_eq!(verdict.outcome, Outcome::SourceError);
}

#[test]
fn a_run_of_breaches_is_dated_from_its_oldest_window() {
    let bad = |i| window(i, &[("currency", 40, 100), ("capital", 80, 150)]);
    let fine = |i| window(i, &[("currency", 90, 100), ("capital", 135, 150)]);
    let windows = vec![bad(0), fine(1), fine(2), bad(3), fine(4), bad(5), bad(6), bad(7)];
    let verdict = judge(&policy("exact_match", below_baseline()), Some(&good()), windows);
    assert_eq!(verdict.since, Some(START.plus(MINUTE * 3)), "one good window does not end a run of 3 of 4");
}

#[test]
fn a_baseline_is_frozen_whole_or_not_at_all() {
    let windows = [window(0, &[("a", 3, 4), ("b", 10, 12)])];
    let series = |source| BaselineSeries { metric: "exact_match", source, windows: &windows };
    let few = Baseline::freeze(START, "p", "r", 50, [series(Source::Golden)]).expect_err("too few");
    assert!(matches!(few, BaselineError::TooFew { n: 16, minimum: 50, .. }), "{few}");
    let frozen =
        Baseline::freeze(START, "p", "r", 16, [series(Source::Golden), series(Source::Traffic)]).expect("enough");
    let entry = frozen.metric("exact_match", Source::Golden).expect("an entry");
    assert!((entry.slices[&Slice::new("a")].weight - 0.25).abs() < 1e-12);
    assert!((entry.value_of("exact_match").expect("a value").value - 13.0 / 16.0).abs() < 1e-12);
    assert_eq!(frozen.traffic_counts()[&Slice::new("b")], 12);
    let without = Baseline::freeze(START, "p", "r", 50, [series(Source::Feedback)]).expect("feedback may be rare");
    assert!(without.metrics.is_empty());
    let text = serde_json::to_string(&frozen).expect("JSON");
    assert_eq!(serde_json::from_str::<Baseline>(&text).expect("JSON"), frozen);
}

/// What the M-of-N, the minimum and the interval together buy: 30 days of 15-minute windows without drift, 200 answers each.
#[test]
fn noise_alone_does_not_alarm_and_a_real_drop_does() {
    let rule = policy("exact_match", below_baseline());
    let good = good();
    let mut rng = Seed::fixed(11).rng("noise");
    let mut draw = |index: u32, rate: f64| {
        let mut right = || (0..100).filter(|_| rng.random_bool(rate)).count() as u32;
        window(index, &[("currency", right(), 100), ("capital", right(), 100)])
    };
    let mut recent: Vec<PolicyWindow> = Vec::new();
    let mut alarms = 0;
    for i in 0..2880 {
        recent.push(draw(i, 0.9));
        recent.drain(..recent.len().saturating_sub(4));
        alarms += u32::from(judge(&rule, Some(&good), recent.clone()).outcome == Outcome::Degraded);
    }
    assert!(alarms <= 1, "{alarms} false alarms");
    let dropped: Vec<PolicyWindow> = (0..5).map(|i| draw(i, 0.8)).collect();
    assert_eq!(judge(&rule, Some(&good), dropped).outcome, Outcome::Degraded);
}
