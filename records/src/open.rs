use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection, SqlSafeStr};

use crate::db::Dialect;
use crate::{BlobError, Blobs, Records};

const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "records", include_str!("../../migrations/records/0001_records.sql")),
    (2, "erasure", include_str!("../../migrations/records/0002_erasure.sql")),
];

/// How long PostgreSQL may take to answer the first connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the records could not be opened. Never shows a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is neither of the two databases.
    #[error(
        "the records URL is neither sqlite:///PATH/records.db nor postgres://USER@HOST/DATABASE{hint}; give one of the two"
    )]
    Url {
        /// What was seen of it, without a password.
        hint: String,
    },
    /// The folder of the SQLite file cannot be made.
    #[error("cannot create the folder {path} for the records: check the path and its permissions")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The SQLite file cannot be opened.
    #[error(
        "cannot open the records in {path}: check that the folder exists, is writable and is on a disk with free space"
    )]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// The file is damaged or no SQLite database.
    #[error(
        "{path} is not an intact SQLite database: move it aside (with its -wal and -shm files) and restore a backup, or start with a new file"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        problem: String,
    },
    /// PostgreSQL does not answer.
    #[error(
        "cannot reach PostgreSQL at {host}: check that it runs and that host, port, database and credentials are right"
    )]
    Postgres {
        /// Host, port and database.
        host: String,
        /// Why.
        source: sqlx::Error,
    },
    /// The tables cannot be brought to this version.
    #[error(
        "cannot bring the records in {place} to this version's tables: if a newer version wrote them, run that version or restore a backup"
    )]
    Migrate {
        /// File or host.
        place: String,
        /// Why.
        source: MigrateError,
    },
    /// The folder of the blobs cannot be used.
    #[error("cannot use the folder of the blobs")]
    Blobs(#[from] BlobError),
}

impl Records {
    /// The URL of a SQLite file, with everything in its path escaped that a URL would take for its own.
    #[must_use]
    pub fn sqlite_url(path: &Path) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        let mut url = String::from("sqlite://");
        for byte in path.as_os_str().as_encoded_bytes() {
            if plain(*byte) {
                url.push(char::from(*byte));
            } else {
                url.push_str(&format!("%{byte:02X}"));
            }
        }
        url
    }

    /// Opens the records at `url` (`sqlite:///PATH/records.db`, created when missing, or `postgres://...`) with blob files in
    /// the folder `blobs`, and brings the tables to this version.
    ///
    /// # Errors
    /// One line that names the file or host and the remedy.
    pub async fn open(url: &str, blobs: PathBuf) -> Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        let blobs = Blobs::open(blobs).await?;
        let options: AnyConnectOptions = url.parse().map_err(|_| OpenError::Url { hint: String::new() })?;
        match options.database_url.scheme() {
            "sqlite" => sqlite(options, blobs).await,
            "postgres" | "postgresql" => postgres(options, blobs).await,
            scheme => Err(OpenError::Url { hint: format!(" but starts with {scheme:?}") }),
        }
    }
}

async fn sqlite(mut options: AnyConnectOptions, blobs: Blobs) -> Result<Records, OpenError> {
    let path = sqlite_path(&options);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        tokio::fs::create_dir_all(folder)
            .await
            .map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
    }
    options.database_url.set_query(Some("mode=rwc"));
    // The pool would keep retrying a broken file; one connection of our own fails at once and says why.
    let failed = |error| sqlite_error(&path, error);
    let mut first = AnyConnection::connect_with(&options).await.map_err(failed)?;
    sqlite_settings(&mut first).await.map_err(failed)?;
    intact(&path, &mut first).await?;
    migrate(&mut first, &path.display().to_string()).await.map_err(|error| match error {
        OpenError::Migrate { source: MigrateError::Execute(error), .. } if is_damage(&error) => failed(error),
        other => other,
    })?;
    // One writer, so that transactions queue here in order instead of polling the file's lock.
    let write = sqlite_pool(&options, 1).await.map_err(failed)?;
    let read = sqlite_pool(&options, 4).await.map_err(failed)?;
    first.close().await.map_err(failed)?;
    Ok(Records::new(Dialect::Sqlite, read, write, blobs))
}

async fn sqlite_pool(options: &AnyConnectOptions, connections: u32) -> Result<AnyPool, sqlx::Error> {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(60))
        .after_connect(|connection, _| Box::pin(sqlite_settings(connection)))
        .connect_with(options.clone())
        .await
}

