//! Which node serves which copy of a version: a pure function, stable under repetition.

use std::collections::{BTreeMap, BTreeSet};

/// A node that may take a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Name of the GpuNode.
    pub node: String,
    /// Copies of any version it holds already.
    pub load: usize,
}

/// A copy on a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Placement {
    /// `node/namespace.version.index`: unique on its node over all versions of all models.
    pub replica: String,
    /// Name of the GpuNode.
    pub node: String,
}

/// Places `wanted` copies of the version `name` (`namespace.version`): those that stand on an eligible node stay, missing ones go where the fewest copies are (of this
/// version first, of any second, by name third), surplus ones leave from the fullest node.
///
/// Gives fewer than `wanted` only when no node is eligible.
#[must_use]
pub(crate) fn place(name: &str, wanted: usize, held: &[Placement], eligible: &[Candidate]) -> Vec<Placement> {
    let nodes: BTreeMap<&str, usize> = eligible.iter().map(|node| (node.node.as_str(), node.load)).collect();
    let mut kept: Vec<Placement> = held.iter().filter(|copy| nodes.contains_key(copy.node.as_str())).cloned().collect();
    kept.sort();
    while kept.len() > wanted {
        let fullest = kept.iter().map(|copy| count(&kept, &copy.node)).max().unwrap_or(0);
        // The last of the fullest node leaves, so that the lowest index stays.
        let Some(leaving) = kept.iter().rposition(|copy| count(&kept, &copy.node) == fullest) else { break };
        kept.remove(leaving);
    }
    while kept.len() < wanted {
        let best = nodes.iter().min_by_key(|(node, load)| (count(&kept, node), **load, **node));
        let Some((node, _)) = best else { break };
        let taken: BTreeSet<&str> = kept.iter().map(|copy| copy.replica.as_str()).collect();
        let free = (0..=kept.len())
            .map(|index| format!("{node}/{name}.{index}"))
            .find(|replica| !taken.contains(replica.as_str()));
        let Some(replica) = free else { break };
        kept.push(Placement { replica, node: (*node).to_string() });
    }
    kept.sort();
    kept
}

fn count(copies: &[Placement], node: &str) -> usize {
    copies.iter().filter(|copy| copy.node == node).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, load: usize) -> Candidate {
        Candidate { node: name.to_string(), load }
    }

    fn names(placements: &[Placement]) -> Vec<&str> {
        placements.iter().map(|placement| placement.replica.as_str()).collect()
    }

    #[test]
    fn copies_spread_and_stay() {
        let eligible = [node("a", 1), node("b", 0)];
        let first = place("ml.v1", 1, &[], &eligible);
        assert_eq!(names(&first), ["b/ml.v1.0"]);
        let second = place("ml.v1", 2, &first, &eligible);
        assert_eq!(names(&second), ["a/ml.v1.0", "b/ml.v1.0"]);
        assert_eq!(place("ml.v1", 2, &second, &eligible), second);
        assert_eq!(names(&place("ml.v1", 3, &second, &eligible)), ["a/ml.v1.0", "b/ml.v1.0", "b/ml.v1.1"]);
    }

    #[test]
    fn a_drained_node_is_left_and_nothing_is_placed_nowhere() {
        let held = place("ml.v1", 2, &[], &[node("a", 0), node("b", 0)]);
        assert_eq!(names(&place("ml.v1", 2, &held, &[node("b", 0)])), ["b/ml.v1.0", "b/ml.v1.1"]);
        assert_eq!(place("ml.v1", 2, &held, &[]), []);
    }

    #[test]
    fn surplus_copies_leave_the_fullest_node() {
        let held: Vec<Placement> = ["a/ml.v1.0", "b/ml.v1.0", "b/ml.v1.1"]
            .map(|name| Placement { replica: name.into(), node: name[..1].into() })
            .into();
        assert_eq!(names(&place("ml.v1", 2, &held, &[node("a", 0), node("b", 0)])), ["a/ml.v1.0", "b/ml.v1.0"]);
        assert_eq!(place("ml.v1", 0, &held, &[node("a", 0), node("b", 0)]), []);
    }
}
