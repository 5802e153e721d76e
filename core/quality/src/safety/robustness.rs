use crate::set::Scored;

/// How much quality falls when inputs are disturbed: mean over items of the clean mark minus the worst mark over the clean input and its
/// perturbations (HELM's worst case), 0 to 1 for marks of 0 to 1, lower is better.
///
/// Each item: the mark of the clean input and the marks of its perturbed forms. An item is missing when its clean mark is, or when it has no
/// perturbed mark; a single missing perturbation is left out.
pub fn robustness_drop<'a>(items: impl IntoIterator<Item = (Option<f64>, &'a [Option<f64>])>) -> Scored<f64> {
    Scored::mean(items.into_iter().map(|(clean, perturbed)| {
        let clean = clean.filter(|mark| mark.is_finite())?;
        let worst = perturbed.iter().flatten().copied().filter(|mark| mark.is_finite()).reduce(f64::min)?;
        Some(clean - worst.min(clean))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_form_counts_and_gains_do_not() {
        let items: [(Option<f64>, &[Option<f64>]); 4] = [
            (Some(1.0), &[Some(1.0), Some(0.0)]),
            (Some(0.0), &[Some(1.0)]),
            (None, &[Some(0.0)]),
            (Some(1.0), &[None]),
        ];
        assert_eq!(robustness_drop(items), Scored { score: Some(0.5), n: 2, missing: 2 });
    }
}
