//! Scores over sets in which something may be missing.

/// A figure over a set of items, with how many stood behind it and how many were missing. A missing text is missing: it is never counted as
/// wrong, empty or zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scored<T> {
    /// The figure; `None` when nothing was there to score.
    pub score: Option<T>,
    /// Items that were scored.
    pub n: u64,
    /// Items without a text, or without anything to compare it with.
    pub missing: u64,
}

impl Scored<f64> {
    /// The mean of the values that are there. A value that is not finite counts as missing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn mean(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let (mut sum, mut n, mut missing) = (0.0, 0, 0);
        for value in values {
            if let Some(value) = value.filter(|value| value.is_finite()) {
                sum += value;
                n += 1;
            } else {
                missing += 1;
            }
        }
        Self { score: (n > 0).then(|| sum / n as f64), n, missing }
    }
}

impl Scored<()> {
    /// Hands every item that has a text and a reference to `each`, and counts both sorts.
    pub(crate) fn gather<'a, S: 'a>(
        items: impl IntoIterator<Item = (Option<&'a str>, &'a [S])>,
        mut each: impl FnMut(&'a str, &'a [S]),
    ) -> Self {
        let (mut n, mut missing) = (0, 0);
        for (hypothesis, references) in items {
            match hypothesis {
                Some(hypothesis) if !references.is_empty() => {
                    each(hypothesis, references);
                    n += 1;
                }
                _ => missing += 1,
            }
        }
        Self { score: (n > 0).then_some(()), n, missing }
    }
}

impl<T> Scored<T> {
    /// The same counts with the figure that `score` gives, if anything was there.
    pub(crate) fn map<U>(self, score: impl FnOnce() -> U) -> Scored<U> {
        let Self { score: held, n, missing } = self;
        Scored { score: held.map(|_| score()), n, missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_is_counted_and_not_averaged() {
        let mean = Scored::mean([Some(1.0), None, Some(0.0), Some(f64::NAN)]);
        assert_eq!(mean, Scored { score: Some(0.5), n: 2, missing: 2 });
        assert_eq!(Scored::mean([None]), Scored { score: None, n: 0, missing: 1 });
    }
}
