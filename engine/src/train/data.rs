//! Records: reading and verifying them, holding some out, and choosing those of each step.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::spec::{DataFile, Hyperparameters, Spec};
use super::{TrainError, augment};
use crate::artifact::Records;
use crate::chance::Chance;
use crate::sealed::Digest;
use crate::template::{self, Encoded};

/// Held-out records that are measured at most.
const MEASURED: usize = 256;

/// A record as it is learnt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    prompt: String,
    completion: String,
}

/// All records of a training.
#[derive(Debug)]
pub(super) struct Data {
    fresh: Vec<Record>,
    replay: Vec<Record>,
    held_out: Vec<Encoded>,
    held_out_count: usize,
}

/// A record in a step, and the position it starts at.
pub(super) type Placed = (Encoded, usize);

impl Data {
    /// Reads every file of `spec`.
    ///
    /// # Errors
    /// When a file is missing, has another digest, or holds a record that cannot be learnt.
    pub(super) fn read(spec: &Spec, context: usize) -> Result<Self, TrainError> {
        let mut held_out = Vec::new();
        let mut part = |field: &str, files: &[DataFile]| -> Result<Vec<Record>, TrainError> {
            let mut kept = Vec::new();
            for (number, file) in files.iter().enumerate() {
                for record in read_file(&format!("{field}[{number}]"), file, context)? {
                    if is_held_out(&record.prompt, spec.held_out_fraction) {
                        held_out.push(template::record(&record.prompt, &record.completion));
                    } else {
                        kept.push(record);
                    }
                }
            }
            Ok(kept)
        };
        let fresh = part("data", &spec.data)?;
        let replay = part("replay", &spec.replay)?;
        if fresh.is_empty() {
            let message = "data holds no record to learn: add records or lower heldOutFraction";
            return Err(TrainError::Data(message.to_owned()));
        }
        let held_out_count = held_out.len();
        // Every n-th, so that all files are represented.
        let every = held_out_count.div_ceil(MEASURED).max(1);
        let held_out = held_out.into_iter().step_by(every).collect();
        Ok(Self { fresh, replay, held_out, held_out_count })
    }

    /// How many records there are.
    pub(super) fn records(&self) -> Records {
        Records { fresh: self.fresh.len(), replay: self.replay.len(), held_out: self.held_out_count }
    }

    /// The records to measure on.
    pub(super) fn held_out(&self) -> &[Encoded] {
        &self.held_out
    }

    /// The records of step number `step` (from 1), the shortest first. It depends on nothing but the spec and the step.
    pub(super) fn step(&self, spec: &Spec, context: usize, step: u64) -> Vec<Placed> {
        let hyper = &spec.hyperparameters;
        let total = hyper.batch_size * hyper.gradient_accumulation_steps;
        let replayed = if self.replay.is_empty() { 0 } else { (total as f64 * spec.replay_fraction).round() as usize };
        let mut chance = Chance::new(spec.seed, "augmentation", step);
        let mut records = Vec::with_capacity(total);
        let parts = [("fresh", &self.fresh, total - replayed), ("replay", &self.replay, replayed)];
        for (purpose, pool, count) in parts {
            for index in drawn(spec.seed, purpose, pool.len(), step, count) {
                records.push(placed(&pool[index], hyper, context, &mut chance));
            }
        }
        records.sort_by_key(|(record, _)| record.bytes.len());
        records
    }
}

/// `count` places in a pool of `length`, going through it in a new random order each time: step by step where the last
/// step ended.
fn drawn(seed: u64, purpose: &str, length: usize, step: u64, count: usize) -> Vec<usize> {
    let mut orders = BTreeMap::new();
    let first = (step - 1) * count as u64;
    (first..first + count as u64)
        .map(|draw| {
            let epoch = draw / length as u64;
            let order = orders.entry(epoch).or_insert_with(|| Chance::new(seed, purpose, epoch).permutation(length));
            order[(draw % length as u64) as usize]
        })
        .collect()
}

fn placed(record: &Record, hyper: &Hyperparameters, context: usize, chance: &mut Chance) -> Placed {
    let room = context.saturating_sub(record.prompt.len() + record.completion.len() + 1);
    let prompt = augment::reword(&record.prompt, hyper, room, chance);
    let encoded = template::record(&prompt, &record.completion);
    let room = (context + 1).saturating_sub(encoded.bytes.len());
    let offset = if hyper.position_jitter { chance.below(room + 1) } else { 0 };
    (encoded, offset)
}

/// Chosen by the prompt alone: a prompt is held out from every training or from none.
fn is_held_out(prompt: &str, fraction: f64) -> bool {
    let digest = Digest::of(prompt.as_bytes());
    let number = u32::from_str_radix(&digest.as_str()[..8], 16).unwrap_or(u32::MAX);
    f64::from(number) / f64::from(u32::MAX) < fraction
}

fn read_file(field: &str, file: &DataFile, context: usize) -> Result<Vec<Record>, TrainError> {
    let bytes = std::fs::read(&file.path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => TrainError::Missing { field: format!("{field}.path"), path: file.path.clone() },
        _ => TrainError::Io { path: file.path.clone(), source },
    })?;
    let found = Digest::of(&bytes);
    if found != file.sha256 {
        let (path, expected) = (file.path.display(), &file.sha256);
        let message = format!("{field}.sha256 is {expected} but {path} has {found}: provide the file of that digest");
        return Err(TrainError::Data(message));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| TrainError::Data(format!("{} is not UTF-8: convert it", file.path.display())))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(number, line)| parse_line(line, &file.path, number + 1, context)).collect()
}

