//! One training from its spec to its artifact.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::TrainError;
use super::checkpoint::{self, Checkpoint, State};
use super::data::Data;
use super::learner::Learner;
use super::progress::{Progress, Report};
use super::spec::{self, Spec};
use crate::architecture::Architecture;
use crate::artifact::{self, Artifact, Lineage, Metrics};
use crate::clock;
use crate::sealed::Digest;
use crate::weights::Weights;

/// How much of the smoothed loss each step replaces.
const SMOOTHING: f64 = 0.05;

/// Where a training reads and writes, and with how many threads it computes.
#[derive(Clone, Debug)]
pub struct Places {
    /// The artifact is written to `artifact/` in here.
    pub output: PathBuf,
    /// Checkpoints are written here, and one of the same training found here is continued.
    pub checkpoints: Option<PathBuf>,
    /// The checkpoint that has to be continued.
    pub resume_from: Option<PathBuf>,
    /// Data-parallel workers.
    pub threads: usize,
}

/// Trains, and returns the artifact's digest. Progress lines go to `out`; raising `stop` ends it after a step, with a
/// checkpoint. An artifact of the same training that is already in place is taken as the result.
///
/// # Errors
/// Each with the exit code that the contract gives it.
pub fn run(
    spec: &Spec,
    places: &Places,
    out: &mut (dyn Write + Send),
    stop: &AtomicBool,
) -> Result<Digest, TrainError> {
    spec.validate()?;
    let mut progress = Progress::new(out);
    let parent = parent(spec)?;
    let architecture = match (&parent, &spec.architecture) {
        (Some(parent), _) => parent.architecture.clone(),
        (None, given) => given.clone().unwrap_or_default(),
    };
    let identity = spec.digest(&architecture, places.threads);
    let destination = places.output.join("artifact");
    let lineage = lineage(spec, identity.clone());
    if let Some(finished) = artifact::load(&destination).ok().filter(|found| found.lineage == lineage) {
        progress.done(&finished.digest)?;
        return Ok(finished.digest);
    }
    if let Some(deadline) = spec.deadline.filter(|deadline| *deadline <= clock::now()) {
        return Err(TrainError::Spec(format!("deadline is {deadline}: it has passed; set a later one or none")));
    }
    let data = Data::read(spec, architecture.context)?;
    let found = match (&places.resume_from, &places.checkpoints) {
        (Some(path), _) => Some(checkpoint::demand(path, &identity, &architecture)?),
        (None, Some(folder)) => checkpoint::find(folder, &identity, &architecture),
        (None, None) => None,
    };
    let training = match found {
        Some(Checkpoint { state, weights, optimizer }) => {
            progress.resumed(state.step)?;
            let learner = Learner::new(spec, &architecture, &weights, places.threads)?;
            let resumed = learner.with_optimizer_state(optimizer);
            let learner =
                resumed.map_err(|what| TrainError::Checkpoint { path: PathBuf::from("optimizer.bpk"), what })?;
            Training { spec, data, learner, state, held_out: None }
        }
        None => {
            let weights = match parent {
                Some(parent) => parent.weights,
                None => Weights::initial(&architecture, spec.seed),
            };
            let learner = Learner::new(spec, &architecture, &weights, places.threads)?;
            let state = State { spec: identity, step: 0, tokens: 0, loss: None, best: None, since_best: 0 };
            Training { spec, data, learner, state, held_out: None }
        }
    };
    let (weights, metrics) = training.finish(&architecture, places.checkpoints.as_deref(), &mut progress, stop)?;
    let digest = artifact::write(&destination, &architecture, &weights, &metrics, &lineage)
        .map_err(|source| TrainError::Write { what: "the artifact", source })?;
    progress.done(&digest)?;
    Ok(digest)
}

struct Training<'a> {
    spec: &'a Spec,
    data: Data,
    learner: Learner,
    state: State,
    /// The last measurement.
    held_out: Option<f64>,
}

