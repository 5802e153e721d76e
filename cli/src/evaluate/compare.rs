//! Two models on the same records.

use std::collections::BTreeMap;

use anyhow::bail;
use homeostat_clock::Seed;
use homeostat_quality::squad::{self, Edition};
use homeostat_quality::summary::Rouge;
use homeostat_quality::translation::{BleuStatistics, ChrF};
use homeostat_quality::{PairedBootstrap, paired_bootstrap, paired_bootstrap_by};

use super::answers::Answer;
use super::matrix::{Options, exact, marks};

/// A metric of both, with the interval of the difference (this one less the other one).
pub(super) type Difference = (&'static str, PairedBootstrap);

/// Differences over the records that both have, with references.
pub(super) fn differences(
    ours: &[Answer],
    theirs: &[Answer],
    options: &Options<'_>,
    rounds: u32,
    seed: &Seed,
) -> anyhow::Result<Vec<Difference>> {
    let by_id: BTreeMap<String, &Answer> = theirs.iter().map(|answer| (answer.id.to_string(), answer)).collect();
    let pairs: Vec<(&Answer, &Answer)> = ours
        .iter()
        .filter(|answer| !answer.references.is_empty())
        .filter_map(|answer| Some((answer, *by_id.get(&answer.id.to_string())?)))
        .collect();
    if pairs.len() < 2 {
        bail!(
            "--against: {} records have the same id in both files and references: at least 2 are needed",
            pairs.len()
        );
    }
    let ours: Vec<&Answer> = pairs.iter().map(|(ours, _)| *ours).collect();
    // The same references for both sides.
    let theirs: Vec<Answer> = pairs
        .iter()
        .map(|(ours, theirs)| {
            let mut theirs = (*theirs).clone();
            theirs.references.clone_from(&ours.references);
            theirs
        })
        .collect();
    let theirs: Vec<&Answer> = theirs.iter().collect();
    let sides = [theirs.as_slice(), ours.as_slice()];

    let mut found = Vec::new();
    let mut by_marks = |name: &'static str, mark: &dyn Fn(&[&Answer]) -> Vec<Option<f64>>| {
        let [first, second] = sides.map(mark);
        let mut rng = seed.rng(name);
        found.extend(paired_bootstrap(&first, &second, rounds, &mut rng).map(|result| (name, result)));
    };
    let (rouge, meteor) = (Rouge::default(), options.meteor());
    by_marks("exact_match", &|side| exact(side));
    by_marks("token_f1", &|side| marks(side, |output, references| Some(squad::f1(output, references, Edition::Two))));
    by_marks("rouge_l", &|side| marks(side, |output, references| Some(rouge.best(output, references).rouge_l.f)));
    by_marks("meteor", &|side| marks(side, |output, references| Some(meteor.sentence(output, references))));
    found.extend(corpus(sides, options, rounds, seed));
    Ok(found)
}

/// Corpus scores are resampled by their statistics, as sacrebleu does.
fn corpus(sides: [&[&Answer]; 2], options: &Options<'_>, rounds: u32, seed: &Seed) -> Vec<Difference> {
    let (bleu, chrf) = (options.bleu(), ChrF::plus_plus());
    let both: Vec<usize> =
        (0..sides[0].len()).filter(|at| sides.iter().all(|side| side[*at].output.is_some())).collect();
    let of = |side: &[&Answer], at: usize| (side[at].output.clone().unwrap_or_default(), side[at].references.clone());
    let bleus =
        sides.map(|side| both.iter().map(|at| of(side, *at)).map(|(o, r)| bleu.statistics(&o, &r)).collect::<Vec<_>>());
    let chrfs =
        sides.map(|side| both.iter().map(|at| of(side, *at)).map(|(o, r)| chrf.statistics(&o, &r)).collect::<Vec<_>>());
    let by_bleu = paired_bootstrap_by(both.len(), rounds, &mut seed.rng("bleu"), |sample| {
        let [first, second] = &bleus;
        let sum = |side: &[BleuStatistics]| {
            let mut sum = BleuStatistics::empty(bleu.max_order);
            sample.iter().for_each(|at| sum.add(&side[*at]));
            bleu.score(&sum).score
        };
        (sum(first), sum(second))
    });
    let by_chrf = paired_bootstrap_by(both.len(), rounds, &mut seed.rng("chrf"), |sample| {
        let [first, second] = &chrfs;
        let sum = |side: &[homeostat_quality::translation::ChrFStatistics]| {
            let mut sum = homeostat_quality::translation::ChrFStatistics::default();
            sample.iter().for_each(|at| sum.add(&side[*at]));
            chrf.score(&sum)
        };
        (sum(first), sum(second))
    });
    [by_bleu.map(|found| ("bleu", found)), by_chrf.map(|found| ("chrf", found))].into_iter().flatten().collect()
}
