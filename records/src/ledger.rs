use homeostat_clock::UtcMillis;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::{Columns, Dialect, bigint, clean, clean_option};
use crate::{Records, Result};

/// What the first entry follows.
pub(crate) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A decision or an audited write, to be kept for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When.
    pub at: UtcMillis,
    /// Who: a user, or the controller.
    pub actor: String,
    /// Sort of entry, such as `decision`, `write`, `alert`.
    pub kind: String,
    /// `namespace/name` of the `Model`.
    pub model: Option<String>,
    /// The object written or decided on, such as `RetrainingRun/ml/atlas-r1`.
    pub object: Option<String>,
    /// One sentence. Never prompt or completion text.
    pub summary: String,
    /// Everything else.
    pub detail: serde_json::Value,
    /// Digest of the evidence blob.
    pub evidence: Option<String>,
}

/// An entry in its place in the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerRow {
    /// Its place, from 1 without gaps.
    pub sequence: u64,
    /// What was recorded.
    pub entry: Entry,
    /// Hash of the entry before it; zeros for the first.
    pub prev_hash: String,
    /// sha256 (hex) over `prev_hash` and everything else.
    pub hash: String,
}

/// Which entries to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerQuery {
    /// Only of this model, `namespace/name`.
    pub model: Option<String>,
    /// From this sequence on (inclusive).
    pub from_sequence: u64,
    /// Before this sequence, for paging back.
    pub before_sequence: Option<u64>,
    /// Recorded at or before this.
    pub until: Option<UtcMillis>,
    /// Newest first instead of oldest first.
    pub newest_first: bool,
    /// At most so many.
    pub limit: u32,
}

impl Default for LedgerQuery {
    /// The oldest hundred of all.
    fn default() -> Self {
        Self { model: None, from_sequence: 0, before_sequence: None, until: None, newest_first: false, limit: 100 }
    }
}

impl Records {
    /// Appends an entry to the chain. Appends of all processes on one database go one after the other.
    ///
    /// # Errors
    /// When the database fails; nothing was appended then.
    pub async fn append_ledger(&self, entry: Entry) -> Result<LedgerRow> {
        let mut tx = self.begin().await?;
        if self.dialect() == Dialect::Postgres {
            // Readers go on; a second writer waits here and then reads the head that we leave.
            sqlx::query("LOCK TABLE ledger IN EXCLUSIVE MODE").execute(&mut *tx).await?;
        }
        let head = sqlx::query("SELECT sequence, hash FROM ledger ORDER BY sequence DESC LIMIT 1")
            .fetch_optional(&mut *tx)
            .await?;
        let (sequence, prev_hash) = match head {
            Some(row) => (row.count("sequence")? + 1, row.text("hash")?),
            None => (1, GENESIS.to_owned()),
        };
        let entry = Entry {
            at: entry.at,
            actor: clean(&entry.actor),
            kind: clean(&entry.kind),
            model: clean_option(entry.model.as_deref()),
            object: clean_option(entry.object.as_deref()),
            summary: clean(&entry.summary),
            detail: entry.detail,
            evidence: clean_option(entry.evidence.as_deref()),
        };
        let detail = entry.detail.to_string();
        let hash = chain_hash(&prev_hash, sequence, &entry, &detail);
        sqlx::query(
            "INSERT INTO ledger (sequence, at_ms, actor, kind, model, object, summary, detail, evidence, prev_hash, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(bigint("ledger sequence", sequence)?)
        .bind(entry.at.0)
        .bind(entry.actor.clone())
        .bind(entry.kind.clone())
        .bind(entry.model.clone())
        .bind(entry.object.clone())
        .bind(entry.summary.clone())
        .bind(detail)
        .bind(entry.evidence.clone())
        .bind(prev_hash.clone())
        .bind(hash.clone())
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await?;
        Ok(LedgerRow { sequence, entry, prev_hash, hash })
    }

    /// The entries that match.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger(&self, query: &LedgerQuery) -> Result<Vec<LedgerRow>> {
        let select = if query.newest_first {
            "SELECT * FROM ledger
             WHERE ($1 IS NULL OR model = $1) AND sequence >= $2 AND sequence < $3 AND at_ms <= $4
             ORDER BY sequence DESC LIMIT $5"
        } else {
            "SELECT * FROM ledger
             WHERE ($1 IS NULL OR model = $1) AND sequence >= $2 AND sequence < $3 AND at_ms <= $4
             ORDER BY sequence LIMIT $5"
        };
        let rows = sqlx::query(select)
            .bind(clean_option(query.model.as_deref()))
            .bind(i64::try_from(query.from_sequence).unwrap_or(i64::MAX))
            .bind(query.before_sequence.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX))
            .bind(query.until.map_or(i64::MAX, |until| until.0))
            .bind(i64::from(query.limit))
            .fetch_all(self.read())
            .await?;
        rows.iter().map(from_row).collect()
    }

    /// Sequence and hash of the newest entry; `None` when there is none. Published regularly, it is what
    /// [`Records::verify_ledger`] compares with later.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_head(&self) -> Result<Option<(u64, String)>> {
        let row = sqlx::query("SELECT sequence, hash FROM ledger ORDER BY sequence DESC LIMIT 1")
            .fetch_optional(self.read())
            .await?;
        row.map(|row| Ok((row.count("sequence")?, row.try_get("hash")?))).transpose()
    }
}

pub(crate) fn from_row(row: &AnyRow) -> Result<LedgerRow> {
    Ok(LedgerRow {
        sequence: row.count("sequence")?,
        entry: Entry {
            at: row.time("at_ms")?,
            actor: row.text("actor")?,
            kind: row.text("kind")?,
            model: row.maybe_text("model")?,
            object: row.maybe_text("object")?,
            summary: row.text("summary")?,
            detail: row.json("detail")?,
            evidence: row.maybe_text("evidence")?,
        },
        prev_hash: row.text("prev_hash")?,
        hash: row.text("hash")?,
    })
}

/// The hash of an entry in its place. Every field goes in with its length, so that no two entries share their bytes;
/// `detail` is the stored text, so that the hash does not hang on how a library prints JSON.
pub(crate) fn chain_hash(prev_hash: &str, sequence: u64, entry: &Entry, detail: &str) -> String {
    let Entry { at, actor, kind, model, object, summary, detail: _, evidence } = entry;
    let mut hash = Sha256::new();
    let mut put = |field: Option<&str>| match field {
        Some(text) => {
            hash.update([1]);
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        None => hash.update([0]),
    };
    put(Some("homeostat ledger 1"));
    put(Some(prev_hash));
    put(Some(&sequence.to_string()));
    put(Some(&at.0.to_string()));
    put(Some(actor));
    put(Some(kind));
    put(model.as_deref());
    put(object.as_deref());
    put(Some(summary));
    put(Some(detail));
    put(evidence.as_deref());
    hex::encode(hash.finalize())
}
