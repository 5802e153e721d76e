//! The file of answers: one JSON object a line.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, bail};
use homeostat_quality::labels::Choices;
use serde::Deserialize;
use serde_json::Value;

/// One record. Every field but one is optional; a missing text is missing, never empty.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Answer {
    /// Names the record, also across files; the line's number without it.
    #[serde(default)]
    pub(super) id: Value,
    /// What the model answered; `null` when it gave no answer.
    #[serde(default, alias = "answer", alias = "completion", alias = "response", alias = "hypothesis")]
    pub(super) output: Option<String>,
    /// Several samples of the same prompt, for toxicity.
    #[serde(default)]
    pub(super) samples: Vec<Option<String>>,
    /// What would have been right.
    #[serde(default)]
    pub(super) references: Vec<String>,
    /// One reference.
    #[serde(default)]
    reference: Option<String>,
    /// Natural log-probabilities of the tokens of the first reference (or of the output without one).
    #[serde(default)]
    pub(super) logprobs: Option<Vec<Option<f64>>>,
    /// The right class.
    #[serde(default)]
    pub(super) label: Option<String>,
    /// The class that was answered.
    #[serde(default)]
    pub(super) predicted: Option<String>,
    /// Multiple choice.
    #[serde(default)]
    choices: Vec<Choice>,
    /// Index of the right choice, from 0.
    #[serde(default)]
    gold: Option<usize>,
    /// How sure the model was, 0 to 1.
    #[serde(default)]
    pub(super) confidence: Option<f64>,
    /// Whether the answer is right; exact match decides without it.
    #[serde(default)]
    pub(super) correct: Option<bool>,
    /// Answers to small changes of the prompt.
    #[serde(default)]
    pub(super) perturbed: Vec<Option<String>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Choice {
    text: String,
    #[serde(default)]
    logprob: Option<f64>,
}

impl Answer {
    /// Its choices, when there are some and the right one is known.
    pub(super) fn choices(&self) -> Option<Choices> {
        let gold = self.gold.filter(|gold| *gold < self.choices.len())?;
        let choices = self.choices.iter().map(|choice| (choice.text.clone(), choice.logprob)).collect();
        Some(Choices { choices, gold })
    }

    /// All texts that the model gave.
    pub(super) fn texts(&self) -> Vec<Option<&str>> {
        if self.samples.is_empty() {
            vec![self.output.as_deref()]
        } else {
            self.samples.iter().map(Option::as_deref).collect()
        }
    }
}

/// References by id.
pub(super) type References = BTreeMap<String, Vec<String>>;

/// Reads a file of references.
pub(super) fn references(path: &Path) -> anyhow::Result<References> {
    let mut found = References::new();
    for (line, answer) in lines(path)? {
        if answer.id.is_null() {
            bail!("line {line} has no id: references are matched by it");
        }
        if found.insert(answer.id.to_string(), answer.references).is_some() {
            bail!("line {line}: the id {} occurs twice: give each record one of its own", answer.id);
        }
    }
    Ok(found)
}

/// Reads a file of answers; references of the same id come from `known` unless the record brings its own.
pub(super) fn read(path: &Path, known: &References) -> anyhow::Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for (line, mut answer) in lines(path)? {
        if answer.id.is_null() {
            answer.id = Value::from(line);
        }
        if answer.references.is_empty()
            && let Some(references) = known.get(&answer.id.to_string())
        {
            answer.references.clone_from(references);
        }
        answers.push(answer);
    }
    if answers.is_empty() {
        bail!("no record: one JSON object a line is expected, with output and references for most metrics");
    }
    Ok(answers)
}

fn lines(path: &Path) -> anyhow::Result<Vec<(u64, Answer)>> {
    let from: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(std::fs::File::open(path).context("it cannot be read")?))
    };
    let mut found = Vec::new();
    for (number, line) in (1_u64..).zip(from.lines()) {
        let line = line.with_context(|| format!("line {number} cannot be read"))?;
        if line.trim().is_empty() {
            continue;
        }
        let mut answer: Answer = serde_json::from_str(&line).with_context(|| format!("line {number}"))?;
        answer.references.extend(answer.reference.take());
        if let Some(confidence) = answer.confidence.filter(|confidence| !(0.0..=1.0).contains(confidence)) {
            bail!("line {number}: confidence {confidence} is outside 0 to 1: give a probability");
        }
        if let Some(gold) = answer.gold.filter(|gold| *gold >= answer.choices.len()) {
            bail!("line {number}: gold is {gold}, and there are {} choices, counted from 0", answer.choices.len());
        }
        found.push((number, answer));
    }
    Ok(found)
}
