//! The training spec: what `spec.json` says.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::TrainError;
use crate::architecture::Architecture;
use crate::sealed::Digest;

/// One training, as JSON in camelCase; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// Version of this format: 1.
    pub v: u32,
    /// The run's id.
    pub run_id: String,
    /// The attempt of that run, from 1.
    #[serde(default = "one")]
    pub attempt: u32,
    /// The artifact to continue from.
    #[serde(default)]
    pub parent: Option<Parent>,
    /// The model's shape: needed without a parent, and not to differ from it with one.
    #[serde(default)]
    pub architecture: Option<Architecture>,
    /// Fresh data.
    pub data: Vec<DataFile>,
    /// Earlier data, mixed in so that it is not forgotten.
    #[serde(default)]
    pub replay: Vec<DataFile>,
    /// The share of every step's records that comes from `replay`.
    #[serde(default = "half")]
    pub replay_fraction: f64,
    /// The share of the records, chosen by their prompts, that is measured on instead of learnt.
    #[serde(default = "twentieth")]
    pub held_out_fraction: f64,
    /// "full": this engine trains every weight.
    #[serde(default = "full")]
    pub method: String,
    /// How to learn.
    #[serde(default)]
    pub hyperparameters: Hyperparameters,
    /// Everything random follows from it.
    #[serde(default = "one_seed")]
    pub seed: u64,
    /// When to give up.
    #[serde(default)]
    pub deadline: Option<jiff::Timestamp>,
}

/// The artifact to continue from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parent {
    /// Its folder.
    pub path: PathBuf,
    /// Its digest.
    pub digest: Digest,
}

/// A file of records, one JSON object a line: `{"prompt": "..", "completion": ".."}`; other fields are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataFile {
    /// Where it is.
    pub path: PathBuf,
    /// The sha256 of its bytes.
    pub sha256: Digest,
}

/// How to learn. Every field has a default; `batch_size` and `gradient_accumulation_steps` are accepted as well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Hyperparameters {
    /// Optimizer steps.
    pub steps: u64,
    /// Records that are computed at once.
    #[serde(alias = "batch_size")]
    pub batch_size: usize,
    /// How many such batches make one step.
    #[serde(alias = "gradient_accumulation_steps")]
    pub gradient_accumulation_steps: usize,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Steps in which the learning rate rises to its full value; it then falls to 5 % of it along a cosine.
    pub warmup_steps: u64,
    /// Gradients are scaled down to this norm over all parameters together.
    pub gradient_clip: f64,
    /// Steps between checkpoints.
    pub checkpoint_every_steps: u64,
    /// When to end before `steps`.
    pub early_stop: Option<EarlyStop>,
    /// Start each record at a random position, so that what is learnt does not depend on where a word stands.
    pub position_jitter: bool,
    /// Leave out each word of a prompt with this probability, so that what is learnt hangs on few words.
    pub word_dropout: f64,
    /// How much the wording of a prompt is disturbed while learning: how often the order of its words is turned, marks
    /// are exchanged and meaningless words are put in between.
    pub wording_noise: f64,
}

/// The optimizer: AdamW (Loshchilov and Hutter 2019) with betas 0.9 and 0.98.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Optimizer {
    /// "AdamW".
    #[serde(rename = "type")]
    pub kind: String,
    /// Learning rate.
    pub lr: f64,
    /// Weight decay, decoupled from the gradient.
    #[serde(alias = "weightDecay")]
    pub weight_decay: f64,
}

/// Ends a training whose held-out loss no longer falls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EarlyStop {
    /// Evaluations without improvement after which training ends.
    pub patience: u64,
    /// Steps between evaluations.
    pub every_steps: u64,
}

impl Default for Hyperparameters {
    fn default() -> Self {
        Self {
            steps: 450,
            batch_size: 32,
            gradient_accumulation_steps: 2,
            optimizer: Optimizer::default(),
            warmup_steps: 30,
            gradient_clip: 1.0,
            checkpoint_every_steps: 50,
            early_stop: None,
            position_jitter: true,
            word_dropout: 0.25,
            wording_noise: 0.3,
        }
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Self { kind: "AdamW".to_owned(), lr: 6e-3, weight_decay: 0.01 }
    }
}

