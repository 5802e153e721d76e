use homeostat_clock::UtcMillis;
use serde::{Deserialize, Serialize};

use crate::db::{Columns, bigint, clean};
use crate::{Records, Result};

/// One point of a loss curve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgressPoint {
    /// When it was reported.
    pub at: UtcMillis,
    /// Steps done.
    pub step: u64,
    /// Steps there are to do; 0 when unknown.
    pub total_steps: u64,
    /// Mean training loss, where the stage has one.
    pub loss: Option<f64>,
    /// Seconds until the end, as far as can be told.
    pub eta_seconds: Option<f64>,
    /// Part of the work, such as `train`.
    pub stage: String,
}

impl Records {
    /// Adds a point to the curve of the work called `id`; a step that is there (a trainer went back to its checkpoint) is
    /// replaced. Gives false, and stores nothing, when there is no such work.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append_progress(&self, id: &str, point: &ProgressPoint) -> Result<bool> {
        let mut tx = self.begin().await?;
        // SELECT instead of VALUES: unknown work is no error of the database's.
        let done = sqlx::query(
            "INSERT INTO work_progress (work, stage, step, at_ms, total_steps, loss, eta_seconds)
             SELECT id, $2, $3, $4, $5, $6, $7 FROM work WHERE id = $1
             ON CONFLICT (work, stage, step) DO UPDATE
             SET at_ms = excluded.at_ms, total_steps = excluded.total_steps, loss = excluded.loss,
                 eta_seconds = excluded.eta_seconds",
        )
        // sqlx's Any tells PostgreSQL that a missing f64 is a float4, and a kept statement would then refuse real numbers.
        .persistent(false)
        .bind(clean(id))
        .bind(clean(&point.stage))
        .bind(bigint("progress step", point.step)?)
        .bind(point.at.0)
        .bind(bigint("progress total steps", point.total_steps)?)
        .bind(point.loss.filter(|loss| loss.is_finite()))
        .bind(point.eta_seconds.filter(|eta| eta.is_finite()))
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await?;
        Ok(done.rows_affected() > 0)
    }

    /// The curve of the work called `id`, in the order in which it was reported.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn progress(&self, id: &str) -> Result<Vec<ProgressPoint>> {
        let rows = sqlx::query("SELECT * FROM work_progress WHERE work = $1 ORDER BY at_ms, step")
            .bind(clean(id))
            .fetch_all(self.read())
            .await?;
        rows.iter()
            .map(|row| {
                Ok(ProgressPoint {
                    at: row.time("at_ms")?,
                    step: row.count("step")?,
                    total_steps: row.count("total_steps")?,
                    loss: row.maybe_double("loss")?,
                    eta_seconds: row.maybe_double("eta_seconds")?,
                    stage: row.text("stage")?,
                })
            })
            .collect()
    }
}
