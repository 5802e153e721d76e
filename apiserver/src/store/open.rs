//! Opening the object log: folder, lock, migrations, replay.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use tokio::sync::mpsc::UnboundedSender;

use super::state::{Key, Operation, State};
use super::{Change, Store};

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder of the file is missing and could not be made.
    #[error("the folder of the object store {path} cannot be made: check its permissions")]
    Folder {
        /// The database file.
        path: PathBuf,
        /// What the file system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process holds the file.
    #[error("the object store {path} is in use by another process: stop that one, or choose another data folder")]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The file is no SQLite database, or its content is damaged.
    #[error("the object store {path} is corrupt ({why}): restore a backup, or move the file away to start empty")]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file was written by a newer program, or its schema was changed by hand.
    #[error("the object store {path} has another schema than this program's: use the program that wrote it")]
    Schema {
        /// The database file.
        path: PathBuf,
        /// What the migrator said.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// Any other failure of the database.
    #[error("the object store {path} cannot be opened: check that the file and its folder are writable")]
    Database {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: sqlx::Error,
    },
    /// A CRD document given in the configuration is not acceptable.
    #[error("the CRD {name} cannot be served: {why}")]
    Crd {
        /// Its metadata.name.
        name: String,
        /// What is wrong with it, as the API would have answered.
        why: String,
    },
}

impl Store {
    /// Opens or creates the log and replays it. Each later change is also sent to `changes`.
    pub(crate) async fn open(path: &Path, changes: UnboundedSender<Arc<Change>>) -> Result<Self, OpenError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|source| OpenError::Folder { path: path.to_owned(), source })?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .locking_mode(SqliteLockingMode::Exclusive)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(2))
            // What is deleted, Secrets above all, is overwritten with zeros.
            .pragma("secure_delete", "ON");
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(|error| explain(path, error))?;
        sqlx::migrate!("../migrations/objects").run(&mut connection).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(source) => explain(path, source),
            source => OpenError::Schema { path: path.to_owned(), source },
        })?;
        let state = replay(path, &mut connection).await?;
        Ok(Self { writer: tokio::sync::Mutex::new(Some(connection)), state: Mutex::new(state), changes })
    }
}

async fn replay(path: &Path, connection: &mut SqliteConnection) -> Result<State, OpenError> {
    let corrupt = |why: String| OpenError::Corrupt { path: path.to_owned(), why };
    let check: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| explain(path, error))?;
    if check != "ok" {
        return Err(corrupt(check));
    }
    let floor: i64 = sqlx::query_scalar("SELECT floor FROM compaction")
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| explain(path, error))?;
    let mut state = State::new(floor.cast_unsigned());
    let rows =
        sqlx::query("SELECT revision, resource, namespace, name, operation, at, object FROM log ORDER BY revision")
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| explain(path, error))?;
    for row in rows {
        let revision = row.get::<i64, _>("revision").cast_unsigned();
        let operation = Operation::from_code(row.get("operation"))
            .ok_or_else(|| corrupt(format!("revision {revision} has an unknown operation")))?;
        let object = serde_json::from_str(row.get("object"))
            .map_err(|error| corrupt(format!("revision {revision} holds no JSON: {error}")))?;
        let key = Key { resource: row.get("resource"), namespace: row.get("namespace"), name: row.get("name") };
        state.apply(operation, key, revision, row.get("at"), Arc::new(object));
    }
    Ok(state)
}

/// SQLite's codes: 5 and 6 mean busy and locked; 11 and 26 corrupt and no database.
fn explain(path: &Path, error: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<i64>().ok());
    match code.map(|code| code & 0xff) {
        Some(5 | 6) => OpenError::InUse { path },
        Some(11 | 26) => OpenError::Corrupt { path, why: error.to_string() },
        _ => OpenError::Database { path, source: error },
    }
}
