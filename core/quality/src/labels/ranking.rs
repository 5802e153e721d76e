/// Area under the receiver operating characteristic: the chance that a positive item scores above a negative one, ties counting half.
/// `None` unless there are both.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub fn roc_auc(items: &[(f64, bool)]) -> Option<f64> {
    let (mut below, mut wins, mut positives) = (0_u64, 0.0, 0_u64);
    for (hits, misses) in groups(items)?.iter().rev() {
        wins += *hits as f64 * (below as f64 + *misses as f64 / 2.0);
        below += misses;
        positives += hits;
    }
    (positives > 0 && below > 0).then(|| wins / (positives as f64 * below as f64))
}

/// Average precision: precision at every threshold, weighted by the recall it adds (scikit-learn's, without interpolation). 0 when
/// nothing is positive, `None` without items.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub fn average_precision(items: &[(f64, bool)]) -> Option<f64> {
    let groups = groups(items)?;
    let positives: u64 = groups.iter().map(|(hits, _)| hits).sum();
    let (mut hits, mut seen, mut sum) = (0_u64, 0_u64, 0.0);
    for (more, misses) in &groups {
        hits += more;
        seen += more + misses;
        sum += *more as f64 * (hits as f64 / seen as f64);
    }
    Some(if positives == 0 { 0.0 } else { sum / positives as f64 })
}

/// Positives and negatives of each distinct score, highest first; `None` without items or with a score that is no number.
fn groups(items: &[(f64, bool)]) -> Option<Vec<(u64, u64)>> {
    if items.is_empty() || items.iter().any(|(score, _)| score.is_nan()) {
        return None;
    }
    let mut sorted = items.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let count = |group: &[(f64, bool)]| {
        let hits = group.iter().filter(|(_, positive)| *positive).count();
        (hits as u64, (group.len() - hits) as u64)
    };
    Some(sorted.chunk_by(|a, b| a.0 == b.0).map(count).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half() {
        let items = [(0.9, true), (0.5, true), (0.5, false), (0.1, false)];
        assert_eq!(roc_auc(&items), Some(0.875));
        assert!((average_precision(&items).unwrap() - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
        assert_eq!(roc_auc(&[(0.4, true)]), None);
        assert_eq!(average_precision(&[(f64::NAN, true)]), None);
    }
}
