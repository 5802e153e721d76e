use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh64::xxh64;

use crate::contamination::EvaluationIndex;
use crate::deduplicate::{deduplicate, exact};
use crate::funnel::Dropped;
use crate::redaction::{Outcome, redact};
use crate::supersede::supersede;
use crate::{Funnel, Origin, Record, Redactor, Settings, quality, to_jsonl};

/// A snapshot to train on and how it came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Curated {
    /// What is new, sorted.
    pub fresh: Vec<Record>,
    /// What is repeated, sorted.
    pub replay: Vec<Record>,
    /// What was dropped and why.
    pub funnel: Funnel,
}

/// Runs all stages. The result does not depend on the order of the records; their `origin` is set by the list they come in.
///
/// `evaluation_prompts` are the prompts of every evaluation set, normalised by [`homeostat_quality::normalise_prompt`].
#[must_use]
pub fn curate(
    fresh: Vec<Record>,
    replay: Vec<Record>,
    evaluation_prompts: &HashSet<String>,
    settings: &Settings,
    redactor: &dyn Redactor,
) -> Curated {
    let with_origin = |records: Vec<Record>, origin| records.into_iter().map(move |record| Record { origin, ..record });
    let mut records: Vec<Record> =
        with_origin(fresh, Origin::Fresh).chain(with_origin(replay, Origin::Replay)).collect();
    records.sort();
    let mut funnel = Funnel::default();

    let superseded = &mut funnel.superseded;
    let records = stage(&mut funnel.stages, "supersede", records, |records, dropped| {
        supersede(records, settings, superseded, dropped)
    });
    let records =
        stage(&mut funnel.stages, "deduplicate", records, |records, dropped| deduplicate(records, settings, dropped));
    let records = stage(&mut funnel.stages, "quality", records, |records, dropped| {
        keep(records, dropped, |record| quality::flaw(record, settings))
    });
    let records =
        stage(&mut funnel.stages, "key-cap", records, |records, dropped| cap_keys(records, settings, dropped));

    let mut original_prompts = BTreeMap::new();
    let (redacted_records, redacted_spans) = (&mut funnel.redacted_records, &mut funnel.redacted_spans);
    let records = stage(&mut funnel.stages, "privacy", records, |records, dropped| {
        let mut spans_of: BTreeMap<Record, usize> = BTreeMap::new();
        let mut kept = Vec::with_capacity(records.len());
        for Outcome { record, original_prompt, spans } in redact(records, redactor, dropped) {
            if let Some(prompt) = original_prompt {
                original_prompts.entry(record.clone()).or_insert_with(Vec::new).push(prompt);
            }
            if spans > 0 {
                spans_of.insert(record.clone(), spans);
            }
            kept.push(record);
        }
        // What differed by a name only is the same now.
        let kept = exact(kept, "duplicate after redaction", dropped);
        let changed = kept.iter().filter_map(|record| spans_of.get(record));
        *redacted_records = changed.clone().count() as u64;
        *redacted_spans = changed.map(|spans| *spans as u64).sum();
        kept
    });

    let index = EvaluationIndex::new(evaluation_prompts);
    let mut records = stage(&mut funnel.stages, "contamination", records, |records, dropped| {
        keep(records, dropped, |record| {
            let originals = original_prompts.get(record).into_iter().flatten();
            let mut prompts = std::iter::once(&record.prompt).chain(originals);
            prompts.find_map(|prompt| index.contaminates(prompt, settings.contamination_threshold))
        })
    });

    records.sort();
    let (fresh, replay) = records.into_iter().partition(|record| record.origin == Origin::Fresh);
    Curated { fresh, replay, funnel }
}

/// sha256 (hex) over the JSONL of the fresh records, a NUL, and the JSONL of the replay: names what is trained on.
#[must_use]
pub fn snapshot_digest(curated: &Curated) -> String {
    let mut hash = Sha256::new();
    hash.update(to_jsonl(&curated.fresh));
    hash.update([0]);
    hash.update(to_jsonl(&curated.replay));
    hex::encode(hash.finalize())
}

fn stage(
    stages: &mut Vec<crate::Stage>,
    name: &str,
    records: Vec<Record>,
    run: impl FnOnce(Vec<Record>, &mut Dropped) -> Vec<Record>,
) -> Vec<Record> {
    let mut dropped = Dropped::default();
    let input = records.len();
    let kept = run(records, &mut dropped);
    stages.push(dropped.stage(name, input, kept.len()));
    kept
}

fn keep(
    mut records: Vec<Record>,
    dropped: &mut Dropped,
    flaw: impl Fn(&Record) -> Option<&'static str>,
) -> Vec<Record> {
    records.retain(|record| match flaw(record) {
        Some(reason) => {
            dropped.add(reason, &record.id);
            false
        }
        None => true,
    });
    records
}

/// Leaves each feedback key its share of the fresh records. Which of its records stay is drawn by a hash of their content.
fn cap_keys(records: Vec<Record>, settings: &Settings, dropped: &mut Dropped) -> Vec<Record> {
    let fresh = records.iter().filter(|record| record.origin == Origin::Fresh).count();
    // At least one each; the comparison also settles a cap that is no number.
    let share = (settings.per_key_cap * fresh as f64).floor();
    let most = if share >= 1.0 { share as usize } else { 1 };
    let mut by_key: BTreeMap<Option<String>, Vec<Record>> = BTreeMap::new();
    for record in records {
        let key = record.weight_key.clone().filter(|_| record.origin == Origin::Fresh);
        by_key.entry(key).or_default().push(record);
    }
    let mut kept = Vec::new();
    for (key, mut records) in by_key {
        if key.is_some() && records.len() > most {
            records.sort_by_cached_key(|record| {
                let content = format!("{}\0{}\0{}", record.id, record.prompt, record.completion);
                (xxh64(content.as_bytes(), 0), record.clone())
            });
            records.drain(most..).for_each(|record| dropped.add("key cap", &record.id));
        }
        kept.extend(records);
    }
    kept
}
