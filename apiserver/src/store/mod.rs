//! The object store: an append-only log in SQLite with one global revision for all kinds, and its state in memory.
//!
//! Every write is one row, committed before it is shown to anyone; readers and watchers only ever see the memory, which
//! is rebuilt from the log at opening. There is one writer. The file is WAL with `synchronous=NORMAL`: a write that was
//! acknowledged survives a kill of the process (the pages are with the operating system), while a power failure may cut
//! the last moments before the most recent checkpoint, leaving the file consistent. The file is locked exclusively.
//!
//! ```text
//! begin() ─▶ get, decide ─▶ INSERT, COMMIT ─▶ state.apply + watchers (one lock) ─▶ audit
//! ```

mod open;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::mpsc::UnboundedSender;

pub use open::OpenError;
pub(crate) use state::{Change, Key, Operation, Snapshot, State, Stored, Subscription};

use crate::meta;

/// The log's name for Secrets.
const SECRETS: &str = "/secrets";

/// Why a write did not happen. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the object store is closed: the API is shutting down")]
    Closed,
    #[error("the object store could not write (is the disk full?)")]
    Database(#[from] sqlx::Error),
}

/// See the module's documentation.
pub(crate) struct Store {
    writer: tokio::sync::Mutex<Option<SqliteConnection>>,
    state: Mutex<State>,
    changes: UnboundedSender<Arc<Change>>,
}

impl Store {
    /// The state, locked. Never held over an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for its turn to write. Reads through the transaction see every earlier write.
    pub(crate) async fn begin(&self) -> Transaction<'_> {
        Transaction { store: self, connection: self.writer.lock().await }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Stored> {
        self.state().get(key).cloned()
    }

    /// Forgets history up to `floor`: what is live stays, what was replaced or deleted at or before it goes.
    pub(crate) async fn compact(&self, floor: u64) -> Result<(), StoreError> {
        let mut connection = self.writer.lock().await;
        let connection = connection.as_mut().ok_or(StoreError::Closed)?;
        let bound = floor.cast_signed();
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE compaction SET floor = $1 WHERE floor < $1").bind(bound).execute(&mut *transaction).await?;
        sqlx::query(
            "DELETE FROM log WHERE revision <= $1 AND (operation = 2 OR EXISTS (
                SELECT 1 FROM log AS later
                WHERE later.resource = log.resource AND later.namespace = log.namespace AND later.name = log.name
                  AND later.revision > log.revision AND later.revision <= $1))",
        )
        .bind(bound)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        self.state().forget(floor);
        Ok(())
    }

    /// Ends all watches and closes the file. Later writes fail.
    pub(crate) async fn close(&self) {
        self.state().end_watches();
        if let Some(connection) = self.writer.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(error = %error, "the object store did not close cleanly");
        }
    }
}

/// The one writer's turn.
pub(crate) struct Transaction<'a> {
    store: &'a Store,
    connection: tokio::sync::MutexGuard<'a, Option<SqliteConnection>>,
}

impl Transaction<'_> {
    pub(crate) fn get(&self, key: &Key) -> Option<Stored> {
        self.store.get(key)
    }

    pub(crate) fn store(&self) -> &Store {
        self.store
    }

    /// Writes the object under `key`, stamping its resourceVersion, and publishes the change.
    ///
    /// The caller runs this on a task of its own: were the future dropped between commit and publication, memory would
    /// fall behind the file.
    pub(crate) async fn commit(
        &mut self,
        operation: Operation,
        key: &Key,
        mut object: Value,
        at: i64,
    ) -> Result<Arc<Change>, StoreError> {
        let connection = self.connection.as_mut().ok_or(StoreError::Closed)?;
        let revision = self.store.state().revision() + 1;
        meta::set(&mut object, "resourceVersion", revision.to_string());
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO log (revision, resource, namespace, name, operation, at, object) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(revision.cast_signed())
        .bind(&key.resource)
        .bind(&key.namespace)
        .bind(&key.name)
        .bind(operation.code())
        .bind(at)
        .bind(object.to_string())
        .execute(&mut *transaction)
        .await?;
        let buried = operation == Operation::Delete && key.resource == SECRETS;
        if buried {
            // A deleted Secret is not to be read from the file, neither as it was nor as it was before. Annotations go as
            // well: kubectl keeps the whole manifest in one.
            sqlx::query(
                "UPDATE log SET object = json_remove(object, '$.data', '$.stringData', '$.metadata.annotations')
                 WHERE resource = $1 AND namespace = $2 AND name = $3",
            )
            .bind(&key.resource)
            .bind(&key.namespace)
            .bind(&key.name)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        if buried && let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *connection).await {
            tracing::warn!(error = %error, "a deleted Secret stays in the object store's log until the next checkpoint");
        }
        let change = self.store.state().apply(operation, key.clone(), revision, at, Arc::new(object));
        // The receiver is gone only while the API closes.
        let _ = self.store.changes.send(Arc::clone(&change));
        Ok(change)
    }
}