impl Spec {
    /// Reads and checks the spec at `path`.
    ///
    /// # Errors
    /// When it cannot be read (66 when it is not there), is not such JSON, or asks for something impossible.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => TrainError::Missing { field: "--spec".to_owned(), path: path.to_owned() },
            _ => TrainError::Io { path: path.to_owned(), source },
        })?;
        Self::parse(&text)
    }

    /// Reads and checks a spec.
    ///
    /// # Errors
    /// Names the field, its value and the remedy.
    pub fn parse(text: &str) -> Result<Self, TrainError> {
        let spec: Self = serde_json::from_str(text)
            .map_err(|error| TrainError::Spec(format!("the spec cannot be read: {error}; correct it there")))?;
        spec.validate()?;
        Ok(spec)
    }

    /// Checks ranges and how fields fit together.
    ///
    /// # Errors
    /// Names the first offending field, its value and the remedy.
    pub fn validate(&self) -> Result<(), TrainError> {
        let hyper = &self.hyperparameters;
        let optimizer = &hyper.optimizer;
        let early = hyper.early_stop.as_ref();
        let share = |value: f64, below: f64| (0.0..=below).contains(&value);
        let checks: &[(bool, &str, String, &str)] = &[
            (self.v == 1, "v", self.v.to_string(), "this engine reads version 1"),
            (!self.run_id.is_empty(), "runId", "\"\"".into(), "give the run a name"),
            (self.attempt > 0, "attempt", self.attempt.to_string(), "count from 1"),
            (!self.data.is_empty(), "data", "[]".into(), "name at least one file"),
            (share(self.replay_fraction, 0.95), "replayFraction", self.replay_fraction.to_string(), "use 0 to 0.95"),
            (share(self.held_out_fraction, 0.5), "heldOutFraction", self.held_out_fraction.to_string(), "use 0 to 0.5"),
            (self.method == "full", "method", format!("\"{}\"", self.method), "this engine only trains \"full\""),
            ((1..=1_000_000).contains(&hyper.steps), "steps", hyper.steps.to_string(), "use 1 to 1000000"),
            ((1..=4096).contains(&hyper.batch_size), "batchSize", hyper.batch_size.to_string(), "use 1 to 4096"),
            (
                (1..=1024).contains(&hyper.gradient_accumulation_steps),
                "gradientAccumulationSteps",
                hyper.gradient_accumulation_steps.to_string(),
                "use 1 to 1024",
            ),
            (optimizer.kind == "AdamW", "optimizer.type", format!("\"{}\"", optimizer.kind), "use \"AdamW\""),
            (optimizer.lr > 0.0 && optimizer.lr <= 1.0, "optimizer.lr", optimizer.lr.to_string(), "use above 0, to 1"),
            (
                share(optimizer.weight_decay, 1.0),
                "optimizer.weight_decay",
                optimizer.weight_decay.to_string(),
                "use 0 to 1",
            ),
            (
                hyper.gradient_clip > 0.0 && hyper.gradient_clip.is_finite(),
                "gradientClip",
                hyper.gradient_clip.to_string(),
                "use a number above 0",
            ),
            (
                hyper.checkpoint_every_steps > 0,
                "checkpointEverySteps",
                hyper.checkpoint_every_steps.to_string(),
                "use a number from 1",
            ),
            (share(hyper.word_dropout, 0.9), "wordDropout", hyper.word_dropout.to_string(), "use 0 to 0.9"),
            (share(hyper.wording_noise, 1.0), "wordingNoise", hyper.wording_noise.to_string(), "use 0 to 1"),
            (early.is_none_or(|early| early.patience > 0), "earlyStop.patience", "0".into(), "use a number from 1"),
            (
                early.is_none_or(|early| early.every_steps > 0),
                "earlyStop.everySteps",
                "0".into(),
                "use a number from 1",
            ),
            (
                early.is_none() || self.held_out_fraction > 0.0,
                "heldOutFraction",
                self.held_out_fraction.to_string(),
                "hold something out, or drop earlyStop",
            ),
            (
                self.parent.is_some() || self.architecture.is_some(),
                "architecture",
                "null".into(),
                "give one, or a parent to take it from",
            ),
        ];
        if let Some((_, field, value, remedy)) = checks.iter().find(|(holds, ..)| !holds) {
            return Err(TrainError::Spec(format!("{field} is {value}: {remedy}")));
        }
        if let Some(architecture) = &self.architecture {
            architecture.validate().map_err(|error| TrainError::Spec(error.to_string()))?;
        }
        Ok(())
    }

    /// The digest of everything that shapes the result: not the attempt, the deadline, or where files lie.
    pub(crate) fn digest(&self, architecture: &Architecture, threads: usize) -> Digest {
        let sums = |files: &[DataFile]| files.iter().map(|file| file.sha256.to_string()).collect::<Vec<_>>();
        let shaping = serde_json::json!({
            "runId": self.run_id,
            "parent": self.parent.as_ref().map(|parent| parent.digest.to_string()),
            "architecture": architecture,
            "data": sums(&self.data),
            "replay": sums(&self.replay),
            "replayFraction": self.replay_fraction,
            "heldOutFraction": self.held_out_fraction,
            "hyperparameters": self.hyperparameters,
            "seed": self.seed,
            "threads": threads,
            "code": code(),
        });
        Digest::of(shaping.to_string().as_bytes())
    }
}

