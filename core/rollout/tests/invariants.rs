//! What no plan may do, in whatever world.

#[expect(dead_code, reason = "shared with the other tests, each uses its part")]
mod world;

use std::time::Duration;

use homeostat_decay::{Action as Wanted, Cause, Outcome};
use homeostat_rollout::canary::CanaryEvidence;
use homeostat_rollout::{
    Action, CanaryState, Candidate, CandidatePhase, Mode, Promotion, RunOutcome, Steering, World, plan,
};
use proptest::option::of;
use proptest::prelude::*;
use world::*;

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Healthy),
        Just(Outcome::Degraded),
        Just(Outcome::Inconclusive),
        Just(Outcome::NoData),
        Just(Outcome::SourceError)
    ]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    prop_oneof![Just(Wanted::Warn), Just(Wanted::Alert), Just(Wanted::Rollback), Just(Wanted::Retrain)]
}

fn causes() -> impl Strategy<Value = Cause> {
    let nodes = prop::collection::vec(prop_oneof![Just("node-a".to_string()), Just("node-b".to_string())], 1..3);
    prop_oneof![
        1 => Just(Cause::None),
        1 => nodes.prop_map(|nodes| Cause::Infrastructure { nodes }),
        1 => Just(Cause::ProbeChanged),
        1 => Just(Cause::InputDrift),
        1 => Just(Cause::NoData),
        1 => Just(Cause::SourceError),
        3 => Just(Cause::ModelDecay),
        1 => Just(Cause::Unclear)
    ]
}

fn versions() -> impl Strategy<Value = String> {
    (0..4).prop_map(|i| format!("atlas-v{i}"))
}

fn evidence() -> impl Strategy<Value = CanaryEvidence> {
    let few = CanaryEvidence { candidate_errors: rate(0, 3), ..good_evidence() };
    prop_oneof![Just(good_evidence()), Just(bad_evidence()), Just(few), Just(CanaryEvidence::default())]
}

fn phases() -> impl Strategy<Value = CandidatePhase> {
    prop_oneof![
        Just(CandidatePhase::Waiting),
        (0usize..4, 0u32..9, evidence()).prop_map(|(step, hours, evidence)| CandidatePhase::Canary(CanaryState {
            step,
            since: ago(hours),
            evidence
        })),
        (0u32..40).prop_map(|hours| CandidatePhase::Soaking { since: ago(hours) }),
    ]
}

fn candidates() -> impl Strategy<Value = Candidate> {
    let verdict = || of(prop::bool::weighted(0.8));
    (versions(), verdict(), verdict(), any::<bool>(), prop::bool::weighted(0.8), phases()).prop_map(
        |(version, evaluated, compliant, ended, serving, phase)| Candidate {
            version,
            evaluated,
            compliant,
            undecided: (ended && (evaluated.is_none() || compliant.is_none())).then(|| "too few probes.".to_string()),
            serving,
            phase,
        },
    )
}

fn tokens() -> impl Strategy<Value = Option<String>> {
    of(prop_oneof![Just("t1".to_string()), Just("t2".to_string())])
}

fn steering() -> impl Strategy<Value = Steering> {
    let done = prop::collection::vec(Just("t1".to_string()), 0..2);
    (of(versions()), any::<bool>(), of(versions()), of(versions()), tokens(), tokens(), done).prop_map(
        |(pin, hold, promote, abort, retrain, rebaseline, done)| Steering {
            pin: pin.filter(|_| hold),
            hold: hold && done.is_empty(),
            promote,
            abort,
            retrain,
            rebaseline,
            done,
        },
    )
}

fn runs() -> impl Strategy<Value = Vec<homeostat_rollout::RunHistory>> {
    let outcome = prop_oneof![
        Just(RunOutcome::Running),
        versions().prop_map(|version| RunOutcome::Succeeded { version }),
        Just(RunOutcome::Failed { reason: "GatesFailed".to_string() })
    ];
    let one = (versions(), 0u32..90, outcome, any::<bool>()).prop_map(|(parent, hours, outcome, same)| {
        let mut run = run(&format!("atlas-r{hours}"), hours, outcome);
        run.parent = parent;
        if same {
            run.data = "d1".to_string();
        }
        run
    });
    prop::collection::vec(one, 0..3)
}

