//! What is kept about erased persons: that they are not to come back, and what became of the blobs they stood in.
//!
//! Nothing here names anybody. A tombstone is the sha256 of an HMAC, so that a new sample can be compared with it while the
//! HMAC itself is gone with the samples.

use std::collections::BTreeMap;

use homeostat_clock::UtcMillis;
use homeostat_quality::{Sample, SubjectHmac};
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use crate::db::{Columns, Dialect, bigint, clean};
use crate::{Records, Result};

/// Stands for a subject's HMAC where that itself must not be kept: its sha256 (hex).
#[must_use]
pub fn subject_mark(subject: &SubjectHmac) -> String {
    hex::encode(Sha256::digest(clean(&subject.0).as_bytes()))
}

/// A blob that was rewritten without a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacedBlob {
    /// The blob that is gone.
    pub digest: String,
    /// What stands for it now.
    pub successor: String,
    /// The `ErasureRequest`, as the controller keeps it: namespace, name and the beginning of its uid.
    pub request: String,
    /// Records that were taken out of it.
    pub removed: u64,
    /// Records it had.
    pub total: u64,
    /// When.
    pub at: UtcMillis,
}

/// Which blob stands for which now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Successors(BTreeMap<String, (String, u64)>);

impl Successors {
    /// The blob that stands for `digest` now: itself, unless it was replaced.
    #[must_use]
    pub fn of<'a>(&'a self, digest: &'a str) -> &'a str {
        self.chain(digest).last().map_or(digest, |(successor, _)| successor)
    }

    /// The same for each of several.
    #[must_use]
    pub fn all(&self, digests: &[String]) -> Vec<String> {
        digests.iter().map(|digest| self.of(digest).to_owned()).collect()
    }

    /// Records that were taken out between `digest` and what stands for it now.
    #[must_use]
    pub fn removed(&self, digest: &str) -> u64 {
        self.chain(digest).map(|(_, removed)| removed).sum()
    }

    fn chain<'a>(&'a self, digest: &str) -> impl Iterator<Item = (&'a str, u64)> {
        // Each successor is smaller than what it replaced; the bound is for a table that was edited by hand.
        let mut next = self.0.get(digest);
        let step = move || {
            let (successor, removed) = next?;
            next = self.0.get(successor);
            Some((successor.as_str(), *removed))
        };
        std::iter::from_fn(step).take(self.0.len())
    }
}

impl Records {
    /// The samples about these subjects: request id and model (`namespace/name`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn subject_samples(&self, subjects: &[SubjectHmac]) -> Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        for subject in subjects {
            let rows = sqlx::query(
                "SELECT samples.request_id AS request_id, model FROM samples
                 JOIN sample_subjects ON sample_subjects.request_id = samples.request_id WHERE hmac = $1",
            )
            .bind(clean(&subject.0))
            .fetch_all(self.read())
            .await?;
            for row in &rows {
                found.insert(row.text("request_id")?, row.text("model")?);
            }
        }
        Ok(found)
    }

    /// The same samples with their text as it is stored, oldest first and without their subjects: what a person who asks
    /// for their data is given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn subject_records(&self, subjects: &[SubjectHmac]) -> Result<Vec<Sample>> {
        let mut found = BTreeMap::new();
        for subject in subjects {
            let rows = sqlx::query(
                "SELECT samples.* FROM samples
                 JOIN sample_subjects ON sample_subjects.request_id = samples.request_id WHERE hmac = $1",
            )
            .bind(clean(&subject.0))
            .fetch_all(self.read())
            .await?;
            for row in &rows {
                let sample = crate::samples::from_row(row)?;
                found.insert((sample.at, sample.request_id.clone()), sample);
            }
        }
        Ok(found.into_values().collect())
    }

    /// Deletes every sample about these subjects and sees to it that none comes back, in one transaction; gives the number
    /// of deleted ones. Doing it again deletes what has slipped in, and changes nothing else.
    ///
    /// # Errors
    /// When the database fails; nothing was deleted then.
    pub async fn erase_subjects(&self, request: &str, subjects: &[SubjectHmac], now: UtcMillis) -> Result<u64> {
        let mut tx = self.begin().await?;
        if self.dialect() == Dialect::Postgres {
            // Reports under way are waited for; those that follow see the tombstones, since they look after they have written.
            sqlx::query("LOCK TABLE samples IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
        }
        let (mut deleted, mut changed) = (0, 0);
        for subject in subjects {
            let buried = sqlx::query(
                "INSERT INTO tombstones (mark, request, erased_ms, refused) VALUES ($1, $2, $3, 0)
                 ON CONFLICT (mark) DO NOTHING",
            )
            .bind(subject_mark(subject))
            .bind(clean(request))
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
            let hmac = clean(&subject.0);
            sqlx::query(
                "INSERT INTO erased_samples (request_id, request, model, erased_ms)
                 SELECT samples.request_id, $2, model, $3 FROM samples
                 JOIN sample_subjects ON sample_subjects.request_id = samples.request_id WHERE hmac = $1
                 ON CONFLICT (request_id) DO NOTHING",
            )
            .bind(hmac.clone())
            .bind(clean(request))
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
            let done = sqlx::query(
                "DELETE FROM samples WHERE request_id IN (SELECT request_id FROM sample_subjects WHERE hmac = $1)",
            )
            .bind(hmac)
            .execute(&mut *tx)
            .await?;
            deleted += done.rows_affected();
            changed += buried.rows_affected() + done.rows_affected();
        }
        if changed > 0 {
            self.commit(tx).await?
        } else {
            self.commit_quietly(tx).await?
        }
        Ok(deleted)
    }

    /// The samples that were erased for a request: id and model (`namespace/name`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erased_samples(&self, request: &str) -> Result<BTreeMap<String, String>> {
        let rows = sqlx::query("SELECT request_id, model FROM erased_samples WHERE request = $1")
            .bind(clean(request))
            .fetch_all(self.read())
            .await?;
        rows.iter().map(|row| Ok((row.text("request_id")?, row.text("model")?))).collect()
    }

    /// Samples about the persons of a request that arrived after the erasure and were refused.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refused_samples(&self, request: &str) -> Result<u64> {
        let rows = sqlx::query("SELECT refused FROM tombstones WHERE request = $1")
            .bind(clean(request))
            .fetch_all(self.read())
            .await?;
        rows.iter().map(|row| row.count("refused")).sum()
    }

    /// Notes that a blob was replaced; whether that is news.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace_blob(&self, blob: &ReplacedBlob) -> Result<bool> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "INSERT INTO replaced_blobs (digest, successor, request, removed, total, replaced_ms)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (digest) DO NOTHING",
        )
        .bind(clean(&blob.digest))
        .bind(clean(&blob.successor))
        .bind(clean(&blob.request))
        .bind(bigint("removed records", blob.removed)?)
        .bind(bigint("records of a blob", blob.total)?)
        .bind(blob.at.0)
        .execute(&mut *tx)
        .await?;
        let news = done.rows_affected() > 0;
        if news {
            self.commit(tx).await?
        } else {
            self.commit_quietly(tx).await?
        }
        Ok(news)
    }

    /// The blobs that were replaced for a request, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replaced_blobs(&self, request: &str) -> Result<Vec<ReplacedBlob>> {
        let rows = sqlx::query("SELECT * FROM replaced_blobs WHERE request = $1 ORDER BY replaced_ms, digest")
            .bind(clean(request))
            .fetch_all(self.read())
            .await?;
        rows.iter().map(replaced).collect()
    }

    /// Which blob stands for which now. Whoever reads a blob that an object or an older result names asks here first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn successors(&self) -> Result<Successors> {
        let rows = sqlx::query("SELECT * FROM replaced_blobs").fetch_all(self.read()).await?;
        let pair = |row: &AnyRow| replaced(row).map(|blob| (blob.digest, (blob.successor, blob.removed)));
        Ok(Successors(rows.iter().map(pair).collect::<Result<_>>()?))
    }

    /// Makes deleted rows unreadable in the database's own files; false when a reader is in the way: try again.
    ///
    /// SQLite: the file is rewritten and its log emptied. PostgreSQL: dead rows are vacuumed, and their space is used again;
    /// its write-ahead log and its backups keep what they hold for as long as they are kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn scrub(&self) -> Result<bool> {
        match self.dialect() {
            Dialect::Sqlite => {
                sqlx::query("VACUUM").execute(self.write()).await?;
                let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(self.write()).await?;
                Ok(row.int("busy")? == 0)
            }
            Dialect::Postgres => {
                for statement in ["VACUUM samples", "VACUUM sample_subjects", "VACUUM work"] {
                    sqlx::query(statement).execute(self.write()).await?;
                }
                Ok(true)
            }
        }
    }
}

