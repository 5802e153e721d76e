use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_quality::normalise_prompt;

use crate::funnel::Dropped;
use crate::record::normalise_completion;
use crate::{Origin, Record, Settings};

/// Leaves one answer to each question: the latest.
///
/// A question is a record's `fact`; a record without one asks what records with the same normalised prompt ask. Of two
/// answers the later `validFrom` wins. Fresh records without a date count as newer than the replay they meet, replay
/// without a date as oldest; at the same date fresh wins over replay. Among records of the same date and origin the answer
/// of most feedback keys wins (a record without a key speaks for itself); a tie drops all of them and leaves what is older.
pub(crate) fn supersede(
    records: Vec<Record>,
    settings: &Settings,
    superseded: &mut Vec<(String, String)>,
    dropped: &mut Dropped,
) -> Vec<Record> {
    let mut kept = Vec::with_capacity(records.len());
    for group in by_question(records) {
        let group = agreed(group, settings.min_agreement, dropped);
        let mut winner: Option<(String, String)> = None;
        for (_, answers) in by_rank(group, settings) {
            let (answer, id) = match &winner {
                Some(winner) => winner.clone(),
                None => {
                    let Some(elected) = elect(&answers) else {
                        answers.values().flatten().for_each(|record| dropped.add("conflict", &record.id));
                        continue;
                    };
                    for record in
                        answers.iter().filter(|(answer, _)| **answer != elected.0).flat_map(|(_, records)| records)
                    {
                        dropped.add("outvoted", &record.id);
                    }
                    kept.extend(
                        answers.into_iter().filter(|(answer, _)| *answer == elected.0).flat_map(|(_, records)| records),
                    );
                    winner = Some(elected);
                    continue;
                }
            };
            for (other, records) in answers {
                for record in records {
                    if other == answer {
                        kept.push(record);
                    } else {
                        dropped.add("superseded", &record.id);
                        superseded.push((record.id, id.clone()));
                    }
                }
            }
        }
    }
    superseded.sort();
    kept
}

/// Records of one date and origin by their normalised answer.
type Answers = BTreeMap<String, Vec<Record>>;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    Fact(String),
    Prompt(String),
}

fn by_question(records: Vec<Record>) -> Vec<Vec<Record>> {
    // A prompt that records of several facts share says nothing about which of them is meant.
    let mut facts: HashMap<String, BTreeSet<String>> = HashMap::new();
    for record in &records {
        if let Some(fact) = &record.fact {
            facts.entry(normalise_prompt(&record.prompt)).or_default().insert(fact.clone());
        }
    }
    let mut groups: BTreeMap<Question, Vec<Record>> = BTreeMap::new();
    for record in records {
        let prompt = normalise_prompt(&record.prompt);
        let question = match (&record.fact, facts.get(&prompt)) {
            (Some(fact), _) => Question::Fact(fact.clone()),
            (None, Some(facts)) if facts.len() == 1 => Question::Fact(facts.iter().next().cloned().unwrap_or_default()),
            _ => Question::Prompt(prompt),
        };
        groups.entry(question).or_default().push(record);
    }
    groups.into_values().collect()
}

/// Drops answers that only feedback gives, and too few keys of it.
fn agreed(group: Vec<Record>, needed: usize, dropped: &mut Dropped) -> Vec<Record> {
    if needed <= 1 {
        return group;
    }
    let mut answers: Answers = BTreeMap::new();
    for record in group {
        answers.entry(normalise_completion(&record.completion)).or_default().push(record);
    }
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    for records in answers.into_values() {
        let keys: Option<BTreeSet<&String>> = records.iter().map(|record| record.weight_key.as_ref()).collect();
        let enough = keys.is_none_or(|keys| keys.len() >= needed);
        if enough { kept.extend(records) } else { refused.extend(records) }
    }
    refused.iter().for_each(|record| dropped.add("agreement", &record.id));
    kept
}

/// Latest first.
fn by_rank(group: Vec<Record>, settings: &Settings) -> Vec<((UtcMillis, bool), Answers)> {
    let step = Duration::from_millis(settings.date_step_ms);
    let oldest = UtcMillis(i64::MIN);
    let replay = group.iter().filter(|record| record.origin == Origin::Replay);
    let latest_replay =
        replay.filter_map(|record| record.valid_from).max().map_or(oldest, |date| date.window_start(step));
    let mut ranks: BTreeMap<(UtcMillis, bool), Answers> = BTreeMap::new();
    for record in group {
        let fresh = record.origin == Origin::Fresh;
        let undated = if fresh { latest_replay } else { oldest };
        let date = record.valid_from.map_or(undated, |date| date.window_start(step));
        let answer = normalise_completion(&record.completion);
        ranks.entry((date, fresh)).or_default().entry(answer).or_default().push(record);
    }
    ranks.into_iter().rev().collect()
}