prop_compose! {
    fn worlds()(
        model in "[a-zA-Z0-9._-]{1,50}",
        mode in prop_oneof![1 => Just(Mode::Observe), 1 => Just(Mode::Alert), 3 => Just(Mode::Act)],
        steering in prop_oneof![2 => Just(Steering::default()), 1 => steering()],
        stable in of(versions()),
        (baseline, good, candidate) in (prop::bool::weighted(0.8), of(versions()), of(candidates())),
        verdicts in prop::collection::vec((outcomes(), wanted()), 0..4),
        (cause, agrees) in (causes(), any::<bool>()),
        runs in runs(),
        (fresh, manual, steps, records) in (of(Just("d1".to_string())), any::<bool>(), 0usize..3, 0u64..60),
        retraining in any::<bool>(),
    ) -> World {
        let mut world = healthy();
        (world.model, world.mode, world.steering) = (format!("ml/{model}"), mode, steering);
        world.stable_since = stable.as_ref().map(|_| ago(30));
        (world.stable, world.stable_baseline, world.last_known_good, world.candidate) = (stable, baseline, good, candidate);
        world.analysis.verdicts = verdicts.into_iter().map(|(outcome, action)| verdict(outcome, action)).collect();
        world.diagnosis = diagnosis(cause, "There is a reason.");
        world.diagnosis.golden_agrees = agrees;
        world.runs = runs;
        (world.fresh_data, world.fresh_records) = (fresh, records);
        world.rollout.promotion = if manual { Promotion::Manual } else { Promotion::Automatic };
        world.rollout.steps.truncate(steps);
        if !retraining {
            world.retraining = None;
        }
        world
    }
}

fn is_unsteered(world: &World) -> bool {
    world.steering == Steering { hold: world.steering.hold, done: world.steering.done.clone(), ..Steering::default() }
}

