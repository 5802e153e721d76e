use std::sync::Arc;

use homeostat_clock::UtcMillis;
use homeostat_quality::ModelKey;
use sqlx::any::AnyRow;
use sqlx::{Any, AnyPool, Row, Transaction};
use tokio::sync::watch;

use crate::{Blobs, RecordsError, Result};

/// The records; a clone shares the connections.
#[derive(Clone, Debug)]
pub struct Records(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dialect: Dialect,
    read: AnyPool,
    write: AnyPool,
    blobs: Blobs,
    changed: watch::Sender<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Records {
    pub(crate) fn new(dialect: Dialect, read: AnyPool, write: AnyPool, blobs: Blobs) -> Self {
        Self(Arc::new(Inner { dialect, read, write, blobs, changed: watch::Sender::new(0) }))
    }

    /// A number that grows after each commit that reconcilers or pages may care about: reports, work, progress, joining
    /// agents, alerts that begin, change or end, the ledger.
    ///
    /// Analyses, heartbeats, sent notices and retention do not count, so that writing them wakes nobody. Only commits of this process count; other processes on the same PostgreSQL are seen by a timer.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// The content-addressed files beside the tables.
    #[must_use]
    pub fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    /// Closes all connections, so that SQLite folds its write-ahead log into the file. Optional: nothing committed is lost
    /// without it.
    pub async fn close(&self) {
        self.0.read.close().await;
        self.0.write.close().await;
    }

    pub(crate) fn read(&self) -> &AnyPool {
        &self.0.read
    }

    /// For what cannot run in a transaction.
    pub(crate) fn write(&self) -> &AnyPool {
        &self.0.write
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// A transaction that may write. SQLite's one writer is taken at once, so that no transaction fails half-way on a lock.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Any>> {
        Ok(match self.0.dialect {
            Dialect::Sqlite => self.0.write.begin_with("BEGIN IMMEDIATE").await?,
            Dialect::Postgres => self.0.write.begin().await?,
        })
    }

    pub(crate) async fn commit(&self, tx: Transaction<'static, Any>) -> Result<()> {
        tx.commit().await?;
        self.0.changed.send_modify(|count| *count = count.wrapping_add(1));
        Ok(())
    }

    /// Commits what nobody waits for: waking a reconciler for its own bookkeeping would let it run in circles.
    pub(crate) async fn commit_quietly(&self, tx: Transaction<'static, Any>) -> Result<()> {
        Ok(tx.commit().await?)
    }
}

/// Reading columns as the types they stand for.
pub(crate) trait Columns {
    fn text(&self, column: &'static str) -> Result<String>;
    fn maybe_text(&self, column: &'static str) -> Result<Option<String>>;
    fn int(&self, column: &'static str) -> Result<i64>;
    fn maybe_int(&self, column: &'static str) -> Result<Option<i64>>;
    fn maybe_double(&self, column: &'static str) -> Result<Option<f64>>;
    fn bytes(&self, column: &'static str) -> Result<Vec<u8>>;

    fn count(&self, column: &'static str) -> Result<u64> {
        let value = self.int(column)?;
        u64::try_from(value).map_err(|_| stored(column, format!("the negative count {value}")))
    }

    fn time(&self, column: &'static str) -> Result<UtcMillis> {
        self.int(column).map(UtcMillis)
    }

    fn maybe_time(&self, column: &'static str) -> Result<Option<UtcMillis>> {
        Ok(self.maybe_int(column)?.map(UtcMillis))
    }

    fn double(&self, column: &'static str) -> Result<f64> {
        self.maybe_double(column)?.ok_or_else(|| stored(column, "no number".into()))
    }

    fn model(&self, column: &'static str) -> Result<ModelKey> {
        self.text(column)?.parse().map_err(|problem| stored(column, problem))
    }

    fn json<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|error| stored(column, format!("broken JSON ({error})")))
    }

    fn maybe_json(&self, column: &'static str) -> Result<Option<serde_json::Value>> {
        let Some(text) = self.maybe_text(column)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| stored(column, format!("broken JSON ({error})")))
    }
}

impl Columns for AnyRow {
    fn text(&self, column: &'static str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn maybe_text(&self, column: &'static str) -> Result<Option<String>> {
        Ok(self.try_get(column)?)
    }

    fn int(&self, column: &'static str) -> Result<i64> {
        Ok(self.try_get(column)?)
    }

    fn maybe_int(&self, column: &'static str) -> Result<Option<i64>> {
        Ok(self.try_get(column)?)
    }

    fn maybe_double(&self, column: &'static str) -> Result<Option<f64>> {
        Ok(self.try_get(column)?)
    }

    fn bytes(&self, column: &'static str) -> Result<Vec<u8>> {
        Ok(self.try_get(column)?)
    }
}

pub(crate) fn stored(column: &'static str, problem: String) -> RecordsError {
    RecordsError::Stored { column, problem }
}

/// A count as both databases hold it.
pub(crate) fn bigint(field: &'static str, value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| RecordsError::Invalid {
        field,
        value: value.to_string(),
        remedy: "it must be below 2^63",
    })
}

/// Text as both databases hold it: PostgreSQL takes no U+0000, which becomes U+FFFD.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

pub(crate) fn clean_option(text: Option<&str>) -> Option<String> {
    text.map(clean)
}
