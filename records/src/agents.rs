use homeostat_clock::UtcMillis;
use sqlx::any::AnyRow;

use crate::db::{Columns, clean};
use crate::{Records, Result};

/// A registered agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRow {
    /// Name of its `GpuNode`.
    pub node: String,
    /// Boot epoch of its newest report; `None` before the first.
    pub epoch: Option<String>,
    /// Up to which sequence of that epoch its reports are applied.
    pub acknowledged: u64,
    /// When it joined, last.
    pub joined: UtcMillis,
    /// When it was last heard of; `None` before that.
    pub last_seen: Option<UtcMillis>,
}

impl Records {
    /// Registers an agent by the sha256 (hex) of its credential. Joining again replaces the credential: the old one ends.
    ///
    /// # Errors
    /// When the database fails, also when the credential is another node's.
    pub async fn register_agent(&self, node: &str, credential_sha256: &str, now: UtcMillis) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO agents (node, credential_sha256, joined_ms) VALUES ($1, $2, $3)
             ON CONFLICT (node) DO UPDATE
             SET credential_sha256 = excluded.credential_sha256, joined_ms = excluded.joined_ms",
        )
        .bind(clean(node))
        .bind(clean(credential_sha256))
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }

    /// The agent with this credential; `None` when the credential is unknown or was replaced.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agent_by_credential(&self, credential_sha256: &str) -> Result<Option<AgentRow>> {
        let row = sqlx::query(
            "SELECT agents.*, COALESCE(acknowledged, 0) AS acknowledged FROM agents
             LEFT JOIN agent_epochs ON agent = node AND agent_epochs.epoch = agents.epoch
             WHERE credential_sha256 = $1",
        )
        .bind(clean(credential_sha256))
        .fetch_optional(self.read())
        .await?;
        row.as_ref().map(from_row).transpose()
    }

    /// All agents, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agents(&self) -> Result<Vec<AgentRow>> {
        let rows = sqlx::query(
            "SELECT agents.*, COALESCE(acknowledged, 0) AS acknowledged FROM agents
             LEFT JOIN agent_epochs ON agent = node AND agent_epochs.epoch = agents.epoch",
        )
        .fetch_all(self.read())
        .await?;
        let mut agents = rows.iter().map(from_row).collect::<Result<Vec<AgentRow>>>()?;
        agents.sort_by(|a, b| a.node.cmp(&b.node));
        Ok(agents)
    }

    /// Notes that an agent was heard of. Wakes nobody: it happens every few seconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_agent(&self, node: &str, now: UtcMillis) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE agents SET last_seen_ms = $2 WHERE node = $1 AND COALESCE(last_seen_ms, $2) <= $2")
            .bind(clean(node))
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        self.commit_quietly(tx).await
    }
}

fn from_row(row: &AnyRow) -> Result<AgentRow> {
    Ok(AgentRow {
        node: row.text("node")?,
        epoch: row.maybe_text("epoch")?,
        acknowledged: row.count("acknowledged")?,
        joined: row.time("joined_ms")?,
        last_seen: row.maybe_time("last_seen_ms")?,
    })
}