/// Errors name file and line but never quote the text.
fn parse_line(line: &str, path: &Path, number: usize, context: usize) -> Result<Record, TrainError> {
    #[derive(Deserialize)]
    struct Line {
        prompt: String,
        completion: String,
    }
    let refuse = |what: String| Err(TrainError::Data(format!("{} line {number}: {what}", path.display())));
    let Ok(Line { prompt, completion }) = serde_json::from_str(line) else {
        return refuse(
            "it is no object with the strings \"prompt\" and \"completion\"; correct or remove it".to_owned(),
        );
    };
    if prompt.is_empty() || completion.is_empty() {
        return refuse("prompt or completion is empty; fill or remove it".to_owned());
    }
    if let Some(byte) = template::control_byte(&prompt).or(template::control_byte(&completion)) {
        return refuse(format!("it holds the control byte {byte:#04x}; remove that byte"));
    }
    let length = prompt.len() + completion.len() + 1;
    if length > context {
        let remedy = "shorten it or train with a larger architecture.context";
        return refuse(format!("the record of {length} bytes exceeds the context of {context}; {remedy}"));
    }
    Ok(Record { prompt, completion })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(folder: &Path, fresh: &str, replay: &str, held_out: f64) -> Spec {
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            json!({"path": path, "sha256": Digest::of(text.as_bytes())})
        };
        let spec = json!({"v": 1, "runId": "r", "architecture": {}, "data": [file("fresh", fresh)],
            "replay": [file("replay", replay)], "heldOutFraction": held_out,
            "hyperparameters": {"batchSize": 4, "gradientAccumulationSteps": 2, "wordDropout": 0.0, "wordingNoise": 0.0}});
        Spec::parse(&spec.to_string()).unwrap()
    }

    fn lines(prefix: &str, count: usize) -> String {
        (0..count).map(|n| format!("{{\"prompt\":\"{prefix} {n}\",\"completion\":\"{n}\",\"x\":1}}\n")).collect()
    }

    #[test]
    fn every_record_comes_once_an_epoch_and_replay_has_its_share() {
        let folder = tempfile::tempdir().unwrap();
        let spec = spec(folder.path(), &lines("new", 16), &lines("old", 8), 0.0);
        let data = Data::read(&spec, 128).unwrap();
        let mut fresh = BTreeMap::new();
        for step in 1..=4 {
            let records = data.step(&spec, 128, step);
            assert_eq!(records.len(), 8);
            assert_eq!(records, data.step(&spec, 128, step), "a step is the same whenever it is asked for");
            let (new, old): (Vec<_>, Vec<_>) = records.iter().partition(|(record, _)| record.bytes.starts_with(b"new"));
            assert_eq!((new.len(), old.len()), (4, 4));
            assert!(records.iter().all(|(record, offset)| offset + record.bytes.len() - 1 <= 128));
            new.iter().for_each(|(record, _)| *fresh.entry(record.bytes.clone()).or_insert(0) += 1);
        }
        assert!(fresh.len() == 16 && fresh.values().all(|count| *count == 1), "{fresh:?}");
    }

    #[test]
    fn a_held_out_prompt_is_never_learnt() {
        let folder = tempfile::tempdir().unwrap();
        let spec = spec(folder.path(), &lines("new", 200), "", 0.2);
        let data = Data::read(&spec, 128).unwrap();
        let records = data.records();
        assert!((20..60).contains(&records.held_out) && records.fresh + records.held_out == 200, "{records:?}");
        let held_out = data.held_out();
        for step in 1..=60 {
            assert!(data.step(&spec, 128, step).iter().all(|(record, _)| !held_out.contains(record)));
        }
    }

    #[test]
    fn bad_data_names_file_and_line_but_not_the_text() {
        let folder = tempfile::tempdir().unwrap();
        let long = format!("{{\"prompt\":\"secret{}\",\"completion\":\"a\"}}", "x".repeat(130));
        for (line, expected) in [
            ("{\"prompt\":\"secret\"}", "prompt"),
            ("secret", "no object"),
            ("{\"prompt\":\"secret\",\"completion\":\"\"}", "empty"),
            ("{\"prompt\":\"secret\\u0002\",\"completion\":\"a\"}", "0x02"),
            (long.as_str(), "context of 128"),
        ] {
            let spec = spec(folder.path(), &format!("{}{line}\n", lines("ok", 1)), "", 0.0);
            let error = Data::read(&spec, 128).unwrap_err();
            assert_eq!(error.exit_code(), 65);
            let message = error.to_string();
            assert!(message.contains("fresh line 2") && message.contains(expected), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_missing_file_exits_66_and_a_changed_one_65() {
        let folder = tempfile::tempdir().unwrap();
        let spec = spec(folder.path(), &lines("new", 4), "", 0.0);
        std::fs::write(folder.path().join("fresh"), "other").unwrap();
        assert_eq!(Data::read(&spec, 128).unwrap_err().exit_code(), 65);
        std::fs::remove_file(folder.path().join("fresh")).unwrap();
        let error = Data::read(&spec, 128).unwrap_err();
        assert_eq!(error.exit_code(), 66);
        assert!(error.to_string().contains("data[0].path"), "{error}");
    }
}
