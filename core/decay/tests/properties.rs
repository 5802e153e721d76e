//! What holds of every analysis, whatever was observed.

use std::collections::BTreeMap;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_decay::{
    Action, Baseline, BaselineSeries, Breach, Condition, Margin, MetricRule, MetricSource, Outcome, Policy,
    PolicyWindow, SeriesState, Severity, analyse, mix_drift,
};
use homeostat_quality::registry::{Statistic, metric};
use homeostat_quality::{Sketch, Slice, Source};
use proptest::prelude::*;

const STEP: Duration = Duration::from_secs(60);
const START: UtcMillis = UtcMillis(1_779_999_960_000);

fn policy(condition: Condition) -> Policy {
    let name = "exact_match";
    Policy {
        window: STEP,
        minimum_samples: 30,
        breach: Breach { windows: 2, of: 3 },
        no_data_after: STEP * 5,
        false_alarms: homeostat_decay::FalseAlarmBudget::default(),
        metrics: vec![MetricRule {
            name: name.to_string(),
            source: MetricSource::Agents(metric(name).expect("a metric"), Source::Golden),
            condition,
            action: Action::Retrain,
            severity: Severity::Critical,
        }],
    }
}

/// (right, answers) of up to three slices.
type Counts = Vec<(u64, u64)>;

fn counts() -> impl Strategy<Value = Counts> {
    prop::collection::vec((0u64..=60).prop_flat_map(|n| (0..=n, Just(n))), 0..4)
}

fn window(index: u32, counts: &Counts) -> PolicyWindow {
    let slices = counts.iter().enumerate().map(|(slice, (right, n))| {
        let mut sketch = Sketch::empty(Statistic::Mean);
        (0..*n).for_each(|i| sketch.observe(f64::from(u8::from(i < *right))));
        (Slice::new(format!("s{slice}")), sketch)
    });
    PolicyWindow { start: START.plus(STEP * index), slices: slices.collect() }
}

fn conditions() -> impl Strategy<Value = Condition> {
    prop_oneof![
        (0.0..1.0_f64).prop_map(Condition::BelowAbsolute),
        (0.0..0.3_f64).prop_map(|by| Condition::BelowBaseline(Margin::Absolute(by))),
        (0.0..0.3_f64).prop_map(|by| Condition::BelowBaseline(Margin::Relative(by))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_outcome_follows_from_its_figures(
        condition in conditions(),
        base in counts(),
        now in prop::collection::vec(counts(), 0..6),
        age in 0u32..9,
        silent: bool,
    ) {
        let frozen = [window(0, &base)];
        let series = BaselineSeries { metric: "exact_match", source: Source::Golden, windows: &frozen };
        let baseline = Baseline::freeze(START, "p", "r", 1, [series]).ok();
        let windows: Vec<PolicyWindow> = now.iter().zip(0..).map(|(counts, i)| window(i, counts)).collect();
        let end = START.plus(STEP * u32::try_from(windows.len()).expect("few"));
        let policy = policy(condition).checked().expect("a sound policy");
        let at = end.plus(STEP * age);
        let newest = (!silent).then_some(end);
        let series = BTreeMap::from([("exact_match".to_string(), SeriesState::Windows { windows, newest })]);
        let analysis = analyse(&policy, baseline.as_ref(), &series, START.minus(STEP * 99), at);
        prop_assert_eq!(&analysis, &analyse(&policy, baseline.as_ref(), &series, START.minus(STEP * 99), at));
        let verdict = &analysis.verdicts[0];
        prop_assert_eq!(verdict.outcome == Outcome::NoData, silent || age > 5);
        prop_assert_eq!(verdict.since.is_some(), verdict.outcome == Outcome::Degraded);
        prop_assert!(verdict.breached <= verdict.judged && verdict.judged <= 3);
        prop_assert!(!verdict.explanation.contains("NaN") && verdict.explanation.ends_with('.'));
        if let Some(current) = verdict.current {
            prop_assert!(0.0 <= current.low && current.low <= current.value);
            prop_assert!(current.value <= current.high && current.high <= 1.0);
        }
        match verdict.outcome {
            Outcome::Degraded => {
                prop_assert!(verdict.breached >= 2);
                let high = verdict.current.expect("a value").high;
                prop_assert!(high < verdict.threshold.expect("a threshold"));
                prop_assert!(baseline.is_some() || !condition.needs_baseline());
            }
            Outcome::Healthy => prop_assert!(verdict.judged >= 2 && verdict.breached < 2),
            Outcome::Inconclusive | Outcome::NoData => {}
            Outcome::SourceError => prop_assert!(false, "no source failed"),
        }
        let text = serde_json::to_string(&analysis).expect("JSON");
        let read: homeostat_decay::Analysis = serde_json::from_str(&text).expect("JSON");
        prop_assert_eq!(read.verdicts[0].outcome, verdict.outcome);
    }

    #[test]
    fn a_mix_drifts_alike_whatever_its_slices_are_called(counts in prop::collection::vec(0u64..500, 1..6)) {
        let name = |order: &dyn Fn(usize) -> usize| -> (BTreeMap<Slice, u64>, BTreeMap<Slice, u64>) {
            let slice = |i: usize| Slice::new(format!("s{}", order(i)));
            (counts.iter().enumerate().map(|(i, _)| (slice(i), 100)).collect(),
             counts.iter().enumerate().map(|(i, n)| (slice(i), *n)).collect())
        };
        let (then, now) = name(&|i| i);
        let (turned_then, turned) = name(&|i| 100 - i);
        match (mix_drift(&then, &now), mix_drift(&turned_then, &turned)) {
            (Some(a), Some(b)) => {
                prop_assert!((a.psi - b.psi).abs() < 1e-9 && (a.p_value - b.p_value).abs() < 1e-9);
                prop_assert!(a.psi >= 0.0 && (0.0..=1.0).contains(&a.p_value));
            }
            (a, b) => prop_assert_eq!(a, b),
        }
    }
}
