//! Which cause the evidence names, one case a line of the design's order.

use homeostat_clock::UtcMillis;
use homeostat_decay::{
    Action, Analysis, Cause, Diagnosis, Evidence, MixDrift, NodeTrouble, Outcome, ReplicaVerdict, Severity, Verdict,
    diagnose,
};
use homeostat_quality::{Estimate, Slice, Source};

fn verdict(name: &str, source: Source, outcome: Outcome) -> Verdict {
    let estimate = |value: f64| Some(Estimate { value, low: value - 0.01, high: value + 0.01, n: 900 });
    Verdict {
        name: format!("{}-{name}", source.as_str().to_lowercase()),
        metric: Some(name.to_string()),
        source: Some(source),
        outcome,
        current: estimate(if outcome == Outcome::Degraded { 0.78 } else { 0.9 }),
        baseline: estimate(0.9),
        threshold: Some(0.87),
        breached: 3,
        judged: 4,
        since: None,
        action: Action::Retrain,
        severity: Severity::Critical,
        slices: Vec::new(),
        explanation: format!("{name} by {source} is {}.", outcome.as_str()),
    }
}

fn golden(outcome: Outcome) -> Verdict {
    verdict("exact_match", Source::Golden, outcome)
}

fn replica(replica: &str, outcome: Outcome, value: f64) -> ReplicaVerdict {
    ReplicaVerdict { replica: replica.to_string(), rule: "golden-exact_match".to_string(), outcome, value: Some(value) }
}

fn xid(node: &str) -> NodeTrouble {
    NodeTrouble { node: node.to_string(), problem: "XID 79 on GPU 0: fallen off the bus".to_string() }
}

struct Case {
    analysis: Analysis,
    replicas: Vec<ReplicaVerdict>,
    nodes: Vec<NodeTrouble>,
    mix: Option<MixDrift>,
    probe_changed: bool,
}

fn case(verdicts: Vec<Verdict>) -> Case {
    let analysis = Analysis { at: UtcMillis(0), verdicts };
    Case { analysis, replicas: Vec::new(), nodes: Vec::new(), mix: None, probe_changed: false }
}

impl Case {
    fn diagnose(&self) -> Diagnosis {
        let diagnosis = diagnose(&Evidence {
            analysis: &self.analysis,
            replicas: self.replicas.clone(),
            nodes: self.nodes.clone(),
            mix: self.mix.clone(),
            probe_changed: self.probe_changed,
            world_changed: true,
        });
        assert!(diagnosis.reasons.iter().all(|reason| reason.ends_with('.') && reason.len() > 20), "{diagnosis:#?}");
        assert!(!diagnosis.reasons.is_empty());
        diagnosis
    }

    fn cause(&self) -> Cause {
        self.diagnose().cause
    }
}

fn nodes(names: &[&str]) -> Cause {
    Cause::Infrastructure { nodes: names.iter().map(ToString::to_string).collect() }
}

fn drifted() -> Option<MixDrift> {
    let shares = vec![(Slice::new("currency"), 0.2, 0.6), (Slice::new("capital"), 0.8, 0.4)];
    Some(MixDrift { psi: 0.7, p_value: 1e-30, drifted: true, shares, n: 2000 })
}

#[test]
fn one_fallen_replica_beside_a_healthy_one_is_the_machine_with_or_without_an_xid() {
    for merged in [Outcome::Degraded, Outcome::Healthy, Outcome::Inconclusive] {
        let mut case = case(vec![golden(merged)]);
        case.replicas = vec![replica("node-a/0", Outcome::Degraded, 0.3), replica("node-b/0", Outcome::Healthy, 0.91)];
        assert_eq!(case.cause(), nodes(&["node-a"]));
        case.nodes = vec![xid("node-a")];
        let diagnosis = case.diagnose();
        assert_eq!(diagnosis.cause, nodes(&["node-a"]));
        assert!(diagnosis.reasons[0].contains("0.300") && diagnosis.reasons[0].contains("0.910"));
        assert!(diagnosis.reasons.iter().any(|reason| reason.contains("XID 79")));
    }
}

#[test]
fn all_replicas_fallen_is_the_model() {
    let mut case = case(vec![golden(Outcome::Degraded)]);
    case.replicas = vec![replica("node-a/0", Outcome::Degraded, 0.78), replica("node-b/0", Outcome::Degraded, 0.77)];
    assert_eq!(case.cause(), Cause::ModelDecay);
    // An XID on one of them does not explain the other.
    case.nodes = vec![xid("node-a")];
    assert_eq!(case.cause(), Cause::ModelDecay);
    // On both it does.
    case.nodes.push(xid("node-b"));
    assert_eq!(case.cause(), nodes(&["node-a", "node-b"]));
}

