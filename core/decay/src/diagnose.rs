use std::collections::BTreeSet;

use homeostat_quality::Source;
use homeostat_quality::registry::{self, Direction};
use serde::{Deserialize, Serialize};

use crate::{Analysis, MixDrift, Outcome, Verdict, explain};

/// Everything that bears on the question why.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence<'a> {
    /// The model's verdicts, all replicas merged.
    pub analysis: &'a Analysis,
    /// Verdict of each quality rule per replica, to tell one bad machine from a bad model.
    pub replicas: Vec<ReplicaVerdict>,
    /// Nodes in trouble that serve this model.
    pub nodes: Vec<NodeTrouble>,
    /// Whether what people ask has shifted; `None` without enough requests.
    pub mix: Option<MixDrift>,
    /// Prompts or graders differ from the baseline's.
    pub probe_changed: bool,
    /// References differ from the baseline's while prompts do not.
    pub world_changed: bool,
}

/// How one quality rule stands on one replica.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicaVerdict {
    /// `node/index`.
    pub replica: String,
    /// Name of the rule.
    pub rule: String,
    /// Judged on this replica's windows alone.
    pub outcome: Outcome,
    /// Its value there.
    pub value: Option<f64>,
}

/// A node with a problem that explains bad answers or slowness.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeTrouble {
    /// Name of the `GpuNode`.
    pub node: String,
    /// What is wrong, e.g. `XID 79 on GPU 0: fallen off the bus`.
    pub problem: String,
}

/// Why a model is not what it was. Exactly one is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum Cause {
    /// Nothing is wrong.
    None,
    /// The machines: drain, restart, scale.
    Infrastructure {
        /// The replicas or nodes to act on.
        nodes: Vec<String>,
    },
    /// Prompts or graders changed: hold, and re-baseline by hand.
    ProbeChanged,
    /// Only what people ask has shifted: warn.
    InputDrift,
    /// Data is missing: its own alert.
    NoData,
    /// A source failed: its own alert.
    SourceError,
    /// The model no longer answers as it should: retrain.
    ModelDecay,
    /// Something is degraded and the evidence names no cause: alert a person.
    Unclear,
}

impl Cause {
    /// The condition reason and label value.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Infrastructure { .. } => "Infrastructure",
            Self::ProbeChanged => "ProbeChanged",
            Self::InputDrift => "InputDrift",
            Self::NoData => "NoData",
            Self::SourceError => "SourceError",
            Self::ModelDecay => "ModelDecay",
            Self::Unclear => "Unclear",
        }
    }
}

/// The cause and why it is believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The one cause.
    pub cause: Cause,
    /// Each a full sentence with figures, strongest first.
    pub reasons: Vec<String>,
    /// Whether golden probes themselves are degraded (feedback alone alerts, it does not retrain).
    pub golden_agrees: bool,
}

/// Names the one cause that the evidence supports best.
///
/// In this order, so that the model is only blamed for what nothing else explains: infrastructure, a changed probe, missing
/// data, a shifted input mix, and last the model itself.
#[must_use]
pub fn diagnose(evidence: &Evidence<'_>) -> Diagnosis {
    let degraded = |verdict: &&Verdict| verdict.outcome == Outcome::Degraded;
    let golden = |verdict: &&Verdict| verdict.is_quality() && verdict.source == Some(Source::Golden);
    let golden_agrees = evidence.analysis.verdicts.iter().filter(golden).any(|verdict| degraded(&verdict));
    let (cause, reasons) = infrastructure(evidence)
        .or_else(|| probe_changed(evidence))
        .or_else(|| missing_data(evidence))
        .or_else(|| input_drift(evidence))
        .or_else(|| model_decay(evidence))
        .or_else(|| serving_trouble(evidence))
        .unwrap_or_else(|| remainder(evidence));
    Diagnosis { cause, reasons, golden_agrees }
}

type Finding = Option<(Cause, Vec<String>)>;

