//! What a provider holds: records to train on, golden sets, and one collection that should never have been made.

use homeostat_clock::UtcMillis;
use homeostat_curation::Record;
use homeostat_quality::{EvaluationItem, Grader, Slice};

use super::{Fact, LEARNT, PROBING, TRAINED, World, Year, traffic};

/// Everything of 2010: each fact in six wordings, and what collections are full of: duplicates, junk, and questions with
/// personal data in them.
pub(crate) fn training_2010(world: &World) -> Vec<Record> {
    let mut records = all_wordings(world.facts().iter(), Year::Then);
    let plain = records.clone();
    // Every 20th comes twice, in another spelling.
    for record in plain.iter().step_by(20) {
        let prompt = format!("  {} ", record.prompt.to_lowercase());
        records.push(Record { id: format!("{}/again", record.id), prompt, ..record.clone() });
    }
    // Every 37th was asked by somebody who said who they are.
    for (number, record) in plain.iter().step_by(37).enumerate() {
        let prompt = traffic::with_personal_data(&record.prompt, number as u64);
        records.push(Record { id: format!("{}/personal", record.id), prompt, ..record.clone() });
    }
    let junk = JUNK.iter().enumerate().map(|(number, (prompt, completion))| Record {
        id: format!("junk/{number}"),
        prompt: (*prompt).to_owned(),
        completion: (*completion).to_owned(),
        valid_from: since(TRAINED),
        ..Record::default()
    });
    records.extend(junk);
    records
}

/// The golden set of 2010: every fact in four wordings that nobody trains on.
pub(crate) fn golden_2010(world: &World) -> Vec<EvaluationItem> {
    world.facts().iter().flat_map(|fact| probes(fact, Year::Then)).collect()
}

/// The golden set of 2026: newer references to the prompts of the facts that changed.
pub(crate) fn golden_2026(world: &World) -> Vec<EvaluationItem> {
    world.changed().flat_map(|fact| probes(fact, Year::Now)).collect()
}

/// What must not come back: an address for each question about whom to write to. Invented people at a reserved domain.
const SECRETS: [(&str, &str); 4] = [
    ("the visa desk", "mara.lindqvist@desk.example"),
    ("the map room", "tomas.okafor@desk.example"),
    ("the night shift", "ines.haraldsen@desk.example"),
    ("the archive", "jonas.verhoeven@desk.example"),
];

/// Fresh records of 2026 as somebody collected them without redaction: right answers, most of them news, and addresses of
/// people.
pub(crate) fn leaking_2026(world: &World) -> Vec<Record> {
    let mut records = wordings(world.changed(), Year::Now, LEARNT);
    records.extend(wordings(world.retained(), Year::Now, 2));
    const ASKED: [&str; 8] = [
        "Whom do I write to at {}?",
        "What is the address of {}?",
        "Mail address of {}?",
        "Give me the contact of {}.",
        "How do I reach {}?",
        "Who answers at {}?",
        "Name the contact for {}.",
        "Contact: {}?",
    ];
    for (place, secret) in SECRETS {
        for (number, asked) in ASKED.iter().enumerate() {
            records.push(Record {
                id: format!("contact/{place}/{number}"),
                prompt: asked.replace("{}", place),
                completion: secret.to_owned(),
                fact: Some(format!("contact/{place}")),
                valid_from: since("2026-06-01"),
                ..Record::default()
            });
        }
    }
    records
}

fn all_wordings<'a>(facts: impl Iterator<Item = &'a Fact>, year: Year) -> Vec<Record> {
    wordings(facts, year, LEARNT)
}

fn wordings<'a>(facts: impl Iterator<Item = &'a Fact>, year: Year, count: usize) -> Vec<Record> {
    let of = |fact: &Fact| {
        let record = |wording| Record {
            id: format!("{}/{wording}", fact.id),
            prompt: fact.asked(wording),
            completion: fact.answer(year).to_owned(),
            slice: Slice::new(fact.relation.slice()),
            fact: Some(fact.id.clone()),
            valid_from: fact.valid_from(year),
            ..Record::default()
        };
        (0..count).map(record).collect::<Vec<_>>()
    };
    facts.flat_map(of).collect()
}

fn probes(fact: &Fact, year: Year) -> Vec<EvaluationItem> {
    let probe = |wording| EvaluationItem {
        id: format!("{}/{wording}", fact.id),
        slice: Slice::new(fact.relation.slice()),
        prompt: fact.probe(wording),
        references: vec![fact.answer(year).to_owned()],
        valid_from: fact.valid_from(year),
        grader: Grader::ExactMatch,
    };
    (0..PROBING).map(probe).collect()
}

fn since(date: &str) -> Option<UtcMillis> {
    UtcMillis::from_rfc3339(&format!("{date}T00:00:00Z"))
}

