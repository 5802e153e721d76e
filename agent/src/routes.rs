//! Makes the gateway's configuration of what the controller wants and what serves: pure.
//!
//! Several nodes of one process share one gateway. Where they name the same model, their targets are put together.

use std::collections::BTreeMap;
use std::time::Duration;

use homeostat_gateway::{Config, Guard, GuardAction, Route, Sampling, SliceRule, Target};
use homeostat_privacy::{Entity, Recognizers, SubjectKey};
use homeostat_protocol as wire;
use homeostat_quality::{ModelKey, Slice};

use crate::board::Engines;

/// The configuration, and what of the desired state could not be used, in sentences.
pub(crate) fn config(nodes: &[(&wire::DesiredState, &Engines)]) -> (Config, Vec<String>) {
    let mut problems = Vec::new();
    let mut config = Config::default();
    let mut routes: BTreeMap<ModelKey, Route> = BTreeMap::new();
    for (desired, _) in nodes {
        if let Ok(window @ 1..) = u64::try_from(desired.window_ms) {
            config.window = Duration::from_millis(window);
        }
        match <[u8; 32]>::try_from(desired.subject_key.as_ref()) {
            Ok(key) => config.subject_key = Some(SubjectKey::new(key)),
            Err(_) if desired.subject_key.is_empty() => {}
            Err(_) => problems.push(format!("the subject key has {} bytes instead of 32", desired.subject_key.len())),
        }
        config.feedback_keys.extend(desired.feedback_keys.iter().map(|(id, hash)| (id.clone(), hash.clone())));
        for route in &desired.routes {
            let Ok(model) = route.model.parse::<ModelKey>() else {
                problems.push(format!("a route's model {:?} is not namespace/name", route.model));
                continue;
            };
            let targets = route.targets.iter().map(|target| self::target(target, nodes));
            let targets: Vec<Target> = targets.collect();
            match routes.get_mut(&model) {
                Some(held) => {
                    for target in targets {
                        let same = |held: &Target| held.version == target.version && held.replica == target.replica;
                        if !held.targets.iter().any(same) {
                            held.targets.push(target);
                        }
                    }
                }
                None => {
                    let sampling = sampling(route, &mut problems);
                    let slices = slices(route, &mut problems);
                    let guard = route.guard.as_ref().map(|guard| self::guard(guard, &route.model, &mut problems));
                    let served_name = route.served_name.clone();
                    routes.insert(model.clone(), Route { model, served_name, targets, sampling, slices, guard });
                }
            }
        }
    }
    config.routes = routes.into_values().collect();
    (config, problems)
}

fn target(target: &wire::Target, nodes: &[(&wire::DesiredState, &Engines)]) -> Target {
    let engine = nodes.iter().find_map(|(_, engines)| engines.get(&target.replica));
    // A replica that still runs another version gets nothing for this one.
    let address = engine.filter(|engine| engine.status.version == target.version).and_then(|engine| engine.serving());
    Target {
        version: target.version.clone(),
        replica: target.replica.clone(),
        weight: target.weight,
        base_url: address.map(|address| address.base_url.clone()),
        upstream_model: address.map(|address| address.model.clone()),
    }
}

fn sampling(route: &wire::Route, problems: &mut Vec<String>) -> Sampling {
    let Some(sampling) = &route.sampling else { return Sampling::default() };
    let entities: Result<Vec<Entity>, _> = sampling.entities.iter().map(|entity| entity.parse()).collect();
    match entities {
        Ok(entities) => Sampling { keep: true, share: sampling.share.clamp(0.0, 1.0), entities },
        // What cannot be redacted must not be kept.
        Err(error) => {
            problems.push(format!("model {} keeps no samples: {error}; update the agent", route.model));
            Sampling::default()
        }
    }
}

/// What is not understood leaves a guard that cannot look: it lets nothing pass, unless the policy fails open.
fn guard(guard: &wire::Guard, model: &str, problems: &mut Vec<String>) -> Guard {
    let action = |text: &str| match text {
        "Observe" => Some(GuardAction::Observe),
        "Redact" => Some(GuardAction::Redact),
        "Block" => Some(GuardAction::Block),
        _ => None,
    };
    let entities: Result<Vec<Entity>, _> = guard.entities.iter().map(|entity| entity.parse()).collect();
    match (action(&guard.input), action(&guard.output), entities) {
        (Some(input), Some(output), Ok(entities)) => {
            Guard { input, output, fails_open: guard.fails_open, recognizers: Some(Recognizers::new(&entities)) }
        }
        (input, output, _) => {
            problems.push(format!("model {model}: the guard is not understood; update the agent"));
            let input = input.unwrap_or(GuardAction::Block);
            let output = output.unwrap_or(GuardAction::Block);
            Guard { input, output, fails_open: guard.fails_open, recognizers: None }
        }
    }
}

