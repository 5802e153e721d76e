use std::collections::BTreeMap;

use homeostat_clock::UtcMillis;
use homeostat_quality::ModelKey;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use crate::db::{Columns, clean, stored};
use crate::{Records, Result};

/// One firing of an alert, from its start to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertRow {
    /// What makes it the same alert: a hash of its labels.
    pub fingerprint: String,
    /// The model it is about, if it is about one.
    pub model: Option<ModelKey>,
    /// Its name, such as `HomeostatModelDecayed`.
    pub name: String,
    /// `critical`, `warning` or `info`.
    pub severity: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations, for people.
    pub annotations: BTreeMap<String, String>,
    /// When it began to fire.
    pub starts_at: UtcMillis,
    /// When it was last seen to fire, or found to be over.
    pub updated_at: UtcMillis,
    /// When it was over; `None` while it fires.
    pub ends_at: Option<UtcMillis>,
    /// When each receiver was last told. Written by [`Records::mark_sent`] only.
    pub last_sent: BTreeMap<String, UtcMillis>,
}

impl Records {
    /// Records that an alert fires or (with `ends_at`) is over. Gives the row as it then stands.
    ///
    /// There is at most one firing per fingerprint: while one is there it is updated and keeps its start, else a new one
    /// begins. An end for an alert that does not fire changes nothing but the row with the same start, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upsert_alert(&self, alert: &AlertRow) -> Result<AlertRow> {
        let mut tx = self.begin().await?;
        let firing = sqlx::query(
            "UPDATE alerts SET updated_ms = updated_ms WHERE fingerprint = $1 AND ends_ms IS NULL RETURNING *",
        )
        .bind(clean(&alert.fingerprint))
        .fetch_optional(&mut *tx)
        .await?;
        let row = match firing.as_ref().map(from_row).transpose()? {
            Some(old) => {
                let row = AlertRow { starts_at: old.starts_at, last_sent: old.last_sent.clone(), ..alert.clone() };
                if (AlertRow { updated_at: old.updated_at, ..row.clone() }) == old {
                    // It still fires: no news.
                    write(&mut tx, &row).await?;
                    self.commit_quietly(tx).await?;
                    return Ok(row);
                }
                row
            }
            None => AlertRow { last_sent: BTreeMap::new(), ..alert.clone() },
        };
        write(&mut tx, &row).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    /// Notes that a receiver was told of the newest firing of an alert.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_sent(&self, fingerprint: &str, receiver: &str, at: UtcMillis) -> Result<()> {
        let mut tx = self.begin().await?;
        let newest = sqlx::query(
            "UPDATE alerts SET updated_ms = updated_ms WHERE fingerprint = $1
               AND starts_ms = (SELECT MAX(starts_ms) FROM alerts WHERE fingerprint = $1)
             RETURNING *",
        )
        .bind(clean(fingerprint))
        .fetch_optional(&mut *tx)
        .await?;
        let Some(mut row) = newest.as_ref().map(from_row).transpose()? else { return Ok(()) };
        row.last_sent.insert(clean(receiver), at);
        sqlx::query("UPDATE alerts SET last_sent = $3 WHERE fingerprint = $1 AND starts_ms = $2")
            .bind(clean(fingerprint))
            .bind(row.starts_at.0)
            .bind(json(&row.last_sent)?)
            .execute(&mut *tx)
            .await?;
        self.commit_quietly(tx).await
    }

    /// The alerts that fire, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn firing(&self) -> Result<Vec<AlertRow>> {
        let rows = sqlx::query("SELECT * FROM alerts WHERE ends_ms IS NULL ORDER BY starts_ms, fingerprint")
            .fetch_all(self.read())
            .await?;
        rows.iter().map(from_row).collect()
    }

    /// Alerts of one model or of all, firing or over, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alerts(&self, model: Option<&ModelKey>, limit: u32) -> Result<Vec<AlertRow>> {
        let rows = sqlx::query(
            "SELECT * FROM alerts WHERE ($1 IS NULL OR model = $1) ORDER BY starts_ms DESC, fingerprint LIMIT $2",
        )
        .bind(model.map(ToString::to_string))
        .bind(i64::from(limit))
        .fetch_all(self.read())
        .await?;
        rows.iter().map(from_row).collect()
    }
}

async fn write(tx: &mut Transaction<'static, Any>, row: &AlertRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO alerts (fingerprint, starts_ms, model, name, severity, labels, annotations, updated_ms, ends_ms, last_sent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (fingerprint, starts_ms) DO UPDATE
         SET model = excluded.model, name = excluded.name, severity = excluded.severity, labels = excluded.labels,
             annotations = excluded.annotations, updated_ms = excluded.updated_ms, ends_ms = excluded.ends_ms",
    )
    .bind(clean(&row.fingerprint))
    .bind(row.starts_at.0)
    .bind(row.model.as_ref().map(ToString::to_string))
    .bind(clean(&row.name))
    .bind(clean(&row.severity))
    .bind(json(&row.labels)?)
    .bind(json(&row.annotations)?)
    .bind(row.updated_at.0)
    .bind(row.ends_at.map(|at| at.0))
    .bind(json(&row.last_sent)?)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn json<T: Serialize>(map: &BTreeMap<String, T>) -> Result<String> {
    serde_json::to_string(map).map_err(|error| stored("labels", error.to_string()))
}

fn from_row(row: &AnyRow) -> Result<AlertRow> {
    Ok(AlertRow {
        fingerprint: row.text("fingerprint")?,
        model: match row.maybe_text("model")? {
            Some(text) => Some(text.parse().map_err(|problem| stored("model", problem))?),
            None => None,
        },
        name: row.text("name")?,
        severity: row.text("severity")?,
        labels: row.json("labels")?,
        annotations: row.json("annotations")?,
        starts_at: row.time("starts_ms")?,
        updated_at: row.time("updated_ms")?,
        ends_at: row.maybe_time("ends_ms")?,
        last_sent: row.json("last_sent")?,
    })
}