/// One machine is bad: a replica has fallen while its twin has not, or all that has fallen stands on nodes in trouble.
fn infrastructure(evidence: &Evidence<'_>) -> Finding {
    let mut nodes = BTreeSet::new();
    let mut reasons = Vec::new();
    let rules: BTreeSet<&str> = evidence.replicas.iter().map(|replica| replica.rule.as_str()).collect();
    for rule in rules {
        let verdict = evidence.analysis.verdicts.iter().find(|verdict| verdict.name == rule);
        let on: Vec<&ReplicaVerdict> = evidence.replicas.iter().filter(|replica| replica.rule == rule).collect();
        let fallen: Vec<&ReplicaVerdict> = on.iter().copied().filter(|r| r.outcome == Outcome::Degraded).collect();
        for replica in &fallen {
            if let Some(control) = on.iter().find(|other| is_control(verdict, replica, other)) {
                nodes.insert(node_of(&replica.replica).to_string());
                reasons.push(format!(
                    "{rule} has fallen to {} on {}, while {} with the same version is at {}: the machine differs, not the model.",
                    shown(verdict, replica.value),
                    replica.replica,
                    control.replica,
                    shown(verdict, control.value)
                ));
            }
        }
        // All that has fallen stands on nodes in trouble: the model cannot be blamed for it.
        let fallen: Vec<&ReplicaVerdict> = on.into_iter().filter(|replica| has_fallen(verdict, replica)).collect();
        let in_trouble =
            |replica: &&ReplicaVerdict| evidence.nodes.iter().any(|node| node.node == node_of(&replica.replica));
        if !fallen.is_empty() && fallen.iter().all(in_trouble) {
            nodes.extend(fallen.iter().map(|replica| node_of(&replica.replica).to_string()));
            let names: Vec<String> = fallen.iter().map(|replica| replica.replica.clone()).collect();
            reasons.push(format!("{rule} has fallen only on nodes in trouble: {}.", explain::list(&names)));
        }
    }
    // Where replicas cannot be told apart, a node in trouble is suspected before the model is.
    let untold =
        degraded_quality(evidence).find(|v| !evidence.replicas.iter().any(|r| r.rule == v.name && r.value.is_some()));
    if let Some(verdict) = untold.filter(|_| nodes.is_empty() && !evidence.nodes.is_empty()) {
        nodes.extend(evidence.nodes.iter().map(|trouble| trouble.node.clone()));
        reasons.push(format!("{} No replica can be judged by itself while a node is in trouble.", verdict.explanation));
    }
    if nodes.is_empty() {
        return None;
    }
    reasons.extend(troubles(evidence, |node| nodes.contains(node)));
    Some((Cause::Infrastructure { nodes: nodes.into_iter().collect() }, reasons))
}

/// Whether `other` shows that the version itself is fine: healthy, within the threshold by its value, and apart from the
/// fallen replica by at least the margin that the policy calls a loss. A replica that is about to fall as well is no control.
fn is_control(verdict: Option<&Verdict>, fallen: &ReplicaVerdict, other: &ReplicaVerdict) -> bool {
    other.outcome == Outcome::Healthy && differs(verdict, fallen, other)
}

fn differs(verdict: Option<&Verdict>, fallen: &ReplicaVerdict, other: &ReplicaVerdict) -> bool {
    if other.replica == fallen.replica {
        return false;
    }
    let (Some(bad), Some(good)) = (fallen.value, other.value) else { return true };
    let Some((threshold, baseline)) = verdict.and_then(|v| Some((v.threshold?, v.baseline.map(|b| b.value)))) else {
        return true;
    };
    let within = if bad < good { good >= threshold } else { good <= threshold };
    within && baseline.is_none_or(|baseline| (good - bad).abs() >= (baseline - threshold).abs())
}

/// Degraded, or on its way there: a value beyond the rule's threshold with too few samples to be sure.
fn has_fallen(verdict: Option<&Verdict>, replica: &ReplicaVerdict) -> bool {
    let beyond = || {
        let (verdict, value) = (verdict?, replica.value?);
        let metric = registry::metric(verdict.metric.as_deref()?)?;
        let threshold = verdict.threshold?;
        Some(if metric.direction == Direction::Up { value < threshold } else { value > threshold })
    };
    replica.outcome == Outcome::Degraded || (replica.outcome == Outcome::Inconclusive && beyond().unwrap_or(false))
}

