//! How a model stands: one sentence, and how much it needs a person.

use homeostat_clock::UtcMillis;
use homeostat_crds::conditions::{model as types, reason, run as run_types, version as version_types};
use homeostat_crds::model::Promotion;
use homeostat_crds::{Model, ModelVersion, RetrainingRun};
use kube::ResourceExt;

use super::run::phase_words;
use super::{Tone, condition, has};
use crate::words::{clock_time, millis, relative};

/// How much a model needs a person; later ones come first on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// As declared.
    None,
    /// Too little is known to say.
    Unknown,
    /// A person holds it.
    Held,
    /// Homeostat is at work on it.
    Working,
    /// It gives no data.
    NoData,
    /// Nothing automatic goes on, and something should.
    Person,
    /// Nobody is served.
    Down,
}

impl Need {
    /// Whether it counts in "N models need you".
    pub(crate) fn needs_you(self) -> bool {
        self >= Self::NoData
    }
}

/// How a model stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) need: Need,
    pub(crate) tone: Tone,
    /// The state in words; a sentence without its full stop.
    pub(crate) sentence: String,
}

impl Standing {
    fn new(need: Need, tone: Tone, sentence: impl Into<String>) -> Self {
        Self { need, tone, sentence: sentence.into() }
    }
}

/// What a model's standing follows from.
pub(crate) struct Evidence<'a> {
    pub(crate) model: &'a Model,
    /// Versions of this model.
    pub(crate) versions: &'a [&'a ModelVersion],
    /// Runs of this model.
    pub(crate) runs: &'a [&'a RetrainingRun],
    /// End of the newest window that holds data of this model.
    pub(crate) newest_data: Option<UtcMillis>,
    pub(crate) now: UtcMillis,
}

/// How the model stands.
pub(crate) fn standing(evidence: &Evidence<'_>) -> Standing {
    let model = evidence.model;
    let Some(status) = &model.status else {
        return Standing::new(Need::Unknown, Tone::Unknown, "Not looked at yet: no controller has reported on it");
    };
    let conditions = &status.conditions;
    if let Some(servable) = condition(conditions, types::SERVABLE)
        && servable.status == "False"
    {
        return Standing::new(Need::Down, Tone::Bad, with("Not served", &servable.message));
    }
    if decided(model, "AskForHelp") || decided(model, "HelpNeeded") {
        let why = status.last_decision.as_ref().map_or("", |decision| &decision.why);
        return Standing::new(Need::Person, Tone::Bad, with("Homeostat asks for help", why));
    }
    let degraded = has(conditions, types::DECAYED, "True").then(|| degraded_words(model));
    let held = model.spec.steering.as_ref().is_some_and(|steering| steering.hold);
    if held {
        let because = model.spec.steering.as_ref().and_then(|steering| steering.reason.clone()).unwrap_or_default();
        let sentence = with("Held by a person", &because);
        return match degraded {
            Some(words) => {
                Standing::new(Need::Person, Tone::Bad, format!("{words}, and nothing is done: {}", lower(&sentence)))
            }
            None => {
                let meanwhile = under_way(evidence).map(|(_, words)| format!("; {words}")).unwrap_or_default();
                Standing::new(Need::Held, Tone::Warn, format!("{sentence}{meanwhile}"))
            }
        };
    }
    if let Some((need, words)) = under_way(evidence) {
        let (tone, sentence) = match degraded {
            Some(degraded) => {
                (if need == Need::Person { Tone::Bad } else { Tone::Work }, format!("{degraded}; {words}"))
            }
            None => (if need == Need::Person { Tone::Warn } else { Tone::Work }, upper(&words)),
        };
        return Standing::new(need, tone, sentence);
    }
    if let Some(words) = degraded {
        let decision = status.last_decision.as_ref();
        return match decision.and_then(|decision| decision.next.as_deref()) {
            Some(next) => Standing::new(Need::Working, Tone::Warn, with(&format!("{words}; next"), &lower(next))),
            None => Standing::new(Need::Person, Tone::Bad, with(&words, decision.map_or("", |decision| &decision.why))),
        };
    }
    if let Some(ready) = condition(conditions, types::READY)
        && ready.status == "False"
        && [reason::INVALID_SPEC, reason::REFERENCE_NOT_FOUND, reason::REFERENCE_NOT_READY, reason::ATTEMPTS_EXHAUSTED]
            .contains(&ready.reason.as_str())
    {
        return Standing::new(Need::Person, Tone::Bad, with("Needs a person", &ready.message));
    }
    undecayed(evidence)
}

/// What the condition Decayed says when it is not True.
fn undecayed(evidence: &Evidence<'_>) -> Standing {
    let conditions = evidence.model.status.as_ref().map_or(&[][..], |status| &status.conditions[..]);
    let Some(decayed) = condition(conditions, types::DECAYED) else {
        return Standing::new(Need::Unknown, Tone::Unknown, "Not analysed yet");
    };
    match (decayed.status.as_str(), decayed.reason.as_str()) {
        ("False", _) => match rolled_back(evidence) {
            Some(words) => Standing::new(Need::None, Tone::Warn, words),
            None => Standing::new(Need::None, Tone::Ok, "As declared"),
        },
        (_, "NoData") => Standing::new(Need::NoData, Tone::Unknown, no_data(evidence.newest_data, evidence.now)),
        (_, "SourceError") => Standing::new(
            Need::Person,
            Tone::Unknown,
            with("Cannot be judged: a metric's source fails", &decayed.message),
        ),
        _ => Standing::new(Need::Unknown, Tone::Unknown, with("Cannot be judged yet", &decayed.message)),
    }
}

