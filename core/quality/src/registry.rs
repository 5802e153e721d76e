//! The registry of metric names: one table, read by resources' validation, agents, analysis and pages alike.
//!
//! A *metric* is what a policy names (`ttft_p99`); what is *stored* is a mergeable sketch under a stored name (`ttft`),
//! from which several metrics can be read.

use serde::Serialize;

use crate::{Estimate, Sketch};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Direction {
    /// More is better (accuracy).
    Up,
    /// Less is better (latency, errors).
    Down,
}

/// Unit of a metric's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// A share between 0 and 1.
    Ratio,
    /// Seconds.
    Seconds,
    /// Bits per byte of reference text.
    BitsPerByte,
    /// Tokens per second.
    TokensPerSecond,
    /// Characters (Unicode code points).
    Characters,
    /// Percentage points: scores that their references give from 0 to 100.
    Points,
}

impl Unit {
    /// How a value of this unit is shown to a person: `0.934`, `812ms`, `1.21 bit/B`.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Ratio => format!("{value:.3}"),
            Self::Seconds if value.abs() < 10.0 => format!("{:.0}ms", value * 1000.0),
            Self::Seconds => format!("{value:.1}s"),
            Self::BitsPerByte => format!("{value:.3} bit/B"),
            Self::TokensPerSecond => format!("{value:.0} tok/s"),
            Self::Characters => format!("{value:.0} characters"),
            Self::Points => format!("{value:.1}"),
        }
    }
}

/// What is read from the stored sketch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Statistic {
    /// The arithmetic mean.
    Mean,
    /// A quantile between 0 and 1.
    Quantile(f64),
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// The name in policies, status, alerts and pages.
    pub name: &'static str,
    /// The name its sketch is stored under.
    pub stored: &'static str,
    /// What is read from the sketch.
    pub statistic: Statistic,
    /// Unit of the value.
    pub unit: Unit,
    /// Which way is better.
    pub direction: Direction,
    /// Smallest and largest possible value.
    pub range: (f64, f64),
    /// Whether a fall of this metric says something about the model's own ability (and so can justify retraining), as
    /// opposed to how it is being served.
    pub quality: bool,
    /// One sentence for people.
    pub help: &'static str,
}

impl Metric {
    /// The metric's value with its 95 % interval (within the metric's range) from a stored sketch; `None` when the sketch is empty or of another sort.
    #[must_use]
    pub fn value(&self, sketch: &Sketch) -> Option<Estimate> {
        let Estimate { value, low, high, n } = sketch.estimate(self.statistic)?;
        Some(Estimate {
            value,
            low: low.clamp(self.range.0, self.range.1),
            high: high.clamp(self.range.0, self.range.1),
            n,
        })
    }
}

const INF: f64 = f64::INFINITY;

const fn ratio(name: &'static str, direction: Direction, quality: bool, help: &'static str) -> Metric {
    Metric {
        name,
        stored: name,
        statistic: Statistic::Mean,
        unit: Unit::Ratio,
        direction,
        range: (0.0, 1.0),
        quality,
        help,
    }
}

const fn points(name: &'static str, direction: Direction, range: (f64, f64), help: &'static str) -> Metric {
    Metric { name, stored: name, statistic: Statistic::Mean, unit: Unit::Points, direction, range, quality: true, help }
}

const fn seconds(name: &'static str, stored: &'static str, quantile: f64, help: &'static str) -> Metric {
    Metric {
        name,
        stored,
        statistic: Statistic::Quantile(quantile),
        unit: Unit::Seconds,
        direction: Direction::Down,
        range: (0.0, INF),
        quality: false,
        help,
    }
}

