//! The evaluation matrix of one file: each metric that its records have the fields for.

use homeostat_privacy::Recognizers;
use homeostat_quality::labels::{Binning, Classification, acc_norm, calibration_error};
use homeostat_quality::registry::{self, Metric, Statistic};
use homeostat_quality::safety::{
    ToxicityLexicon, expected_maximum_toxicity, gender_groups, leakage_rate, representation_bias, robustness_drop,
    toxic_fraction,
};
use homeostat_quality::squad::{self, Edition};
use homeostat_quality::summary::{Rouge, RougeScores};
use homeostat_quality::translation::{Bleu, BleuTokenizer, ChrF, Meteor, Ter, WordNet};
use homeostat_quality::{Moments, Scored, Sketch, diversity, likelihood};

use super::answers::Answer;

/// How metrics with options are computed.
pub(super) struct Options<'a> {
    pub(super) tokenizer: BleuTokenizer,
    pub(super) synonyms: Option<&'a WordNet>,
}

impl Options<'_> {
    pub(super) fn bleu(&self) -> Bleu {
        Bleu { tokenizer: self.tokenizer, ..Bleu::default() }
    }

    pub(super) fn meteor(&self) -> Meteor<'_> {
        self.synonyms.map_or_else(Meteor::default, |words| Meteor::with_synonyms(words))
    }
}

/// One metric of one file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) metric: &'static Metric,
    /// `None`: nothing in the file to compute it from.
    pub(super) value: Option<f64>,
    /// 95 % interval of means over records.
    pub(super) interval: Option<(f64, f64)>,
    pub(super) n: u64,
    pub(super) missing: u64,
    /// Fields that the metric needs.
    pub(super) needs: &'static str,
    /// What else its computation gives.
    pub(super) parts: Vec<(&'static str, f64)>,
}

/// All figures, in the registry's order.
pub(super) fn figures(answers: &[Answer], options: &Options<'_>) -> Vec<Figure> {
    let mut figures = Vec::new();
    texts(answers, options, &mut figures);
    labels(answers, &mut figures);
    safety(answers, &mut figures);
    let place = |figure: &Figure| registry::METRICS.iter().position(|metric| metric.name == figure.metric.name);
    figures.sort_by_key(place);
    figures
}

fn texts(answers: &[Answer], options: &Options<'_>, figures: &mut Vec<Figure>) {
    const NEEDS: &str = "output, references";
    let referenced: Vec<&Answer> = answers.iter().filter(|answer| !answer.references.is_empty()).collect();
    let pairs = || referenced.iter().map(|answer| (answer.output.as_deref(), answer.references.as_slice()));

    let bleu = options.bleu();
    let scored = bleu.corpus(pairs());
    let parts = scored.score.as_ref().map(|score| vec![("brevity_penalty", score.brevity_penalty)]);
    figures.extend(figure("bleu", NEEDS, &with(&scored, |score| score.score), parts.unwrap_or_default()));
    figures.extend(figure("chrf", NEEDS, &ChrF::plus_plus().corpus(pairs()), Vec::new()));
    let ter = Ter::default().corpus(pairs());
    figures.extend(figure("ter", NEEDS, &with(&ter, |score| score.score), Vec::new()));

    let rouge = Rouge::default();
    let each = marks(&referenced, |output, references| Some(rouge.best(output, references)));
    let part = |pick: fn(&RougeScores) -> f64| Scored::mean(each.iter().map(|score| score.as_ref().map(pick))).score;
    let parts = [
        ("rouge_1", part(|score| score.rouge1.f)),
        ("rouge_2", part(|score| score.rouge2.f)),
        ("rouge_lsum", part(|score| score.rouge_lsum.f)),
    ];
    let parts = parts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let lengths: Vec<Option<f64>> = each.iter().map(|score| score.as_ref().map(|score| score.rouge_l.f)).collect();
    figures.extend(mean("rouge_l", NEEDS, &lengths, parts));

    let meteor = options.meteor();
    figures.extend(mean(
        "meteor",
        NEEDS,
        &marks(&referenced, |output, references| Some(meteor.sentence(output, references))),
        Vec::new(),
    ));
    figures.extend(mean("exact_match", NEEDS, &exact(&referenced), Vec::new()));
    let f1 = marks(&referenced, |output, references| Some(squad::f1(output, references, Edition::Two)));
    figures.extend(mean("token_f1", NEEDS, &f1, Vec::new()));

    let outputs: Vec<Option<&str>> = answers.iter().flat_map(Answer::texts).collect();
    let distinct = diversity::distinct(outputs.iter().copied(), 2, diversity::Words::Scripts);
    figures.extend(figure("distinct_2", "output", &distinct, Vec::new()));
    figures.extend(surprise(answers));
    let dropped: Vec<(Option<f64>, Vec<Option<f64>>)> = referenced
        .iter()
        .filter(|answer| !answer.perturbed.is_empty())
        .map(|answer| {
            let mark = |text: &Option<String>| text.as_ref().map(|text| squad::exact_match(text, &answer.references));
            (mark(&answer.output), answer.perturbed.iter().map(mark).collect())
        })
        .collect();
    let drop = robustness_drop(dropped.iter().map(|(clean, worse)| (*clean, worse.as_slice())));
    figures.extend(figure("robustness_drop", "output, references, perturbed", &drop, Vec::new()));
}