fn probe_changed(evidence: &Evidence<'_>) -> Finding {
    let hit: Vec<&Verdict> =
        degraded_quality(evidence).filter(|verdict| verdict.source == Some(Source::Golden)).collect();
    if !evidence.probe_changed || hit.is_empty() {
        return None;
    }
    let mut reasons = vec![
        "Prompts or graders of the golden sets differ from those the baseline was measured with, so its figures do not compare: \
         re-baseline by hand when the new sets are right."
            .to_string(),
    ];
    reasons.extend(hit.iter().map(|verdict| verdict.explanation.clone()));
    Some((Cause::ProbeChanged, reasons))
}

/// Data that would have to confirm a fall are missing, or nothing has fallen and data are missing. A silent feedback rule does
/// not hide that golden probes have fallen.
fn missing_data(evidence: &Evidence<'_>) -> Finding {
    let confirmed = degraded_quality(evidence).any(|verdict| verdict.source != Some(Source::Feedback));
    let any_degraded = evidence.analysis.verdicts.iter().any(|verdict| verdict.outcome == Outcome::Degraded);
    let only_unconfirmed = !confirmed && degraded_quality(evidence).next().is_some();
    let missing = |outcome: Outcome| {
        let rows = evidence.analysis.verdicts.iter().filter(move |verdict| verdict.outcome == outcome);
        rows.filter(|verdict| {
            let golden = verdict.source == Some(Source::Golden) && verdict.is_quality();
            !any_degraded || (only_unconfirmed && golden)
        })
        .map(|verdict| verdict.explanation.clone())
        .collect::<Vec<_>>()
    };
    let (failed, silent) = (missing(Outcome::SourceError), missing(Outcome::NoData));
    if !failed.is_empty() {
        return Some((Cause::SourceError, failed.into_iter().chain(silent).collect()));
    }
    (!silent.is_empty()).then_some((Cause::NoData, silent))
}

/// What people ask has shifted, and within the slices nothing has been lost.
fn input_drift(evidence: &Evidence<'_>) -> Finding {
    let mix = evidence.mix.as_ref().filter(|mix| mix.drifted)?;
    if evidence.analysis.verdicts.iter().any(|verdict| verdict.outcome == Outcome::Degraded) {
        return None;
    }
    let mut reasons = vec![format!("What people ask has shifted {}.", mix.describe())];
    let healthy: Vec<&Verdict> =
        evidence.analysis.verdicts.iter().filter(|v| v.is_quality() && v.outcome == Outcome::Healthy).collect();
    reasons.push(match healthy.first() {
        Some(verdict) => format!("Within the slices nothing is lost: {}", verdict.explanation),
        None => "No quality rule is degraded at fixed mix.".to_string(),
    });
    Some((Cause::InputDrift, reasons))
}