/// Name and version of the code that trains.
pub(crate) fn code() -> String {
    concat!("homeostat-engine/", env!("CARGO_PKG_VERSION")).to_owned()
}

fn one() -> u32 {
    1
}

fn one_seed() -> u64 {
    1
}

fn half() -> f64 {
    0.5
}

fn twentieth() -> f64 {
    0.05
}

fn full() -> String {
    "full".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec() -> Value {
        json!({"v": 1, "runId": "atlas-r1", "attempt": 1, "parent": null, "architecture": {"layers": 1},
            "data": [{"path": "f.jsonl", "sha256": "0".repeat(64)}], "seed": 3,
            "hyperparameters": {"steps": 9, "batch_size": 2, "gradient_accumulation_steps": 3,
                "optimizer": {"type": "AdamW", "lr": 3e-5, "weight_decay": 0.01}}})
    }

    fn changed(change: impl FnOnce(&mut Value)) -> Result<Spec, TrainError> {
        let mut spec = spec();
        change(&mut spec);
        Spec::parse(&spec.to_string())
    }

    #[test]
    fn the_snake_case_of_other_trainers_is_accepted() {
        let spec = changed(|_| {}).unwrap();
        assert_eq!((spec.hyperparameters.batch_size, spec.hyperparameters.gradient_accumulation_steps), (2, 3));
        assert_eq!(spec.replay_fraction, 0.5);
    }

    #[test]
    fn each_error_names_field_value_and_remedy_and_exits_64() {
        type Change = fn(&mut Value);
        let cases: &[(Change, &[&str])] = &[
            (|spec| spec["v"] = json!(2), &["v is 2", "version 1"]),
            (|spec| spec["surprise"] = json!(1), &["surprise", "line 1"]),
            (|spec| spec["data"] = json!([]), &["data is []", "at least one"]),
            (|spec| spec["method"] = json!("lora"), &["method is \"lora\"", "full"]),
            (|spec| spec["architecture"] = json!(null), &["architecture is null", "parent"]),
            (|spec| spec["architecture"]["width"] = json!(66), &["architecture.width is 66", "multiple"]),
            (
                |spec| spec["hyperparameters"]["optimizer"]["type"] = json!("SGD"),
                &["optimizer.type is \"SGD\"", "AdamW"],
            ),
            (|spec| spec["hyperparameters"]["steps"] = json!(0), &["steps is 0", "use 1"]),
            (|spec| spec["data"][0]["sha256"] = json!("abc"), &["abc", "64 lower-case"]),
            (|spec| spec["deadline"] = json!("tomorrow"), &["line 1"]),
        ];
        for (change, expected) in cases {
            let error = changed(change).unwrap_err();
            assert_eq!(error.exit_code(), 64);
            assert!(expected.iter().all(|part| error.to_string().contains(part)), "{error}");
        }
    }

    #[test]
    fn the_digest_covers_what_shapes_the_result_and_nothing_else() {
        let base = changed(|_| {}).unwrap();
        let shape = Architecture::default();
        let digest = base.digest(&shape, 2);
        let same = Spec { attempt: 2, deadline: Some(jiff::Timestamp::UNIX_EPOCH), ..base.clone() };
        assert_eq!(same.digest(&shape, 2), digest);
        assert_ne!(Spec { seed: 4, ..base.clone() }.digest(&shape, 2), digest);
        assert_ne!(base.digest(&shape, 1), digest);
    }
}
