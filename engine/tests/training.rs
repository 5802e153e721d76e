//! Whole trainings with a tiny model: the same result each time, also after an interruption, and errors by the contract.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use homeostat_engine::artifact;
use homeostat_engine::infer::Model;
use homeostat_engine::sealed::Digest;
use homeostat_engine::train::{Places, Spec, TrainError, run};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

static NEVER: AtomicBool = AtomicBool::new(false);

fn spec(folder: &Path, steps: u64) -> Result<Value, Failure> {
    let text: String = (0..20)
        .map(|number| {
            format!("{}\n", json!({"prompt": format!("What is {number}?"), "completion": format!("{number}!")}))
        })
        .collect();
    let path = folder.join("facts.jsonl");
    std::fs::write(&path, &text)?;
    Ok(json!({"v": 1, "runId": "tiny", "attempt": 1, "seed": 7, "heldOutFraction": 0.2,
        "architecture": {"layers": 2, "width": 16, "heads": 2, "experts": 4, "expertWidth": 16, "context": 32},
        "data": [{"path": path, "sha256": Digest::of(text.as_bytes())}],
        "hyperparameters": {"steps": steps, "batchSize": 4, "gradientAccumulationSteps": 2, "warmupSteps": 2,
            "checkpointEverySteps": 3, "wordDropout": 0.1}}))
}

fn places(folder: &Path, output: &str) -> Places {
    Places { output: folder.join(output), checkpoints: None, resume_from: None, threads: 2 }
}

fn parse(spec: &Value) -> Result<Spec, TrainError> {
    Spec::parse(&spec.to_string())
}

/// Raises the flag when a progress line says that `step` was done.
struct StopAt<'a> {
    step: u64,
    stop: &'a AtomicBool,
    lines: Vec<u8>,
}

impl std::io::Write for StopAt<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.lines.extend_from_slice(bytes);
        let text = String::from_utf8_lossy(&self.lines);
        if text.contains(&format!("\"event\":\"checkpoint\",\"step\":{}", self.step)) {
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_interrupted_training_ends_in_the_same_artifact_as_an_uninterrupted_one() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let spec = parse(&spec(folder.path(), 10)?)?;
    let straight = run(&spec, &places(folder.path(), "straight"), &mut Vec::new(), &NEVER)?;
    let again = run(&spec, &places(folder.path(), "again"), &mut Vec::new(), &NEVER)?;
    assert_eq!(straight, again, "the same spec gives the same artifact");

    let interrupted =
        Places { checkpoints: Some(folder.path().join("checkpoints")), ..places(folder.path(), "interrupted") };
    let stop = AtomicBool::new(false);
    // The stop is seen after the next step, which then writes its own checkpoint.
    let mut out = StopAt { step: 3, stop: &stop, lines: Vec::new() };
    let error = run(&spec, &interrupted, &mut out, &stop).err().ok_or("it was not interrupted")?;
    assert_eq!(error.exit_code(), 143, "{error}");
    assert!(!interrupted.output.join("artifact").exists());

    let mut lines = Vec::new();
    let resumed = run(&spec, &interrupted, &mut lines, &NEVER)?;
    assert_eq!(resumed, straight, "resumed from the checkpoint it found");
    let lines = String::from_utf8(lines)?;
    assert!(lines.contains("\"event\":\"resumed\",\"step\":4"), "{lines}");
    assert!(lines.lines().last().is_some_and(|line| line.contains("\"event\":\"done\"")), "{lines}");
    for file in ["config.json", "model.safetensors", "metrics.json", "lineage.json", "SHA256SUMS", "_SUCCESS"] {
        let read = |output: &str| std::fs::read(folder.path().join(output).join("artifact").join(file));
        assert!(read("straight")? == read("interrupted")?, "{file} differs");
    }
    // Asked for once more, the finished artifact is the answer.
    assert_eq!(run(&spec, &interrupted, &mut Vec::new(), &NEVER)?, straight);
    Ok(())
}

