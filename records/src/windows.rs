use homeostat_clock::UtcMillis;
use homeostat_quality::{ModelKey, Sketch, Slice, Source, Window, WindowKey};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row, Transaction};

use crate::db::{Columns, clean, stored};
use crate::{Records, Result};

/// Which windows to read; `None` and empty mean all.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowQuery {
    /// The served model.
    pub model: ModelKey,
    /// Name of the `ModelVersion`.
    pub version: Option<String>,
    /// One running copy, `node/index`.
    pub replica: Option<String>,
    /// Where the observations came from.
    pub source: Option<Source>,
    /// Stored metric names.
    pub metrics: Vec<String>,
    /// Windows that start at or after this.
    pub from: UtcMillis,
    /// Windows that start before this.
    pub to: UtcMillis,
}

impl WindowQuery {
    /// All windows of `model` that start in `from..to`; narrow it by setting fields.
    #[must_use]
    pub fn new(model: ModelKey, from: UtcMillis, to: UtcMillis) -> Self {
        Self { model, version: None, replica: None, source: None, metrics: Vec::new(), from, to }
    }
}

impl Records {
    /// The windows that match, by start, then by key.
    ///
    /// # Errors
    /// When the database fails or a stored sketch is broken.
    pub async fn windows(&self, query: &WindowQuery) -> Result<Vec<Window>> {
        let mut sql = String::from(
            "SELECT * FROM windows
             WHERE model = $1 AND start_ms >= $2 AND start_ms < $3
               AND ($4 IS NULL OR version = $4) AND ($5 IS NULL OR replica = $5) AND ($6 IS NULL OR source = $6)",
        );
        if !query.metrics.is_empty() {
            let numbers: Vec<String> = (0..query.metrics.len()).map(|at| format!("${}", at + 7)).collect();
            sql.push_str(&format!(" AND metric IN ({})", numbers.join(", ")));
        }
        // Only numbers of placeholders were put into the text.
        let mut select = sqlx::query(AssertSqlSafe(sql))
            .bind(query.model.to_string())
            .bind(query.from.0)
            .bind(query.to.0)
            .bind(query.version.clone())
            .bind(query.replica.clone())
            .bind(query.source.map(|source| source.as_str().to_owned()));
        for metric in &query.metrics {
            select = select.bind(metric.clone());
        }
        let rows = select.fetch_all(self.read()).await?;
        let mut windows = rows.iter().map(from_row).collect::<Result<Vec<Window>>>()?;
        // Sorted here: the databases' own order of text differs by collation.
        windows.sort_by(|a, b| (a.key.start, &a.key).cmp(&(b.key.start, &b.key)));
        Ok(windows)
    }

    /// The end of the newest window of this source; `None` when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_window(
        &self,
        model: &ModelKey,
        version: Option<&str>,
        source: Source,
        metric: Option<&str>,
    ) -> Result<Option<UtcMillis>> {
        let row = sqlx::query(
            "SELECT MAX(end_ms) FROM windows
             WHERE model = $1 AND source = $2 AND ($3 IS NULL OR version = $3) AND ($4 IS NULL OR metric = $4)",
        )
        .bind(model.to_string())
        .bind(source.as_str())
        .bind(version.map(str::to_owned))
        .bind(metric.map(str::to_owned))
        .fetch_one(self.read())
        .await?;
        let newest: Option<i64> = row.try_get(0)?;
        Ok(newest.map(UtcMillis))
    }

    /// Deletes the windows that ended at or before `older_than`; gives their number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_windows(&self, older_than: UtcMillis) -> Result<u64> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM windows WHERE end_ms <= $1").bind(older_than.0).execute(&mut *tx).await?;
        self.commit_quietly(tx).await?;
        Ok(done.rows_affected())
    }
}

/// Stores a window, merged with what its key already holds.
pub(crate) async fn store(tx: &mut Transaction<'static, Any>, window: &Window) -> Result<()> {
    let key = &window.key;
    if key.step_ms <= 0 {
        tracing::warn!(
            model.name = %key.model, metric = %key.metric, replica = %key.replica, step_ms = key.step_ms,
            "a reported window has no length and was left out"
        );
        return Ok(());
    }
    // A conflict counts the revision up, which also locks the row, and gives back the sketch that is there.
    let row = bind_key(
        sqlx::query(
            "INSERT INTO windows (model, version, replica, source, metric, slice, start_ms, step_ms, end_ms, sketch, revision)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1)
             ON CONFLICT (model, start_ms, step_ms, source, metric, version, slice, replica)
             DO UPDATE SET revision = windows.revision + 1
             RETURNING sketch, revision",
        ),
        key,
    )
    .bind(key.end().0)
    .bind(window.sketch.to_bytes())
    .fetch_one(&mut **tx)
    .await?;
    if row.int("revision")? == 1 {
        return Ok(());
    }
    let mut sketch = read_sketch(&row)?;
    if let Err(error) = sketch.merge(&window.sketch) {
        tracing::warn!(
            model.name = %key.model, metric = %key.metric, replica = %key.replica, start = %key.start, %error,
            "a reported window does not fit the stored one and was left out"
        );
        return Ok(());
    }
    bind_key(
        sqlx::query(
            "UPDATE windows SET sketch = $9
             WHERE model = $1 AND version = $2 AND replica = $3 AND source = $4 AND metric = $5 AND slice = $6
               AND start_ms = $7 AND step_ms = $8",
        ),
        key,
    )
    .bind(sketch.to_bytes())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(crate) async fn delete(tx: &mut Transaction<'static, Any>, key: &WindowKey) -> Result<()> {
    bind_key(
        sqlx::query(
            "DELETE FROM windows
             WHERE model = $1 AND version = $2 AND replica = $3 AND source = $4 AND metric = $5 AND slice = $6
               AND start_ms = $7 AND step_ms = $8",
        ),
        key,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(crate) fn from_row(row: &AnyRow) -> Result<Window> {
    Ok(Window {
        key: WindowKey {
            model: row.model("model")?,
            version: row.text("version")?,
            replica: row.text("replica")?,
            source: row.text("source")?.parse().map_err(|problem| stored("source", problem))?,
            metric: row.text("metric")?,
            slice: Slice(row.text("slice")?),
            start: row.time("start_ms")?,
            step_ms: row.int("step_ms")?,
        },
        sketch: read_sketch(row)?,
    })
}

type Query = sqlx::query::Query<'static, Any, sqlx::any::AnyArguments>;

fn bind_key(query: Query, key: &WindowKey) -> Query {
    query
        .bind(clean(&key.model.to_string()))
        .bind(clean(&key.version))
        .bind(clean(&key.replica))
        .bind(key.source.as_str())
        .bind(clean(&key.metric))
        .bind(clean(key.slice.as_str()))
        .bind(key.start.0)
        .bind(key.step_ms)
}

fn read_sketch(row: &AnyRow) -> Result<Sketch> {
    Sketch::from_bytes(&row.bytes("sketch")?).map_err(|error| stored("sketch", error.to_string()))
}