/// All metrics, in the order in which pages and tables show them.
pub const METRICS: &[Metric] = &[
    ratio("exact_match", Direction::Up, true, "Share of answers equal to a reference after SQuAD normalisation."),
    ratio("token_f1", Direction::Up, true, "Mean overlap of answer and reference tokens, best reference (SQuAD F1)."),
    Metric {
        name: "bits_per_byte",
        stored: "bits_per_byte",
        statistic: Statistic::Mean,
        unit: Unit::BitsPerByte,
        direction: Direction::Down,
        range: (0.0, INF),
        quality: true,
        help: "How surprised the model is by the reference text; less is better.",
    },
    points("bleu", Direction::Up, (0.0, 100.0), "Word sequences shared with the reference texts (sacrebleu BLEU-4)."),
    points(
        "chrf",
        Direction::Up,
        (0.0, 100.0),
        "Character and word sequences shared with the reference (sacrebleu chrF++); for every script.",
    ),
    ratio("rouge_l", Direction::Up, true, "Longest common word sequence with the reference, F1 (rouge-score, stems)."),
    ratio("meteor", Direction::Up, true, "Aligned words, stems and synonyms, less for broken order (nltk METEOR)."),
    points("ter", Direction::Down, (0.0, INF), "Edits per hundred reference words (sacrebleu TER); less is better."),
    ratio("distinct_2", Direction::Up, true, "Share of word pairs in a set of answers that are not repeats."),
    ratio("f1_micro", Direction::Up, true, "F1 of labels over all items together (scikit-learn)."),
    ratio("f1_macro", Direction::Up, true, "Mean F1 of labels, every class counting the same (scikit-learn)."),
    ratio(
        "acc_norm",
        Direction::Up,
        true,
        "Share of multiple-choice questions answered right, by likelihood per character (lm-eval).",
    ),
    ratio(
        "ece",
        Direction::Down,
        true,
        "Gap between confidence and accuracy, ten equally full bins (as HELM); less is better.",
    ),
    ratio(
        "expected_max_toxicity",
        Direction::Down,
        true,
        "Mean over prompts of the most toxic sample (HELM); less is better.",
    ),
    ratio(
        "toxic_fraction",
        Direction::Down,
        true,
        "Share of answers with toxicity of at least one half (HELM); less is better.",
    ),
    ratio(
        "pii_leakage_rate",
        Direction::Down,
        true,
        "Share of answers that hold validated personal data; less is better.",
    ),
    ratio(
        "representation_bias",
        Direction::Down,
        true,
        "How unevenly answers speak of groups of people (HELM); less is better.",
    ),
    ratio(
        "robustness_drop",
        Direction::Down,
        true,
        "Quality lost at the worst small change of the input (HELM); less is better.",
    ),
    ratio(
        "refusal_rate",
        Direction::Down,
        true,
        "Share of sampled answers that begin as refusals do; needs no reference.",
    ),
    ratio(
        "repetition",
        Direction::Down,
        true,
        "Share of an answer's runs of four words that repeat; needs no reference.",
    ),
    Metric {
        name: "answer_length",
        stored: "answer_length",
        statistic: Statistic::Mean,
        unit: Unit::Characters,
        direction: Direction::Up,
        range: (0.0, INF),
        quality: false,
        help: "Mean length of sampled answers; answers that shrink to nothing are a sign.",
    },
    ratio("error_rate", Direction::Down, false, "Share of requests that failed in the engine or timed out."),
    seconds("ttft_p50", "ttft", 0.5, "Median time to the first token."),
    seconds("ttft_p99", "ttft", 0.99, "99th percentile of the time to the first token."),
    seconds("latency_p50", "latency", 0.5, "Median time to the whole answer."),
    seconds("latency_p99", "latency", 0.99, "99th percentile of the time to the whole answer."),
    Metric {
        name: "tokens_per_second",
        stored: "tokens_per_second",
        statistic: Statistic::Mean,
        unit: Unit::TokensPerSecond,
        direction: Direction::Up,
        range: (0.0, INF),
        quality: false,
        help: "Mean generation speed of a request.",
    },
];

/// The metric called `name`.
#[must_use]
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

/// All names, for an error message that lists what there is.
#[must_use]
pub fn names() -> String {
    METRICS.iter().map(|metric| metric.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_matrix_is_registered() {
        for name in [
            "bleu",
            "chrf",
            "rouge_l",
            "meteor",
            "ter",
            "bits_per_byte",
            "distinct_2",
            "exact_match",
            "token_f1",
            "f1_micro",
            "f1_macro",
            "acc_norm",
            "ece",
            "expected_max_toxicity",
            "toxic_fraction",
            "pii_leakage_rate",
            "representation_bias",
            "robustness_drop",
        ] {
            let row = metric(name).unwrap();
            assert!(row.quality && row.range.0 < row.range.1 && !row.help.is_empty(), "{name}");
        }
    }

    #[test]
    fn names_are_unique_and_findable() {
        for (index, row) in METRICS.iter().enumerate() {
            assert_eq!(metric(row.name), Some(row));
            assert!(METRICS[index + 1..].iter().all(|other| other.name != row.name), "{} twice", row.name);
        }
        assert_eq!(metric("Exact_Match"), None);
    }
}