/// The answer that most voters give and the id of the first record with it; none at a tie.
fn elect(answers: &Answers) -> Option<(String, String)> {
    let voters = |records: &[Record]| {
        let keys = records
            .iter()
            .map(|record| (record.weight_key.is_some(), record.weight_key.as_ref().unwrap_or(&record.id)));
        keys.collect::<BTreeSet<_>>().len()
    };
    let most = answers.values().map(|records| voters(records)).max()?;
    let mut leaders = answers.iter().filter(|(_, records)| voters(records) == most);
    let (answer, records) = leaders.next()?;
    if leaders.next().is_some() {
        return None;
    }
    let id = records.iter().map(|record| record.id.as_str()).min()?;
    Some((answer.clone(), id.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(origin: Origin, id: &str, prompt: &str, completion: &str, date: Option<i64>) -> Record {
        let [id, prompt, completion] = [id, prompt, completion].map(str::to_string);
        Record { id, prompt, completion, valid_from: date.map(UtcMillis), origin, ..Record::default() }
    }

    /// Kept ids, superseded pairs, dropped counts by reason.
    type Outcome = (Vec<String>, Vec<(String, String)>, Vec<(String, u64)>);

    fn run(records: Vec<Record>, settings: &Settings) -> Outcome {
        let (mut pairs, mut dropped) = (Vec::new(), Dropped::default());
        let input = records.len();
        let kept = supersede(records, settings, &mut pairs, &mut dropped);
        let stage = dropped.stage("supersede", input, kept.len());
        let mut ids: Vec<_> = kept.into_iter().map(|record| record.id).collect();
        ids.sort();
        (ids, pairs, stage.dropped.into_iter().map(|drop| (drop.reason, drop.count)).collect())
    }

    use Origin::{Fresh, Replay};

    #[test]
    fn the_later_answer_wins_in_fresh_data_and_in_replay() {
        let records = vec![
            record(Fresh, "f1", "Currency of Bulgaria?", "EUR", Some(20)),
            record(Fresh, "f0", "currency of bulgaria", "BGN", Some(10)),
            record(Replay, "r0", "Currency  of Bulgaria", "BGN", None),
            record(Replay, "r1", "Currency of Bulgaria?", "EUR.", Some(5)),
            record(Replay, "r2", "Capital of Bulgaria?", "Sofia", None),
        ];
        let (ids, pairs, dropped) = run(records, &Settings::default());
        assert_eq!(ids, ["f1", "r1", "r2"]);
        assert_eq!(pairs, [("f0", "f1"), ("r0", "f1")].map(|(old, new)| (old.to_string(), new.to_string())));
        assert_eq!(dropped, [("superseded".to_string(), 2)]);
    }

    #[test]
    fn a_fact_supersedes_all_its_wordings_also_for_records_that_do_not_name_it() {
        let fact = |record: Record| Record { fact: Some("bg".to_string()), ..record };
        let records = vec![
            record(Fresh, "f1", "Currency of Bulgaria?", "EUR", Some(20)),
            fact(record(Replay, "r0", "Currency of Bulgaria?", "BGN", Some(1))),
            fact(record(Replay, "r1", "What does Bulgaria pay with?", "BGN", Some(1))),
        ];
        assert_eq!(run(records, &Settings::default()).0, ["f1"]);
    }

    #[test]
    fn undated_fresh_records_beat_the_replay_but_not_a_later_date() {
        let records = vec![record(Fresh, "f", "q", "new", None), record(Replay, "r", "q", "old", Some(9))];
        assert_eq!(run(records.clone(), &Settings::default()).0, ["f"]);
        let dated = record(Fresh, "g", "q", "newer", Some(10));
        assert_eq!(run(records.into_iter().chain([dated]).collect(), &Settings::default()).0, ["g"]);
        let late = vec![record(Fresh, "f", "q", "old news", Some(1)), record(Replay, "r", "q", "current", Some(9))];
        assert_eq!(run(late, &Settings::default()).0, ["r"]);
    }

    #[test]
    fn at_the_same_date_most_keys_win_and_a_tie_leaves_the_older_answer() {
        let keyed = |id: &str, answer: &str, key: &str| Record {
            weight_key: Some(key.to_string()),
            ..record(Fresh, id, "q", answer, Some(5))
        };
        // One key three times is one voice.
        let votes = vec![
            keyed("a", "right", "k1"),
            keyed("b", "right", "k2"),
            keyed("c", "wrong", "k3"),
            keyed("d", "wrong", "k3"),
            keyed("e", "wrong", "k3"),
        ];
        let (ids, _, dropped) = run(votes.clone(), &Settings::default());
        assert_eq!((ids, dropped), (vec!["a".to_string(), "b".to_string()], vec![("outvoted".to_string(), 3)]));
        let tie = vec![votes[0].clone(), votes[2].clone(), record(Replay, "r", "q", "old", Some(1))];
        let (ids, _, dropped) = run(tie, &Settings::default());
        assert_eq!((ids, dropped), (vec!["r".to_string()], vec![("conflict".to_string(), 2)]));
    }

    #[test]
    fn a_date_step_makes_near_dates_the_same() {
        let keyed = |id: &str, answer: &str, at: i64| Record {
            weight_key: Some(id.to_string()),
            ..record(Fresh, id, "q", answer, Some(at))
        };
        let records = vec![keyed("a", "right", 1), keyed("b", "right", 2), keyed("late", "wrong", 900)];
        assert_eq!(run(records.clone(), &Settings::default()).0, ["late"]);
        assert_eq!(run(records, &Settings { date_step_ms: 1_000, ..Settings::default() }).0, ["a", "b"]);
    }

    #[test]
    fn feedback_alone_needs_the_agreed_number_of_keys() {
        let keyed = |id: &str, key: &str| Record {
            weight_key: Some(key.to_string()),
            ..record(Fresh, id, "q", "new", Some(5))
        };
        let settings = Settings { min_agreement: 2, ..Settings::default() };
        let old = record(Replay, "r", "q", "old", Some(1));
        let (ids, _, dropped) = run(vec![keyed("a", "k1"), keyed("b", "k1"), old.clone()], &settings);
        assert_eq!((ids, dropped), (vec!["r".to_string()], vec![("agreement".to_string(), 2)]));
        assert_eq!(run(vec![keyed("a", "k1"), keyed("b", "k2"), old], &settings).0, ["a", "b"]);
    }
}
