//! `examples/own-data` fits together: its files, its manifests and what its README says of them.

use std::collections::HashSet;
use std::path::PathBuf;

use homeostat_crds::{CompliancePolicy, Dataset, DecayPolicy, Model, ModelVersion};
use homeostat_curation::{NoRedaction, Record, Settings, curate, read_jsonl};
use homeostat_quality::{EvaluationSet, normalise_prompt};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

fn read(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/own-data");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn records(name: &str) -> Vec<Record> {
    read_jsonl(name, &read(name)).unwrap()
}

#[test]
fn the_training_spec_is_the_engines_and_names_the_file_as_it_is() {
    let spec = homeostat_engine::train::Spec::parse(&read("train-v1.json")).unwrap();
    assert_eq!(spec.data[0].sha256.as_str(), hex::encode(Sha256::digest(read("training.jsonl"))));
}

#[test]
fn fresh_records_supersede_and_nothing_is_contaminated() {
    let (old, newer) = (read("golden.jsonl"), read("golden-newer.jsonl"));
    let before = EvaluationSet::merge([("golden", old.as_str())]).unwrap();
    let after = EvaluationSet::merge([("golden", old.as_str()), ("newer", newer.as_str())]).unwrap();
    assert_eq!((before.items.len(), &before.prompts_digest), (120, &after.prompts_digest));
    assert_ne!(before.references_digest, after.references_digest);
    let probes: HashSet<String> = before.items.iter().map(|item| normalise_prompt(&item.prompt)).collect();
    let curated =
        curate(records("fresh.jsonl"), records("training.jsonl"), &probes, &Settings::default(), &NoRedaction);
    assert_eq!((curated.fresh.len(), curated.replay.len()), (60, 180), "{:?}", curated.funnel);
    let longest =
        curated.fresh.iter().chain(&curated.replay).map(|record| record.prompt.len() + record.completion.len());
    assert!(longest.max().unwrap() <= 127);
}

#[test]
fn the_manifests_are_of_their_kinds_and_the_slices_right() {
    let text = read("manifests.yaml");
    let mut slices = Vec::new();
    for document in text.split("\n---\n") {
        let object: Value = serde_saphyr::from_str(document).unwrap();
        match object["kind"].as_str().unwrap() {
            "Dataset" => drop(serde_json::from_value::<Dataset>(object).unwrap()),
            "DecayPolicy" => drop(serde_json::from_value::<DecayPolicy>(object).unwrap()),
            "CompliancePolicy" => drop(serde_json::from_value::<CompliancePolicy>(object).unwrap()),
            "ModelVersion" => drop(serde_json::from_value::<ModelVersion>(object).unwrap()),
            "Model" => slices = serde_json::from_value::<Model>(object).unwrap().spec.slices,
            other => panic!("{other} is not expected"),
        }
    }
    let rules: Vec<(String, regex::Regex)> =
        slices.into_iter().map(|rule| (rule.name, regex::Regex::new(&rule.pattern).unwrap())).collect();
    for record in records("training.jsonl") {
        let slice = rules.iter().find(|(_, rule)| rule.is_match(&record.prompt)).map(|(name, _)| name.as_str());
        assert_eq!(slice, Some(record.slice.as_str()), "{}", record.prompt);
    }
}
