use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use homeostat_quality::normalise_prompt;

use crate::funnel::Dropped;
use crate::minhash::Shingles;
use crate::record::normalise_completion;
use crate::{Record, Settings};

/// Leaves one of each: exact duplicates first (normalised prompt and completion), then near-duplicates of the prompt among
/// equal completions. Records that name different facts are never near-duplicates. Fresh is kept before replay, then the
/// later date, then the smaller id.
pub(crate) fn deduplicate(records: Vec<Record>, settings: &Settings, dropped: &mut Dropped) -> Vec<Record> {
    let distinct = exact(records, "duplicate", dropped);
    let mut by_completion: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, record) in distinct.iter().enumerate() {
        by_completion.entry(normalise_completion(&record.completion)).or_default().push(index);
    }
    let mut surplus = HashSet::new();
    for members in by_completion.values().filter(|members| members.len() > 1) {
        let group: Vec<&Record> = members.iter().map(|index| &distinct[*index]).collect();
        let near = near_duplicates(&group, settings);
        surplus.extend(near.into_iter().map(|member| members[member]));
    }
    let mut kept = Vec::with_capacity(distinct.len() - surplus.len());
    for (index, record) in distinct.into_iter().enumerate() {
        if surplus.contains(&index) {
            dropped.add("near-duplicate", &record.id);
        } else {
            kept.push(record);
        }
    }
    kept
}

/// Leaves the preferred one of records with the same normalised prompt and completion, in order of preference.
pub(crate) fn exact(mut records: Vec<Record>, reason: &'static str, dropped: &mut Dropped) -> Vec<Record> {
    records.sort_by(|a, b| (a.origin, Reverse(a.valid_from), a).cmp(&(b.origin, Reverse(b.valid_from), b)));
    let mut seen = HashSet::new();
    records.retain(|record| {
        let new = seen.insert((normalise_prompt(&record.prompt), normalise_completion(&record.completion)));
        if !new {
            dropped.add(reason, &record.id);
        }
        new
    });
    records
}

/// So many members of a bucket are compared with a newcomer: buckets of equal sketches stay cheap.
const COMPARED: usize = 16;

/// Positions of those that are in a cluster with an earlier one.
fn near_duplicates(group: &[&Record], settings: &Settings) -> Vec<usize> {
    let shingles: Vec<_> = group.iter().map(|record| Shingles::of_prompt(&record.prompt)).collect();
    let mut buckets: HashMap<(usize, u64), Vec<usize>> = HashMap::new();
    let mut parent: Vec<usize> = (0..group.len()).collect();
    for newcomer in 0..group.len() {
        for (band, key) in shingles[newcomer].bands().into_iter().enumerate() {
            let bucket = buckets.entry((band, key)).or_default();
            for member in bucket.iter().take(COMPARED) {
                if is_near(group, &shingles, *member, newcomer, settings) {
                    let (a, b) = (root(&mut parent, *member), root(&mut parent, newcomer));
                    parent[a.max(b)] = a.min(b);
                }
            }
            bucket.push(newcomer);
        }
    }
    (0..group.len()).filter(|member| root(&mut parent, *member) != *member).collect()
}

fn is_near(group: &[&Record], shingles: &[Shingles], a: usize, b: usize, settings: &Settings) -> bool {
    if let (Some(one), Some(other)) = (&group[a].fact, &group[b].fact)
        && one != other
    {
        return false;
    }
    let short = shingles[a].either_short(&shingles[b]);
    let threshold = if short { settings.short_near_duplicate_threshold } else { settings.near_duplicate_threshold };
    shingles[a].jaccard(&shingles[b]) >= threshold
}

fn root(parent: &mut [usize], mut member: usize) -> usize {
    while parent[member] != member {
        parent[member] = parent[parent[member]];
        member = parent[member];
    }
    member
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Origin;

    fn record(id: &str, prompt: &str, completion: &str) -> Record {
        let [id, prompt, completion] = [id, prompt, completion].map(str::to_string);
        Record { id, prompt, completion, ..Record::default() }
    }

    fn kept(records: Vec<Record>) -> Vec<String> {
        let mut ids: Vec<_> = deduplicate(records, &Settings::default(), &mut Dropped::default())
            .into_iter()
            .map(|record| record.id)
            .collect();
        ids.sort();
        ids
    }

    #[test]
    fn spellings_go_and_wordings_stay() {
        let records = vec![
            record("a", "What is the capital of France?", "Paris"),
            record("b", "What is the capital of France ?", "Paris"),
            record("c", "What is, the capital of \"France\"?", "paris."),
            record("d", "Which city is the capital of France?", "Paris"),
            record("e", "What is the capital of France?", "Lyon"),
        ];
        assert_eq!(kept(records), ["a", "d", "e"]);
    }

    #[test]
    fn questions_with_the_same_answer_stay_apart() {
        let records = vec![
            record("a", "Was Finland a member of NATO in 2026?", "yes"),
            record("b", "Was Sweden a member of NATO in 2026?", "yes"),
            record("c", "Was Sweden a member of NATO in 2025?", "yes"),
            record("d", "Is 7 a prime number?", "yes"),
            record("e", "Is 5 a prime number?", "yes"),
        ];
        assert_eq!(kept(records), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn long_prompts_are_near_duplicates_from_the_lower_threshold_unless_facts_differ() {
        let long = "Please read the following ticket about a printer that stopped working after the last update of the driver and \
                    tell us in one word which team should look at it first before anybody calls the customer back";
        let other = long.replace("in one word", "with one word");
        let fact = |record: Record, fact: &str| Record { fact: Some(fact.to_string()), ..record };
        assert_eq!(kept(vec![record("a", long, "drivers"), record("b", &other, "drivers")]), ["a"]);
        let facts = vec![fact(record("a", long, "drivers"), "1"), fact(record("b", &other, "drivers"), "2")];
        assert_eq!(kept(facts), ["a", "b"]);
    }

    #[test]
    fn fresh_is_kept_before_replay() {
        let replay = Record { origin: Origin::Replay, ..record("a", "q one", "x") };
        assert_eq!(kept(vec![replay, record("b", "Q one?", "x")]), ["b"]);
    }
}