/// Bits over bytes of all texts together, as lm-eval; not the mean over records.
#[expect(clippy::cast_precision_loss, reason = "bytes of a file stay far below 2^53")]
fn surprise(answers: &[Answer]) -> Option<Figure> {
    let (mut bits, mut bytes, mut n, mut missing, mut any) = (0.0, 0_u64, 0, 0, false);
    for answer in answers {
        let Some(logprobs) = &answer.logprobs else {
            missing += 1;
            continue;
        };
        any = true;
        let text = answer.references.first().or(answer.output.as_ref());
        match text.and_then(|text| likelihood::likelihood(text, logprobs)) {
            Some(found) => {
                bits += found.bits_per_byte * found.bytes as f64;
                bytes += found.bytes;
                n += 1;
            }
            None => missing += 1,
        }
    }
    let score = (bytes > 0).then(|| bits / bytes as f64);
    let scored = Scored { score, n, missing: if any { missing } else { 0 } };
    figure("bits_per_byte", "logprobs, references", &scored, Vec::new())
}

fn labels(answers: &[Answer], figures: &mut Vec<Figure>) {
    const NEEDS: &str = "label, predicted";
    let labelled: Vec<&Answer> = answers.iter().filter(|answer| answer.label.is_some()).collect();
    let pairs: Vec<(&String, &String)> =
        labelled.iter().filter_map(|answer| Some((answer.label.as_ref()?, answer.predicted.as_ref()?))).collect();
    let averages = Classification::new(pairs.iter().copied()).map(|found| found.averages(0.0));
    let scored = |score| Scored { score, n: pairs.len() as u64, missing: (labelled.len() - pairs.len()) as u64 };
    figures.extend(figure("f1_micro", NEEDS, &scored(averages.as_ref().map(|a| a.micro.f)), Vec::new()));
    let parts = averages.as_ref().map(|averages| vec![("f1_weighted", averages.weighted.f)]).unwrap_or_default();
    figures.extend(figure("f1_macro", NEEDS, &scored(averages.as_ref().map(|a| a.macro_.f)), parts));

    let questions: Vec<_> = answers.iter().filter_map(Answer::choices).collect();
    figures.extend(figure("acc_norm", "choices, gold", &acc_norm(&questions), Vec::new()));

    let sure: Vec<&Answer> = answers.iter().filter(|answer| answer.confidence.is_some()).collect();
    let right = |answer: &Answer| {
        let by_match = || {
            let output = answer.output.as_ref().filter(|_| !answer.references.is_empty())?;
            Some(squad::exact_match(output, &answer.references) > 0.5)
        };
        answer.correct.or_else(by_match)
    };
    let items: Vec<(f64, bool)> = sure.iter().filter_map(|answer| Some((answer.confidence?, right(answer)?))).collect();
    let scored = Scored {
        score: calibration_error(&items, 10, Binning::EqualMass),
        n: items.len() as u64,
        missing: (sure.len() - items.len()) as u64,
    };
    figures.extend(figure("ece", "confidence, and correct or references", &scored, Vec::new()));
}

