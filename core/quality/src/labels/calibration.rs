/// How confidences are put into bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binning {
    /// Bins of equal width over 0 to 1, closed above: (lo, hi]. A confidence of 0 falls in no bin (Guo et al. 2017).
    EqualWidth,
    /// Bins of equal width, the first closed below too (uncertainty-calibration's `get_ece`).
    EqualWidthClosed,
    /// Bins with about equally many confidences, edges halfway between neighbours (uncertainty-calibration's `get_ece_em`, as HELM).
    EqualMass,
}

/// Expected calibration error: the mean gap between confidence and accuracy over bins, weighted by the bins' sizes; 0 to 1, lower is better.
///
/// `items`: confidence (0 to 1) and whether the answer was right. `None` without items, without bins, or with a confidence outside 0 to 1.
#[must_use]
pub fn calibration_error(items: &[(f64, bool)], bins: usize, binning: Binning) -> Option<f64> {
    Some(gaps(items, bins, binning)?.iter().map(|(share, gap)| share * gap).sum())
}

/// Maximum calibration error: the largest gap of any bin. `None` as in [`calibration_error`].
#[must_use]
pub fn maximum_calibration_error(items: &[(f64, bool)], bins: usize, binning: Binning) -> Option<f64> {
    Some(gaps(items, bins, binning)?.iter().map(|(_, gap)| *gap).fold(0.0, f64::max))
}

/// Mean squared difference of probability and outcome (Brier 1950); 0 to 1, lower is better. `None` as in [`calibration_error`].
#[must_use]
pub fn brier_score(items: &[(f64, bool)]) -> Option<f64> {
    mean(items, |probability, outcome| (probability - f64::from(u8::from(outcome))).powi(2))
}

/// Mean negative log-likelihood in nats, probabilities kept 2^-52 away from 0 and 1 as scikit-learn does; lower is better. `None` as in
/// [`calibration_error`].
#[must_use]
pub fn log_loss(items: &[(f64, bool)]) -> Option<f64> {
    mean(items, |probability, outcome| {
        let right = if outcome { probability } else { 1.0 - probability };
        -right.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn mean(items: &[(f64, bool)], loss: impl Fn(f64, bool) -> f64) -> Option<f64> {
    (is_valid(items)).then(|| {
        items.iter().map(|(probability, outcome)| loss(*probability, *outcome)).sum::<f64>() / items.len() as f64
    })
}

fn is_valid(items: &[(f64, bool)]) -> bool {
    !items.is_empty() && items.iter().all(|(confidence, _)| (0.0..=1.0).contains(confidence))
}

/// Share of the items and gap between confidence and accuracy of each bin that holds any.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn gaps(items: &[(f64, bool)], bins: usize, binning: Binning) -> Option<Vec<(f64, f64)>> {
    if bins == 0 || !is_valid(items) {
        return None;
    }
    let edges = match binning {
        Binning::EqualWidth | Binning::EqualWidthClosed => (1..=bins).map(|i| i as f64 / bins as f64).collect(),
        Binning::EqualMass => equal_mass_edges(items, bins),
    };
    let mut sums = vec![(0_u64, 0.0, 0_u64); edges.len()];
    for (confidence, right) in items {
        if *confidence == 0.0 && binning == Binning::EqualWidth {
            continue;
        }
        let bin = edges.partition_point(|edge| edge < confidence);
        if let Some((n, sum, hits)) = sums.get_mut(bin) {
            *n += 1;
            *sum += confidence;
            *hits += u64::from(*right);
        }
    }
    let gap = |(n, sum, hits): (u64, f64, u64)| {
        (n as f64 / items.len() as f64, (sum / n as f64 - hits as f64 / n as f64).abs())
    };
    Some(sums.into_iter().filter(|(n, ..)| *n > 0).map(gap).collect())
}

/// Upper edges: halfway between the last of one part and the first of the next, parts as even as can be, the larger ones first.
fn equal_mass_edges(items: &[(f64, bool)], bins: usize) -> Vec<f64> {
    let mut sorted: Vec<f64> = items.iter().map(|(confidence, _)| *confidence).collect();
    sorted.sort_by(f64::total_cmp);
    let bins = bins.min(sorted.len());
    let (size, larger) = (sorted.len() / bins, sorted.len() % bins);
    let mut edges = Vec::with_capacity(bins);
    let mut end = 0;
    for part in 0..bins - 1 {
        end += size + usize::from(part < larger);
        edges.push((sorted[end - 1] + sorted[end]) / 2.0);
    }
    edges.push(1.0);
    edges.dedup();
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_weighted_by_size() {
        let items = [(0.9, true), (0.9, false), (0.1, false), (0.0, false)];
        let width = calibration_error(&items, 10, Binning::EqualWidth).unwrap();
        assert!((width - (0.5 * 0.4 + 0.25 * 0.1)).abs() < 1e-12);
        assert!((maximum_calibration_error(&items, 10, Binning::EqualWidth).unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(calibration_error(&[], 10, Binning::EqualMass), None);
        assert_eq!(calibration_error(&[(1.5, true)], 10, Binning::EqualMass), None);
        assert_eq!(calibration_error(&[(1.0, true)], 10, Binning::EqualMass), Some(0.0));
    }
}
