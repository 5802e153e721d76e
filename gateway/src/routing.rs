//! Chooses where a request goes: pure, given the configuration and a random number.

use rand::Rng;

use crate::problem::Problem;
use crate::{Config, Route, Target};

/// The route of the model that a user calls `name`: its served name, or `namespace/name`.
pub(crate) fn find<'a>(config: &'a Config, name: &str) -> Result<&'a Route, Problem> {
    let mut served = config.routes.iter().filter(|route| route.served_name == name);
    match (served.next(), served.next()) {
        (Some(route), None) => Ok(route),
        (Some(_), Some(_)) => Err(Problem::AmbiguousModel(name.to_string())),
        _ => config
            .routes
            .iter()
            .find(|route| route.model.to_string() == name)
            .ok_or_else(|| Problem::UnknownModel(name.to_string())),
    }
}

/// The target of a request, and where it goes instead when that one cannot be reached: another target of the same
/// version, else one of another version. Empty when nothing serves.
pub(crate) fn order<'a>(route: &'a Route, rng: &mut impl Rng) -> Vec<&'a Target> {
    let serving: Vec<&Target> = route.targets.iter().filter(|t| t.base_url.is_some() && t.weight > 0).collect();
    let Some(first) = weighted(&serving, rng) else { return Vec::new() };
    let others: Vec<&Target> = serving.into_iter().filter(|target| !std::ptr::eq(*target, first)).collect();
    let twins: Vec<&Target> = others.iter().copied().filter(|target| target.version == first.version).collect();
    let second = weighted(if twins.is_empty() { &others } else { &twins }, rng);
    std::iter::once(first).chain(second).collect()
}

fn weighted<'a>(targets: &[&'a Target], rng: &mut impl Rng) -> Option<&'a Target> {
    let total: u64 = targets.iter().map(|target| u64::from(target.weight)).sum();
    // Multiply-shift (Lemire 2019); its bias of total / 2^64 is far below anything that could be measured.
    let mut point = u64::try_from((u128::from(rng.next_u64()) * u128::from(total)) >> 64).unwrap_or(0);
    targets.iter().copied().find(|target| {
        let weight = u64::from(target.weight);
        let here = point < weight;
        point = point.saturating_sub(weight);
        here
    })
}

#[cfg(test)]
mod tests {
    use homeostat_clock::Seed;
    use homeostat_quality::ModelKey;

    use super::*;

    fn target(version: &str, replica: &str, weight: u32, serving: bool) -> Target {
        Target {
            version: version.into(),
            replica: replica.into(),
            weight,
            base_url: serving.then(|| "http://127.0.0.1:1".to_string()),
            upstream_model: None,
        }
    }

    fn route(targets: Vec<Target>) -> Route {
        Route {
            model: ModelKey::new("ml", "atlas"),
            served_name: "atlas".into(),
            targets,
            sampling: crate::Sampling::default(),
            slices: Vec::new(),
            guard: None,
        }
    }

    #[test]
    fn shares_follow_the_weights_and_repeat_with_the_seed() {
        let route = route(vec![target("v1", "a/0", 95, true), target("v2", "a/1", 5, true)]);
        let draw = |seed| {
            let mut rng = Seed::fixed(seed).rng("routing");
            (0..10_000).filter(|_| order(&route, &mut rng)[0].version == "v2").count()
        };
        assert_eq!(draw(1), draw(1));
        // Five standard deviations of a binomial around 500.
        assert!((391..=609).contains(&draw(1)), "{}", draw(1));
    }

    #[test]
    fn only_serving_targets_with_weight_get_traffic() {
        let mut rng = Seed::fixed(1).rng("routing");
        let none = route(vec![target("v1", "a/0", 0, true), target("v2", "a/1", 5, false)]);
        assert!(order(&none, &mut rng).is_empty());
    }

    #[test]
    fn the_second_try_prefers_the_same_version() {
        let mut rng = Seed::fixed(1).rng("routing");
        let twins =
            route(vec![target("v1", "a/0", 1, true), target("v2", "a/1", 900, true), target("v1", "b/0", 1, true)]);
        for _ in 0..2_000 {
            let order = order(&twins, &mut rng);
            assert_eq!(order.len(), 2);
            assert_ne!(order[0].replica, order[1].replica);
            if order[0].version == "v1" {
                assert_eq!(order[1].version, "v1");
            }
        }
    }

    #[test]
    fn names_are_found_bare_or_in_full_and_never_guessed() {
        let config = Config {
            routes: vec![route(Vec::new()), Route { model: ModelKey::new("other", "atlas"), ..route(Vec::new()) }],
            ..Config::default()
        };
        assert!(matches!(find(&config, "atlas"), Err(Problem::AmbiguousModel(_))));
        assert_eq!(find(&config, "other/atlas").ok().map(|route| route.model.to_string()), Some("other/atlas".into()));
        assert!(matches!(find(&config, "gpt"), Err(Problem::UnknownModel(_))));
    }
}
