//! The vectors of the project's reference page on detectors.

use homeostat_decay::cusum_run_length;
use homeostat_decay::sequential::{Adwin, Cusum, Ddm, Detector, Eddm, Ewma, HddmA, HddmW, PageHinkley, PythonRandom};
use homeostat_decay::two_sample::{
    Binned, KsMethod, evidently_bins, hellinger, jensen_shannon, kolmogorov_smirnov, kullback_leibler,
    normed_wasserstein, psi,
};

fn close(found: f64, expected: f64, absolute: f64) {
    assert!((found - expected).abs() <= absolute, "{found} is not {expected}");
}

#[test]
fn distances() {
    let reference: Vec<f64> = (1..=100).map(f64::from).collect();
    let current: Vec<f64> = (11..=110).map(f64::from).collect();
    let bins = evidently_bins(&reference, &current).expect("bins");
    assert_eq!(bins.reference.len(), 9);
    close(psi(&bins.filled()), 0.293_267_413_758_685_4, 1e-12);
    close(jensen_shannon(&bins.reference, &bins.current, None).expect("shares"), 0.183_551_459_981_306_95, 1e-12);
    close(normed_wasserstein(&reference, &current).expect("values"), 0.346_427_483_320_997_5, 1e-12);
    let test = kolmogorov_smirnov(&reference, &current, KsMethod::Auto).expect("values");
    close(test.p_value.expect("a p-value"), 0.702_056_982_866_488_1, 1e-12);
    let (p, q) = (vec![0.1, 0.2, 0.3, 0.4], vec![0.4, 0.3, 0.2, 0.1]);
    close(jensen_shannon(&p, &q, None).expect("shares"), 0.326_251_6, 1e-7);
    close(jensen_shannon(&p, &q, Some(2.0)).expect("shares"), 0.391_868_2, 1e-7);
    close(kullback_leibler(&p, &q).expect("shares"), 0.456_434_8, 1e-7);
    let bins = Binned { reference: p, current: q };
    close(psi(&bins), 0.912_869_6, 1e-7);
    close(hellinger(&bins), 0.331_816_3, 1e-7);
}

fn first(detector: &mut dyn Detector, stream: &[f64]) -> Option<usize> {
    stream.iter().position(|value| detector.update(*value).drift)
}

#[test]
fn alarm_indices() {
    let step: Vec<f64> = (0..1000).map(|i| if i < 500 { 0.0 } else { 1.0 }).collect();
    assert_eq!(first(&mut Adwin::default(), &step), Some(511));
    assert_eq!(first(&mut PageHinkley::default(), &step), Some(553));
    assert_eq!(first(&mut Ddm::default(), &step), Some(500));
    assert_eq!(first(&mut Eddm::default(), &step), Some(530));
    assert_eq!(first(&mut HddmA::default(), &step), Some(503));
    assert_eq!(first(&mut HddmW::default(), &step), Some(510));
    let every = |i: usize| i.is_multiple_of(if i < 1000 { 5 } else { 2 });
    let mixed: Vec<f64> = (0..2000).map(|i| f64::from(u8::from(every(i)))).collect();
    assert_eq!(first(&mut Adwin::default(), &mixed), Some(1087));
    assert_eq!(first(&mut PageHinkley::default(), &mixed), Some(1184));
    assert_eq!(first(&mut Ddm::default(), &mixed), Some(1090));
    assert_eq!(first(&mut HddmA::default(), &mixed), Some(1040));
    assert_eq!(first(&mut HddmW::default(), &mixed), None);
}

/// Standard normal numbers by Box and Muller.
fn normal(rng: &mut PythonRandom) -> f64 {
    let (u, v): (f64, f64) = (rng.unit(), rng.unit());
    (-2.0 * (1.0 - u).ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
}

#[test]
fn run_lengths() {
    let mut rng = PythonRandom::new(3);
    let mut mean = |make: &dyn Fn() -> Box<dyn Detector>, shift: f64, runs: u32| -> f64 {
        let mut sum = 0_u64;
        for _ in 0..runs {
            let mut detector = make();
            sum += 1;
            while !detector.update(normal(&mut rng) + shift).drift {
                sum += 1;
            }
        }
        sum as f64 / f64::from(runs)
    };
    // Means of exponential times: 4000 runs are good to 2 %, three deviations to 5 %.
    for (limit, without, with) in [(4.0, 166.0, 8.5), (5.0, 474.0, 10.3)] {
        let cusum = || -> Box<dyn Detector> { Box::new(Cusum::new(0.5, limit)) };
        close(mean(&cusum, 0.0, 4000) / without, 1.0, 0.06);
        close(mean(&cusum, 1.0, 4000) / with, 1.0, 0.06);
        close(cusum_run_length(0.5, limit, 0.0).expect("a run") / without, 1.0, 0.03);
        close(cusum_run_length(0.5, limit, 1.0).expect("a run") / with, 1.0, 0.03);
    }
    let ewma = || -> Box<dyn Detector> { Box::new(Ewma::new(0.1, 2.7)) };
    close(mean(&ewma, 0.0, 4000) / 379.0, 1.0, 0.06);
    close(mean(&ewma, 1.0, 4000) / 9.8, 1.0, 0.06);
}
