//! The gates between training and canary: is the candidate better where the world changed, and no worse elsewhere?
//!
//! References come from golden sets only, never from the data under test. *Retained* prompts are those whose reference is
//! the one of the parent's baseline, *fresh* the others.

use std::collections::{BTreeMap, BTreeSet};

use homeostat_clock::Seed;
use homeostat_quality::{ItemScore, Slice};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// What the gates require.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatePolicy {
    /// On fresh prompts: at least this share of the gap between incumbent and perfect is closed, 0 to 1.
    pub recovery: f64,
    /// On retained prompts: at most this much is lost (0.02 is two points).
    pub retained_loss: f64,
    /// On no slice is more lost than this.
    pub slice_loss: f64,
    /// Fewer paired items than this is Inconclusive.
    pub minimum_items: u64,
    /// Confidence of the paired bootstrap interval, e.g. 0.95.
    pub confidence: f64,
}

/// The paired marks of incumbent and candidate on the same items, and which of them are fresh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairedScores {
    /// Marks of the incumbent.
    pub incumbent: Vec<ItemScore>,
    /// Marks of the candidate.
    pub candidate: Vec<ItemScore>,
    /// Ids of the fresh items.
    pub fresh: BTreeSet<String>,
}

/// How one gate came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GateOutcome {
    /// Passed.
    Passed,
    /// Failed.
    Failed,
    /// Not enough items to say: holds, neither passes nor fails.
    Inconclusive,
}

/// One gate's result, with the figures a person needs to believe it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GateResult {
    /// `fresh-recovery`, `retained-loss`, `slice-loss`, `improvement`.
    pub name: String,
    /// How it came out.
    pub outcome: GateOutcome,
    /// The measured figure.
    pub value: Option<f64>,
    /// The bound.
    pub threshold: f64,
    /// The paired bootstrap interval of the difference, where there is one.
    pub interval: Option<(f64, f64)>,
    /// Number of paired items.
    pub n: u64,
    /// One sentence.
    pub explanation: String,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self { recovery: 0.8, retained_loss: 0.02, slice_loss: 0.1, minimum_items: 50, confidence: 0.95 }
    }
}

/// How often the pairs are drawn anew.
const RESAMPLES: usize = 2000;
/// A slice with fewer pairs is not judged by itself: one flipped answer would be more than the usual bound.
const MINIMUM_SLICE_ITEMS: usize = 10;
/// When more than this share of the items lacks a mark of either version, no gate says anything: who is silent on what is
/// hard must not gain by it.
const MISSING_ALLOWED: f64 = 0.1;

/// Holds the candidate's marks against the incumbent's.
///
/// The gates, in order: `fresh-recovery` (only where fresh items leave something to recover), `retained-loss` (where there are
/// retained items), `slice-loss`, and `improvement`. The last asks on the fresh items that the paired bootstrap interval
/// excludes no improvement; without anything to recover it asks on all items that the interval excludes a loss of more than
/// `retained_loss`. The bootstrap (Efron and Tibshirani 1993, chapter 13: percentile interval) draws 2,000 times from the pairs
/// with the seed's stream `gates`, so that the same marks give the same result.
///
/// Items without a mark of both are dropped and counted. Marks that are not finite count as missing.
#[must_use]
pub fn evaluate(policy: &GatePolicy, scores: &PairedScores, seed: &Seed) -> Vec<GateResult> {
    let (pairs, missing) = pair(scores);
    let fresh: Vec<&Pair> = pairs.iter().filter(|pair| scores.fresh.contains(pair.item)).collect();
    let retained: Vec<&Pair> = pairs.iter().filter(|pair| !scores.fresh.contains(pair.item)).collect();
    let all: Vec<&Pair> = pairs.iter().collect();
    #[expect(clippy::cast_precision_loss, reason = "sets stay far below 2^53 items")]
    let too_many_missing = missing as f64 > MISSING_ALLOWED * (missing + pairs.len()) as f64;
    let ctx = Context { policy, missing, too_many_missing, seed };
    let to_recover = !fresh.is_empty() && mean(&fresh, |pair| pair.incumbent) < 1.0;
    let mut results = Vec::new();
    if to_recover {
        results.push(ctx.fresh_recovery(&fresh));
    }
    if !retained.is_empty() {
        results.push(ctx.retained_loss(&retained));
    }
    results.push(ctx.slice_loss(&all));
    results.push(if to_recover { ctx.improvement(&fresh) } else { ctx.no_loss(&all) });
    results
}

