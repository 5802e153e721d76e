//! Windows held against the same hour of the week, and against a control beside them.

use std::collections::BTreeMap;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_decay::{
    Action, BaselineSeries, Breach, Calibration, Condition, Margin, MetricRule, MetricSource, Outcome, Policy,
    PolicyWindow, Reference, SeasonalBaseline, SeriesState, Severity, Verdict, analyse_calibrated,
};
use homeostat_quality::registry::metric;
use homeostat_quality::{Moments, Sketch, Slice, Source};

const QUARTER: Duration = Duration::from_secs(900);
/// Monday 6 January 2025, 00:00 UTC.
const MONDAY: UtcMillis = UtcMillis(1_736_121_600_000);

fn window(start: UtcMillis, right: u32) -> PolicyWindow {
    let sketch = Sketch::Moments(Moments { n: 400, sum: f64::from(right), squares: f64::from(right) });
    PolicyWindow { start, slices: BTreeMap::from([(Slice::default(), sketch)]) }
}

/// Four windows from `start` of so many right answers of 400.
fn hour(start: UtcMillis, right: u32) -> Vec<PolicyWindow> {
    (0..4).map(|i| window(start.plus(QUARTER * i), right)).collect()
}

fn judge(reference: Reference<'_>, calibration: &Calibration, windows: Vec<PolicyWindow>) -> Verdict {
    let policy = Policy {
        window: QUARTER,
        minimum_samples: 200,
        breach: Breach { windows: 3, of: 4 },
        no_data_after: Duration::from_secs(3600),
        false_alarms: homeostat_decay::FalseAlarmBudget::default(),
        metrics: vec![MetricRule {
            name: "answers".to_string(),
            source: MetricSource::Agents(metric("exact_match").expect("a metric"), Source::Golden),
            condition: Condition::BelowBaseline(Margin::Absolute(0.03)),
            action: Action::Retrain,
            severity: Severity::Critical,
        }],
    };
    let now = windows.last().map_or(MONDAY, |window| window.start.plus(QUARTER));
    let state = SeriesState::Windows { windows, newest: Some(now) };
    let series = BTreeMap::from([("answers".to_string(), state)]);
    analyse_calibrated(&policy, reference, calibration, &series, MONDAY, now).verdicts.remove(0)
}

#[test]
fn a_rhythm_is_no_decay_but_a_loss_within_it_is() {
    let (night, day) = (MONDAY, MONDAY.plus(Duration::from_secs(12 * 3600)));
    // Nights are worse: .8 against .95.
    let windows = [hour(night, 320), hour(day, 380)].concat();
    let series = [BaselineSeries { metric: "exact_match", source: Source::Golden, windows: &windows }];
    let seasonal = SeasonalBaseline::freeze(day, "p", "r", 200, &series).expect("enough samples");
    let week = Duration::from_secs(7 * 24 * 3600);
    let calibration = Calibration::default();
    let at =
        |start: UtcMillis, right| judge(Reference::Seasonal(&seasonal), &calibration, hour(start.plus(week), right));
    assert_eq!(at(night, 320).outcome, Outcome::Healthy);
    assert_eq!(at(day, 340).outcome, Outcome::Degraded, "{}", at(day, 340).explanation);
    // The same figures against the whole week's mix: a night is a breach, a bad day is none.
    let whole = |right| judge(Reference::Frozen(&seasonal.whole), &calibration, hour(night.plus(week), right)).outcome;
    assert_eq!((whole(320), whole(352)), (Outcome::Degraded, Outcome::Healthy));
    // An hour that was never seen is held against the whole.
    let unseen = MONDAY.plus(Duration::from_secs(5 * 3600));
    assert_eq!(at(unseen, 320).outcome, Outcome::Degraded);
}

#[test]
fn a_control_beside_takes_out_what_both_have() {
    let control = |right| BTreeMap::from([("answers".to_string(), hour(MONDAY, right))]);
    let calibration = Calibration::default();
    let beside = |controls: &BTreeMap<String, Vec<PolicyWindow>>, right| {
        judge(Reference::Concurrent(controls), &calibration, hour(MONDAY, right)).outcome
    };
    assert_eq!(beside(&control(300), 300), Outcome::Healthy, "both are as bad");
    assert_eq!(beside(&control(380), 300), Outcome::Degraded);
    assert_eq!(beside(&BTreeMap::new(), 300), Outcome::Inconclusive, "no control, no comparison");
}

#[test]
fn windows_that_scatter_more_than_their_samples_have_to_prove_more() {
    let control = BTreeMap::from([("answers".to_string(), hour(MONDAY, 380))]);
    let scattered =
        Calibration { dispersion: BTreeMap::from([("answers".to_string(), 20.0)]), ..Calibration::default() };
    let verdict = judge(Reference::Concurrent(&control), &scattered, hour(MONDAY, 340));
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    assert!(verdict.explanation.ends_with("this may still be chance."), "{}", verdict.explanation);
    let verdict = judge(Reference::Concurrent(&control), &Calibration::default(), hour(MONDAY, 340));
    assert_eq!(verdict.outcome, Outcome::Degraded);
}