/// A first version that is declared and serves.
fn is_first(world: &World) -> bool {
    world.stable.is_none()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_world_gives_the_same_plan_with_a_reason(world in worlds()) {
        let first = plan(&world);
        prop_assert_eq!(&first, &plan(&world.clone()));
        prop_assert!(!first.decision.why.is_empty() && first.decision.why.ends_with(['.', '!']), "{}", first.decision.why);
        prop_assert!(first.decision.wake.is_none_or(|wake| wake > world.now), "{:?}", first.decision);
    }

    #[test]
    fn missing_and_inconclusive_data_never_act_on_the_model(
        mut world in worlds(),
        outcomes in prop::collection::vec(prop_oneof![Just(Outcome::NoData), Just(Outcome::Inconclusive)], 1..4),
        cause in prop_oneof![Just(Cause::NoData), Just(Cause::SourceError), Just(Cause::ModelDecay), Just(Cause::Unclear)],
    ) {
        world.steering = Steering { hold: world.steering.hold, ..Steering::default() };
        world.stable.get_or_insert_with(|| "atlas-v1".to_string());
        world.analysis.verdicts = outcomes.into_iter().map(|outcome| verdict(outcome, Wanted::Retrain)).collect();
        world.diagnosis.cause = cause;
        if let Some(Candidate { phase, evaluated, compliant, .. }) = &mut world.candidate {
            // Gates and checks that are decided are data of their own, so the candidate is one that passed or is undecided.
            (*evaluated, *compliant) = (evaluated.filter(|passed| *passed), compliant.filter(|passed| *passed));
            if let CandidatePhase::Canary(state) = phase {
                state.evidence = CanaryEvidence { candidate_errors: rate(3, 9), ..CanaryEvidence::default() };
            } else if world.rollout.steps.is_empty() {
                *phase = CandidatePhase::Soaking { since: ago(1) };
            }
        }
        for action in plan(&world).actions {
            let acts = matches!(
                action,
                Action::StartRetraining { .. } | Action::Promote { .. } | Action::RollBack { .. } | Action::Restore { .. }
            );
            prop_assert!(!acts, "{action:?}");
        }
    }

    #[test]
    fn hold_holds(mut world in worlds()) {
        world.steering.hold = true;
        (world.steering.pin, world.steering.abort) = (None, None);
        let plan = plan(&world);
        prop_assert_eq!(plan.actions, vec![]);
        prop_assert_eq!(plan.decision.what, "Hold");
    }

    #[test]
    fn observe_only_freezes_baselines_and_serves_the_declared_version(mut world in worlds()) {
        world.steering = Steering { hold: world.steering.hold, ..Steering::default() };
        world.mode = Mode::Observe;
        for action in plan(&world).actions {
            let declared = is_first(&world) && matches!(action, Action::Promote { .. });
            prop_assert!(declared || matches!(action, Action::FreezeBaseline { .. }), "{action:?}");
        }
    }

    #[test]
    fn one_retraining_at_a_time_with_a_good_name(world in worlds()) {
        let starts: Vec<_> = plan(&world).actions.into_iter().filter_map(|action| match action {
            Action::StartRetraining { name, parent, data, .. } => Some((name, parent, data)),
            _ => None,
        }).collect();
        prop_assert!(starts.len() <= 1);
        let Some((name, parent, data)) = starts.into_iter().next() else { return Ok(()) };
        prop_assert!(world.runs.iter().all(|run| run.outcome != RunOutcome::Running));
        prop_assert!(world.candidate.is_none());
        let letters = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        prop_assert!(letters && name.len() <= 40 && !name.starts_with('-') && !name.ends_with('-'), "{name}");
        if is_unsteered(&world) {
            prop_assert!(world.mode == Mode::Act && world.diagnosis.cause == Cause::ModelDecay);
            prop_assert!(world.diagnosis.golden_agrees);
            prop_assert!(world.runs.iter().all(|run| run.parent != parent || run.data != data));
        }
    }

    #[test]
    fn nothing_unevaluated_or_noncompliant_is_promoted_or_routed_to(world in worlds()) {
        for action in plan(&world).actions {
            if let Action::Promote { version, .. } | Action::SetCanary { version, .. } = action {
                let candidate = world.candidate.as_ref().expect("only a candidate is promoted");
                prop_assert_eq!(&candidate.version, &version);
                prop_assert!(candidate.serving);
                if is_first(&world) {
                    prop_assert!(candidate.evaluated != Some(false) && candidate.compliant != Some(false));
                } else {
                    prop_assert_eq!((candidate.evaluated, candidate.compliant), (Some(true), Some(true)));
                }
            }
        }
    }

    #[test]
    fn a_drain_leaves_a_node_that_serves(world in worlds()) {
        for action in plan(&world).actions {
            if let Action::Drain { nodes, .. } = action {
                prop_assert!(!nodes.is_empty() && nodes.iter().all(|node| world.serving_nodes.contains(node)));
                prop_assert!(nodes.len() < world.serving_nodes.len());
            }
        }
    }

    #[test]
    fn a_pin_serves_nothing_else(mut world in worlds()) {
        world.steering.pin = Some("atlas-v1".to_string());
        for action in plan(&world).actions {
            match action {
                Action::Promote { version, .. } | Action::Restore { version, .. } => prop_assert_eq!(version, "atlas-v1"),
                Action::RollBack { version, .. } => prop_assert_ne!(version, "atlas-v1"),
                Action::FreezeBaseline { .. } | Action::AskForHelp { .. } => {}
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}

#[test]
fn a_second_of_silence_changes_no_decision_but_its_time() {
    let (a, b) = (decayed(), World { now: NOW.plus(Duration::from_secs(1)), ..decayed() });
    assert_eq!(plan(&a).actions, plan(&b).actions);
}
