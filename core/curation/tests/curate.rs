//! The stages together, and what must hold for any data.

use std::collections::HashSet;

use homeostat_clock::UtcMillis;
use homeostat_curation::{
    Curated, NoRedaction, Origin, Record, Redacted, Redactor, Settings, curate, read_jsonl, snapshot_digest,
};
use homeostat_quality::normalise_prompt;
use proptest::prelude::*;

/// Takes out what stands between `[` and `]`.
struct Brackets;

impl Redactor for Brackets {
    fn redact(&self, text: &str) -> Redacted {
        let mut redacted = Redacted::default();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('[')
            && let Some((_, behind)) = after.split_once(']')
        {
            redacted.text += before;
            redacted.text += "<NAME>";
            redacted.count += 1;
            rest = behind;
        }
        redacted.text += rest;
        redacted
    }
}

fn ids(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.id.as_str()).collect()
}

#[test]
fn a_data_set_with_everything_in_it_comes_out_clean() {
    let fresh = r#"
{"id":"f01","prompt":"Currency of Bulgaria?","completion":"EUR","validFrom":"2026-01-01","fact":"bg"}
{"id":"f02","prompt":"What does Bulgaria pay with?","completion":"EUR","validFrom":"2026-01-01","fact":"bg"}
{"id":"f03","prompt":"currency of  Bulgaria","completion":"EUR","validFrom":"2026-01-01","fact":"bg"}
{"id":"f04","prompt":"asdf asdf asdf","completion":"asdf"}
{"id":"f05","prompt":"Lorem ipsum dolor?","completion":"Sit amet"}
{"id":"f06","prompt":"What is the address of [Ann]?","completion":"[Ann]"}
{"id":"f07","prompt":"Is [Bob] a member?","completion":"Yes, [Bob] is"}
{"id":"f08","prompt":"Is [Eve] a member?","completion":"Yes, [Eve] is"}
{"id":"f09","prompt":"Which money has Bulgaria?","completion":"EUR","validFrom":"2026-01-01","fact":"bg"}
{"id":"f10","prompt":"What is the name of [Carl]'s dog?","completion":"Rex"}
"#;
    let replay = r#"
{"id":"r01","prompt":"Name the currency of Bulgaria","completion":"BGN","validFrom":"2010-06-01","fact":"bg"}
{"id":"r02","prompt":"Capital of Bulgaria?","completion":"Sofia","validFrom":"2010-06-01","fact":"bg-capital"}
"#;
    let read = |name, text| read_jsonl(name, text).unwrap_or_default();
    let evaluation = ["Which money has Bulgaria?", "What is the name of [Carl]'s dog"].map(normalise_prompt);
    let curated = curate(
        read("fresh", fresh),
        read("replay", replay),
        &HashSet::from(evaluation),
        &Settings::default(),
        &Brackets,
    );
    assert_eq!(ids(&curated.fresh), ["f01", "f02", "f07"]);
    assert_eq!(ids(&curated.replay), ["r02"]);
    assert_eq!(curated.fresh[2].completion, "Yes, <NAME> is");
    let funnel = &curated.funnel;
    assert_eq!(funnel.superseded, [("r01".to_string(), "f01".to_string())]);
    for (stage, reason, count) in [
        ("supersede", "superseded", 1),
        ("deduplicate", "duplicate", 1),
        ("quality", "repetition", 1),
        ("quality", "boilerplate", 1),
        ("privacy", "completion only personal data", 1),
        ("privacy", "duplicate after redaction", 1),
        ("contamination", "contamination", 2),
    ] {
        assert_eq!(funnel.dropped(stage, reason), count, "{stage}: {reason}");
    }
    let names: Vec<_> = funnel.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["supersede", "deduplicate", "quality", "key-cap", "privacy", "contamination"]);
    let json = serde_json::to_string(funnel).unwrap_or_default();
    assert!(!json.contains("Bulgaria") && !json.contains("EUR"), "{json}");
}

#[test]
fn no_key_gets_more_than_its_share() {
    let fresh = (0..40).map(|n| Record {
        id: format!("f{n:02}"),
        prompt: format!("Question about the {n}th thing that a user asked"),
        completion: format!("Answer {n}"),
        weight_key: (n >= 8).then(|| "loud".to_string()),
        ..Record::default()
    });
    let curated = curate(fresh.collect(), Vec::new(), &HashSet::new(), &Settings::default(), &NoRedaction);
    assert_eq!(curated.fresh.len(), 8 + 10);
    assert_eq!(curated.funnel.dropped("key-cap", "key cap"), 22);
}

#[test]
fn nothing_gives_an_empty_snapshot_with_a_digest_of_its_own() {
    let empty = curate(Vec::new(), Vec::new(), &HashSet::new(), &Settings::default(), &NoRedaction);
    assert!(empty.fresh.is_empty() && empty.replay.is_empty());
    let one = Record {
        id: "a".to_string(),
        prompt: "What is it?".to_string(),
        completion: "This".to_string(),
        ..Record::default()
    };
    let fresh = curate(vec![one.clone()], Vec::new(), &HashSet::new(), &Settings::default(), &NoRedaction);
    let replay = curate(Vec::new(), vec![one], &HashSet::new(), &Settings::default(), &NoRedaction);
    assert_eq!(replay.replay[0].origin, Origin::Replay);
    assert_eq!(HashSet::from([snapshot_digest(&empty), snapshot_digest(&fresh), snapshot_digest(&replay)]).len(), 3);
}

