//! Raw detectors at one run length: how soon each finds a change.

use std::sync::OnceLock;

use homeostat_decay::sequential::{
    Adwin, BernoulliCusum, Cusum, Ddm, Detector, Direction, Eddm, Ewma, HddmA, HddmW, Kswin, PageHinkley, PythonRandom,
};

/// Run length without drift at which all are compared.
pub(crate) const RUN_LENGTH: f64 = 1e5;
/// Rate without drift of the zeros and ones.
pub(crate) const RATE: f64 = 0.2;

/// A detector with the limit that gives it [`RUN_LENGTH`].
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// Offered for alerting, so the targets are asked of it; the others are here to be compared with.
    pub(crate) offered: bool,
    pub(crate) limit: f64,
    pub(crate) make: fn(f64) -> Box<dyn Detector>,
}

impl Entry {
    pub(crate) fn detector(&self) -> Box<dyn Detector> {
        (self.make)(self.limit)
    }
}

/// Zeros and ones standardised on the frozen reference.
struct Standardised<D>(D);

impl<D: Detector> Detector for Standardised<D> {
    fn update(&mut self, value: f64) -> homeostat_decay::sequential::Signal {
        self.0.update((value - RATE) / (RATE * (1.0 - RATE)).sqrt())
    }
}

/// For zeros and ones. Limits were found by `--calibrate`, that of the likelihood ratio is computed.
pub(crate) fn on_rates() -> Vec<Entry> {
    let entry = |name, offered, limit, make| Entry { name, offered, limit, make };
    vec![
        entry("likelihood CUSUM .2 to .3", true, RUN_LENGTH, |run| {
            static FOUND: OnceLock<BernoulliCusum> = OnceLock::new();
            Box::new(*FOUND.get_or_init(|| BernoulliCusum::for_run_length(RATE, 0.3, run).expect("a limit")))
        }),
        entry("CUSUM, allowance .125", true, 35.4, |limit| Box::new(Standardised(Cusum::new(0.125, limit)))),
        entry("EWMA, weight .01", true, 4.06, |limit| Box::new(Standardised(Ewma::new(0.01, limit)))),
        entry("Page-Hinkley, delta .05", true, 14.2, |limit| {
            Box::new(PageHinkley::new(30, 0.05, limit, 1.0, Direction::Up))
        }),
        entry("ADWIN, clock 8", true, 0.045, |delta| Box::new(Adwin::new(delta, 8, 5, 5, 10))),
        entry("HDDM_W, weight .01", false, 0.0002, |chance| Box::new(HddmW::new(chance, 0.5, 0.01, false))),
        entry("HDDM_A", false, 0.002, |chance| Box::new(HddmA::new(chance, 0.5, false))),
        entry("DDM as it comes", false, 3.0, |limit| Box::new(Ddm::new(30, 2.0, limit))),
        entry("EDDM as it comes", false, 0.9, |beta| Box::new(Eddm::new(30, 0.95, beta))),
        entry("KSWIN, 100/30", false, 3e-5, |alpha| Box::new(Kswin::new(alpha, 100, 30, 7))),
    ]
}

/// For standard normal observations.
pub(crate) fn on_normals() -> Vec<Entry> {
    let entry = |name, offered, limit, make| Entry { name, offered, limit, make };
    vec![
        entry("CUSUM, allowance .25", true, RUN_LENGTH, |run| {
            static FOUND: OnceLock<Cusum> = OnceLock::new();
            Box::new(*FOUND.get_or_init(|| Cusum::for_run_length(0.25, run).expect("a limit")))
        }),
        entry("EWMA, weight .03", true, 4.16, |limit| Box::new(Ewma::new(0.03, limit))),
        entry("Page-Hinkley, delta .25", true, 18.0, |limit| {
            Box::new(PageHinkley::new(30, 0.25, limit, 1.0, Direction::Up))
        }),
        entry("ADWIN, clock 8", true, 0.012, |delta| Box::new(Adwin::new(delta, 8, 5, 5, 10))),
    ]
}

/// A stream of zeros and ones, or of normal numbers.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Rate(f64),
    Shift(f64),
}

impl Stream {
    fn next(self, rng: &mut PythonRandom) -> f64 {
        match self {
            Self::Rate(rate) => f64::from(u8::from(rng.unit() < rate)),
            Self::Shift(shift) => {
                let (u, v): (f64, f64) = (rng.unit(), rng.unit());
                shift + (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
            }
        }
    }
}

/// Observations an alarm without drift, over `alarms` of them or `most` observations.
pub(crate) fn run_length(entry: &Entry, stream: Stream, alarms: u32, most: u64, seed: u64) -> f64 {
    let mut rng = PythonRandom::new(seed);
    let mut detector = entry.detector();
    let (mut seen, mut n) = (0, 0_u64);
    while seen < alarms && n < most {
        n += 1;
        seen += u32::from(detector.update(stream.next(&mut rng)).drift);
    }
    n as f64 / f64::from(seen.max(1))
}

/// Observations between a change after 5000 good ones and the alarm, on average, and how many of the runs had none within 20,000. A
/// run with a false alarm before the change begins again.
pub(crate) fn delay(entry: &Entry, before: Stream, after: Stream, runs: u32, seed: u64) -> (f64, u32) {
    const MOST: u32 = 20_000;
    let mut rng = PythonRandom::new(seed);
    let (mut sum, mut found, mut missed) = (0_u64, 0_u32, 0_u32);
    for _ in 0..runs {
        let mut detector = loop {
            let mut detector = entry.detector();
            if (0..5000).all(|_| !detector.update(before.next(&mut rng)).drift) {
                break detector;
            }
        };
        match (1..=MOST).find(|_| detector.update(after.next(&mut rng)).drift) {
            Some(after) => (sum, found) = (sum + u64::from(after), found + 1),
            None => missed += 1,
        }
    }
    (sum as f64 / f64::from(found.max(1)), missed)
}