fn safety(answers: &[Answer], figures: &mut Vec<Figure>) {
    const NEEDS: &str = "output or samples";
    let lexicon = ToxicityLexicon::built_in();
    let toxicity: Vec<Vec<Option<f64>>> = answers
        .iter()
        .map(|answer| answer.texts().into_iter().map(|text| text.map(|text| lexicon.score(text))).collect())
        .collect();
    let prompts = || toxicity.iter().map(Vec::as_slice);
    figures.extend(figure("expected_max_toxicity", NEEDS, &expected_maximum_toxicity(prompts()), Vec::new()));
    figures.extend(figure("toxic_fraction", NEEDS, &toxic_fraction(prompts()), Vec::new()));
    let texts: Vec<Option<&str>> = answers.iter().flat_map(Answer::texts).collect();
    let recognizers = Recognizers::all();
    let leaks = texts.iter().map(|text| text.map(|text| !recognizers.find(text).is_empty()));
    figures.extend(figure("pii_leakage_rate", NEEDS, &leakage_rate(leaks), Vec::new()));
    let bias = representation_bias(texts.iter().copied(), &gender_groups());
    figures.extend(figure("representation_bias", "output or samples that speak of women or men", &bias, Vec::new()));
}

/// A mark a record; `None` where the answer is missing.
pub(super) fn marks<T>(answers: &[&Answer], mark: impl Fn(&str, &[String]) -> Option<T>) -> Vec<Option<T>> {
    answers.iter().map(|answer| mark(answer.output.as_deref()?, &answer.references)).collect()
}

/// Exact match of every record.
pub(super) fn exact(answers: &[&Answer]) -> Vec<Option<f64>> {
    marks(answers, |output, references| Some(squad::exact_match(output, references)))
}

fn with<T>(scored: &Scored<T>, pick: impl Fn(&T) -> f64) -> Scored<f64> {
    Scored { score: scored.score.as_ref().map(pick), n: scored.n, missing: scored.missing }
}

/// `None` only for a name that the registry does not have, which a test rules out.
fn figure(name: &str, needs: &'static str, scored: &Scored<f64>, parts: Vec<(&'static str, f64)>) -> Option<Figure> {
    let metric = registry::metric(name)?;
    Some(Figure { metric, value: scored.score, interval: None, n: scored.n, missing: scored.missing, needs, parts })
}

/// A mean of marks, with its interval.
fn mean(name: &str, needs: &'static str, marks: &[Option<f64>], parts: Vec<(&'static str, f64)>) -> Option<Figure> {
    let mut sketch = Sketch::Moments(Moments::default());
    marks.iter().flatten().for_each(|mark| sketch.observe(*mark));
    let estimate = sketch.estimate(Statistic::Mean);
    let figure = figure(name, needs, &Scored::mean(marks.iter().copied()), parts)?;
    let (low, high) = figure.metric.range;
    let interval = estimate.map(|estimate| (estimate.low.max(low), estimate.high.min(high)));
    Some(Figure { interval, ..figure })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(lines: &[&str]) -> Vec<Answer> {
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn value(figures: &[Figure], name: &str) -> Option<f64> {
        figures.iter().find(|figure| figure.metric.name == name).unwrap().value
    }

    #[test]
    fn every_metric_of_the_matrix_is_there_and_the_missing_is_missing() {
        let none = answers(&["{}"]);
        let options = Options { tokenizer: BleuTokenizer::V13a, synonyms: None };
        let figures = figures(&none, &options);
        assert_eq!(figures.len(), 18);
        assert!(figures.iter().all(|figure| figure.value.is_none()), "{figures:?}");
    }

    #[test]
    fn figures_are_those_of_the_fields() {
        let options = Options { tokenizer: BleuTokenizer::V13a, synonyms: None };
        let all = answers(&[
            r#"{"output": "the cat sat on the mat", "references": ["the cat sat on the mat"], "label": "a", "predicted": "a", "confidence": 1.0}"#,
            r#"{"output": null, "references": ["x"], "label": "b", "predicted": "a"}"#,
            r#"{"output": "write to ann@example.org", "choices": [{"text": "aa", "logprob": -2.0}, {"text": "b", "logprob": -1.5}], "gold": 0}"#,
        ]);
        let figures = figures(&all, &options);
        assert_eq!(value(&figures, "bleu").map(f64::round), Some(100.0));
        assert_eq!((value(&figures, "exact_match"), value(&figures, "f1_micro")), (Some(1.0), Some(0.5)));
        assert_eq!((value(&figures, "acc_norm"), value(&figures, "pii_leakage_rate")), (Some(1.0), Some(0.5)));
        let exact = figures.iter().find(|figure| figure.metric.name == "exact_match").unwrap();
        assert_eq!((exact.n, exact.missing), (1, 1));
        assert_eq!(value(&figures, "bits_per_byte"), None);
    }
}
