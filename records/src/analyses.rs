use homeostat_clock::UtcMillis;
use homeostat_quality::ModelKey;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use crate::db::{Columns, clean, clean_option};
use crate::{Records, Result};

/// What one analysis found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRow {
    /// The model.
    pub model: ModelKey,
    /// The version that was judged.
    pub version: String,
    /// When.
    pub at: UtcMillis,
    /// Its outcome in short, as the analyser wrote it.
    pub outcome: serde_json::Value,
    /// Digest of the evidence blob.
    pub evidence: Option<String>,
}

impl Records {
    /// Keeps what an analysis found; the same model, version and time again replaces it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append_analysis(
        &self,
        model: &ModelKey,
        version: &str,
        at: UtcMillis,
        outcome: &serde_json::Value,
        evidence: Option<&str>,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO analyses (model, at_ms, version, outcome, evidence) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (model, at_ms, version) DO UPDATE SET outcome = excluded.outcome, evidence = excluded.evidence",
        )
        .bind(model.to_string())
        .bind(at.0)
        .bind(clean(version))
        .bind(outcome.to_string())
        .bind(clean_option(evidence))
        .execute(&mut *tx)
        .await?;
        self.commit_quietly(tx).await
    }

    /// What analyses in `from..to` found of a model, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn analyses(&self, model: &ModelKey, from: UtcMillis, to: UtcMillis) -> Result<Vec<AnalysisRow>> {
        let rows = sqlx::query(
            "SELECT * FROM analyses WHERE model = $1 AND at_ms >= $2 AND at_ms < $3 ORDER BY at_ms, version",
        )
        .bind(model.to_string())
        .bind(from.0)
        .bind(to.0)
        .fetch_all(self.read())
        .await?;
        rows.iter().map(from_row).collect()
    }

    /// What the newest analysis of a model found.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn latest_analysis(&self, model: &ModelKey) -> Result<Option<AnalysisRow>> {
        let row = sqlx::query("SELECT * FROM analyses WHERE model = $1 ORDER BY at_ms DESC, version DESC LIMIT 1")
            .bind(model.to_string())
            .fetch_optional(self.read())
            .await?;
        row.as_ref().map(from_row).transpose()
    }

    /// Deletes analyses before `older_than`; gives their number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_analyses(&self, older_than: UtcMillis) -> Result<u64> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM analyses WHERE at_ms < $1").bind(older_than.0).execute(&mut *tx).await?;
        self.commit_quietly(tx).await?;
        Ok(done.rows_affected())
    }
}

fn from_row(row: &AnyRow) -> Result<AnalysisRow> {
    Ok(AnalysisRow {
        model: row.model("model")?,
        version: row.text("version")?,
        at: row.time("at_ms")?,
        outcome: row.json("outcome")?,
        evidence: row.maybe_text("evidence")?,
    })
}
