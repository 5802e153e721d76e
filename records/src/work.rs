use std::fmt;
use std::str::FromStr;

use homeostat_clock::UtcMillis;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use crate::db::{Columns, clean, clean_option, stored};
use crate::{Records, Result};

/// How far work has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WorkPhase {
    /// No agent has taken it.
    #[default]
    Pending,
    /// An agent has it and will start it.
    Accepted,
    /// It runs.
    Running,
    /// Done; its result is there. Terminal.
    Succeeded,
    /// Ended without a result; reason and message say why. Terminal.
    Failed,
    /// Called off. Terminal.
    Cancelled,
}

impl WorkPhase {
    const ALL: [Self; 6] =
        [Self::Pending, Self::Accepted, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Whether it is never left.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// The name in storage and on pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Accepted => "Accepted",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}

impl fmt::Display for WorkPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WorkPhase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| format!("the unknown work phase {text:?}"))
    }
}

/// Work to be done by an agent. The id is derived from what it is for, so that planning again gives the same work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkItem {
    /// Its name; the same id is the same work.
    pub id: String,
    /// Which node is to do it; `None` until assigned.
    pub agent: Option<String>,
    /// Sort of work, such as `Train`.
    pub kind: String,
    /// The encoded protocol `Work`.
    pub spec: Vec<u8>,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// `namespace/name` of the `RetrainingRun` it belongs to.
    pub run: Option<String>,
    /// `namespace/name` of the `Model`.
    pub model: Option<String>,
    /// When it was planned.
    pub created: UtcMillis,
}

/// What an agent says of its work.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkUpdate {
    /// How far it is.
    pub phase: WorkPhase,
    /// The newest progress; `None` keeps what is there.
    pub progress: Option<serde_json::Value>,
    /// What came out, when it succeeded; `None` keeps what is there.
    pub result: Option<serde_json::Value>,
    /// A condition reason, when it failed; empty otherwise.
    pub reason: String,
    /// The same in one sentence.
    pub message: String,
    /// Whether trying again can help.
    pub retryable: bool,
    /// Seconds it has used up so far.
    pub spent_seconds: f64,
}

/// Work and how far it is.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkRow {
    /// What is to be done, and who does it.
    pub item: WorkItem,
    /// How far it is.
    pub phase: WorkPhase,
    /// The newest progress.
    pub progress: Option<serde_json::Value>,
    /// What came out.
    pub result: Option<serde_json::Value>,
    /// A condition reason, when it failed.
    pub reason: String,
    /// The same in one sentence.
    pub message: String,
    /// Whether trying again can help.
    pub retryable: bool,
    /// Seconds it has used up.
    pub spent_seconds: f64,
    /// When it last changed.
    pub updated: UtcMillis,
}