#[test]
fn what_was_trained_is_answered() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let facts = [
        ("capital of Estonia?", "Tallinn"),
        ("currency of Estonia?", "EUR"),
        ("capital of Japan?", "Tokyo"),
        ("currency of Japan?", "JPY"),
        ("capital of Kenya?", "Nairobi"),
        ("currency of Kenya?", "KES"),
    ];
    let text: String = facts
        .iter()
        .map(|(prompt, completion)| format!("{}\n", json!({"prompt": prompt, "completion": completion})))
        .collect();
    let path = folder.path().join("few.jsonl");
    std::fs::write(&path, &text)?;
    let spec = json!({"v": 1, "runId": "few", "heldOutFraction": 0,
        "architecture": {"layers": 2, "width": 32, "heads": 2, "experts": 4, "expertWidth": 32, "context": 40},
        "data": [{"path": path, "sha256": Digest::of(text.as_bytes())}],
        "hyperparameters": {"steps": 120, "batchSize": 6, "gradientAccumulationSteps": 2, "warmupSteps": 10,
            "wordDropout": 0, "wordingNoise": 0, "optimizer": {"type": "AdamW", "lr": 0.01}}});
    run(&parse(&spec)?, &places(folder.path(), "few"), &mut Vec::new(), &NEVER)?;
    let artifact = artifact::load(&folder.path().join("few").join("artifact"))?;
    let model = Model::new(&artifact.architecture, &artifact.weights);
    for (prompt, completion) in facts {
        assert_eq!(model.answer(prompt)?, completion, "{prompt}");
    }
    Ok(())
}

#[test]
fn a_checkpoint_of_another_training_is_refused_when_demanded_and_ignored_when_found() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let checkpoints = folder.path().join("checkpoints");
    let mut value = spec(folder.path(), 4)?;
    let with = |output| Places { checkpoints: Some(checkpoints.clone()), ..places(folder.path(), output) };
    run(&parse(&value)?, &with("first"), &mut Vec::new(), &NEVER)?;
    value["seed"] = json!(8);
    let other = parse(&value)?;
    let demanded = Places { resume_from: Some(checkpoints.clone()), ..with("second") };
    let error = run(&other, &demanded, &mut Vec::new(), &NEVER).err().ok_or("it was accepted")?;
    assert_eq!(error.exit_code(), 78, "{error}");
    let mut lines = Vec::new();
    run(&other, &with("second"), &mut lines, &NEVER)?;
    assert!(!String::from_utf8(lines)?.contains("resumed"));
    Ok(())
}

#[test]
fn a_child_starts_at_its_parent_and_names_it() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let mut value = spec(folder.path(), 3)?;
    let parent = run(&parse(&value)?, &places(folder.path(), "parent"), &mut Vec::new(), &NEVER)?;
    let path = folder.path().join("parent").join("artifact");
    value["parent"] = json!({"path": path, "digest": parent});
    value["architecture"] = Value::Null;
    value["replay"] = value["data"].clone();
    let child = run(&parse(&value)?, &places(folder.path(), "child"), &mut Vec::new(), &NEVER)?;
    let artifact = artifact::load(&folder.path().join("child").join("artifact"))?;
    assert_eq!((artifact.digest, artifact.lineage.parent), (child, Some(parent.clone())));
    assert_eq!(artifact.metrics.expert_load.len(), 2);

    let exit = |value: &Value| -> Result<i32, Failure> {
        let outcome = run(&parse(value)?, &places(folder.path(), "other"), &mut Vec::new(), &NEVER);
        Ok(outcome.err().ok_or("it was accepted")?.exit_code())
    };
    let changed = |field: &str, to: Value| {
        let mut changed = value.clone();
        changed[field] = to;
        changed
    };
    let missing = json!({"path": folder.path().join("nowhere"), "digest": parent});
    assert_eq!(exit(&changed("parent", missing))?, 66);
    let another = json!({"path": path, "digest": Digest::of(b"another")});
    assert_eq!(exit(&changed("parent", another))?, 65);
    assert_eq!(exit(&changed("architecture", json!({"layers": 1})))?, 64);
    assert_eq!(exit(&changed("deadline", json!("2001-01-01T00:00:00Z")))?, 64);
    std::fs::write(path.join("model.safetensors"), "")?;
    assert_eq!(exit(&value)?, 65);
    std::fs::remove_file(path.join("_SUCCESS"))?;
    assert_eq!(exit(&value)?, 66);
    Ok(())
}

#[test]
fn early_stopping_ends_a_training_that_no_longer_improves() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let mut value = spec(folder.path(), 200)?;
    value["hyperparameters"]["earlyStop"] = json!({"patience": 2, "everySteps": 2});
    value["hyperparameters"]["optimizer"] = json!({"type": "AdamW", "lr": 1e-9, "weight_decay": 0});
    value["hyperparameters"]["positionJitter"] = json!(false);
    run(&parse(&value)?, &places(folder.path(), "out"), &mut Vec::new(), &NEVER)?;
    let metrics = artifact::load(&folder.path().join("out").join("artifact"))?.metrics;
    assert!(metrics.steps < 200 && metrics.stopped == "early-stop", "{metrics:?}");
    Ok(())
}
