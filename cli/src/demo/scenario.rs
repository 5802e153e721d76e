//! The scenarios: what happens, and what must and must not follow. One file each; all of it data.

mod bad_canary;
mod bad_data;
mod bad_gpu;
mod bad_gpu_both;
mod decay;
mod drift_only;
mod leak;
mod no_data;

use std::collections::BTreeSet;
use std::time::Duration;

use homeostat_crds::conditions::{model as condition, reason, run as run_condition, version as version_condition};
use kube::ResourceExt as _;

use super::faults::EngineFault;
use super::manifests::FIRST;
use super::scene::{Scene, condition as find};
use super::users::Says;
use super::world::Mix;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// The world changes: found, diagnosed, retrained, promoted
    Decay,
    /// Only what people ask changes: warned, nothing done
    DriftOnly,
    /// One of two GPUs fails: drained, not retrained
    BadGpu,
    /// Both replicas fall and no GPU complains: retrained
    BadGpuBoth,
    /// Feedback is poisoned: the gates stop it
    BadData,
    /// Personal data is memorised: the compliance check stops it
    Leak,
    /// Good in the gates, then slow and failing under traffic: rolled back
    BadCanary,
    /// Traffic and probes stop: an alert of its own, nothing else
    NoData,
}

/// Where a retraining gets its fresh records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// From the users' feedback.
    Feedback,
    /// From a file that nobody redacted.
    Leaking,
}

/// What happens at the onset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    /// The curators add the golden set of 2026 to the model.
    NewReferences,
    /// Users are interested in something else.
    Interests(Mix),
    /// Users hold something else to be right.
    Feedback(Says),
    /// A GPU of node number .0 reports the XID error .1.
    Xid(usize, u32),
    /// The weights of the replica on node number .0 rot.
    Corrupt(usize),
    /// Users stop asking.
    UsersLeave,
    /// The prober is told to rest.
    ProbesStop,
}

/// A scenario.
pub(crate) struct Script {
    /// As on the command line.
    pub(crate) name: &'static str,
    /// What it shows, in a sentence.
    pub(crate) about: &'static str,
    /// Nodes, each with one simulated GPU.
    pub(crate) nodes: usize,
    /// Replicas of the model.
    pub(crate) replicas: u32,
    /// Where fresh records come from.
    pub(crate) fresh: Fresh,
    /// What happens.
    pub(crate) onset: &'static [Event],
    /// What happens to the candidate's engine once its canary begins.
    pub(crate) canary_fault: Option<EngineFault>,
    /// All of this must come.
    pub(crate) expects: &'static [Check],
    /// None of this may come.
    pub(crate) never: &'static [Check],
    /// How long after the onset it may take.
    pub(crate) patience: Duration,
    /// How long it must stay so.
    pub(crate) linger: Duration,
    /// Whether quality must be back at the end.
    pub(crate) recovers: bool,
}

/// Something that can be seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// An alert of this name arrived at the webhook.
    Alert(&'static str),
    /// The model's last decision named this cause.
    Cause(&'static str),
    /// The condition Decayed is True.
    Decayed,
    /// The condition Servable is True.
    Servable,
    /// A retraining run exists.
    Run,
    /// A run ended for this reason.
    RunEnded(&'static str),
    /// A compliance check failed.
    ComplianceFailed,
    /// A candidate gets traffic.
    Canary,
    /// A candidate was refused before it got any.
    Rejected,
    /// A candidate was taken back.
    RolledBack,
    /// Another version than the first is stable.
    Promoted,
    /// And its baseline is frozen.
    BaselineFrozen,
    /// A node was drained.
    Drained,
}

/// What has been seen since the onset.
pub(crate) struct View<'a> {
    /// The objects as they are.
    pub(crate) scene: &'a Scene,
    /// Names of the alerts.
    pub(crate) alerts: &'a [String],
    /// Causes that were named.
    pub(crate) causes: &'a BTreeSet<String>,
}

impl Scenario {
    /// All of them.
    #[must_use]
    pub fn all() -> [Self; 8] {
        [
            Self::Decay,
            Self::DriftOnly,
            Self::BadGpu,
            Self::BadGpuBoth,
            Self::BadData,
            Self::Leak,
            Self::BadCanary,
            Self::NoData,
        ]
    }

    /// What happens in it.
    pub(crate) fn script(self) -> &'static Script {
        match self {
            Self::Decay => &decay::SCRIPT,
            Self::DriftOnly => &drift_only::SCRIPT,
            Self::BadGpu => &bad_gpu::SCRIPT,
            Self::BadGpuBoth => &bad_gpu_both::SCRIPT,
            Self::BadData => &bad_data::SCRIPT,
            Self::Leak => &leak::SCRIPT,
            Self::BadCanary => &bad_canary::SCRIPT,
            Self::NoData => &no_data::SCRIPT,
        }
    }
}

