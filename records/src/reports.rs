use homeostat_clock::UtcMillis;
use homeostat_quality::{Sample, Window};
use sqlx::Row;

use crate::db::{bigint, clean};
use crate::{Records, Result, samples, windows};

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was stored and acknowledged.
    New,
    /// It, or a later one of the same epoch, had been applied before; nothing was stored.
    Duplicate,
}

impl Records {
    /// Applies a report once: its windows, its samples and the acknowledgement are one transaction.
    ///
    /// A window whose key is known is merged with what is there. A gap in the sequence is accepted (the agent's spool is
    /// bounded); a sequence not above the acknowledged one is a duplicate. A window that disagrees with the stored one
    /// about its sort of sketch is left out with a warning, so that one bad window does not hold up the spool for good.
    ///
    /// # Errors
    /// When the database fails; nothing was applied then, and the agent sends the report again.
    pub async fn apply_report(
        &self,
        agent: &str,
        epoch: &str,
        sequence: u64,
        windows: &[Window],
        samples: &[Sample],
        now: UtcMillis,
    ) -> Result<Applied> {
        let sequence = bigint("report sequence", sequence)?;
        let mut tx = self.begin().await?;
        // The row stays locked until the commit, so that a second session of the same agent waits and then sees it.
        let new = sqlx::query(
            "INSERT INTO agent_epochs (agent, epoch, acknowledged, updated_ms) VALUES ($1, $2, $3, $4)
             ON CONFLICT (agent, epoch) DO UPDATE
             SET acknowledged = excluded.acknowledged, updated_ms = excluded.updated_ms
             WHERE agent_epochs.acknowledged < excluded.acknowledged
             RETURNING acknowledged",
        )
        .bind(clean(agent))
        .bind(clean(epoch))
        .bind(sequence)
        .bind(now.0)
        .fetch_optional(&mut *tx)
        .await?;
        if new.is_none() {
            return Ok(Applied::Duplicate);
        }
        sqlx::query("UPDATE agents SET epoch = $2 WHERE node = $1")
            .bind(clean(agent))
            .bind(clean(epoch))
            .execute(&mut *tx)
            .await?;
        // One order for everyone, so that two transactions never wait for each other's rows.
        let mut windows: Vec<&Window> = windows.iter().collect();
        windows.sort_by(|a, b| a.key.cmp(&b.key));
        for window in windows {
            windows::store(&mut tx, window).await?;
        }
        let mut samples: Vec<&Sample> = samples.iter().collect();
        samples.sort_by(|a, b| a.request_id.cmp(&b.request_id));
        for sample in samples {
            samples::store(&mut tx, sample).await?;
        }
        self.commit(tx).await?;
        Ok(Applied::New)
    }

    /// Up to which sequence (inclusive) this agent's reports of this epoch have been applied; 0 when none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn acknowledged(&self, agent: &str, epoch: &str) -> Result<u64> {
        let row = sqlx::query("SELECT acknowledged FROM agent_epochs WHERE agent = $1 AND epoch = $2")
            .bind(clean(agent))
            .bind(clean(epoch))
            .fetch_optional(self.read())
            .await?;
        let acknowledged: i64 = match row {
            Some(row) => row.try_get(0)?,
            None => 0,
        };
        Ok(u64::try_from(acknowledged).unwrap_or(0))
    }
}