/// `No data since 14:02`.
pub(crate) fn no_data(newest: Option<UtcMillis>, now: UtcMillis) -> String {
    match newest {
        Some(time) => format!("No data since {}", clock_time(time, now)),
        None => "No data yet".to_string(),
    }
}

/// A rollout or a retraining that is under way, in words.
fn under_way(evidence: &Evidence<'_>) -> Option<(Need, String)> {
    let status = evidence.model.status.as_ref()?;
    if let (Some(candidate), Some(rollout)) = (&status.candidate, &status.rollout)
        && rollout.phase != "Soaking"
    {
        let since = relative(millis(&rollout.since), evidence.now);
        return Some(match rollout.phase.as_str() {
            "Canary" => (
                Need::Working,
                format!(
                    "{candidate} takes {} % of the traffic since {}",
                    rollout.weight,
                    since.trim_end_matches(" ago")
                ),
            ),
            "Waiting"
                if evidence.model.spec.rollout.promotion == Promotion::Manual && decided(evidence.model, "Hold") =>
            {
                (Need::Person, format!("{candidate} waits for a person to promote it"))
            }
            "Waiting" => (Need::Working, format!("{candidate} is being made ready for its canary")),
            phase => (Need::Working, format!("{candidate}: {}", lower(phase))),
        });
    }
    if let Some(run) = evidence.runs.iter().find(|run| is_open(run)) {
        return Some((Need::Working, format!("retraining {}: {}", run.name_any(), phase_words(run))));
    }
    let rollout = status.rollout.as_ref().filter(|rollout| rollout.phase == "Soaking")?;
    let stable = status.stable.as_deref().unwrap_or("the new version");
    Some((Need::Working, format!("{stable} was promoted {} and soaks", relative(millis(&rollout.since), evidence.now))))
}

fn decided(model: &Model, what: &str) -> bool {
    let decision = model.status.as_ref().and_then(|status| status.last_decision.as_ref());
    decision.is_some_and(|decision| decision.what == what)
}

/// Whether a run has not ended.
pub(crate) fn is_open(run: &RetrainingRun) -> bool {
    let Some(status) = &run.status else { return true };
    !has(&status.conditions, run_types::COMPLETE, "True")
        && !matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"))
}

/// The newest rollback of the last day, unless something was promoted since.
fn rolled_back(evidence: &Evidence<'_>) -> Option<String> {
    let status = evidence.model.status.as_ref()?;
    let (time, version, message) = evidence
        .versions
        .iter()
        .filter_map(|version| {
            let promoted = condition(&version.status.as_ref()?.conditions, version_types::PROMOTED)?;
            (promoted.status == "False" && promoted.reason == reason::ROLLED_BACK)
                .then(|| (millis(&promoted.last_transition_time), version.name_any(), promoted.message.clone()))
        })
        .max()?;
    let recent = evidence.now.since(time) < std::time::Duration::from_secs(86_400);
    let since = status.stable_since.as_ref().map(millis);
    if !recent || since.is_some_and(|since| since > time) {
        return None;
    }
    let stable = status.stable.as_deref().unwrap_or("the version before it");
    let what = with(&format!("{version} was rolled back {}", relative(time, evidence.now)), &message);
    Some(format!("{what}; {stable} is as declared"))
}

fn degraded_words(model: &Model) -> String {
    let quality = model.status.as_ref().map_or(&[][..], |status| &status.quality[..]);
    let names: Vec<_> =
        quality.iter().filter(|entry| entry.outcome == "Degraded").map(|entry| entry.name.as_str()).collect();
    match names.as_slice() {
        [] => "Decayed".to_string(),
        [one] => format!("{one} is degraded"),
        [head @ .., last] => format!("{} and {last} are degraded", head.join(", ")),
    }
}

fn with(what: &str, because: &str) -> String {
    let because = because.trim().trim_end_matches('.');
    if because.is_empty() { what.to_string() } else { format!("{what}: {because}") }
}

fn lower(text: &str) -> String {
    recase(text, |c| c.to_ascii_lowercase())
}

fn upper(text: &str) -> String {
    // A sentence that begins with a version's name keeps it as it is.
    if text.starts_with("retraining") { recase(text, |c| c.to_ascii_uppercase()) } else { text.to_string() }
}