fn prompts() -> impl Strategy<Value = String> {
    let known = vec![
        "What is the capital of France?",
        "what is the capital of france",
        "What is, the capital of France ?",
        "Capital of France?",
        "Which city is the capital of France?",
        "Who is [Ann]?",
        "Who is [Bob]?",
        "asdf asdf asdf",
        "Is 7 a prime?",
        "Is 8 a prime?",
        "",
        "法国的首都是哪里？",
    ];
    prop_oneof![6 => prop::sample::select(known).prop_map(str::to_string), 1 => any::<String>(), 1 => "[a-c]{1,4}( [a-c]{1,4}){0,6}"]
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let completion = prop::sample::select(vec!["Paris", "paris.", "Lyon", "[Ann]", "yes", "", "\u{7}"]);
    let date = prop::option::of(prop::sample::select(vec![1_i64, 2, 3]));
    let fact = prop::option::weighted(0.3, prop::sample::select(vec!["one", "two"]));
    let key = prop::option::of(prop::sample::select(vec!["k1", "k2", "k3"]));
    // Few ids, so that some records share one.
    let record =
        (0..60_u32, prompts(), completion, date, fact, key).prop_map(|(id, prompt, completion, date, fact, key)| {
            Record {
                id: format!("r{id:02}"),
                prompt,
                completion: completion.to_string(),
                valid_from: date.map(UtcMillis),
                fact: fact.map(str::to_string),
                weight_key: key.map(str::to_string),
                ..Record::default()
            }
        });
    prop::collection::vec(record, 0..30)
}

fn both() -> impl Strategy<Value = (Vec<Record>, Vec<Record>, usize, HashSet<String>)> {
    let evaluation = prop::collection::hash_set(prompts().prop_map(|prompt| normalise_prompt(&prompt)), 0..3);
    (records(), records(), 1..4_usize, evaluation)
}

fn run(fresh: Vec<Record>, replay: Vec<Record>, agreement: usize, evaluation: &HashSet<String>) -> Curated {
    curate(fresh, replay, evaluation, &Settings { min_agreement: agreement, ..Settings::default() }, &Brackets)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_prompt_of_an_evaluation_set_comes_out((fresh, replay, agreement, evaluation) in both()) {
        let curated = run(fresh, replay, agreement, &evaluation);
        for record in curated.fresh.iter().chain(&curated.replay) {
            prop_assert!(!evaluation.contains(&normalise_prompt(&record.prompt)));
        }
    }

    #[test]
    fn the_funnel_adds_up((fresh, replay, agreement, evaluation) in both()) {
        let mut expected = (fresh.len() + replay.len()) as u64;
        let curated = run(fresh, replay, agreement, &evaluation);
        for stage in &curated.funnel.stages {
            prop_assert_eq!(stage.input, expected, "{}", &stage.name);
            let dropped: u64 = stage.dropped.iter().map(|drop| drop.count).sum();
            prop_assert_eq!(stage.input, stage.output + dropped, "{}", &stage.name);
            expected = stage.output;
        }
        prop_assert_eq!(expected, (curated.fresh.len() + curated.replay.len()) as u64);
        let superseded = curated.funnel.dropped("supersede", "superseded");
        prop_assert_eq!(superseded, curated.funnel.superseded.len() as u64);
    }

    #[test]
    fn the_order_of_records_changes_nothing(
        (((fresh, replay, agreement, evaluation), shuffled), again) in both().prop_flat_map(|input| {
            let (fresh, replay) = (input.0.clone(), input.1.clone());
            (Just(input), Just(fresh).prop_shuffle()).prop_flat_map(move |pair| (Just(pair), Just(replay.clone()).prop_shuffle()))
        })
    ) {
        let one = run(fresh, replay, agreement, &evaluation);
        let other = run(shuffled, again, agreement, &evaluation);
        prop_assert_eq!(snapshot_digest(&one), snapshot_digest(&other));
        prop_assert_eq!(one, other);
    }

    #[test]
    fn one_question_has_one_answer_and_no_older_one_survives((fresh, replay, agreement, _) in both()) {
        let all: Vec<Record> = fresh.iter().chain(&replay).cloned().collect();
        // Without redaction, so that prompts can be followed.
        let settings = Settings { min_agreement: agreement, ..Settings::default() };
        let curated = curate(fresh, replay, &HashSet::new(), &settings, &NoRedaction);
        let kept: Vec<&Record> = curated.fresh.iter().chain(&curated.replay).collect();
        for (index, record) in kept.iter().enumerate() {
            for other in &kept[index + 1..] {
                let same_fact = record.fact.is_some() && record.fact == other.fact;
                let no_facts = record.fact.is_none() && other.fact.is_none();
                let same_prompt = no_facts && normalise_prompt(&record.prompt) == normalise_prompt(&other.prompt);
                if same_fact || same_prompt {
                    prop_assert_eq!(normalise_prompt(&record.completion), normalise_prompt(&other.completion));
                }
            }
        }
        for (old, new) in &curated.funnel.superseded {
            prop_assert!(all.iter().any(|record| &record.id == old) && all.iter().any(|record| &record.id == new));
        }
    }

    #[test]
    fn a_curated_snapshot_is_left_alone((fresh, replay, _, evaluation) in both()) {
        let settings = Settings { per_key_cap: 1.0, ..Settings::default() };
        let once = curate(fresh, replay, &evaluation, &settings, &Brackets);
        let twice = curate(once.fresh.clone(), once.replay.clone(), &evaluation, &settings, &NoRedaction);
        // Redaction may have made two questions one; the second pass then still leaves one answer to it, never a new record.
        prop_assert!(twice.fresh.iter().all(|record| once.fresh.contains(record)));
        prop_assert!(twice.replay.iter().all(|record| once.replay.contains(record)));
    }
}
