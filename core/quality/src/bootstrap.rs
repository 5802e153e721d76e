//! Whether one version is better than another on the same items: the paired bootstrap (Efron 1979; Koehn 2004 for translation).

use homeostat_clock::Rng;
use rand::Rng as _;

/// What resampling said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedBootstrap {
    /// The figure of the first, of all items.
    pub first: f64,
    /// The figure of the second.
    pub second: f64,
    /// second - first.
    pub difference: f64,
    /// Lower end of the 95 % percentile interval of the difference.
    pub low: f64,
    /// Upper end of the 95 % percentile interval of the difference.
    pub high: f64,
    /// Two-sided p-value of no difference: twice the smaller share of resamples on either side of zero, never below 1 / (rounds + 1).
    pub p: f64,
    /// Items both sides have a value for.
    pub n: u64,
    /// Items left out because one side lacks a value.
    pub missing: u64,
}

/// The paired bootstrap of mean marks. Items that lack a mark on either side are left out of both. `None` below two complete items, without
/// rounds, or when the lists differ in length.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub fn paired_bootstrap(
    first: &[Option<f64>],
    second: &[Option<f64>],
    rounds: u32,
    rng: &mut Rng,
) -> Option<PairedBootstrap> {
    if first.len() != second.len() {
        return None;
    }
    let is_mark = |mark: &Option<f64>| mark.filter(|mark| mark.is_finite());
    let pairs: Vec<(f64, f64)> =
        first.iter().zip(second).filter_map(|(a, b)| Some((is_mark(a)?, is_mark(b)?))).collect();
    let mean = |items: &[usize], part: fn(&(f64, f64)) -> f64| {
        items.iter().map(|item| part(&pairs[*item])).sum::<f64>() / items.len() as f64
    };
    let found = paired_bootstrap_by(pairs.len(), rounds, rng, |items| {
        (mean(items, |pair| pair.0), mean(items, |pair| pair.1))
    })?;
    Some(PairedBootstrap { missing: (first.len() - pairs.len()) as u64, ..found })
}

/// The paired bootstrap of any two figures, such as corpus BLEU: `figures` gets the indices of a resample (with repetitions) of `n` items and
/// returns the figure of the first and of the second. `None` below two items or without rounds.
pub fn paired_bootstrap_by(
    n: usize,
    rounds: u32,
    rng: &mut Rng,
    figures: impl Fn(&[usize]) -> (f64, f64),
) -> Option<PairedBootstrap> {
    if n < 2 || rounds == 0 {
        return None;
    }
    let mut items: Vec<usize> = (0..n).collect();
    let (first, second) = figures(&items);
    let mut differences = Vec::with_capacity(rounds as usize);
    for _ in 0..rounds {
        for item in &mut items {
            *item = usize::try_from((u128::from(rng.next_u64()) * n as u128) >> 64).unwrap_or(0);
        }
        let (first, second) = figures(&items);
        differences.push(second - first);
    }
    differences.retain(|difference| !difference.is_nan());
    differences.sort_by(f64::total_cmp);
    let share = |count: usize| (count + 1) as f64 / (differences.len() + 1) as f64;
    let not_above = share(differences.partition_point(|difference| *difference <= 0.0));
    let not_below = share(differences.len() - differences.partition_point(|difference| *difference < 0.0));
    let last = differences.len().checked_sub(1)?;
    let at = |q: f64| differences[((q * last as f64).round() as usize).min(last)];
    Some(PairedBootstrap {
        first,
        second,
        difference: second - first,
        low: at(0.025),
        high: at(0.975),
        p: (2.0 * not_above.min(not_below)).min(1.0),
        n: n as u64,
        missing: 0,
    })
}

#[cfg(test)]
mod tests {
    use homeostat_clock::Seed;

    use super::*;

    #[test]
    fn a_clear_difference_is_seen_and_none_is_not() {
        let marks = |right: usize| (0..200).map(|at| Some(f64::from(u8::from(at % 10 < right)))).collect::<Vec<_>>();
        let rng = || Seed::fixed(3).rng("bootstrap");
        let clear = paired_bootstrap(&marks(5), &marks(8), 1000, &mut rng()).unwrap();
        assert!(
            clear.p < 0.01 && clear.low > 0.2 && clear.high < 0.4 && (clear.difference - 0.3).abs() < 1e-12,
            "{clear:?}"
        );
        let none = paired_bootstrap(&marks(5), &marks(5), 1000, &mut rng()).unwrap();
        assert_eq!((none.p, none.low, none.high), (1.0, 0.0, 0.0));
        assert_eq!(clear, paired_bootstrap(&marks(5), &marks(8), 1000, &mut rng()).unwrap());
        let mut holes = marks(5);
        holes[0] = None;
        let holes = paired_bootstrap(&holes, &marks(8), 10, &mut rng()).unwrap();
        assert_eq!((holes.n, holes.missing), (199, 1));
        assert_eq!(paired_bootstrap(&[None], &[None], 10, &mut rng()), None);
    }
}
