//! The sequential test: how often it fails good canaries when it is asked all the time, and how soon it finds bad ones.

use homeostat_clock::{Rng, Seed};
use homeostat_quality::Moments;
use homeostat_rollout::canary::{CanaryEvidence, CanaryPolicy, CanaryVerdict, judge};
use rand::RngExt;

fn policy() -> CanaryPolicy {
    CanaryPolicy { latency: None, ..CanaryPolicy::default() }
}

/// Chances of (error, right answer) of a version.
#[derive(Clone, Copy)]
struct Version {
    error: f64,
    right: f64,
}

/// Feeds requests to both, one in ten graded, and asks every 10 requests; the request at which the canary failed.
fn failed_at(candidate: Version, stable: Version, share: f64, requests: u32, rng: &mut Rng) -> Option<u32> {
    let mut evidence = CanaryEvidence::default();
    for request in 1..=requests {
        let to_candidate = rng.random_bool(share);
        let version = if to_candidate { candidate } else { stable };
        let error = f64::from(u8::from(rng.random_bool(version.error)));
        let graded = rng.random_bool(0.1).then(|| f64::from(u8::from(rng.random_bool(version.right))));
        let (errors, quality): (&mut Moments, &mut Moments) = if to_candidate {
            (&mut evidence.candidate_errors, &mut evidence.candidate_quality)
        } else {
            (&mut evidence.stable_errors, &mut evidence.stable_quality)
        };
        errors.observe(error);
        if let Some(right) = graded {
            quality.observe(right);
        }
        if request % 10 == 0 && matches!(judge(&evidence, &policy()), CanaryVerdict::Fail { .. }) {
            return Some(request);
        }
    }
    None
}

/// Share of `rounds` in which the canary was failed, and the mean request at which.
fn simulate(candidate: Version, stable: Version, share: f64, requests: u32, rounds: u32) -> (f64, f64) {
    let mut rng = Seed::fixed(42).rng("canary");
    let failed: Vec<f64> =
        (0..rounds).filter_map(|_| failed_at(candidate, stable, share, requests, &mut rng)).map(f64::from).collect();
    let mean = failed.iter().sum::<f64>() / failed.len().max(1) as f64;
    (failed.len() as f64 / f64::from(rounds), mean)
}

#[test]
fn good_canaries_are_failed_no_more_often_than_alpha() {
    let good = Version { error: 0.007, right: 0.9 };
    for share in [0.05, 0.5] {
        let (rate, _) = simulate(good, good, share, 3000, 250);
        assert!(rate <= policy().alpha, "{rate} of equally good canaries at a share of {share}");
    }
    // On the very edge of both margins, where the test has the least room.
    let edge = Version { error: 0.017, right: 0.88 };
    let (rate, _) = simulate(edge, good, 0.5, 3000, 250);
    assert!(rate <= policy().alpha, "{rate} of canaries on the margin");
}

#[test]
fn bad_canaries_are_found_soon() {
    let good = Version { error: 0.007, right: 0.9 };
    let (failing, at) = simulate(Version { error: 0.2, ..good }, good, 0.2, 3000, 120);
    assert!(failing >= 0.99 && at < 400.0, "{failing} of failing canaries, after {at} requests");
    let (wrong, at) = simulate(Version { right: 0.5, ..good }, good, 0.5, 3000, 120);
    assert!(wrong >= 0.99 && at < 1500.0, "{wrong} of wrong canaries, after {at} requests");
    let (worse, _) = simulate(Version { error: 0.05, ..good }, good, 0.5, 4000, 120);
    assert!(worse >= 0.9, "{worse} of canaries with 5 % errors");
}

fn rate(hits: u32, n: u32) -> Moments {
    Moments { n: u64::from(n), sum: f64::from(hits), squares: f64::from(hits) }
}

fn evidence() -> CanaryEvidence {
    CanaryEvidence {
        candidate_errors: rate(1, 100),
        stable_errors: rate(10, 1000),
        candidate_quality: rate(45, 50),
        stable_quality: rate(45, 50),
        candidate_ttft: Some((0.1, 0.4)),
        stable_ttft: Some((0.1, 0.4)),
    }
}

#[test]
fn too_little_of_anything_is_inconclusive() {
    let why = |evidence: CanaryEvidence| match judge(&evidence, &CanaryPolicy::default()) {
        CanaryVerdict::Inconclusive { why } => why,
        other => panic!("{other:?}"),
    };
    assert!(why(CanaryEvidence { candidate_errors: rate(0, 49), ..evidence() }).contains("49 requests"));
    assert!(why(CanaryEvidence { stable_errors: rate(0, 0), ..evidence() }).contains("0 on the stable version"));
    assert!(why(CanaryEvidence { candidate_quality: rate(19, 19), ..evidence() }).contains("19 graded answers"));
    assert!(why(CanaryEvidence { candidate_ttft: None, ..evidence() }).contains("first token"));
    why(CanaryEvidence::default());
    let ungraded = CanaryEvidence { candidate_quality: rate(0, 0), ..evidence() };
    let without = CanaryPolicy { minimum_graded: 0, ..CanaryPolicy::default() };
    assert!(matches!(judge(&ungraded, &without), CanaryVerdict::Pass { .. }));
}

#[test]
fn worse_but_not_surely_goes_on() {
    assert!(matches!(judge(&evidence(), &CanaryPolicy::default()), CanaryVerdict::Pass { .. }));
    let unlucky = CanaryEvidence { candidate_errors: rate(4, 100), ..evidence() };
    assert!(matches!(judge(&unlucky, &CanaryPolicy::default()), CanaryVerdict::Continue { .. }));
}

#[test]
fn slowness_fails_beyond_ratio_and_floor() {
    let slow = |median, tail| {
        let evidence = CanaryEvidence { candidate_ttft: Some((median, tail)), ..evidence() };
        judge(&evidence, &CanaryPolicy::default())
    };
    let CanaryVerdict::Fail { reason } = slow(0.9, 2.0) else { panic!("slow in median and tail") };
    assert!(reason.contains("2000ms on the candidate and 400ms on the stable"), "{reason}");
    assert!(matches!(slow(0.1, 2.0), CanaryVerdict::Pass { .. }), "one slow request of a hundred");
    let floor = CanaryEvidence { candidate_ttft: Some((0.3, 0.45)), stable_ttft: Some((0.01, 0.02)), ..evidence() };
    assert!(
        matches!(judge(&floor, &CanaryPolicy::default()), CanaryVerdict::Pass { .. }),
        "quick enough, whatever the ratio"
    );
}

#[test]
fn a_sure_failure_is_told_before_the_minimum() {
    let broken = CanaryEvidence { candidate_errors: rate(15, 15), ..evidence() };
    assert!(matches!(judge(&broken, &CanaryPolicy::default()), CanaryVerdict::Fail { .. }));
    let odd = Moments { n: 60, sum: f64::NAN, squares: f64::NAN };
    let verdict = judge(&CanaryEvidence { candidate_errors: odd, ..evidence() }, &CanaryPolicy::default());
    assert!(!matches!(verdict, CanaryVerdict::Fail { .. }), "what is no number is no failure");
}
