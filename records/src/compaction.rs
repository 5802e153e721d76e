use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_quality::{Window, WindowKey};

use crate::db::Dialect;
use crate::windows::{delete, from_row, store};
use crate::{Records, RecordsError, Result};

/// How many windows one transaction folds, so that ingest waits only briefly.
const BATCH: i64 = 500;

impl Records {
    /// Folds windows shorter than `into_step_ms` into windows of that length, where the long window ended at or before
    /// `older_than`; gives the number of windows folded.
    ///
    /// Every observation is kept: sketches merge. Windows whose length does not divide the new one stay as they are.
    /// Folding goes in small transactions; ended half-way, the next call carries on.
    ///
    /// # Errors
    /// When the database fails or `into_step_ms` is not positive.
    pub async fn compact_windows(&self, older_than: UtcMillis, into_step_ms: i64) -> Result<u64> {
        let Some(step) = u64::try_from(into_step_ms).ok().filter(|step| *step > 0).map(Duration::from_millis) else {
            return Err(RecordsError::Invalid {
                field: "compaction step",
                value: format!("{into_step_ms}ms"),
                remedy: "give the length of the new windows in milliseconds, above zero",
            });
        };
        let before = older_than.window_start(step);
        let mut folded = 0;
        loop {
            let mut tx = self.begin().await?;
            // On PostgreSQL a report that merges into a row between our reading and deleting it would be lost.
            let lock = match self.dialect() {
                Dialect::Sqlite => "",
                Dialect::Postgres => " FOR UPDATE",
            };
            let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
                "SELECT * FROM windows
                 WHERE end_ms <= $1 AND step_ms < $2 AND $2 % NULLIF(step_ms, 0) = 0
                 ORDER BY end_ms LIMIT {BATCH}{lock}"
            )))
            .bind(before.0)
            .bind(into_step_ms)
            .fetch_all(&mut *tx)
            .await?;
            if rows.is_empty() {
                return Ok(folded);
            }
            for row in &rows {
                let Window { key, sketch } = from_row(row)?;
                delete(&mut tx, &key).await?;
                let long = WindowKey { start: key.start.window_start(step), step_ms: into_step_ms, ..key };
                store(&mut tx, &Window { key: long, sketch }).await?;
            }
            self.commit_quietly(tx).await?;
            folded += rows.len() as u64;
        }
    }
}