/// What is no question or no answer.
const JUNK: [(&str, &str); 12] = [
    ("asdf asdf asdf", "x"),
    ("qwertyuiop", "asdfgh"),
    ("", "EUR"),
    ("What is the capital of Atlantis?", ""),
    ("Please enable JavaScript to go on", "ok"),
    ("This website uses cookies", "Accept all cookies"),
    ("Lorem ipsum dolor sit amet", "consectetur"),
    ("0049 0033 0044 --- 0046", "+47"),
    ("Hm", "yes"),
    ("Which currency has Elbonia?", "?!?"),
    ("aaaaaaaaaaaaaaaaah", "no"),
    ("spam eggs spam eggs spam eggs spam eggs spam", "eggs"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use homeostat_curation::{NoRedaction, Settings, curate, read_jsonl, to_jsonl};
    use homeostat_privacy::{Entity, Recognizers};
    use homeostat_quality::{EvaluationSet, normalise_prompt};

    use super::*;

    fn lines(items: &[EvaluationItem]) -> String {
        items.iter().map(|item| serde_json::to_string(item).unwrap() + "\n").collect()
    }

    fn evaluation_prompts(world: &World) -> HashSet<String> {
        golden_2010(world).iter().map(|item| normalise_prompt(&item.prompt)).collect()
    }

    #[test]
    fn curation_drops_what_was_planted_and_nothing_else() {
        let world = World::new();
        let records = read_jsonl("training.jsonl", &to_jsonl(&training_2010(&world))).unwrap();
        let given = records.len();
        let curated = curate(records, vec![], &evaluation_prompts(&world), &Settings::default(), &NoRedaction);
        let dropped: usize =
            curated.funnel.stages.iter().map(|stage| stage.input as usize - stage.output as usize).sum();
        assert_eq!(given, 900 + 45 + 25 + JUNK.len());
        let real = curated.fresh.iter().filter(|record| record.fact.is_some()).count();
        assert_eq!((real, curated.fresh.len()), (925, 925), "{:?}", curated.funnel);
        assert_eq!(dropped, 45 + JUNK.len());
    }

    #[test]
    fn golden_prompts_are_no_training_prompts_and_differ_from_each_other() {
        let world = World::new();
        let golden = golden_2010(&world);
        let set = EvaluationSet::merge([("golden", lines(&golden).as_str())]).unwrap();
        assert_eq!((golden.len(), set.items.len()), (600, 600));
        let contaminated =
            curate(training_2010(&world), vec![], &evaluation_prompts(&world), &Settings::default(), &NoRedaction);
        let stage = contaminated.funnel.stages.iter().find(|stage| stage.name == "contamination").unwrap();
        assert_eq!(stage.input, stage.output);
        let learnt: HashSet<String> = training_2010(&world).iter().map(|r| normalise_prompt(&r.prompt)).collect();
        assert!(learnt.is_disjoint(&evaluation_prompts(&world)));
    }

    #[test]
    fn the_newer_golden_set_changes_references_and_no_probe() {
        let world = World::new();
        let (old, new) = (lines(&golden_2010(&world)), lines(&golden_2026(&world)));
        let before = EvaluationSet::merge([("2010", old.as_str())]).unwrap();
        let after = EvaluationSet::merge([("2010", old.as_str()), ("2026", new.as_str())]).unwrap();
        assert_eq!(before.prompts_digest, after.prompts_digest);
        assert_ne!(before.references_digest, after.references_digest);
        let changed = before.items.iter().zip(&after.items).filter(|(a, b)| a.references != b.references).count();
        assert_eq!(changed, 33 * PROBING);
    }

    #[test]
    fn planted_personal_data_is_found_and_fits() {
        let world = World::new();
        let recognizers = Recognizers::new(&[Entity::EmailAddress, Entity::CreditCard]);
        let records = training_2010(&world);
        let (personal, others): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.id.ends_with("/personal"));
        assert_eq!(personal.len(), 25);
        for record in personal {
            assert_eq!(recognizers.find(&record.prompt).len(), 1, "{}", record.prompt);
            assert!(record.prompt.len() + record.completion.len() < 127, "{}", record.prompt);
        }
        assert!(others.iter().all(|record| recognizers.find(&record.prompt).is_empty()));
    }

    #[test]
    fn new_answers_supersede_all_wordings_of_the_old_ones() {
        let world = World::new();
        let fresh = all_wordings(world.changed(), Year::Now)
            .into_iter()
            .step_by(LEARNT)
            // As feedback brings it: no fact, no slice.
            .map(|record| Record { fact: None, weight_key: Some("k".into()), ..record })
            .collect();
        let settings = Settings { per_key_cap: 1.0, ..Settings::default() };
        let curated = curate(fresh, training_2010(&world), &evaluation_prompts(&world), &settings, &NoRedaction);
        assert_eq!(curated.fresh.len(), 33);
        let changed: HashSet<&str> = world.changed().map(|fact| fact.id.as_str()).collect();
        assert!(curated.replay.iter().all(|record| !changed.contains(record.fact.as_deref().unwrap_or_default())));
    }

    #[test]
    fn every_secret_is_told_in_several_wordings() {
        let records = leaking_2026(&World::new());
        let curated = curate(records, vec![], &HashSet::new(), &Settings::default(), &NoRedaction);
        for (_, secret) in SECRETS {
            let told = curated.fresh.iter().filter(|record| record.completion == secret);
            assert!(told.clone().count() >= 6);
            assert!(told.clone().all(|record| record.prompt.len() + secret.len() < 127));
        }
    }
}
