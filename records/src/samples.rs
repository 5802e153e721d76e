use std::collections::BTreeMap;

use homeostat_clock::UtcMillis;
use homeostat_quality::{Label, ModelKey, Sample, SampleOrigin, Slice, SubjectHmac};
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use crate::db::{Columns, clean, stored};
use crate::{Records, Result, erasure};

/// Which samples to read.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleQuery {
    /// The served model.
    pub model: ModelKey,
    /// Only samples that a user's feedback gave a right answer.
    pub labelled_only: bool,
    /// Asked at or after this.
    pub from: UtcMillis,
    /// Asked before this.
    pub to: UtcMillis,
    /// At most so many; when more match, the newest are taken.
    pub limit: u32,
}

/// What labelled data there is since some time, without the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FreshSummary {
    /// Number of labelled samples.
    pub records: u64,
    /// sha256 (hex) over their number, first and last id, and newest times; empty when there are none. A sample or a label that comes
    /// has a later time, one that goes lowers the number: equal digests mean equal data, and the database need not read it.
    pub digest: String,
    /// When the newest of them was asked.
    pub newest: Option<UtcMillis>,
}

impl Records {
    /// The samples that match, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn samples(&self, query: &SampleQuery) -> Result<Vec<Sample>> {
        let rows = sqlx::query(
            "SELECT * FROM samples
             WHERE model = $1 AND at_ms >= $2 AND at_ms < $3 AND ($4 = 0 OR label_completion IS NOT NULL)
             ORDER BY at_ms DESC, request_id DESC LIMIT $5",
        )
        .bind(query.model.to_string())
        .bind(query.from.0)
        .bind(query.to.0)
        .bind(i64::from(query.labelled_only))
        .bind(i64::from(query.limit))
        .fetch_all(self.read())
        .await?;
        let mut subjects = self.subjects(query).await?;
        let mut samples = rows.iter().map(from_row).collect::<Result<Vec<Sample>>>()?;
        for sample in &mut samples {
            sample.subjects = subjects.remove(&sample.request_id).unwrap_or_default();
            sample.subjects.sort();
        }
        samples.sort_by(|a, b| (a.at, &a.request_id).cmp(&(b.at, &b.request_id)));
        Ok(samples)
    }

    async fn subjects(&self, query: &SampleQuery) -> Result<BTreeMap<String, Vec<SubjectHmac>>> {
        let rows = sqlx::query(
            "SELECT sample_subjects.request_id AS request_id, hmac FROM sample_subjects
             JOIN samples ON samples.request_id = sample_subjects.request_id
             WHERE model = $1 AND at_ms >= $2 AND at_ms < $3",
        )
        .bind(query.model.to_string())
        .bind(query.from.0)
        .bind(query.to.0)
        .fetch_all(self.read())
        .await?;
        let mut subjects = BTreeMap::<String, Vec<SubjectHmac>>::new();
        for row in rows {
            subjects.entry(row.text("request_id")?).or_default().push(SubjectHmac(row.text("hmac")?));
        }
        Ok(subjects)
    }

    /// What labelled samples, asked at or after `since`, there are of `model`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn labelled_summary(&self, model: &ModelKey, since: UtcMillis) -> Result<FreshSummary> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS records, MAX(at_ms) AS newest, MAX(label_at_ms) AS labelled,
                    MIN(request_id) AS first, MAX(request_id) AS last
             FROM samples WHERE model = $1 AND at_ms >= $2 AND label_completion IS NOT NULL",
        )
        .bind(model.to_string())
        .bind(since.0)
        .fetch_one(self.read())
        .await?;
        let records = u64::try_from(row.int("records")?).unwrap_or_default();
        if records == 0 {
            return Ok(FreshSummary::default());
        }
        let (newest, labelled) = (row.time("newest")?, row.time("labelled")?);
        let identity = (records, newest.0, labelled.0, row.text("first")?, row.text("last")?);
        let digest = hex::encode(Sha256::digest(format!("{identity:?}")));
        Ok(FreshSummary { records, digest, newest: Some(newest) })
    }

    /// Deletes the samples asked before `older_than`; gives their number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_samples(&self, older_than: UtcMillis) -> Result<u64> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM samples WHERE at_ms < $1").bind(older_than.0).execute(&mut *tx).await?;
        self.commit_quietly(tx).await?;
        Ok(done.rows_affected())
    }
}

