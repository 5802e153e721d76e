//! A retraining: how far it is, what its data went through, how its gates came out.

use homeostat_clock::UtcMillis;
use homeostat_crds::RetrainingRun;
use homeostat_crds::conditions::run as types;
use homeostat_crds::retraining_run::GateStatus;
use kube::ResourceExt;

use super::standing::is_open;
use super::{Tone, condition};
use crate::facts::Stage;
use crate::words::{Moment, grouped, length, millis, number, short, spaced};

/// A run as lists show it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunLine {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) model: String,
    pub(crate) model_href: String,
    pub(crate) parent: String,
    pub(crate) cause: String,
    pub(crate) tone: Tone,
    /// `40 % of training done, about 2 min to go`
    pub(crate) state: String,
    /// Of training, 0 to 100, while it trains.
    pub(crate) percent: Option<u64>,
    pub(crate) started: Option<Moment>,
    pub(crate) took: Option<String>,
    pub(crate) version: Option<String>,
}

/// A gate with its figures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GateView {
    pub(crate) name: String,
    pub(crate) tone: Tone,
    pub(crate) outcome: String,
    pub(crate) value: Option<String>,
    pub(crate) threshold: String,
    pub(crate) n: String,
    pub(crate) explanation: String,
}

/// What the data of a run went through.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FunnelView {
    /// What, how many.
    pub(crate) lines: Vec<(String, String)>,
    /// One row a stage.
    pub(crate) stages: Vec<StageView>,
    /// Digests: what, beginning, whole.
    pub(crate) blobs: Vec<(&'static str, String, String)>,
}

/// What one cleaning stage took in, dropped and passed on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StageView {
    pub(crate) name: String,
    pub(crate) input: String,
    pub(crate) output: String,
    /// `12 exact duplicates, 3 near duplicates`
    pub(crate) dropped: String,
}

fn stage(stage: &Stage) -> StageView {
    let dropped: Vec<_> = stage.dropped.iter().map(|drop| format!("{} {}", grouped(drop.count), drop.reason)).collect();
    StageView {
        name: stage.name.clone(),
        input: grouped(stage.input),
        output: grouped(stage.output),
        dropped: if dropped.is_empty() { "nothing".to_string() } else { dropped.join(", ") },
    }
}

/// A run as lists show it.
pub(crate) fn line(run: &RetrainingRun, now: UtcMillis) -> RunLine {
    let namespace = run.namespace().unwrap_or_default();
    let status = run.status.clone().unwrap_or_default();
    let phase = status.phase.as_deref().unwrap_or("Pending");
    let started = status.started.as_ref().map(millis);
    let end = status.finished.as_ref().map_or(now, millis);
    RunLine {
        href: format!("/runs/{namespace}/{}", run.name_any()),
        model_href: format!("/models/{namespace}/{}", run.spec.model),
        name: run.name_any(),
        model: run.spec.model.clone(),
        parent: run.spec.parent.clone(),
        cause: spaced(&run.spec.cause),
        tone: Tone::of(phase),
        state: phase_words(run),
        percent: (phase == "Training").then(|| status.progress.as_ref().and_then(percent)).flatten(),
        started: started.map(|time| Moment::new(time, now)),
        took: started.map(|time| length(end.since(time))),
        version: status.version,
    }
}

/// Whole per cent of the training that is done; `None` before the number of steps is known.
pub(crate) fn percent(progress: &homeostat_crds::retraining_run::ProgressStatus) -> Option<u64> {
    (progress.total_steps > 0).then(|| (progress.step.min(progress.total_steps)) * 100 / progress.total_steps)
}