/// A quality rule has fallen at fixed mix, on unchanged prompts, on every replica that was judged, and no machine explains it.
fn model_decay(evidence: &Evidence<'_>) -> Finding {
    let fallen: Vec<&Verdict> = degraded_quality(evidence).collect();
    if fallen.is_empty() {
        return None;
    }
    let mut reasons: Vec<String> = fallen.iter().map(|verdict| verdict.explanation.clone()).collect();
    for verdict in &fallen {
        let on: Vec<&ReplicaVerdict> =
            evidence.replicas.iter().filter(|replica| replica.rule == verdict.name).collect();
        let bad = on.iter().find(|replica| replica.outcome == Outcome::Degraded);
        if let Some((bad, good)) = bad.and_then(|bad| {
            Some((bad, on.iter().find(|good| good.value.is_some() && differs(Some(verdict), bad, good))?))
        }) {
            reasons.push(format!(
                "{} has fallen to {} on {} but stands at {} on {}, where there are too few samples yet to tell a bad machine from a bad model.",
                verdict.name,
                shown(Some(verdict), bad.value),
                bad.replica,
                shown(Some(verdict), good.value),
                good.replica
            ));
            return Some((Cause::Unclear, reasons));
        }
    }
    if evidence.world_changed {
        reasons.push(
            "The golden sets hold newer answers to the same prompts than the baseline's: the world has changed."
                .to_string(),
        );
    }
    for verdict in &fallen {
        let replicas: Vec<String> = evidence
            .replicas
            .iter()
            .filter(|replica| replica.rule == verdict.name && replica.outcome == Outcome::Degraded)
            .map(|replica| format!("{} at {}", replica.replica, shown(Some(verdict), replica.value)))
            .collect();
        if replicas.len() > 1 {
            reasons.push(format!("{} has fallen on all replicas alike: {}.", verdict.name, explain::list(&replicas)));
        }
    }
    if let Some(mix) = evidence.mix.as_ref().filter(|mix| mix.drifted) {
        reasons.push(format!(
            "What people ask has shifted as well (PSI {:.2}), but the loss is within the slices at the baseline's mix.",
            mix.psi
        ));
    }
    reasons.extend(
        troubles(evidence, |_| true).map(|trouble| format!("{trouble} That does not explain a fall elsewhere.")),
    );
    Some((Cause::ModelDecay, reasons))
}

/// Slow or failing, while the answers that come are as good as before.
fn serving_trouble(evidence: &Evidence<'_>) -> Finding {
    let hit: Vec<&Verdict> = evidence.analysis.verdicts.iter().filter(|v| v.outcome == Outcome::Degraded).collect();
    if hit.is_empty() {
        return None;
    }
    let mut reasons: Vec<String> = hit.iter().map(|verdict| verdict.explanation.clone()).collect();
    let replicas: BTreeSet<&str> = evidence.replicas.iter().map(|replica| replica.replica.as_str()).collect();
    let nodes: Vec<String> = if evidence.nodes.is_empty() {
        let single = replicas.first().filter(|_| replicas.len() == 1);
        single.iter().map(|replica| node_of(replica).to_string()).collect()
    } else {
        evidence.nodes.iter().map(|trouble| trouble.node.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    };
    if nodes.is_empty() {
        reasons.push("No node is in trouble and quality has not fallen, so the evidence names no cause.".to_string());
        return Some((Cause::Unclear, reasons));
    }
    reasons.extend(troubles(evidence, |_| true));
    if evidence.nodes.is_empty() {
        reasons.push(format!("The model has a single replica, on {}, and its quality has not fallen.", nodes[0]));
    }
    Some((Cause::Infrastructure { nodes }, reasons))
}

fn remainder(evidence: &Evidence<'_>) -> (Cause, Vec<String>) {
    let verdicts = &evidence.analysis.verdicts;
    let healthy = verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Healthy).count();
    let mut reasons = vec![format!("{healthy} of {} rules are healthy and none is degraded.", verdicts.len())];
    let undecided = verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Inconclusive);
    reasons.extend(undecided.map(|verdict| verdict.explanation.clone()));
    reasons.extend(troubles(evidence, |_| true));
    (Cause::None, reasons)
}

fn degraded_quality<'a>(evidence: &'a Evidence<'_>) -> impl Iterator<Item = &'a Verdict> {
    evidence.analysis.verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Degraded && verdict.is_quality())
}

fn troubles<'a>(evidence: &'a Evidence<'_>, wanted: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = String> + 'a {
    let nodes = evidence.nodes.iter().filter(move |trouble| wanted(&trouble.node));
    nodes.map(|trouble| format!("Node {} is in trouble: {}.", trouble.node, trouble.problem.trim_end_matches('.')))
}

fn shown(verdict: Option<&Verdict>, value: Option<f64>) -> String {
    match (verdict, value) {
        (_, None) => "an unknown value".to_string(),
        (Some(verdict), Some(value)) => verdict.show(value),
        (None, Some(value)) => explain::plain(value),
    }
}

/// The node of a replica `node/index`.
fn node_of(replica: &str) -> &str {
    replica.rsplit_once('/').map_or(replica, |(node, _)| node)
}
