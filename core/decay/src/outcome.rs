use serde::{Deserialize, Serialize};

/// What an analysis found for one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// Enough data, and within the threshold.
    Healthy,
    /// Enough data, and beyond the threshold in M of N windows.
    Degraded,
    /// Data, but too few samples (or windows) to say, or no baseline frozen yet.
    Inconclusive,
    /// No data for longer than the policy allows.
    NoData,
    /// The source of the data failed: a query error, a grader that broke.
    SourceError,
}

impl Outcome {
    /// The name used in status and storage.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Degraded => "Degraded",
            Self::Inconclusive => "Inconclusive",
            Self::NoData => "NoData",
            Self::SourceError => "SourceError",
        }
    }
}

/// The condition `Decayed` of a model, with its reason, folded from the outcomes of all its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecayedCondition {
    /// `True`, reason `Degraded`: at least one metric is degraded.
    True,
    /// `False`, reason `Healthy`: all metrics with enough data are healthy and none lacks data.
    False,
    /// `Unknown`, reason `Inconclusive`, `NoData` or `SourceError`.
    Unknown(Outcome),
}

impl DecayedCondition {
    /// Folds outcomes: any Degraded wins, then SourceError, NoData, Inconclusive; no metric at all is Inconclusive.
    pub fn fold(outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let rank = |outcome: Outcome| match outcome {
            Outcome::Healthy => 0,
            Outcome::Inconclusive => 1,
            Outcome::NoData => 2,
            Outcome::SourceError => 3,
            Outcome::Degraded => 4,
        };
        match outcomes.into_iter().max_by_key(|outcome| rank(*outcome)) {
            None => Self::Unknown(Outcome::Inconclusive),
            Some(Outcome::Healthy) => Self::False,
            Some(Outcome::Degraded) => Self::True,
            Some(outcome) => Self::Unknown(outcome),
        }
    }

    /// (status, reason) of the Kubernetes condition.
    #[must_use]
    pub fn status_and_reason(self) -> (&'static str, &'static str) {
        match self {
            Self::True => ("True", "Degraded"),
            Self::False => ("False", "Healthy"),
            Self::Unknown(outcome) => ("Unknown", outcome.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_data_is_never_healthy() {
        assert_eq!(DecayedCondition::fold([]), DecayedCondition::Unknown(Outcome::Inconclusive));
        assert_eq!(
            DecayedCondition::fold([Outcome::Healthy, Outcome::NoData]),
            DecayedCondition::Unknown(Outcome::NoData)
        );
        assert_eq!(DecayedCondition::fold([Outcome::SourceError, Outcome::Degraded]), DecayedCondition::True);
        assert_eq!(DecayedCondition::fold([Outcome::Healthy, Outcome::Healthy]), DecayedCondition::False);
    }
}