impl Check {
    /// Whether it is so.
    pub(crate) fn holds(self, view: &View<'_>) -> bool {
        let scene = view.scene;
        let model = |type_| scene.model_condition(type_).is_some_and(|held| held.status == "True");
        let decided = |why: &str| {
            let mut versions = scene.versions.iter().filter_map(|version| version.status.as_ref());
            versions.any(|status| {
                find(&status.conditions, version_condition::PROMOTED)
                    .is_some_and(|held| held.status == "False" && held.reason == why)
            })
        };
        match self {
            Self::Alert(name) => view.alerts.iter().any(|alert| alert == name),
            Self::Cause(cause) => view.causes.contains(cause),
            Self::Decayed => model(condition::DECAYED),
            Self::Servable => model(condition::SERVABLE),
            Self::Run => !scene.runs.is_empty(),
            Self::RunEnded(why) => scene.runs.iter().filter_map(|run| run.status.as_ref()).any(|status| {
                find(&status.conditions, run_condition::COMPLETE)
                    .is_some_and(|held| held.status == "True" && held.reason == why)
            }),
            Self::ComplianceFailed => {
                let mut verdicts = scene.checks.iter().filter_map(|check| check.status.as_ref()?.verdict.as_deref());
                verdicts.any(|verdict| verdict == "Failed")
            }
            Self::Canary => scene.candidate_in_canary().is_some(),
            Self::Rejected => decided(reason::REJECTED),
            Self::RolledBack => decided(reason::ROLLED_BACK),
            Self::Promoted => scene.stable().is_some_and(|stable| stable != FIRST),
            Self::BaselineFrozen => scene.stable().is_some_and(|stable| {
                let version = scene.versions.iter().find(|version| version.name_any() == stable);
                stable != FIRST && version.and_then(|version| version.status.as_ref()?.baseline.as_ref()).is_some()
            }),
            Self::Drained => {
                scene.nodes.iter().any(|node| node.status.as_ref().is_some_and(|status| !status.drained_for.is_empty()))
            }
        }
    }

    /// In words.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Alert(name) => format!("the alert {name}"),
            Self::Cause(cause) => format!("the diagnosis {cause}"),
            Self::Decayed => "the condition Decayed=True".to_owned(),
            Self::Servable => "the condition Servable=True".to_owned(),
            Self::Run => "a retraining run".to_owned(),
            Self::RunEnded(why) => format!("a run that ended with {why}"),
            Self::ComplianceFailed => "a failed compliance check".to_owned(),
            Self::Canary => "a canary".to_owned(),
            Self::Rejected => "a rejected candidate".to_owned(),
            Self::RolledBack => "a rollback".to_owned(),
            Self::Promoted => "a promotion".to_owned(),
            Self::BaselineFrozen => "a frozen baseline of the new version".to_owned(),
            Self::Drained => "a drained node".to_owned(),
        }
    }
}

/// Checks in one sentence.
pub(crate) fn words(checks: &[Check]) -> String {
    checks.iter().map(|check| check.words()).collect::<Vec<_>>().join(", ")
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The world changes, and users know it.
const WORLD_CHANGES: &[Event] = &[Event::NewReferences, Event::Interests(Mix::News), Event::Feedback(Says::Now)];

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn scripts_are_named_as_on_the_command_line_and_contradict_nothing() {
        for scenario in Scenario::all() {
            let script = scenario.script();
            let named = scenario.to_possible_value().unwrap();
            assert_eq!(script.name, named.get_name());
            assert!(!script.expects.is_empty() && !script.onset.is_empty());
            assert!(script.expects.iter().all(|check| !script.never.contains(check)), "{}", script.name);
            assert!(script.replicas as usize <= script.nodes, "{}", script.name);
            for event in script.onset {
                if let Event::Xid(node, _) | Event::Corrupt(node) = event {
                    assert!(*node < script.nodes);
                }
            }
        }
        assert_eq!(Scenario::value_variants(), Scenario::all());
    }

    #[test]
    fn nothing_is_seen_in_an_empty_scene() {
        let (scene, causes) = (Scene::default(), BTreeSet::new());
        let view = View { scene: &scene, alerts: &[], causes: &causes };
        for scenario in Scenario::all() {
            assert!(scenario.script().expects.iter().chain(scenario.script().never).all(|check| !check.holds(&view)));
        }
    }
}
