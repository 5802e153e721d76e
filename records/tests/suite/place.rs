//! A database of a test's own, and a way around the records to it.

use homeostat_records::Records;
use sqlx::{AnyConnection, Connection};

use crate::postgres::Server;

pub(crate) struct Place {
    pub(crate) url: String,
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = Records::sqlite_url(&folder.path().join("some folder/records.db"));
        Self { url, folder }
    }

    pub(crate) async fn postgres(server: &Server, name: &str) -> Self {
        let admin = Self { url: server.url("postgres"), folder: tempfile::tempdir().unwrap() };
        admin.sql(&format!("CREATE DATABASE {name}")).await;
        Self { url: server.url(name), folder: admin.folder }
    }

    pub(crate) async fn open(&self) -> Records {
        Records::open(&self.url, self.folder.path().join("blobs")).await.unwrap()
    }

    /// Runs SQL past the records; gives the number of rows it changed.
    pub(crate) async fn sql(&self, sql: &str) -> u64 {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.url).await.unwrap();
        let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        done.rows_affected()
    }
}
