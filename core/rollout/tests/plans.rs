//! What is planned in a handful of worlds.

mod world;

use homeostat_decay::{Action as Wanted, Cause, Outcome};
use homeostat_rollout::canary::CanaryEvidence;
use homeostat_rollout::{Action, CandidatePhase, Mode, Plan, Promotion, RunOutcome, World, plan};
use world::*;

/// One line an action, then the decision.
fn shown(world: &World) -> String {
    let Plan { actions, decision, withheld, asked_for: _ } = plan(world);
    let mut lines: Vec<String> = actions.iter().map(|action| format!("{action:?}")).collect();
    lines.extend(withheld.iter().map(|action| format!("withheld {action:?}")));
    lines.push(format!("{}: {}", decision.what, decision.why));
    if let Some(next) = decision.next {
        lines.push(format!("next: {next} due {}", decision.due.map_or("-".to_string(), |due| due.to_string())));
    }
    lines.join("\n")
}

/// (what, reason of a page)
fn outcome(world: &World) -> (String, Option<String>) {
    let plan = plan(world);
    let page = plan.actions.iter().find_map(|action| match action {
        Action::AskForHelp { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    (plan.decision.what, page)
}

fn asks(world: &World, reason: &str) {
    assert_eq!(outcome(world), ("AskForHelp".to_string(), Some(reason.to_string())));
}

fn what(world: &World) -> String {
    outcome(world).0
}

#[test]
fn a_decayed_model_is_retrained() {
    insta::assert_snapshot!(shown(&decayed()), @r#"
    StartRetraining { name: "atlas-816bdd22", parent: "atlas-v1", cause: "ModelDecay", data: "d1" }
    Retrain: exact_match on golden probes is 0.780, 0.120 below the baseline of 0.900. atlas-v1 is retrained on 300 fresh records.
    next: The run's version goes through the gates. due -
    "#);
}

#[test]
fn in_observe_it_is_only_recorded() {
    insta::assert_snapshot!(shown(&World { mode: Mode::Observe, ..decayed() }), @r#"
    withheld StartRetraining { name: "atlas-816bdd22", parent: "atlas-v1", cause: "ModelDecay", data: "d1" }
    Retrain: exact_match on golden probes is 0.780, 0.120 below the baseline of 0.900. atlas-v1 is retrained on 300 fresh records. Mode Observe: recorded, not carried out.
    next: The run's version goes through the gates. due -
    "#);
}

#[test]
fn in_alert_people_are_paged_and_nothing_is_retrained() {
    let alert = World { mode: Mode::Alert, ..decayed() };
    let Plan { actions, withheld, .. } = plan(&alert);
    assert!(actions.is_empty() && matches!(withheld[..], [Action::StartRetraining { .. }]));
    asks(&World { retraining: None, ..alert }, "RetrainingNotConfigured");
}

#[test]
fn unknown_is_never_called_good() {
    let mut world = healthy();
    assert!(plan(&world).decision.why.contains("as good as it was declared"));
    world.analysis.verdicts.push(verdict(Outcome::Inconclusive, Wanted::Alert));
    assert!(plan(&world).decision.why.contains("not all of it can be judged yet"));
}

#[test]
fn a_candidate_that_nobody_can_judge_waits_for_a_person() {
    let mut world = with_candidate(CandidatePhase::Waiting);
    let candidate = world.candidate.as_mut().unwrap();
    candidate.evaluated = None;
    assert_eq!(what(&world), "Watch", "its gates may still be running");
    world.candidate.as_mut().unwrap().undecided = Some("its run ended with GatesInconclusive (too few probes).".into());
    asks(&world, "CandidateUndecided");
    world.steering.abort = world.candidate.as_ref().map(|candidate| candidate.version.clone());
    assert_eq!(what(&world), "Reject");
}

#[test]
fn the_first_version_is_promoted_in_every_mode_and_its_baseline_frozen_after_soak() {
    for mode in [Mode::Observe, Mode::Alert, Mode::Act] {
        let mut first = with_candidate(CandidatePhase::Waiting);
        first.diagnosis = diagnosis(Cause::None, "Nothing is known yet.");
        first.analysis.verdicts.clear();
        (first.mode, first.stable, first.stable_since, first.stable_baseline) = (mode, None, None, false);
        let candidate = first.candidate.as_mut().unwrap();
        (candidate.evaluated, candidate.compliant) = (None, None);
        assert!(matches!(plan(&first).actions[..], [Action::Promote { .. }]), "{}", shown(&first));
        first.candidate.as_mut().unwrap().serving = false;
        assert_eq!(plan(&first).actions, []);

        let mut soaking = World { mode, stable_baseline: false, stable_since: Some(ago(23)), ..healthy() };
        assert_eq!((what(&soaking), plan(&soaking).decision.wake), ("Watch".to_string(), Some(NOW.plus(HOUR))));
        soaking.stable_since = Some(ago(24));
        assert!(matches!(plan(&soaking).actions[..], [Action::FreezeBaseline { .. }]), "{}", shown(&soaking));
        soaking.analysis.verdicts = vec![verdict(Outcome::Degraded, Wanted::Alert)];
        assert_eq!(plan(&soaking).actions, [], "never on a breach");
    }
}

#[test]
fn storm_control_says_when_or_whom_to_ask() {
    let with = |change: &dyn Fn(&mut World)| {
        let mut world = decayed();
        change(&mut world);
        world
    };
    asks(&with(&|world| world.retraining = None), "RetrainingNotConfigured");
    asks(&with(&|world| world.diagnosis.golden_agrees = false), "GoldenDisagrees");
    asks(&with(&|world| world.runs = vec![failed("r1", 90), failed("r2", 60)]), "AttemptsExhausted");
    asks(&with(&|world| (world.fresh_data, world.fresh_records) = (None, 0)), "NoFreshData");
    let few = with(&|world| world.fresh_records = 23);
    assert!(what(&few) == "Watch" && shown(&few).contains("23 fresh records are there"), "{}", shown(&few));
    let again = with(&|world| {
        world.runs = vec![failed("r1", 90)];
        world.runs[0].data = "d1".to_string();
    });
    asks(&again, "AlreadyTried");
    let mut spent = with(&|world| world.runs = vec![failed("r0", 200), failed("r1", 90)]);
    spent.runs.iter_mut().for_each(|run| (run.spent, run.parent) = (HOUR * 4, "atlas-v0".to_string()));
    asks(&spent, "BudgetExhausted");
    assert_eq!(plan(&spent).decision.due, Some(ago(200).plus(HOUR * 24 * 30)));
    let cool = with(&|world| world.runs = vec![failed("r1", 23)]);
    assert_eq!((what(&cool).as_str(), plan(&cool).decision.wake), ("Watch", Some(NOW.plus(HOUR))));
    assert_eq!(what(&with(&|world| world.runs = vec![failed("r1", 24)])), "Retrain");
    let running = with(&|world| world.runs = vec![run("r1", 30, RunOutcome::Running)]);
    assert!(what(&running) == "Watch" && plan(&running).actions.is_empty());
}

#[test]
fn the_name_follows_from_cause_parent_data_and_configuration() {
    let name = |world: &World| match &plan(world).actions[..] {
        [Action::StartRetraining { name, .. }] => name.clone(),
        other => panic!("{other:?}"),
    };
    let base = name(&decayed());
    assert_eq!(name(&World { now: NOW.plus(HOUR), evidence: "e9".to_string(), ..decayed() }), base);
    assert_ne!(name(&World { fresh_data: Some("d2".to_string()), ..decayed() }), base);
    assert_ne!(name(&World { stable: Some("atlas-v3".to_string()), ..decayed() }), base);
    let long = World { model: format!("ml/a.B_{}", "x".repeat(60)), ..decayed() };
    assert_eq!(name(&long).len(), 40);
}

#[test]
fn only_a_decayed_model_is_retrained() {
    let cause = |cause| World { diagnosis: diagnosis(cause, "There is a reason."), ..decayed() };
    assert_eq!(what(&cause(Cause::InputDrift)), "Watch");
    assert_eq!(what(&cause(Cause::NoData)), "Watch");
    assert_eq!(what(&cause(Cause::SourceError)), "Watch");
    asks(&cause(Cause::ProbeChanged), "ProbeChanged");
    asks(&cause(Cause::Unclear), "CauseUnclear");
    let mut alert_only = decayed();
    alert_only.analysis.verdicts = vec![verdict(Outcome::Degraded, Wanted::Alert)];
    assert!(what(&alert_only) == "Watch" && plan(&alert_only).actions.is_empty());
}

#[test]
fn a_bad_machine_is_drained_while_another_is_left() {
    let bad = |nodes: &[&str]| {
        let nodes = nodes.iter().map(ToString::to_string).collect();
        World { diagnosis: diagnosis(Cause::Infrastructure { nodes }, "node-a answers badly."), ..decayed() }
    };
    insta::assert_snapshot!(shown(&bad(&["node-a"])), @r#"
    Drain { nodes: ["node-a"], reason: "node-a answers badly." }
    Drain: node-a answers badly. node-a is taken out of the route; node-b goes on serving.
    next: The model is judged on the nodes that are left. due -
    "#);
    asks(&bad(&["node-a", "node-b"]), "NoHealthyReplica");
    assert_eq!(plan(&bad(&["node-c"])).actions, [], "it serves no longer");
}

#[test]
fn a_breached_rollback_rule_brings_back_the_last_known_good() {
    let mut world = World { last_known_good: Some("atlas-v0".to_string()), ..decayed() };
    world.analysis.verdicts.push(verdict(Outcome::Degraded, Wanted::Rollback));
    assert!(matches!(&plan(&world).actions[..], [Action::Restore { version, .. }] if version == "atlas-v0"));
    world.last_known_good = None;
    asks(&world, "NoLastKnownGood");
}

#[test]
fn a_candidate_passes_gates_steps_and_soak() {
    let mut waiting = with_candidate(CandidatePhase::Waiting);
    insta::assert_snapshot!(shown(&waiting), @r#"
    SetCanary { version: "atlas-v2", step: 0, weight: 5 }
    StartCanary: atlas-v2 has passed its gates and checks and gets 5 % of the traffic.
    next: If it does as well, it goes on to 50 % of the traffic. due 2026-05-17T07:40:00.000Z
    "#);
    waiting.candidate.as_mut().unwrap().compliant = None;
    assert_eq!((what(&waiting).as_str(), plan(&waiting).actions.len()), ("Watch", 0));
    waiting.candidate.as_mut().unwrap().compliant = Some(false);
    insta::assert_snapshot!(shown(&waiting), @r#"
    Reject { version: "atlas-v2", reason: "atlas-v2 is not rolled out: it failed its compliance check." }
    Reject: atlas-v2 is not rolled out: it failed its compliance check.
    "#);
    assert_eq!(what(&in_canary(0, 0, good_evidence())), "Watch");
    insta::assert_snapshot!(shown(&in_canary(0, 1, good_evidence())), @r#"
    SetCanary { version: "atlas-v2", step: 1, weight: 50 }
    Advance: atlas-v2 goes on to 50 % of the traffic: 2 of 400 requests failed on the candidate and 40 of 8000 on the stable version; up to 1.0 points more are allowed. 5 of 100 answers were wrong on the candidate and 22 of 100 on the stable version; up to 2.0 points more are allowed.
    next: If it does as well, it is promoted. due 2026-05-17T07:40:00.000Z
    "#);
    insta::assert_snapshot!(shown(&in_canary(1, 1, good_evidence())), @r#"
    Promote { version: "atlas-v2", reason: "All canary steps are passed. 2 of 400 requests failed on the candidate and 40 of 8000 on the stable version; up to 1.0 points more are allowed. 5 of 100 answers were wrong on the candidate and 22 of 100 on the stable version; up to 2.0 points more are allowed." }
    Promote: atlas-v2 gets all traffic: All canary steps are passed. 2 of 400 requests failed on the candidate and 40 of 8000 on the stable version; up to 1.0 points more are allowed. 5 of 100 answers were wrong on the candidate and 22 of 100 on the stable version; up to 2.0 points more are allowed.
    next: The baseline of atlas-v2 is frozen after 24h. due -
    "#);
    let mut soaking = with_candidate(CandidatePhase::Soaking { since: ago(3) });
    (soaking.stable, soaking.stable_baseline) = (Some("atlas-v2".to_string()), false);
    soaking.analysis.verdicts = vec![verdict(Outcome::Inconclusive, Wanted::Retrain)];
    assert_eq!(plan(&soaking).decision.due, Some(NOW.plus(HOUR * 21)));
}

#[test]
fn a_bad_canary_is_rolled_back_and_an_undecided_one_held() {
    insta::assert_snapshot!(shown(&in_canary(0, 0, bad_evidence())), @r#"
    RollBack { version: "atlas-v2", reason: "80 of 400 requests failed on the candidate and 40 of 8000 on the stable version; up to 1.0 points more are allowed." }
    RollBack: atlas-v2 is taken back: 80 of 400 requests failed on the candidate and 40 of 8000 on the stable version; up to 1.0 points more are allowed.
    "#);
    let few = CanaryEvidence { candidate_errors: rate(0, 10), ..good_evidence() };
    assert_eq!(plan(&in_canary(0, 2, few.clone())).decision.wake, Some(NOW.plus(HOUR)));
    insta::assert_snapshot!(shown(&in_canary(0, 3, few)), @r#"
    AskForHelp { reason: "CanaryInconclusive", message: "atlas-v2 has been at 5 % for 3h without a result, and stays there: 10 requests on the candidate and 8000 on the stable version are too few: 50 are needed on each. Promote or abort it, or send it more requests." }
    Hold: atlas-v2 has been at 5 % for 3h without a result, and stays there: 10 requests on the candidate and 8000 on the stable version are too few: 50 are needed on each. Promote or abort it, or send it more requests.
    "#);
    let mut dark = in_canary(1, 1, good_evidence());
    dark.analysis.verdicts = vec![verdict(Outcome::NoData, Wanted::Retrain)];
    assert_eq!((what(&dark).as_str(), plan(&dark).actions.len()), ("Watch", 0));
}

#[test]
fn a_manual_rollout_waits_for_a_word() {
    let mut world = with_candidate(CandidatePhase::Waiting);
    world.rollout.promotion = Promotion::Manual;
    assert_eq!((what(&world).as_str(), plan(&world).actions.len()), ("Hold", 0));
    world.steering.promote = Some("atlas-v2".to_string());
    assert_eq!(what(&world), "StartCanary");
    let mut early = in_canary(0, 0, good_evidence());
    early.steering.promote = Some("atlas-v2".to_string());
    assert_eq!(what(&early), "Promote", "in an automatic rollout the word skips the rest");
    early.candidate.as_mut().unwrap().evaluated = None;
    assert_eq!((what(&early).as_str(), plan(&early).actions.len()), ("Watch", 0));
}

#[test]
fn a_person_can_always_steer() {
    let mut world = in_canary(0, 1, good_evidence());
    world.steering.hold = true;
    insta::assert_snapshot!(shown(&world), @r#"
    withheld SetCanary { version: "atlas-v2", step: 1, weight: 50 }
    Hold: A person has put the model on hold. Without that: atlas-v2 goes on to 50 % of the traffic: 2 of 400 requests failed on the candidate and 40 of 8000 on the stable version; up to 1.0 points more are allowed. 5 of 100 answers were wrong on the candidate and 22 of 100 on the stable version; up to 2.0 points more are allowed.
    "#);
    world.steering.abort = Some("atlas-v2".to_string());
    assert!(matches!(plan(&world).actions[..], [Action::RollBack { .. }]));
    world.steering.pin = Some("atlas-v0".to_string());
    insta::assert_snapshot!(shown(&world), @r#"
    RollBack { version: "atlas-v2", reason: "A person has pinned atlas-v0." }
    Restore { version: "atlas-v0", reason: "A person has pinned atlas-v0." }
    Restore: A person has pinned atlas-v0.
    "#);

    let mut asked = World { mode: Mode::Observe, ..healthy() };
    asked.steering.retrain = Some("t1".to_string());
    asked.steering.rebaseline = Some("t2".to_string());
    insta::assert_snapshot!(shown(&asked), @r#"
    FreezeBaseline { version: "atlas-v1", reason: "Asked for by a person." }
    Acknowledge { token: "t2" }
    StartRetraining { name: "atlas-d0ee1157", parent: "atlas-v1", cause: "Requested", data: "d1" }
    Acknowledge { token: "t1" }
    Retrain: A person asked for a retraining of atlas-v1 on 300 fresh records.
    next: The run's version goes through the gates. due -
    "#);
    asked.steering.done = vec!["t1".to_string(), "t2".to_string()];
    assert_eq!(plan(&asked).actions, []);
    asked.steering.done.clear();
    asked.steering.hold = true;
    assert_eq!(plan(&asked).actions, [], "a token is not used up on hold");
}

#[test]
fn a_version_trained_on_an_erased_person_is_retrained_under_the_same_control() {
    let reason = "A person was erased whom the training of atlas-v1 saw.".to_string();
    let erased = World { erasure: Some(reason), ..healthy() };
    insta::assert_snapshot!(shown(&erased), @r#"
    StartRetraining { name: "atlas-9cfbcb29", parent: "atlas-v1", cause: "Erasure", data: "d1" }
    Retrain: A person was erased whom the training of atlas-v1 saw. atlas-v1 is retrained on 300 fresh records.
    next: The run's version goes through the gates. due -
    "#);
    asks(&World { fresh_data: None, fresh_records: 0, ..erased.clone() }, "NoFreshData");
    asks(&World { retraining: None, ..erased.clone() }, "RetrainingNotConfigured");
    // Missing data never retrains, and decay is the better reason.
    let silent = World { diagnosis: diagnosis(Cause::NoData, "Nothing came."), ..erased.clone() };
    assert_eq!(what(&silent), "Watch");
    let decayed = World { erasure: erased.erasure, ..decayed() };
    assert!(shown(&decayed).contains("cause: \"ModelDecay\""));
}
