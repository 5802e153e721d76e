use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use homeostat_curation::{LineErasure, Sought, erase_line};
use homeostat_privacy::{Recognizers, SubjectKey};
use homeostat_protocol::{Erase, WorkResult};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::curate::{count, figure, result};
use super::{Attempt, Failure, blocking};
use crate::blobs::BlobError;

/// Who is looked for in the blobs.
struct Search {
    recognizers: Recognizers,
    key: SubjectKey,
    /// The sha256 (hex) of each HMAC of the person.
    marks: HashSet<String>,
    ids: HashSet<String>,
}

impl Search {
    fn is_about(&self, text: &str) -> bool {
        let is_they = |mark: &String| self.marks.contains(mark);
        let findings = self.recognizers.find(text);
        findings.iter().any(|finding| {
            let hmac = self.key.hmac(finding.entity, finding.of(text));
            is_they(&hex::encode(Sha256::digest(hmac.0.as_bytes())))
        })
    }
}

/// What one blob held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sifted {
    lines: u64,
    removed: u64,
}

impl Attempt {
    /// Finds what blobs hold about a person; makes new blobs without it, or gathers it, when asked to.
    pub(super) async fn erase(&self, work: &Erase) -> Result<WorkResult, Failure> {
        let search = Arc::new(Search {
            recognizers: Recognizers::all(),
            key: self.given_key()?,
            marks: work.subjects.iter().cloned().collect(),
            ids: work.records.iter().cloned().collect(),
        });
        let (sifted, gathered) = (self.folder.join("sifted"), self.folder.join("records"));
        // An earlier try may have got half-way.
        let _ = tokio::fs::remove_file(&gathered).await;
        let (mut blobs, mut figures) = (BTreeMap::new(), BTreeMap::new());
        let (mut scanned, mut missing) = (0, 0);
        for (index, digest) in work.digests.iter().enumerate() {
            self.stage("scan", index, work.digests.len());
            let held = self.runner.blobs.holds(digest).await;
            let path = match self.runner.blobs.get(digest).await {
                Ok(path) => path,
                // It was deleted since the work was planned.
                Err(BlobError::Missing(_)) => {
                    missing += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let files = Files {
                blob: path,
                digest: digest.clone(),
                sifted: work.rewrite.then(|| sifted.clone()),
                gathered: work.collect.then(|| gathered.clone()),
            };
            let (search, name) = (Arc::clone(&search), digest.get(..12).unwrap_or(digest).to_string());
            let found = blocking(move || sift(&files, &search)).await?.map_err(|error| {
                Failure::new("StorageFailed", format!("blob {name} cannot be sifted ({error}): free space"), true)
            })?;
            if found.removed > 0 {
                figures.insert(format!("removed/{digest}"), figure(found.removed));
                figures.insert(format!("lines/{digest}"), figure(found.lines));
                if work.rewrite {
                    blobs.insert(digest.clone(), self.runner.blobs.put_file(&sifted).await?);
                }
            }
            scanned += 1;
            if !held {
                // It was fetched for this only.
                self.runner.blobs.forget(digest).await?;
            }
        }
        if tokio::fs::try_exists(&gathered).await.unwrap_or(false) {
            blobs.insert("records".to_string(), self.runner.blobs.put_file(&gathered).await?);
        }
        for file in [sifted, gathered] {
            let _ = tokio::fs::remove_file(file).await;
        }
        figures.insert("scanned".to_string(), count(scanned));
        figures.insert("missing".to_string(), count(missing));
        Ok(result(String::new(), blobs, figures))
    }

    /// The controller's key; with another nobody would be found, which must not look like nobody being there.
    fn given_key(&self) -> Result<SubjectKey, Failure> {
        let desired = self.runner.desired.borrow().clone();
        let given = desired.and_then(|desired| <[u8; 32]>::try_from(desired.subject_key.as_ref()).ok());
        given
            .map(SubjectKey::new)
            .ok_or_else(|| Failure::new("NoSubjectKey", "the controller has not sent its subject key yet", true))
    }
}

/// What is read and written for one blob.
struct Files {
    blob: PathBuf,
    digest: String,
    /// Where the blob without the person goes.
    sifted: Option<PathBuf>,
    /// Where the lines about the person are gathered.
    gathered: Option<PathBuf>,
}

/// Reads a blob line by line, so that its size does not matter. Lines that stay keep their bytes.
fn sift(files: &Files, search: &Search) -> io::Result<Sifted> {
    let about = |text: &str| search.is_about(text);
    let sought = Sought { about: &about, ids: &search.ids };
    let mut reader = BufReader::new(File::open(&files.blob)?);
    let mut sifted = files.sifted.as_deref().map(File::create).transpose()?.map(BufWriter::new);
    let mut found = Sifted::default();
    let mut raw = Vec::new();
    while reader.read_until(b'\n', &mut raw)? > 0 {
        let text = String::from_utf8_lossy(&raw).into_owned();
        let line = text.trim_start_matches('\u{feff}').trim();
        if !line.is_empty() {
            let document = found.lines == 0 && reader.fill_buf()?.is_empty();
            found.lines += 1;
            let kept = match erase_line(line, document, &sought) {
                LineErasure::Kept => None,
                LineErasure::Removed => Some((String::new(), 1)),
                LineErasure::Rewritten { mut line, removed } => {
                    line.push('\n');
                    Some((line, removed))
                }
            };
            if let Some((rest, removed)) = kept {
                found.removed += removed;
                if let Some(path) = &files.gathered {
                    gather(path, &files.digest, line)?;
                }
                raw = rest.into_bytes();
            }
        }
        if let Some(sifted) = &mut sifted {
            sifted.write_all(&raw)?;
        }
        raw.clear();
    }
    if let Some(sifted) = sifted {
        sifted.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    }
    Ok(found)
}

fn gather(path: &Path, digest: &str, line: &str) -> io::Result<()> {
    let record = serde_json::from_str(line).unwrap_or_else(|_| Value::String(line.to_string()));
    let mut file = File::options().create(true).append(true).open(path)?;
    writeln!(file, "{}", json!({"blob": digest, "record": record}))
}

#[cfg(test)]
mod tests {
    use homeostat_privacy::Entity;

    use super::*;

    fn search(address: &str) -> Search {
        let key = SubjectKey::new([7; 32]);
        let mark = hex::encode(Sha256::digest(key.hmac(Entity::EmailAddress, address).0.as_bytes()));
        Search { recognizers: Recognizers::all(), key, marks: HashSet::from([mark]), ids: HashSet::new() }
    }

    #[test]
    fn a_mark_is_the_plain_sha256_of_the_hmac() {
        // The same as in records: tombstones and work must mean the same person.
        let mark = hex::encode(Sha256::digest("a053ebc7"));
        assert_eq!(mark, "4ebbcc64f91d294d5c5a9749e3ba8c47314f328010903104ff9ce0e28f2aeb4e");
    }

    #[test]
    fn lines_about_the_person_go_and_the_others_keep_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let text = "{\"prompt\":\"a\",  \"completion\":\"Ask ANN@example.org\"}\n\n{ \"prompt\":\"b\",\"completion\":\"bob@example.org\"}\nlast ann@example.org";
        std::fs::write(path("blob"), text).unwrap();
        let files = Files {
            blob: path("blob"),
            digest: "d1".into(),
            sifted: Some(path("sifted")),
            gathered: Some(path("gathered")),
        };
        let found = sift(&files, &search("ann@example.org")).unwrap();
        assert_eq!(found, Sifted { lines: 3, removed: 2 });
        let kept = std::fs::read_to_string(path("sifted")).unwrap();
        assert_eq!(kept, "\n{ \"prompt\":\"b\",\"completion\":\"bob@example.org\"}\n");
        let gathered = std::fs::read_to_string(path("gathered")).unwrap();
        assert_eq!(gathered.lines().count(), 2);
        assert!(gathered.contains("ANN@example.org") && !gathered.contains("bob@"));
        // Nobody is found with another key or another name.
        let unaffected = Files { sifted: None, gathered: None, ..files };
        assert_eq!(sift(&unaffected, &search("eve@example.org")).unwrap(), Sifted { lines: 3, removed: 0 });
    }

    #[test]
    fn a_document_of_one_line_stays_a_document() {
        let folder = tempfile::tempdir().unwrap();
        let (blob, sifted) = (folder.path().join("blob"), folder.path().join("sifted"));
        std::fs::write(&blob, r#"{"items":[{"a":"ann@example.org"},{"a":"x"}]}"#).unwrap();
        let files = Files { blob, digest: "d1".into(), sifted: Some(sifted.clone()), gathered: None };
        assert_eq!(sift(&files, &search("ann@example.org")).unwrap(), Sifted { lines: 1, removed: 1 });
        assert_eq!(std::fs::read_to_string(&sifted).unwrap(), "{\"items\":[{\"a\":\"x\"}]}\n");
    }
}
