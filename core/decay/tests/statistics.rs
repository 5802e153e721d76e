//! What holds of every test, distance and detector, whatever it is given.

use std::collections::BTreeMap;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_decay::sequential::{
    Adwin, BernoulliCusum, Cusum, Ddm, Detector, Eddm, Ewma, Fhddm, HddmA, HddmW, Kswin, PageHinkley, PythonRandom,
};
use homeostat_decay::two_sample::{
    Alternative, Binned, KsMethod, MannWhitneyMethod, TestResult, chi_square_fit, chi_square_table, cramer_von_mises,
    embedding_energy, embedding_mmd, energy_distance, entropy, evidently_bins, evidently_chi_square,
    evidently_hellinger, evidently_z, fisher_exact, g_test, hellinger, jensen_shannon, kolmogorov_sf,
    kolmogorov_smirnov, kullback_leibler, mann_whitney, normed_wasserstein, proportions_z, psi, psi_test,
    quantile_bins, total_variation, wasserstein, welch,
};
use homeostat_decay::{Calibration, bernoulli_cusum_run_length, cusum_run_length, dispersion, plan};
use proptest::prelude::*;

fn anything() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -100.0..100.0_f64,
        2 => (0_i32..4).prop_map(f64::from),
        1 => any::<f64>(),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(-0.0),
    ]
}

fn sample() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        prop::collection::vec(-50.0..50.0_f64, 1..40),
        prop::collection::vec((0_i32..5).prop_map(f64::from), 1..40)
    ]
}

fn is_chance(p: Option<f64>) -> bool {
    p.is_none_or(|p| (0.0..=1.0).contains(&p))
}

/// The p-values of all tests on a pair of samples, or the errors.
fn all_p(a: &[f64], b: &[f64]) -> Vec<Option<f64>> {
    let p = |test: Result<TestResult, _>| test.ok().and_then(|test: TestResult| test.p_value);
    let ks = |method| kolmogorov_smirnov(a, b, method).ok().and_then(|test| test.p_value);
    let u = |side, method| mann_whitney(a, b, side, method).ok().and_then(|test| test.p_value);
    vec![
        ks(KsMethod::Auto),
        ks(KsMethod::Exact),
        ks(KsMethod::Asymptotic),
        u(Alternative::TwoSided, MannWhitneyMethod::Auto),
        u(Alternative::TwoSided, MannWhitneyMethod::Exact),
        u(Alternative::Less, MannWhitneyMethod::Asymptotic { continuity: true }),
        u(Alternative::Greater, MannWhitneyMethod::Asymptotic { continuity: false }),
        p(welch(a, b)),
        p(cramer_von_mises(a, b)),
        p(psi_test(a, b, 10)),
        p(evidently_chi_square(a, b)),
        p(evidently_z(a, b)),
    ]
}