/// All gates in one: Failed if any failed, else Inconclusive if any is (or there is none), else Passed.
#[must_use]
pub fn overall(results: &[GateResult]) -> GateOutcome {
    let any = |outcome| results.iter().any(|result| result.outcome == outcome);
    if any(GateOutcome::Failed) {
        GateOutcome::Failed
    } else if any(GateOutcome::Inconclusive) || results.is_empty() {
        GateOutcome::Inconclusive
    } else {
        GateOutcome::Passed
    }
}

/// One item that both versions answered.
struct Pair<'a> {
    item: &'a str,
    slice: &'a Slice,
    incumbent: f64,
    candidate: f64,
}

impl Pair<'_> {
    fn gain(&self) -> f64 {
        self.candidate - self.incumbent
    }
}

struct Context<'a> {
    policy: &'a GatePolicy,
    missing: usize,
    too_many_missing: bool,
    seed: &'a Seed,
}

impl Context<'_> {
    fn fresh_recovery(&self, fresh: &[&Pair<'_>]) -> GateResult {
        let (before, after) = (mean(fresh, |pair| pair.incumbent), mean(fresh, |pair| pair.candidate));
        let recovered = (after - before) / (1.0 - before);
        let threshold = self.policy.recovery;
        let text = format!(
            "On {} fresh items the mark went from {before:.3} to {after:.3}: {:.0} % of the gap is closed, {:.0} % are asked for.",
            fresh.len(),
            recovered * 100.0,
            threshold * 100.0
        );
        let result = self.result("fresh-recovery", recovered, threshold, fresh.len(), text, recovered >= threshold);
        GateResult { interval: Some(self.interval(fresh)), ..result }
    }

    fn retained_loss(&self, retained: &[&Pair<'_>]) -> GateResult {
        let loss = -mean(retained, |pair| pair.gain());
        let threshold = self.policy.retained_loss;
        let text = format!(
            "On {} retained items {:.1} points are lost; at most {:.1} are allowed.",
            retained.len(),
            loss * 100.0,
            threshold * 100.0
        );
        let result = self.result("retained-loss", loss, threshold, retained.len(), text, within(loss, threshold));
        GateResult { interval: Some(self.interval(retained)), ..result }
    }

    fn slice_loss(&self, all: &[&Pair<'_>]) -> GateResult {
        let mut slices: BTreeMap<&Slice, Vec<&Pair<'_>>> = BTreeMap::new();
        for pair in all {
            slices.entry(pair.slice).or_default().push(pair);
        }
        let total = slices.len();
        slices.retain(|_, pairs| pairs.len() >= MINIMUM_SLICE_ITEMS);
        let threshold = self.policy.slice_loss;
        let losses = slices.iter().map(|(slice, pairs)| (-mean(pairs, |pair| pair.gain()), *slice, pairs.len()));
        let Some((loss, slice, n)) = losses.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1))) else {
            return GateResult {
                name: "slice-loss".to_string(),
                outcome: GateOutcome::Inconclusive,
                value: None,
                threshold,
                interval: None,
                n: all.len() as u64,
                explanation: format!(
                    "None of {total} slices has {MINIMUM_SLICE_ITEMS} items with marks of both versions."
                ),
            };
        };
        let name = if slice.as_str().is_empty() { "the unclassified items" } else { slice.as_str() };
        let text = format!(
            "Of {} slices judged ({} too small) {name} loses most: {:.1} points on {n} items; at most {:.1} are allowed.",
            slices.len(),
            total - slices.len(),
            loss * 100.0,
            threshold * 100.0
        );
        self.result("slice-loss", loss, threshold, all.len(), text, within(loss, threshold))
    }

    fn improvement(&self, fresh: &[&Pair<'_>]) -> GateResult {
        let (gain, (low, high)) = (mean(fresh, |pair| pair.gain()), self.interval(fresh));
        let text = format!(
            "On {} fresh items the mark changed by {:+.1} points ({} {:+.1} to {:+.1}); the interval must lie above 0.",
            fresh.len(),
            gain * 100.0,
            self.interval_name(),
            low * 100.0,
            high * 100.0
        );
        let mut result = self.result("improvement", gain, 0.0, fresh.len(), text, gain > 0.0);
        if result.outcome == GateOutcome::Passed && low <= 0.0 {
            result.outcome = GateOutcome::Inconclusive;
        }
        GateResult { interval: Some((low, high)), ..result }
    }

    fn no_loss(&self, all: &[&Pair<'_>]) -> GateResult {
        let (gain, (low, high)) = (mean(all, |pair| pair.gain()), self.interval(all));
        let threshold = -self.policy.retained_loss;
        let text = format!(
            "Nothing is left to recover; on all {} items the mark changed by {:+.1} points ({} {:+.1} to {:+.1}); the interval must lie above {:+.1}.",
            all.len(),
            gain * 100.0,
            self.interval_name(),
            low * 100.0,
            high * 100.0,
            threshold * 100.0
        );
        let mut result = self.result("improvement", gain, threshold, all.len(), text, within(threshold, gain));
        if result.outcome == GateOutcome::Passed && !within(threshold, low) {
            result.outcome = GateOutcome::Inconclusive;
        }
        GateResult { interval: Some((low, high)), ..result }
    }

    fn result(&self, name: &str, value: f64, threshold: f64, n: usize, text: String, passed: bool) -> GateResult {
        let mut explanation = text;
        if self.missing > 0 {
            explanation.push_str(&format!(" {} items lack a mark of one version and are left out.", self.missing));
        }
        let few = (n as u64) < self.policy.minimum_items.max(1);
        if few {
            explanation.push_str(&format!(" That is too few: {} are needed.", self.policy.minimum_items.max(1)));
        }
        if self.too_many_missing {
            explanation.push_str(" Too many are missing for a judgement.");
        }
        let outcome = match (few || self.too_many_missing, passed) {
            (true, _) => GateOutcome::Inconclusive,
            (false, true) => GateOutcome::Passed,
            (false, false) => GateOutcome::Failed,
        };
        GateResult {
            name: name.to_string(),
            outcome,
            value: Some(value),
            threshold,
            interval: None,
            n: n as u64,
            explanation,
        }
    }

    /// The percentile interval of the mean gain.
    #[expect(clippy::cast_precision_loss, reason = "sets stay far below 2^53 items")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank within the resamples")]
    fn interval(&self, pairs: &[&Pair<'_>]) -> (f64, f64) {
        let gains: Vec<f64> = pairs.iter().map(|pair| pair.gain()).collect();
        let Ok(n @ 1..) = u32::try_from(gains.len()) else { return (-1.0, 1.0) };
        let mut rng = self.seed.rng("gates");
        let mut means: Vec<f64> = (0..RESAMPLES)
            .map(|_| (0..n).map(|_| gains[rng.random_range(0..n) as usize]).sum::<f64>() / f64::from(n))
            .collect();
        means.sort_by(f64::total_cmp);
        let tail = (1.0 - self.policy.confidence.clamp(0.5, 0.999)) / 2.0;
        let below = (tail * RESAMPLES as f64).floor() as usize;
        (means[below], means[RESAMPLES - 1 - below])
    }

    fn interval_name(&self) -> String {
        format!("{:.0} % interval", self.policy.confidence * 100.0)
    }
}

/// At most the bound, within rounding: 2 lost items of 100 are 2 points, whatever the doubles say.
fn within(value: f64, bound: f64) -> bool {
    value <= bound + 1e-9
}

fn pair(scores: &PairedScores) -> (Vec<Pair<'_>>, usize) {
    let marks = |scores: &'_ [ItemScore]| -> BTreeMap<String, f64> {
        let known =
            scores.iter().filter_map(|score| Some((score.item.clone(), score.score.filter(|mark| mark.is_finite())?)));
        known.collect()
    };
    let (incumbent, candidate) = (marks(&scores.incumbent), marks(&scores.candidate));
    let items: BTreeMap<&str, &Slice> =
        scores.incumbent.iter().chain(&scores.candidate).map(|score| (score.item.as_str(), &score.slice)).collect();
    let total = items.len();
    let pairs: Vec<Pair<'_>> = items
        .into_iter()
        .filter_map(|(item, slice)| {
            Some(Pair { item, slice, incumbent: *incumbent.get(item)?, candidate: *candidate.get(item)? })
        })
        .collect();
    let missing = total - pairs.len();
    (pairs, missing)
}

#[expect(clippy::cast_precision_loss, reason = "sets stay far below 2^53 items")]
fn mean(pairs: &[&Pair<'_>], of: impl Fn(&Pair<'_>) -> f64) -> f64 {
    if pairs.is_empty() { 0.0 } else { pairs.iter().map(|pair| of(pair)).sum::<f64>() / pairs.len() as f64 }
}