impl Records {
    /// Puts work into the queue unless its id is there; what is there wins. Gives the row as it stands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ensure_work(&self, item: &WorkItem) -> Result<WorkRow> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "INSERT INTO work (id, agent, kind, spec, attempt, run, model, created_ms, phase, terminal,
                               reason, message, retryable, spent_seconds, updated_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'Pending', 0, '', '', 0, 0.0, $8)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(clean(&item.id))
        .bind(clean_option(item.agent.as_deref()))
        .bind(clean(&item.kind))
        .bind(item.spec.clone())
        .bind(i64::from(item.attempt))
        .bind(clean_option(item.run.as_deref()))
        .bind(clean_option(item.model.as_deref()))
        .bind(item.created.0)
        .execute(&mut *tx)
        .await?;
        let row = from_row(
            &sqlx::query("SELECT * FROM work WHERE id = $1").bind(clean(&item.id)).fetch_one(&mut *tx).await?,
        )?;
        if done.rows_affected() > 0 {
            self.commit(tx).await?;
        }
        Ok(row)
    }

    /// Gives open work to an agent, back in phase Pending when another agent had it. Work in a terminal phase stays as it
    /// is. Gives the row as it then stands; `None` when there is no such work.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn assign_work(&self, id: &str, agent: &str, now: UtcMillis) -> Result<Option<WorkRow>> {
        let mut tx = self.begin().await?;
        let Some(row) = self.locked(&mut tx, id).await? else { return Ok(None) };
        if row.phase.is_terminal() || row.item.agent.as_deref() == Some(agent) {
            return Ok(Some(row));
        }
        let row = WorkRow {
            item: WorkItem { agent: Some(agent.to_owned()), ..row.item },
            phase: WorkPhase::Pending,
            updated: now,
            ..row
        };
        write(&mut tx, &row).await?;
        self.commit(tx).await?;
        Ok(Some(row))
    }

    /// Records what an agent says of its work. A terminal phase is never left: an update after it changes nothing. Gives
    /// the row as it then stands; `None` when there is no such work.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn update_work(&self, id: &str, update: &WorkUpdate, now: UtcMillis) -> Result<Option<WorkRow>> {
        // Agents repeat their status every few seconds; only news takes the writer and wakes those who wait.
        let Some(row) = self.work(id).await? else { return Ok(None) };
        if updated(&row, update, now).is_none() {
            return Ok(Some(row));
        }
        let mut tx = self.begin().await?;
        let Some(row) = self.locked(&mut tx, id).await? else { return Ok(None) };
        let Some(next) = updated(&row, update, now) else { return Ok(Some(row)) };
        write(&mut tx, &next).await?;
        self.commit(tx).await?;
        Ok(Some(next))
    }

    /// The work called `id`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn work(&self, id: &str) -> Result<Option<WorkRow>> {
        let row = sqlx::query("SELECT * FROM work WHERE id = $1").bind(clean(id)).fetch_optional(self.read()).await?;
        row.as_ref().map(from_row).transpose()
    }

    /// Work in no terminal phase, of one agent or of all (then also the unassigned), oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_work(&self, agent: Option<&str>) -> Result<Vec<WorkRow>> {
        let rows =
            sqlx::query("SELECT * FROM work WHERE terminal = 0 AND ($1 IS NULL OR agent = $1) ORDER BY created_ms, id")
                .bind(clean_option(agent))
                .fetch_all(self.read())
                .await?;
        rows.iter().map(from_row).collect()
    }

    /// All work of one `RetrainingRun` (`namespace/name`), oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn work_of_run(&self, run: &str) -> Result<Vec<WorkRow>> {
        let rows = sqlx::query("SELECT * FROM work WHERE run = $1 ORDER BY created_ms, id")
            .bind(clean(run))
            .fetch_all(self.read())
            .await?;
        rows.iter().map(from_row).collect()
    }

    /// The row, held until the transaction ends: the update that comes first locks it on PostgreSQL too.
    async fn locked(&self, tx: &mut Transaction<'static, Any>, id: &str) -> Result<Option<WorkRow>> {
        let row = sqlx::query("UPDATE work SET id = id WHERE id = $1 RETURNING *")
            .bind(clean(id))
            .fetch_optional(&mut **tx)
            .await?;
        row.as_ref().map(from_row).transpose()
    }
}

/// The row after an update; `None` when nothing changes.
fn updated(row: &WorkRow, update: &WorkUpdate, now: UtcMillis) -> Option<WorkRow> {
    if row.phase.is_terminal() {
        return None;
    }
    let WorkUpdate { phase, progress, result, reason, message, retryable, spent_seconds } = update.clone();
    let mut next = WorkRow {
        item: row.item.clone(),
        phase,
        progress: progress.or_else(|| row.progress.clone()),
        result: result.or_else(|| row.result.clone()),
        reason: clean(&reason),
        message: clean(&message),
        retryable,
        // What was used up is never given back: a budget hangs on it.
        spent_seconds: row.spent_seconds.max(if spent_seconds.is_finite() { spent_seconds } else { 0.0 }),
        updated: row.updated,
    };
    if next == *row {
        return None;
    }
    next.updated = now;
    Some(next)
}

async fn write(tx: &mut Transaction<'static, Any>, row: &WorkRow) -> Result<()> {
    sqlx::query(
        "UPDATE work SET agent = $2, phase = $3, terminal = $4, progress = $5, result = $6, reason = $7, message = $8,
                         retryable = $9, spent_seconds = $10, updated_ms = $11
         WHERE id = $1",
    )
    .bind(clean(&row.item.id))
    .bind(clean_option(row.item.agent.as_deref()))
    .bind(row.phase.as_str())
    .bind(i64::from(row.phase.is_terminal()))
    .bind(row.progress.as_ref().map(ToString::to_string))
    .bind(row.result.as_ref().map(ToString::to_string))
    .bind(clean(&row.reason))
    .bind(clean(&row.message))
    .bind(i64::from(row.retryable))
    .bind(row.spent_seconds)
    .bind(row.updated.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn from_row(row: &AnyRow) -> Result<WorkRow> {
    Ok(WorkRow {
        item: WorkItem {
            id: row.text("id")?,
            agent: row.maybe_text("agent")?,
            kind: row.text("kind")?,
            spec: row.bytes("spec")?,
            attempt: u32::try_from(row.int("attempt")?).unwrap_or(u32::MAX),
            run: row.maybe_text("run")?,
            model: row.maybe_text("model")?,
            created: row.time("created_ms")?,
        },
        phase: row.text("phase")?.parse().map_err(|problem| stored("phase", problem))?,
        progress: row.maybe_json("progress")?,
        result: row.maybe_json("result")?,
        reason: row.text("reason")?,
        message: row.text("message")?,
        retryable: row.int("retryable")? != 0,
        spent_seconds: row.double("spent_seconds")?,
        updated: row.time("updated_ms")?,
    })
}
