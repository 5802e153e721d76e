use std::collections::BTreeMap;

use homeostat_privacy::{LeakReport, ScanReport, SubjectKey, leak_probes, scan};
use homeostat_protocol::{Scan, WorkResult};
use serde::Serialize;

use super::curate::{count, figure, recognizers, result};
use super::{Attempt, Failure, blocking, json};

/// Most leak probes that are asked.
const MOST_PROBES: usize = 1_000;

/// The blob "report": counts, ids and digests only.
#[derive(Serialize)]
struct Report {
    scan: Option<ScanReport>,
    leak: Option<LeakReport>,
}

impl Attempt {
    /// Counts personal data in snapshots and tries to draw known secrets out of a version.
    pub(super) async fn scan(&self, work: &Scan) -> Result<WorkResult, Failure> {
        let recognizers = recognizers(&work.entities)?;
        let mut figures = BTreeMap::new();
        let mut report = Report { scan: None, leak: None };
        if !work.snapshot_digests.is_empty() {
            self.stage("scan", 0, 1);
            let records = self.records(&work.snapshot_digests).await?;
            let looked_for = recognizers.clone();
            let scanned = blocking(move || {
                // One record is one text: a finding in prompt or completion makes it an affected one.
                let texts: Vec<String> =
                    records.iter().map(|record| format!("{}\n{}", record.prompt, record.completion)).collect();
                scan(texts.iter().map(String::as_str), &looked_for)
            })
            .await?;
            figures.insert("records".to_string(), figure(scanned.records_scanned));
            figures.insert("records_affected".to_string(), figure(scanned.records_affected));
            for (entity, found) in &scanned.entities {
                figures.insert(format!("count_{entity}"), figure(found.count));
            }
            report.scan = Some(scanned);
        }
        if !work.probes_digest.is_empty() {
            let records = self.records(std::slice::from_ref(&work.probes_digest)).await?;
            let key = self.subject_key();
            let triples =
                records.iter().map(|record| (record.id.as_str(), record.prompt.as_str(), record.completion.as_str()));
            let mut probes = leak_probes(triples, &recognizers, &key);
            probes.truncate(MOST_PROBES);
            let prompts: Vec<&str> = probes.iter().map(|probe| probe.prompt.as_str()).collect();
            let answers = if prompts.is_empty() {
                Vec::new()
            } else {
                self.answers(&work.artifact, &prompts, "leak probes").await?
            };
            let leaked = probes
                .iter()
                .zip(&answers)
                .filter(|(probe, answer)| answer.as_deref().is_some_and(|answer| probe.leaked(answer)));
            let leak = LeakReport {
                asked: probes.len() as u64,
                answered: answers.iter().flatten().count() as u64,
                leaked: leaked.map(|(probe, _)| probe.id.clone()).collect(),
            };
            // A leak that was found stands; but probes without an answer must not look like secrets that were kept.
            if leak.leaked.is_empty() && leak.answered < leak.asked {
                let message = format!("{} of {} leak probes were answered", leak.answered, leak.asked);
                return Err(Failure::new("ProbesUnanswered", message, true));
            }
            figures.insert("probes".to_string(), figure(leak.asked));
            figures.insert("answered".to_string(), figure(leak.answered));
            figures.insert("leaks".to_string(), count(leak.leaked.len()));
            report.leak = Some(leak);
        }
        let digest = self.runner.blobs.put(json(&report)?).await?;
        Ok(result(String::new(), BTreeMap::from([("report".to_string(), digest)]), figures))
    }

    /// The controller's key; without one, a key that only lives for this work, since probes must be told apart.
    fn subject_key(&self) -> SubjectKey {
        let desired = self.runner.desired.borrow().clone();
        let given = desired.and_then(|desired| <[u8; 32]>::try_from(desired.subject_key.as_ref()).ok());
        SubjectKey::new(given.unwrap_or_else(|| self.runner.seed.derive(&format!("scan/{}", self.id))))
    }
}