async fn sqlite_settings(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    // FULL: an acknowledged report has left the agent's spool, so that it must survive a power cut here.
    // secure_delete: what was deleted is overwritten with zeros, since it may be about a person.
    for pragma in [
        "PRAGMA busy_timeout = 30000",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA secure_delete = ON",
    ] {
        sqlx::query(pragma).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Looks for damage before anything is written. The check reads the file once, without comparing the indexes.
async fn intact(path: &Path, connection: &mut AnyConnection) -> Result<(), OpenError> {
    let problem: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(connection)
        .await
        .map_err(|error| sqlite_error(path, error))?;
    if problem == "ok" { Ok(()) } else { Err(OpenError::Damaged { path: path.to_owned(), problem }) }
}

fn sqlite_error(path: &Path, source: sqlx::Error) -> OpenError {
    if is_damage(&source) {
        return OpenError::Damaged { path: path.to_owned(), problem: source.to_string() };
    }
    OpenError::Sqlite { path: path.to_owned(), source }
}

/// SQLITE_CORRUPT (11) and SQLITE_NOTADB (26), also as extended codes.
fn is_damage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 11 | 26))
}

fn sqlite_path(options: &AnyConnectOptions) -> PathBuf {
    let url = options.database_url.as_str();
    let path = url.split_once(':').map_or(url, |(_, path)| path).trim_start_matches("//");
    let path = path.split(['?', '#']).next().unwrap_or(path);
    PathBuf::from(percent_decoded(path))
}

/// As sqlx reads the path out of the URL.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|digits| hex::decode(digits).ok());
        match hex {
            Some(byte) => {
                bytes.extend(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn postgres(options: AnyConnectOptions, blobs: Blobs) -> Result<Records, OpenError> {
    let host = postgres_place(&options);
    let failed = |source| OpenError::Postgres { host: host.clone(), source };
    // The pool would keep trying for long; one connection of our own fails at once and says why.
    let mut first = tokio::time::timeout(CONNECT_TIMEOUT, AnyConnection::connect_with(&options))
        .await
        .map_err(|_| failed(sqlx::Error::PoolTimedOut))?
        .map_err(failed)?;
    migrate(&mut first, &host).await?;
    first.close().await.map_err(failed)?;
    let pool = AnyPoolOptions::new()
        .max_connections(10)
        .acquire_timeout(Duration::from_secs(30))
        .connect_with(options.clone())
        .await
        .map_err(failed)?;
    Ok(Records::new(Dialect::Postgres, pool.clone(), pool, blobs))
}

/// Host, port and database for messages: never user or password.
fn postgres_place(options: &AnyConnectOptions) -> String {
    let url = &options.database_url;
    let socket = url.query_pairs().find(|(name, _)| name == "host").map(|(_, value)| value.into_owned());
    let host = socket.or_else(|| url.host_str().map(str::to_owned)).unwrap_or_else(|| "localhost".to_owned());
    format!("{host}:{}{}", url.port().unwrap_or(5432), url.path())
}

async fn migrate(connection: &mut AnyConnection, place: &str) -> Result<(), OpenError> {
    let migrations = MIGRATIONS
        .iter()
        .map(|(version, name, sql)| {
            Migration::new(*version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
        })
        .collect();
    Migrator::with_migrations(migrations)
        .run(connection)
        .await
        .map_err(|source| OpenError::Migrate { place: place.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_in_messages_is_the_path_of_the_url() {
        for (url, path) in [
            ("sqlite:///data/records.db", "/data/records.db"),
            ("sqlite:///my%20data/records.db?mode=rwc", "/my data/records.db"),
        ] {
            let options: AnyConnectOptions = url.parse().unwrap();
            assert_eq!(sqlite_path(&options), PathBuf::from(path));
        }
        let odd = Path::new("/a b/50%/what?/records.db");
        let options: AnyConnectOptions = Records::sqlite_url(odd).parse().unwrap();
        assert_eq!(sqlite_path(&options), odd);
    }

    #[test]
    fn a_place_shows_no_credentials() {
        for (url, place) in [
            ("postgres://homeostat:hunter2@db.example:6543/records", "db.example:6543/records"),
            ("postgres://homeostat:hunter2@localhost/records?host=/run/pg", "/run/pg:5432/records"),
        ] {
            assert_eq!(postgres_place(&url.parse().unwrap()), place);
        }
    }
}
