use std::collections::{BTreeMap, HashSet};

use homeostat_curation::{NoRedaction, Record, Redacted, Redactor, Settings, curate, read_jsonl, to_jsonl};
use homeostat_privacy::{Anonymizer, Entity, Recognizers, redact};
use homeostat_protocol::{Curate, WorkResult};
use homeostat_quality::{EvaluationSet, normalise_prompt};

use super::{Attempt, Failure, blocking, json};

/// `core/privacy` as `core/curation` wants it.
struct Redaction(Recognizers);

impl Redactor for Redaction {
    fn redact(&self, text: &str) -> Redacted {
        let redaction = redact(text, &self.0, &Anonymizer::Replace);
        Redacted { text: redaction.text, count: redaction.findings.len() }
    }
}

impl Attempt {
    /// Curates fresh and replay records into a snapshot.
    pub(super) async fn curate(&self, work: &Curate) -> Result<WorkResult, Failure> {
        let recognizers = recognizers(&work.entities)?;
        self.stage("fetch", 0, 3);
        let fresh = self.records(&work.fresh_digests).await?;
        let replay = self.records(&work.replay_digests).await?;
        let prompts: HashSet<String> = if work.evaluation_digest.is_empty() {
            HashSet::new()
        } else {
            let set = self.evaluation_set(&work.evaluation_digest).await?;
            set.items.iter().map(|item| normalise_prompt(&item.prompt)).collect()
        };
        let mut settings = Settings::default();
        if work.per_key_cap > 0.0 {
            settings.per_key_cap = work.per_key_cap.min(1.0);
        }
        self.stage("curate", 1, 3);
        let redacting = !work.entities.is_empty();
        let curated = blocking(move || {
            let redaction = Redaction(recognizers);
            let redactor: &dyn Redactor = if redacting { &redaction } else { &NoRedaction };
            curate(fresh, replay, &prompts, &settings, redactor)
        })
        .await?;
        self.stage("upload", 2, 3);
        let mut blobs = BTreeMap::new();
        for (role, bytes) in [
            ("fresh", to_jsonl(&curated.fresh).into_bytes()),
            ("replay", to_jsonl(&curated.replay).into_bytes()),
            ("funnel", json(&curated.funnel)?),
        ] {
            blobs.insert(role.to_string(), self.runner.blobs.put(bytes).await?);
        }
        let mut figures = BTreeMap::from([
            ("fresh_records".to_string(), count(curated.fresh.len())),
            ("replay_records".to_string(), count(curated.replay.len())),
            ("superseded".to_string(), count(curated.funnel.superseded.len())),
            ("redacted".to_string(), figure(curated.funnel.redacted_records)),
            ("redacted_spans".to_string(), figure(curated.funnel.redacted_spans)),
        ]);
        for stage in &curated.funnel.stages {
            let dropped = stage.dropped.iter().map(|drop| drop.count).sum();
            figures.insert(format!("dropped_{}", stage.name.replace('-', "_")), figure(dropped));
        }
        self.stage("upload", 3, 3);
        Ok(result(String::new(), blobs, figures))
    }

    /// The records of some JSONL blobs.
    pub(super) async fn records(&self, digests: &[String]) -> Result<Vec<Record>, Failure> {
        let mut records = Vec::new();
        for digest in digests {
            let bytes = self.runner.blobs.read(digest).await?;
            let text = String::from_utf8(bytes)
                .map_err(|_| Failure::new("BadData", format!("blob {digest} is not UTF-8 text"), false))?;
            // A file name in an error and in ids: the digest's start is name enough.
            let name = digest.get(..12).unwrap_or(digest);
            records.extend(read_jsonl(name, &text).map_err(|error| {
                Failure::new(
                    "BadData",
                    format!("{name}, line {}, is no record: each line needs prompt and completion", error.line),
                    false,
                )
            })?);
        }
        Ok(records)
    }

    pub(super) async fn evaluation_set(&self, digest: &str) -> Result<EvaluationSet, Failure> {
        let bytes = self.runner.blobs.read(digest).await?;
        serde_json::from_slice(&bytes)
            .map_err(|_| Failure::new("BadData", format!("blob {digest} is no evaluation set"), false))
    }
}

pub(super) fn recognizers(entities: &[String]) -> Result<Recognizers, Failure> {
    let entities: Result<Vec<Entity>, _> = entities.iter().map(|entity| entity.parse()).collect();
    let entities = entities.map_err(|error: homeostat_privacy::UnknownEntity| {
        Failure::new("UnknownEntity", format!("{error}; or update the agent"), false)
    })?;
    Ok(Recognizers::new(&entities))
}

pub(super) fn result(
    artifact_digest: String,
    blobs: BTreeMap<String, String>,
    figures: BTreeMap<String, f64>,
) -> WorkResult {
    WorkResult { artifact_digest, blobs: blobs.into_iter().collect(), figures: figures.into_iter().collect() }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(super) fn count(value: usize) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(super) fn figure(value: u64) -> f64 {
    value as f64
}