/// Takes a sample out again that was just stored, when it is about an erased person or was itself erased; whether it did.
///
/// After storing, not before: on PostgreSQL an erasure waits for writers of samples, and who waited for the erasure sees it.
pub(crate) async fn bury(tx: &mut Transaction<'static, Any>, sample: &Sample) -> Result<bool> {
    let known = sqlx::query("SELECT request FROM erased_samples WHERE request_id = $1")
        .bind(clean(&sample.request_id))
        .fetch_optional(&mut **tx)
        .await?;
    let mut request = known.map(|row| row.text("request")).transpose()?;
    for subject in &sample.subjects {
        let row = sqlx::query("UPDATE tombstones SET refused = refused + 1 WHERE mark = $1 RETURNING request")
            .bind(subject_mark(subject))
            .fetch_optional(&mut **tx)
            .await?;
        if let Some(row) = row {
            request = Some(row.text("request")?);
            // Counted once, by whichever of their names it came under.
            break;
        }
    }
    let Some(request) = request else { return Ok(false) };
    sqlx::query("DELETE FROM samples WHERE request_id = $1").bind(clean(&sample.request_id)).execute(&mut **tx).await?;
    tracing::info!(
        erasure.request = %request, model.name = %sample.model,
        "a reported sample is about an erased person and was not kept"
    );
    Ok(true)
}

fn replaced(row: &AnyRow) -> Result<ReplacedBlob> {
    Ok(ReplacedBlob {
        digest: row.text("digest")?,
        successor: row.text("successor")?,
        request: row.text("request")?,
        removed: row.count("removed")?,
        total: row.count("total")?,
        at: row.time("replaced_ms")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successors_are_followed_to_the_end() {
        let pair = |old: &str, new: &str, removed| (old.to_owned(), (new.to_owned(), removed));
        let successors = Successors([pair("a", "b", 2), pair("b", "c", 1), pair("x", "x", 1)].into());
        assert_eq!((successors.of("a"), successors.removed("a")), ("c", 3));
        assert_eq!((successors.of("c"), successors.removed("c")), ("c", 0));
        assert_eq!(successors.all(&["b".into(), "other".into()]), ["c", "other"]);
        // A table that leads back to itself ends all the same.
        assert_eq!(successors.of("x"), "x");
    }

    #[test]
    fn a_mark_is_the_plain_sha256_of_the_hmac() {
        // Computed with Python: hashlib.sha256(b"a053ebc7").hexdigest(); agents compute the same.
        let expected = "4ebbcc64f91d294d5c5a9749e3ba8c47314f328010903104ff9ce0e28f2aeb4e";
        assert_eq!(subject_mark(&SubjectHmac("a053ebc7".into())), expected);
    }
}
