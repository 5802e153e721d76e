use super::classification::{Averages, Counts, averages};

/// Scores where an item can be of several classes at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MultiLabel {
    /// Precision, recall and F1 over classes.
    pub averages: Averages,
    /// Mean F1 of the items.
    pub samples_f: f64,
    /// Share of items whose set of classes is exactly right.
    pub subset_accuracy: f64,
    /// Share of wrong cells.
    pub hamming_loss: f64,
}

/// Scores of rows of true and predicted classes, `true` where the item is of the class. `zero_division` stands where a share has nothing below
/// its line, usually 0. `None` without rows, without classes, or when rows differ in length.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub fn multilabel(actual: &[Vec<bool>], predicted: &[Vec<bool>], zero_division: f64) -> Option<MultiLabel> {
    let width = actual.first()?.len();
    if width == 0 || actual.len() != predicted.len() || actual.iter().chain(predicted).any(|row| row.len() != width) {
        return None;
    }
    let mut classes = vec![Counts::default(); width];
    let (mut samples, mut exact, mut wrong) = (0.0, 0_u64, 0_u64);
    for (actual, predicted) in actual.iter().zip(predicted) {
        let mut item = Counts::default();
        for ((y, p), class) in actual.iter().zip(predicted).zip(&mut classes) {
            for counts in [class, &mut item] {
                counts.right += u64::from(*y && *p);
                counts.actual += u64::from(*y);
                counts.predicted += u64::from(*p);
            }
            wrong += u64::from(y != p);
        }
        samples += item.scores(zero_division).f;
        exact += u64::from(actual == predicted);
    }
    let n = actual.len() as f64;
    Some(MultiLabel {
        averages: averages(&classes, zero_division),
        samples_f: samples / n,
        subset_accuracy: exact as f64 / n,
        hamming_loss: wrong as f64 / (n * width as f64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_must_fit() {
        let row = |bits: &[u8]| bits.iter().map(|bit| *bit == 1).collect::<Vec<bool>>();
        let found = multilabel(&[row(&[1, 0]), row(&[1, 1])], &[row(&[1, 0]), row(&[0, 1])], 0.0).unwrap();
        assert_eq!((found.subset_accuracy, found.hamming_loss), (0.5, 0.25));
        assert!((found.samples_f - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert_eq!(multilabel(&[row(&[1])], &[row(&[1, 0])], 0.0), None);
        assert_eq!(multilabel(&[], &[], 0.0), None);
    }
}
