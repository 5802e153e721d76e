use std::collections::BTreeMap;

use crate::summary::Prf;

/// What a classifier got right, class by class; every class that occurs on either side counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classification<L> {
    labels: Vec<L>,
    /// Rows are true classes, columns predicted ones.
    confusion: Vec<Vec<u64>>,
}

/// Scores of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassScores<'a, L> {
    /// The class.
    pub label: &'a L,
    /// Precision, recall and F1.
    pub scores: Prf,
    /// How many items are of it.
    pub support: u64,
}

/// Precision, recall and F1 over all classes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Averages {
    /// From summed counts.
    pub micro: Prf,
    /// Mean over classes.
    pub macro_: Prf,
    /// Mean over classes, weighted by support.
    pub weighted: Prf,
}

/// Counts of one class against all others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) right: u64,
    pub(super) predicted: u64,
    pub(super) actual: u64,
}

impl<L: Ord + Clone> Classification<L> {
    /// From pairs of true and predicted class; `None` without any.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a L, &'a L)>) -> Option<Self>
    where
        L: 'a,
    {
        let pairs: Vec<(&L, &L)> = pairs.into_iter().collect();
        let mut labels: Vec<L> =
            pairs.iter().flat_map(|(actual, predicted)| [(*actual).clone(), (*predicted).clone()]).collect();
        labels.sort();
        labels.dedup();
        let places: BTreeMap<&L, usize> = labels.iter().enumerate().map(|(at, label)| (label, at)).collect();
        let mut confusion = vec![vec![0; labels.len()]; labels.len()];
        for (actual, predicted) in &pairs {
            if let (Some(row), Some(column)) = (places.get(actual), places.get(predicted)) {
                confusion[*row][*column] += 1;
            }
        }
        (!pairs.is_empty()).then_some(Self { labels, confusion })
    }

    /// The classes, sorted.
    #[must_use]
    pub fn labels(&self) -> &[L] {
        &self.labels
    }

    /// Counts of items; rows are true classes, columns predicted ones, both in the order of [`Self::labels`].
    #[must_use]
    pub fn confusion(&self) -> &[Vec<u64>] {
        &self.confusion
    }

    /// The scores of each class. `zero_division` stands where nothing was predicted (precision), nothing is true (recall).
    #[must_use]
    pub fn classes(&self, zero_division: f64) -> Vec<ClassScores<'_, L>> {
        let scores = |(label, counts): (_, Counts)| ClassScores {
            label,
            scores: counts.scores(zero_division),
            support: counts.actual,
        };
        self.labels.iter().zip(self.counts()).map(scores).collect()
    }

    /// The averages over classes; `zero_division` as in [`Self::classes`], usually 0.
    #[must_use]
    pub fn averages(&self, zero_division: f64) -> Averages {
        averages(&self.counts(), zero_division)
    }

    /// Share of items whose class was predicted.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn accuracy(&self) -> f64 {
        let right: u64 = self.counts().iter().map(|counts| counts.right).sum();
        right as f64 / self.n()
    }

    /// Mean recall of the classes that items are of.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn balanced_accuracy(&self) -> f64 {
        let recalls: Vec<f64> = (self.counts().iter().filter(|counts| counts.actual > 0))
            .map(|counts| counts.right as f64 / counts.actual as f64)
            .collect();
        recalls.iter().sum::<f64>() / recalls.len() as f64
    }

    /// Matthews' correlation coefficient for any number of classes (Gorodkin 2004), -1 to 1; 0 where one side knows one class only.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn matthews(&self) -> f64 {
        let (n, counts) = (self.n(), self.counts());
        let right: u64 = counts.iter().map(|counts| counts.right).sum();
        let sum = |of: fn(&Counts) -> f64| counts.iter().map(of).sum::<f64>();
        let both = right as f64 * n - sum(|c| c.actual as f64 * c.predicted as f64);
        let predicted = n * n - sum(|c| (c.predicted as f64).powi(2));
        let actual = n * n - sum(|c| (c.actual as f64).powi(2));
        if predicted * actual == 0.0 { 0.0 } else { both / (predicted * actual).sqrt() }
    }

    /// Cohen's kappa; `None` where chance alone would agree always.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn kappa(&self) -> Option<f64> {
        let (n, counts) = (self.n(), self.counts());
        let right: u64 = counts.iter().map(|counts| counts.right).sum();
        let chance: f64 = counts.iter().map(|c| c.actual as f64 * c.predicted as f64).sum::<f64>() / n;
        (n - chance > 0.0).then(|| 1.0 - (n - right as f64) / (n - chance))
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    fn n(&self) -> f64 {
        self.confusion.iter().flatten().sum::<u64>() as f64
    }

    fn counts(&self) -> Vec<Counts> {
        (0..self.labels.len())
            .map(|at| Counts {
                right: self.confusion[at][at],
                predicted: self.confusion.iter().map(|row| row[at]).sum(),
                actual: self.confusion[at].iter().sum(),
            })
            .collect()
    }
}

impl Counts {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub(super) fn scores(self, zero_division: f64) -> Prf {
        let share = |part: u64, of: u64| if of > 0 { part as f64 / of as f64 } else { zero_division };
        Prf {
            precision: share(self.right, self.predicted),
            recall: share(self.right, self.actual),
            f: share(2 * self.right, self.predicted + self.actual),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(super) fn averages(classes: &[Counts], zero_division: f64) -> Averages {
    let mut sum = Counts::default();
    for counts in classes {
        sum.right += counts.right;
        sum.predicted += counts.predicted;
        sum.actual += counts.actual;
    }
    let mean = |weight: &dyn Fn(&Counts) -> f64| {
        let total: f64 = classes.iter().map(weight).sum();
        if total == 0.0 {
            return Prf { precision: zero_division, recall: zero_division, f: zero_division };
        }
        classes.iter().fold(Prf::default(), |mean, counts| {
            let (scores, share) = (counts.scores(zero_division), weight(counts) / total);
            Prf {
                precision: mean.precision + share * scores.precision,
                recall: mean.recall + share * scores.recall,
                f: mean.f + share * scores.f,
            }
        })
    };
    Averages {
        micro: sum.scores(zero_division),
        macro_: mean(&|_| 1.0),
        weighted: mean(&|counts| counts.actual as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_table_by_hand() {
        let (y, p) = (["a", "a", "b", "c"], ["a", "b", "b", "b"]);
        let found = Classification::new(y.iter().zip(&p)).unwrap();
        assert_eq!(found.confusion(), [vec![1, 1, 0], vec![0, 1, 0], vec![0, 1, 0]]);
        assert_eq!(found.accuracy(), 0.5);
        assert_eq!(found.averages(0.0).micro.f, 0.5);
        assert!((found.averages(0.0).macro_.f - (2.0 / 3.0 + 0.5) / 3.0).abs() < 1e-12);
        assert_eq!(Classification::<u8>::new([]), None);
        assert_eq!(Classification::new([(&1, &1)]).unwrap().kappa(), None);
    }
}