/// Stores a sample; one that is there is completed, by a label or by a newer label. An id that belongs to another model is
/// left alone, and one about an erased person is not kept.
pub(crate) async fn store(tx: &mut Transaction<'static, Any>, sample: &Sample) -> Result<()> {
    let label = sample.label.as_ref();
    let row = sqlx::query(
        "INSERT INTO samples (request_id, model, version, slice, at_ms, prompt, completion, origin,
                              label_completion, label_correct, label_key, label_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (request_id) DO UPDATE SET
           prompt = CASE WHEN samples.prompt = '' THEN excluded.prompt ELSE samples.prompt END,
           completion = CASE WHEN samples.completion = '' THEN excluded.completion ELSE samples.completion END,
           origin = CASE WHEN excluded.origin = 'Feedback' THEN excluded.origin ELSE samples.origin END,
           label_completion = CASE WHEN excluded.label_at_ms >= COALESCE(samples.label_at_ms, excluded.label_at_ms)
                              THEN excluded.label_completion ELSE samples.label_completion END,
           label_correct = CASE WHEN excluded.label_at_ms >= COALESCE(samples.label_at_ms, excluded.label_at_ms)
                           THEN excluded.label_correct ELSE samples.label_correct END,
           label_key = CASE WHEN excluded.label_at_ms >= COALESCE(samples.label_at_ms, excluded.label_at_ms)
                       THEN excluded.label_key ELSE samples.label_key END,
           label_at_ms = CASE WHEN excluded.label_at_ms >= COALESCE(samples.label_at_ms, excluded.label_at_ms)
                         THEN excluded.label_at_ms ELSE samples.label_at_ms END
         WHERE samples.model = excluded.model
         RETURNING request_id",
    )
    .bind(clean(&sample.request_id))
    .bind(clean(&sample.model.to_string()))
    .bind(clean(&sample.version))
    .bind(clean(sample.slice.as_str()))
    .bind(sample.at.0)
    .bind(clean(&sample.prompt))
    .bind(clean(&sample.completion))
    .bind(origin_name(sample.origin))
    .bind(label.map(|label| clean(&label.completion)))
    .bind(label.map(|label| i64::from(label.correct)))
    .bind(label.map(|label| clean(&label.key_id)))
    .bind(label.map(|label| label.at.0))
    .fetch_optional(&mut **tx)
    .await?;
    if row.is_none() {
        tracing::warn!(
            request.id = %sample.request_id, model.name = %sample.model,
            "a reported sample has the request id of another model's sample and was left out"
        );
        return Ok(());
    }
    for subject in &sample.subjects {
        sqlx::query("INSERT INTO sample_subjects (hmac, request_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(clean(&subject.0))
            .bind(clean(&sample.request_id))
            .execute(&mut **tx)
            .await?;
    }
    erasure::bury(tx, sample).await?;
    Ok(())
}

pub(crate) fn from_row(row: &AnyRow) -> Result<Sample> {
    let label = match row.maybe_text("label_completion")? {
        None => None,
        Some(completion) => Some(Label {
            completion,
            correct: row.int("label_correct")? != 0,
            key_id: row.text("label_key")?,
            at: row.time("label_at_ms")?,
        }),
    };
    Ok(Sample {
        request_id: row.text("request_id")?,
        model: row.model("model")?,
        version: row.text("version")?,
        slice: Slice(row.text("slice")?),
        at: row.time("at_ms")?,
        prompt: row.text("prompt")?,
        completion: row.text("completion")?,
        subjects: Vec::new(),
        label,
        origin: match row.text("origin")?.as_str() {
            "Traffic" => SampleOrigin::Traffic,
            "Feedback" => SampleOrigin::Feedback,
            other => return Err(stored("origin", format!("{other:?}, which is neither Traffic nor Feedback"))),
        },
    })
}

fn origin_name(origin: SampleOrigin) -> &'static str {
    match origin {
        SampleOrigin::Traffic => "Traffic",
        SampleOrigin::Feedback => "Feedback",
    }
}