fn detectors() -> Vec<(&'static str, Box<dyn Detector>)> {
    vec![
        ("ADWIN", Box::new(Adwin::default())),
        ("ADWIN of odd settings", Box::new(Adwin::new(f64::NAN, 0, 0, 0, 0))),
        ("Page-Hinkley", Box::new(PageHinkley::default())),
        ("DDM", Box::new(Ddm::default())),
        ("EDDM", Box::new(Eddm::default())),
        ("FHDDM", Box::new(Fhddm::new(20, 0.1))),
        ("HDDM_A", Box::new(HddmA::new(0.1, 0.2, true))),
        ("HDDM_W", Box::new(HddmW::new(0.1, 0.2, 0.1, true))),
        ("KSWIN", Box::new(Kswin::new(0.1, 20, 30, 1))),
        ("CUSUM", Box::new(Cusum::new(0.5, 5.0))),
        ("Bernoulli CUSUM", Box::new(BernoulliCusum::for_run_length(0.2, 0.4, 1000.0).expect("a limit"))),
        ("EWMA", Box::new(Ewma::new(0.1, 2.7))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_chances_are_chances(
        a in prop::collection::vec(anything(), 0..40),
        b in prop::collection::vec(anything(), 0..40),
    ) {
        for p in all_p(&a, &b) {
            prop_assert!(is_chance(p), "{:?}", p);
        }
        let sound = |values: &[f64]| !values.is_empty() && values.iter().all(|value| value.is_finite());
        prop_assert_eq!(wasserstein(&a, &b).is_ok(), sound(&a) && sound(&b));
        drop((energy_distance(&a, &b), normed_wasserstein(&a, &b), evidently_hellinger(&a, &b)));
        drop((quantile_bins(&a, &b, 0), evidently_bins(&a, &b), kullback_leibler(&a, &b), entropy(&a)));
        drop((jensen_shannon(&a, &b, Some(2.0)), chi_square_fit(&a, &b)));
        let table = [a.clone(), b.clone()];
        for test in [chi_square_table(&table, true), g_test(&table)] {
            prop_assert!(is_chance(test.ok().and_then(|test| test.p_value)));
        }
        let points: Vec<Vec<f64>> = a.chunks(3).map(<[f64]>::to_vec).collect();
        let others: Vec<Vec<f64>> = b.chunks(3).map(<[f64]>::to_vec).collect();
        drop((embedding_energy(&points, &others, 9, 1), embedding_mmd(&points, &others, 9, 1)));
    }

    #[test]
    fn distances_are_symmetric_zero_for_equals_and_bounded(a in sample(), b in sample()) {
        for distance in [wasserstein, energy_distance, evidently_hellinger] {
            let there = distance(&a, &b).expect("finite values");
            let back = distance(&b, &a).expect("finite values");
            prop_assert!((there - back).abs() <= 1e-9 * (1.0 + there), "{} {}", there, back);
            prop_assert!(there >= 0.0 && distance(&a, &a).expect("finite values") < 1e-7);
        }
        let bins = quantile_bins(&a, &b, 7).expect("finite values");
        let turned = Binned { reference: bins.current.clone(), current: bins.reference.clone() };
        prop_assert!((bins.current.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        prop_assert!((0.0..=1.0).contains(&hellinger(&bins)) && (0.0..=1.0 + 1e-12).contains(&total_variation(&bins)));
        prop_assert!((psi(&bins.filled()) - psi(&turned.filled())).abs() < 1e-9 && psi(&bins.filled()) >= 0.0);
        let js = jensen_shannon(&bins.reference, &bins.current, Some(2.0)).expect("shares");
        let other = jensen_shannon(&turned.reference, &turned.current, Some(2.0)).expect("shares");
        prop_assert!((js - other).abs() < 1e-7 && (0.0..=1.0 + 1e-9).contains(&js));
        prop_assert!(kullback_leibler(&bins.reference, &bins.current).expect("shares") >= -1e-12);
    }

    #[test]
    fn tests_do_not_care_for_order_side_or_scale(a in sample(), b in sample(), shuffle in any::<u64>()) {
        let mut random = PythonRandom::new(shuffle);
        let shuffled: Vec<f64> = random.sample(a.len(), a.len()).into_iter().map(|index| a[index]).collect();
        let scaled = |values: &[f64]| -> Vec<f64> { values.iter().map(|value| 4.0 * value).collect() };
        let close = |x: Option<f64>, y: Option<f64>| match (x, y) {
            (Some(x), Some(y)) => (x - y).abs() <= 1e-9,
            (x, y) => x == y,
        };
        let p = all_p(&a, &b);
        for (index, ((x, y), z)) in
            p.iter().zip(all_p(&shuffled, &b)).zip(all_p(&scaled(&a), &scaled(&b))).enumerate()
        {
            prop_assert!(close(*x, y) && close(*x, z), "test {}: {:?} {:?} {:?}", index, x, y, z);
        }
        // Two-sided tests of two samples do not care which is the reference; those with bins from the reference do.
        for (index, (x, y)) in p.iter().zip(all_p(&b, &a)).enumerate() {
            if ![5, 6, 9, 10].contains(&index) {
                prop_assert!(close(*x, y), "test {}: {:?} {:?}", index, x, y);
            }
        }
    }

    #[test]
    fn detectors_take_anything_and_leave_out_what_is_no_number(
        stream in prop::collection::vec(anything(), 0..300),
        bits in prop::collection::vec(any::<bool>(), 0..300),
    ) {
        for (name, mut detector) in detectors() {
            for value in &stream {
                let _ = detector.update(*value);
            }
            prop_assert_eq!(detector.update(f64::NAN), Default::default(), "{}", name);
        }
        for ((name, mut plain), (_, mut holed)) in detectors().into_iter().zip(detectors()) {
            for bit in &bits {
                let value = f64::from(u8::from(*bit));
                holed.update(f64::NAN);
                prop_assert_eq!(plain.update(value), holed.update(value), "{}", name);
            }
        }
    }

    #[test]
    fn figures_of_calibration_stay_within_reason(x in anything(), y in anything(), n in any::<i64>(), k in any::<u64>()) {
        let _ = (cusum_run_length(x, y.min(10.0), x), bernoulli_cusum_run_length(x, n % 50, n % 7, n % 100));
        prop_assert!(kolmogorov_sf(k % 5000, x).is_none_or(|p| (0.0..=1.0).contains(&p)));
        prop_assert!(dispersion(&[(x, y); 9]).is_none_or(|factor| factor >= 1.0));
        let test = fisher_exact([[k % 40, k % 7], [k % 11, k % 13]]);
        prop_assert!((0.0..=1.0).contains(&test.p_value));
        prop_assert!(proportions_z((k % 9, k % 10), (k % 5, k % 6)).map_or(true, |test| is_chance(test.p_value)));
        let _ = homeostat_decay::hour_of_week(UtcMillis(n)) < 168;
    }
}

#[test]
fn kolmogorovs_tail_falls_and_joins_where_its_formulas_meet() {
    for n in [1, 2, 10, 139, 140, 141, 1000, 100_000, 100_001] {
        let mut last = 1.0;
        for step in 0..=200 {
            let d = f64::from(step) / 200.0;
            let p = kolmogorov_sf(n, d).expect("a chance");
            assert!(p <= last + 1e-7, "{n} {d}: {p} after {last}");
            last = p;
        }
        assert_eq!(kolmogorov_sf(n, 1.0), Some(0.0));
    }
}

#[test]
fn errors_say_which_value_of_which_sample() {
    let error = wasserstein(&[1.0, f64::NAN], &[1.0]).expect_err("no number").to_string();
    assert_eq!(error, "value 1 of the reference sample is NaN: leave missing values out before testing");
    let error = welch(&[1.0], &[]).expect_err("empty").to_string();
    assert_eq!(error, "the current sample has 0 values: the test needs at least 1");
    let uneven = [vec![0.0, 1.0], vec![1.0]];
    assert!(embedding_energy(&uneven, &uneven, 9, 1).expect_err("uneven").to_string().contains("one model"));
}

#[test]
fn embeddings_of_another_place_are_found() {
    let mut random = PythonRandom::new(4);
    let mut cloud =
        |shift: f64| -> Vec<Vec<f64>> { (0..40).map(|_| (0..8).map(|_| random.unit() + shift).collect()).collect() };
    let (a, b, far) = (cloud(0.0), cloud(0.0), cloud(0.4));
    for test in [embedding_energy, embedding_mmd] {
        assert!(test(&a, &b, 199, 1).expect("points").p_value > 0.05);
        assert_eq!(test(&a, &far, 199, 1).expect("points").p_value, 0.005);
    }
}

#[test]
fn a_level_is_the_budgets_share_of_a_look() {
    use homeostat_decay::{Breach, Policy};
    let policy = |metrics: usize, window: u64| {
        let rules = (0..metrics).map(|index| homeostat_decay::MetricRule {
            name: index.to_string(),
            source: homeostat_decay::MetricSource::PromQl("up".to_string()),
            condition: homeostat_decay::Condition::AboveAbsolute(1.0),
            action: homeostat_decay::Action::Warn,
            severity: homeostat_decay::Severity::Info,
        });
        Policy {
            window: Duration::from_secs(window),
            minimum_samples: 1,
            breach: Breach { windows: 3, of: 4 },
            no_data_after: Duration::from_secs(3600),
            false_alarms: homeostat_decay::FalseAlarmBudget::default(),
            metrics: rules.collect(),
        }
    };
    let calibration = Calibration::default();
    let alpha = calibration.alpha(&policy(20, 60));
    assert!((alpha * 20.0 * 43_200.0 - 0.1).abs() < 1e-12);
    assert_eq!(calibration.alpha(&policy(1, 30 * 86_400)), 0.025);
    let nothing = Calibration {
        budget: homeostat_decay::FalseAlarmBudget { alerts: 0.0, per: Duration::ZERO },
        dispersion: BTreeMap::new(),
    };
    assert!(nothing.alpha(&policy(1, 60)) > 0.0);
    let plan = plan(&policy(20, 60), &calibration, 0.9, 0.05, 60, 0.9).expect("a plan");
    assert!(plan.least >= 15 && plan.windows >= plan.least && plan.windows < 2 * plan.least, "{plan:?}");
}