fn slices(route: &wire::Route, problems: &mut Vec<String>) -> Vec<SliceRule> {
    let mut rules = Vec::new();
    for rule in &route.slices {
        match regex::RegexBuilder::new(&rule.pattern).size_limit(1 << 20).build() {
            Ok(pattern) => rules.push(SliceRule { slice: Slice::new(&rule.slice), pattern }),
            Err(_) => problems.push(format!(
                "model {}: the pattern of slice {:?} is no regular expression that can be used",
                route.model, rule.slice
            )),
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use homeostat_protocol::{EnginePhase, EngineStatus};

    use super::*;
    use crate::board::{Address, EngineState};

    fn engine(version: &str, phase: EnginePhase) -> EngineState {
        EngineState {
            status: EngineStatus { version: version.into(), phase: phase.into(), ..EngineStatus::default() },
            address: Some(Address { base_url: "http://127.0.0.1:1".into(), model: version.into() }),
        }
    }

    fn desired(targets: &[(&str, &str)], entities: &[&str]) -> wire::DesiredState {
        let targets = targets.iter().map(|(version, replica)| wire::Target {
            version: (*version).into(),
            replica: (*replica).into(),
            weight: 1,
        });
        let route = wire::Route {
            model: "ml/atlas".into(),
            served_name: "atlas".into(),
            targets: targets.collect(),
            sampling: Some(wire::Sampling { share: 2.0, entities: entities.iter().map(|e| (*e).into()).collect() }),
            slices: vec![wire::SliceRule { slice: "s".into(), pattern: "(".into() }],
            guard: None,
        };
        wire::DesiredState { routes: vec![route], window_ms: 1500, ..wire::DesiredState::default() }
    }

    #[test]
    fn targets_of_several_nodes_come_together_and_only_serving_ones_have_an_address() {
        let (a, b) = (desired(&[("v1", "a/0"), ("v2", "b/0")], &[]), desired(&[("v2", "b/0"), ("v1", "c/0")], &[]));
        let on_a = Engines::from([("a/0".to_string(), engine("v1", EnginePhase::Serving))]);
        let on_b = Engines::from([
            ("b/0".to_string(), engine("v2", EnginePhase::Unhealthy)),
            ("c/0".to_string(), engine("v0", EnginePhase::Serving)),
        ]);
        let (config, _) = config(&[(&a, &on_a), (&b, &on_b)]);
        let serving: Vec<(&str, bool)> = config.routes[0]
            .targets
            .iter()
            .map(|target| (target.replica.as_str(), target.base_url.is_some()))
            .collect();
        assert_eq!(serving, [("a/0", true), ("b/0", false), ("c/0", false)]);
        assert_eq!(config.window, Duration::from_millis(1500));
    }

    #[test]
    fn a_guard_that_is_not_understood_cannot_look() {
        let wire = |entity: &str, output: &str| wire::Guard {
            input: "Observe".into(),
            output: output.into(),
            fails_open: false,
            entities: vec![entity.into()],
        };
        let mut problems = Vec::new();
        let good = guard(&wire("EMAIL_ADDRESS", "Redact"), "ml/atlas", &mut problems);
        assert!(good.recognizers.is_some() && good.output == GuardAction::Redact && problems.is_empty());
        for bad in [wire("RETINA_SCAN", "Redact"), wire("EMAIL_ADDRESS", "Ask")] {
            assert!(guard(&bad, "ml/atlas", &mut problems).recognizers.is_none());
        }
        assert_eq!(problems.len(), 2);
    }

    #[test]
    fn what_cannot_be_redacted_is_not_kept() {
        let engines = Engines::new();
        let known = desired(&[], &["EMAIL_ADDRESS"]);
        let (good, problems) = config(&[(&known, &engines)]);
        assert!(good.routes[0].sampling.keep && good.routes[0].sampling.share == 1.0);
        assert!(problems.len() == 1 && problems[0].contains("\"s\""), "{problems:?}");
        let unknown = desired(&[], &["EMAIL_ADDRESS", "RETINA_SCAN"]);
        let (bad, problems) = config(&[(&unknown, &engines)]);
        assert!(!bad.routes[0].sampling.keep);
        assert_eq!(problems.len(), 2);
    }
}