fn recase(text: &str, case: impl Fn(char) -> char) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| std::iter::once(case(first)).chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: UtcMillis = UtcMillis(1_779_000_000_000);

    fn model(spec: Value, status: Value) -> Model {
        let mut base = json!({"mode": "Act", "initialVersion": "atlas-v1", "decayPolicyRef": {"name": "atlas"}});
        for (key, value) in spec.as_object().into_iter().flatten() {
            base[key] = value.clone();
        }
        let object = json!({"apiVersion": "homeostat.dev/v1alpha1", "kind": "Model", "metadata": {"name": "atlas", "namespace": "ml"}, "spec": base, "status": status});
        serde_json::from_value(object).expect("a model")
    }

    fn conditions(rows: &[(&str, &str, &str, &str)]) -> Value {
        let row = |(kind, status, reason, message): &(&str, &str, &str, &str)| json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-05-17T06:30:00Z"});
        rows.iter().map(row).collect()
    }

    fn stands(model: &Model, newest_data: Option<UtcMillis>) -> (Need, Tone, String) {
        let evidence = Evidence { model, versions: &[], runs: &[], newest_data, now: NOW };
        let Standing { need, tone, sentence } = standing(&evidence);
        (need, tone, sentence)
    }

    #[test]
    fn what_is_not_known_is_never_well() {
        assert_eq!(stands(&model(json!({}), Value::Null), None).1, Tone::Unknown);
        assert_eq!(
            stands(&model(json!({}), json!({})), None),
            (Need::Unknown, Tone::Unknown, "Not analysed yet".into())
        );
        let silent = model(json!({}), json!({"conditions": conditions(&[("Decayed", "Unknown", "NoData", "")])}));
        let since = UtcMillis(NOW.0 - 3_600_000);
        assert_eq!(stands(&silent, Some(since)), (Need::NoData, Tone::Unknown, "No data since 05:40".into()));
        assert_eq!(stands(&silent, None).2, "No data yet");
        let few = model(
            json!({}),
            json!({"conditions": conditions(&[("Decayed", "Unknown", "Inconclusive", "12 samples.")])}),
        );
        assert_eq!(stands(&few, None), (Need::Unknown, Tone::Unknown, "Cannot be judged yet: 12 samples".into()));
    }

    #[test]
    fn a_degraded_model_needs_a_person_only_when_nothing_is_done() {
        let quality = json!([{"name": "exact_match", "outcome": "Degraded"}]);
        let decayed = conditions(&[("Decayed", "True", "Degraded", "")]);
        let decision = |next: Value| json!({"what": "Watch", "why": "It is observed only.", "next": next, "time": "2026-05-17T06:30:00Z"});
        let idle = model(
            json!({"mode": "Observe"}),
            json!({"quality": quality, "conditions": decayed, "lastDecision": decision(Value::Null)}),
        );
        assert_eq!(
            stands(&idle, None),
            (Need::Person, Tone::Bad, "exact_match is degraded: It is observed only".into())
        );
        let next = decision(json!("A retraining begins."));
        let waiting = model(json!({}), json!({"quality": quality, "conditions": decayed, "lastDecision": next}));
        assert_eq!(
            stands(&waiting, None),
            (Need::Working, Tone::Warn, "exact_match is degraded; next: a retraining begins".into())
        );
        let steering = json!({"steering": {"hold": true, "reason": "audit"}});
        let held = model(steering, json!({"quality": quality, "conditions": decayed}));
        assert_eq!(stands(&held, None).2, "exact_match is degraded, and nothing is done: held by a person: audit");
        assert_eq!(stands(&held, None).0, Need::Person);
    }

    #[test]
    fn rollouts_are_told_by_their_phase() {
        let rollout = |phase: &str, candidate: &str, what: &str| {
            json!({
                "stable": "atlas-v2", "candidate": candidate, "conditions": conditions(&[("Decayed", "False", "Healthy", "")]),
                "rollout": {"phase": phase, "weight": 50, "since": "2026-05-17T06:35:00Z", "started": "2026-05-17T06:30:00Z"},
                "lastDecision": {"what": what, "why": "Because.", "time": "2026-05-17T06:30:00Z"},
            })
        };
        let says = |spec: Value, status: Value| stands(&model(spec, status), None);
        assert_eq!(
            says(json!({}), rollout("Canary", "atlas-v3", "Advance")).2,
            "atlas-v3 takes 50 % of the traffic since 5 min"
        );
        assert_eq!(
            says(json!({}), rollout("Soaking", "atlas-v2", "Promote")).2,
            "atlas-v2 was promoted 5 min ago and soaks"
        );
        let manual = json!({"rollout": {"promotion": "Manual"}});
        assert_eq!(says(manual, rollout("Waiting", "atlas-v3", "Hold")).0, Need::Person);
        assert_eq!(says(json!({}), rollout("Waiting", "atlas-v3", "Watch")).0, Need::Working);
    }

    #[test]
    fn nobody_served_comes_first() {
        let rows =
            [("Servable", "False", "NotServing", "0 of 2 replicas answer."), ("Decayed", "False", "Healthy", "")];
        let down = model(json!({}), json!({"conditions": conditions(&rows)}));
        assert_eq!(stands(&down, None), (Need::Down, Tone::Bad, "Not served: 0 of 2 replicas answer".into()));
        assert!(
            Need::Down > Need::Person
                && Need::Person > Need::NoData
                && Need::NoData > Need::Working
                && Need::Held > Need::None
        );
    }
}