impl Training<'_> {
    /// Takes the steps that are left.
    fn finish(
        mut self,
        architecture: &Architecture,
        checkpoints: Option<&Path>,
        progress: &mut Progress<'_>,
        stop: &AtomicBool,
    ) -> Result<(Weights, Metrics), TrainError> {
        let hyper = &self.spec.hyperparameters;
        let mut stopped = "steps";
        self.report(progress, false)?;
        while self.state.step < hyper.steps {
            if self.state.since_best >= hyper.early_stop.as_ref().map_or(u64::MAX, |early| early.patience) {
                stopped = "early-stop";
                break;
            }
            let step = self.state.step + 1;
            let records = self.data.step(self.spec, architecture.context, step);
            let done = self.learner.step(step, &records)?;
            self.state.step = step;
            self.state.tokens += done.tokens;
            self.state.loss = Some(self.state.loss.map_or(done.loss, |loss| loss + SMOOTHING * (done.loss - loss)));
            let measured = self.measure_when_due();
            self.report(progress, measured)?;
            let stopping = stop.load(Ordering::Relaxed);
            let late = self.spec.deadline.is_some_and(|deadline| deadline <= clock::now());
            let due = step.is_multiple_of(hyper.checkpoint_every_steps) || stopping || late;
            if let Some(folder) = checkpoints.filter(|_| due && step < hyper.steps) {
                self.checkpoint(folder)?;
                progress.checkpoint(step)?;
            }
            if step < hyper.steps && stopping {
                return Err(TrainError::Interrupted { step });
            }
            if step < hyper.steps && late {
                return Err(TrainError::Deadline { step, steps: hyper.steps });
            }
        }
        let weights = self.learner.weights();
        if !weights.finite() {
            return Err(TrainError::Diverged { step: self.state.step, what: "a weight" });
        }
        let measured = self.learner.measure(self.data.held_out());
        let metrics = Metrics {
            loss: self.state.loss.unwrap_or_default(),
            steps: self.state.step,
            tokens: self.state.tokens,
            held_out_bits_per_byte: measured.as_ref().map(|measured| measured.bits_per_byte),
            records: self.data.records(),
            expert_load: measured.map(|measured| measured.load).unwrap_or_default(),
            stopped: stopped.to_owned(),
        };
        Ok((weights, metrics))
    }

    /// Measures on the held-out records at every evaluation of early stopping, or else ten times a training.
    fn measure_when_due(&mut self) -> bool {
        let hyper = &self.spec.hyperparameters;
        let every = hyper.early_stop.as_ref().map_or((hyper.steps / 10).max(10), |early| early.every_steps);
        if !self.state.step.is_multiple_of(every) {
            return false;
        }
        let measured = self.learner.measure(self.data.held_out());
        self.held_out = measured.map(|measured| measured.bits_per_byte);
        let Some(value) = self.held_out else { return false };
        if self.state.best.is_none_or(|best| value < best) {
            (self.state.best, self.state.since_best) = (Some(value), 0);
        } else {
            self.state.since_best += 1;
        }
        true
    }

    fn report(&self, progress: &mut Progress<'_>, measured: bool) -> Result<(), TrainError> {
        progress.report(&Report {
            step: self.state.step,
            total: self.spec.hyperparameters.steps,
            tokens: self.state.tokens,
            loss: self.state.loss,
            learning_rate: self.learner.learning_rate(self.state.step),
            held_out_bits_per_byte: self.held_out.filter(|_| measured),
        })
    }

    fn checkpoint(&self, folder: &Path) -> Result<(), TrainError> {
        let checkpoint = Checkpoint {
            state: self.state.clone(),
            weights: self.learner.weights(),
            optimizer: self.learner.optimizer_state()?,
        };
        checkpoint::write(folder, &checkpoint)
    }
}

fn parent(spec: &Spec) -> Result<Option<Artifact>, TrainError> {
    let Some(given) = &spec.parent else { return Ok(None) };
    if !given.path.is_dir() {
        return Err(TrainError::Missing { field: "parent.path".to_owned(), path: given.path.clone() });
    }
    let parent =
        artifact::load(&given.path).map_err(|source| TrainError::Parent { path: given.path.clone(), source })?;
    if parent.digest != given.digest {
        let (path, expected, found) = (given.path.display(), &given.digest, &parent.digest);
        let message =
            format!("parent.digest is {expected} but {path} has {found}: provide the artifact of that digest");
        return Err(TrainError::Data(message));
    }
    if spec.architecture.as_ref().is_some_and(|architecture| *architecture != parent.architecture) {
        let message = "architecture differs from that of the parent: leave it out, or train without a parent";
        return Err(TrainError::Spec(message.to_owned()));
    }
    Ok(Some(parent))
}

fn lineage(spec: &Spec, identity: Digest) -> Lineage {
    let sums = |files: &[spec::DataFile]| files.iter().map(|file| file.sha256.clone()).collect();
    Lineage {
        run_id: spec.run_id.clone(),
        attempt: spec.attempt,
        parent: spec.parent.as_ref().map(|parent| parent.digest.clone()),
        data: sums(&spec.data),
        replay: sums(&spec.replay),
        spec: identity,
        seed: spec.seed,
        code: spec::code(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_training_that_diverges_says_so_and_leaves_no_artifact() {
        let folder = tempfile::tempdir().unwrap();
        let architecture = Architecture { layers: 1, width: 8, heads: 2, experts: 2, ..Default::default() };
        let mut weights = Weights::initial(&architecture, 1);
        weights.each_mut().flatten().for_each(|value| *value *= 1e30);
        let metrics = Metrics {
            loss: 0.0,
            steps: 0,
            tokens: 0,
            held_out_bits_per_byte: None,
            records: Default::default(),
            expert_load: Vec::new(),
            stopped: "steps".to_owned(),
        };
        let text = "{\"prompt\":\"a\",\"completion\":\"b\"}\n";
        let path = folder.path().join("data");
        std::fs::write(&path, text).unwrap();
        let spec = json!({"v": 1, "runId": "r", "architecture": architecture, "heldOutFraction": 0,
            "data": [{"path": path, "sha256": Digest::of(text.as_bytes())}]});
        let mut spec = Spec::parse(&spec.to_string()).unwrap();
        let parent = folder.path().join("parent");
        let lineage = lineage(&spec, Digest::of(b"spec"));
        let digest = artifact::write(&parent, &architecture, &weights, &metrics, &lineage).unwrap();
        spec.parent = Some(spec::Parent { path: parent, digest });
        let output = folder.path().join("output");
        let places = Places { output: output.clone(), checkpoints: None, resume_from: None, threads: 1 };
        let error = run(&spec, &places, &mut Vec::new(), &AtomicBool::new(false)).unwrap_err();
        assert_eq!(error.exit_code(), 79, "{error}");
        assert!(!output.exists());
    }
}