#[test]
fn a_replica_about_to_fall_is_no_control() {
    let mut case = case(vec![golden(Outcome::Degraded)]);
    case.replicas = vec![replica("node-a/0", Outcome::Degraded, 0.78), replica("node-b/0", Outcome::Healthy, 0.80)];
    assert_eq!(case.cause(), Cause::ModelDecay);
    // Within the threshold, but no farther from the fallen one than the policy's margin.
    case.replicas = vec![replica("node-a/0", Outcome::Degraded, 0.86), replica("node-b/0", Outcome::Healthy, 0.875)];
    assert_eq!(case.cause(), Cause::ModelDecay);
}

#[test]
fn too_few_samples_on_the_other_replica_leave_it_unclear() {
    let mut case = case(vec![golden(Outcome::Degraded)]);
    case.replicas = vec![replica("node-a/0", Outcome::Degraded, 0.3), replica("node-b/0", Outcome::Inconclusive, 0.9)];
    assert_eq!(case.cause(), Cause::Unclear);
}

#[test]
fn a_single_replica_on_a_node_in_trouble_is_the_machine() {
    let mut case = case(vec![golden(Outcome::Degraded)]);
    case.replicas = vec![replica("node-a/0", Outcome::Degraded, 0.3)];
    assert_eq!(case.cause(), Cause::ModelDecay);
    case.nodes = vec![xid("node-a")];
    assert_eq!(case.cause(), nodes(&["node-a"]));
    case.replicas.clear();
    assert_eq!(case.cause(), nodes(&["node-a"]));
}

#[test]
fn a_changed_probe_comes_before_the_model_but_after_the_machines() {
    let mut case = case(vec![golden(Outcome::Degraded)]);
    case.probe_changed = true;
    assert_eq!(case.cause(), Cause::ProbeChanged);
    case.replicas = vec![replica("node-a/0", Outcome::Degraded, 0.3), replica("node-b/0", Outcome::Healthy, 0.91)];
    assert_eq!(case.cause(), nodes(&["node-a"]));
    let mut case = self::case(vec![golden(Outcome::Healthy)]);
    case.probe_changed = true;
    assert_eq!(case.cause(), Cause::None);
}

#[test]
fn missing_data_is_its_own_cause_but_hides_no_confirmed_fall() {
    let latency = |outcome| verdict("ttft_p99", Source::Traffic, outcome);
    let feedback = |outcome| verdict("exact_match", Source::Feedback, outcome);
    assert_eq!(case(vec![golden(Outcome::NoData), latency(Outcome::Healthy)]).cause(), Cause::NoData);
    assert_eq!(case(vec![golden(Outcome::NoData), latency(Outcome::SourceError)]).cause(), Cause::SourceError);
    assert_eq!(case(vec![golden(Outcome::Degraded), feedback(Outcome::NoData)]).cause(), Cause::ModelDecay);
    assert_eq!(case(vec![golden(Outcome::NoData), feedback(Outcome::Degraded)]).cause(), Cause::NoData);
}

#[test]
fn feedback_alone_is_not_confirmed_by_golden_probes() {
    let feedback = verdict("exact_match", Source::Feedback, Outcome::Degraded);
    let diagnosis = case(vec![golden(Outcome::Healthy), feedback]).diagnose();
    assert_eq!((diagnosis.cause, diagnosis.golden_agrees), (Cause::ModelDecay, false));
    assert!(case(vec![golden(Outcome::Degraded)]).diagnose().golden_agrees);
}

#[test]
fn a_shifted_mix_without_loss_is_drift_and_with_loss_is_decay() {
    let mut case = case(vec![golden(Outcome::Healthy)]);
    case.mix = drifted();
    let diagnosis = case.diagnose();
    assert_eq!(diagnosis.cause, Cause::InputDrift);
    assert!(diagnosis.reasons[0].contains("slice currency from 20 % to 60 %"), "{:?}", diagnosis.reasons);
    case.analysis.verdicts = vec![golden(Outcome::Degraded)];
    assert_eq!(case.cause(), Cause::ModelDecay);
}

#[test]
fn slow_answers_are_the_machines_or_unclear() {
    let slow = || vec![golden(Outcome::Healthy), verdict("ttft_p99", Source::Traffic, Outcome::Degraded)];
    let mut case = case(slow());
    case.replicas = vec![replica("node-a/0", Outcome::Healthy, 0.9), replica("node-b/0", Outcome::Healthy, 0.9)];
    assert_eq!(case.cause(), Cause::Unclear);
    case.nodes = vec![xid("node-b")];
    assert_eq!(case.cause(), nodes(&["node-b"]));
    case.nodes.clear();
    case.replicas.pop();
    assert_eq!(case.cause(), nodes(&["node-a"]));
}

#[test]
fn nothing_wrong_is_no_cause() {
    let mut case = case(vec![golden(Outcome::Healthy)]);
    case.nodes = vec![xid("node-a")];
    assert_eq!(case.cause(), Cause::None);
}