/// Where a run is, in words.
pub(crate) fn phase_words(run: &RetrainingRun) -> String {
    let Some(status) = &run.status else { return "not looked at yet".to_string() };
    let failed = || {
        condition(&status.conditions, types::COMPLETE)
            .map(|complete| format!("failed ({}): {}", spaced(&complete.reason).to_lowercase(), complete.message))
            .unwrap_or_else(|| "failed".to_string())
    };
    match status.phase.as_deref() {
        None | Some("Pending") => "waits for its work to begin".to_string(),
        Some("Curating") => "data is being curated".to_string(),
        Some("Training") => match status.progress.as_ref().and_then(|progress| Some((progress, percent(progress)?))) {
            Some((progress, percent)) => {
                let eta = progress.eta_seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
                let to_go = eta.map(|seconds| {
                    format!(", about {} to go", length(std::time::Duration::from_secs_f64(seconds.min(1e9))))
                });
                format!("{percent} % of training done{}", to_go.unwrap_or_default())
            }
            None => "training has begun".to_string(),
        },
        Some("Evaluating") => "the gates are being measured".to_string(),
        Some("Succeeded") => match &status.version {
            Some(version) => format!("produced {version}"),
            None => "succeeded".to_string(),
        },
        Some("Failed") => failed(),
        Some(other) => spaced(other).to_lowercase(),
    }
}

/// Newest first, open ones before all others.
pub(crate) fn sorted<'a>(runs: impl IntoIterator<Item = &'a RetrainingRun>) -> Vec<&'a RetrainingRun> {
    let mut runs: Vec<_> = runs.into_iter().collect();
    runs.sort_by_key(|run| {
        let created = run.metadata.creation_timestamp.as_ref().map_or(0, |time| millis(time).0);
        (!is_open(run), std::cmp::Reverse(created), run.name_any())
    });
    runs
}

/// A gate with its figures.
pub(crate) fn gate(gate: &GateStatus) -> GateView {
    GateView {
        name: gate.name.clone(),
        tone: Tone::of(&gate.outcome),
        outcome: gate.outcome.to_lowercase(),
        value: gate.value.map(number),
        threshold: number(gate.threshold),
        n: grouped(gate.n),
        explanation: gate.explanation.clone(),
    }
}

/// What the data of a run went through; `None` before the snapshot stands. `stages` come from the funnel's blob.
pub(crate) fn funnel(run: &RetrainingRun, stages: &[Stage]) -> Option<FunnelView> {
    let snapshot = run.status.as_ref()?.snapshot.as_ref()?;
    let lines = vec![
        ("fresh records kept".to_string(), grouped(snapshot.fresh_records)),
        ("replayed records kept".to_string(), grouped(snapshot.replay_records)),
        ("old facts superseded".to_string(), grouped(snapshot.superseded)),
        ("spans of personal data redacted".to_string(), grouped(snapshot.redacted)),
    ];
    let blob = |what, digest: &str| (what, short(digest), digest.to_string());
    let blobs = [("fresh", &snapshot.fresh), ("replay", &snapshot.replay), ("funnel", &snapshot.funnel)];
    Some(FunnelView {
        lines,
        stages: stages.iter().map(stage).collect(),
        blobs: blobs
            .into_iter()
            .filter(|(_, digest)| !digest.is_empty())
            .map(|(what, digest)| blob(what, digest))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use homeostat_crds::retraining_run::{ProgressStatus, RetrainingRunSpec, RetrainingRunStatus};

    use super::*;

    fn run(phase: &str, progress: Option<ProgressStatus>) -> RetrainingRun {
        let spec = RetrainingRunSpec {
            model: "atlas".into(),
            parent: "atlas-v1".into(),
            cause: "ModelDecay".into(),
            data: None,
            configuration: None,
            evidence: None,
        };
        let mut run = RetrainingRun::new("atlas-r1", spec);
        run.status = Some(RetrainingRunStatus { phase: Some(phase.into()), progress, ..Default::default() });
        run
    }

    #[test]
    fn training_says_how_far_it_is() {
        let progress =
            ProgressStatus { step: 400, total_steps: 1_000, loss: Some(0.4), eta_seconds: Some(130.0), at: None };
        assert_eq!(phase_words(&run("Training", Some(progress))), "40 % of training done, about 2 min to go");
        let unknown = ProgressStatus { eta_seconds: Some(f64::NAN), ..Default::default() };
        assert_eq!(phase_words(&run("Training", Some(unknown))), "training has begun");
    }

    #[test]
    fn open_runs_come_first() {
        let (open, ended) = (run("Training", None), run("Succeeded", None));
        let names: Vec<_> = sorted([&ended, &open]).into_iter().map(phase_words).collect();
        assert_eq!(names, ["training has begun", "succeeded"]);
    }
}
