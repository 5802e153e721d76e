use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use crate::db::Columns;
use crate::ledger::{GENESIS, chain_hash, from_row};
use crate::{Records, Result};

/// What checking the ledger found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// How many entries were found intact, from the first on.
    pub entries: u64,
    /// Hash of the last intact entry; zeros when there is none.
    pub head: String,
    /// The first thing that is wrong.
    pub problem: Option<LedgerProblem>,
}

/// What is wrong with the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerProblem {
    /// The first bad or missing sequence.
    pub sequence: u64,
    /// What is wrong there.
    pub what: String,
}

const PAGE: i64 = 500;

impl Records {
    /// Checks the chain from the first entry to the last.
    ///
    /// A changed, missing or inserted entry is found by itself. That the newest entries were cut off is found only with
    /// `expected_head`, a hash that [`Records::ledger_head`] once gave and that was kept elsewhere: it must occur in the chain.
    ///
    /// # Errors
    /// When the database fails; a bad chain is no error but the answer.
    pub async fn verify_ledger(&self, expected_head: Option<&str>) -> Result<Verification> {
        let mut found = Verification { entries: 0, head: GENESIS.to_owned(), problem: None };
        let mut expected = expected_head.filter(|head| *head != GENESIS);
        let mut after = i64::MIN;
        loop {
            let rows = sqlx::query("SELECT * FROM ledger WHERE sequence > $1 ORDER BY sequence LIMIT $2")
                .bind(after)
                .bind(PAGE)
                .fetch_all(self.read())
                .await?;
            for row in &rows {
                after = row.int("sequence")?;
                match check(row, &found) {
                    Ok(hash) => {
                        found.entries += 1;
                        if expected == Some(hash.as_str()) {
                            expected = None;
                        }
                        found.head = hash;
                    }
                    Err(what) => {
                        let sequence = if what.missing { found.entries + 1 } else { u64::try_from(after).unwrap_or(0) };
                        found.problem = Some(LedgerProblem { sequence, what: what.text });
                        return Ok(found);
                    }
                }
            }
            if rows.len() < PAGE as usize {
                break;
            }
        }
        if let Some(head) = expected {
            found.problem = Some(LedgerProblem {
                sequence: found.entries + 1,
                what: format!(
                    "the chain ends without the expected head {head}: its tail was cut off, or it is another ledger"
                ),
            });
        }
        Ok(found)
    }
}

struct Flaw {
    missing: bool,
    text: String,
}

/// The row's hash, when the row follows what was found so far.
fn check(row: &AnyRow, found: &Verification) -> Result<String, Flaw> {
    let sequence = row.int("sequence").map_err(|error| Flaw { missing: false, text: error.to_string() })?;
    let due = found.entries + 1;
    if u64::try_from(sequence) != Ok(due) {
        return Err(Flaw {
            missing: sequence > 0,
            text: format!("entry {due} is missing: {sequence} follows {}", due - 1),
        });
    }
    let flaw = |text: String| Flaw { missing: false, text };
    let detail = row.text("detail").map_err(|error| flaw(error.to_string()))?;
    let entry = from_row(row).map_err(|error| flaw(format!("entry {sequence} cannot be read: {error}")))?;
    if entry.prev_hash != found.head {
        return Err(flaw(format!("entry {sequence} does not follow entry {}: their hashes differ", due - 1)));
    }
    if chain_hash(&entry.prev_hash, entry.sequence, &entry.entry, &detail) != entry.hash {
        return Err(flaw(format!(
            "entry {sequence} was changed after it was written: its content does not match its hash"
        )));
    }
    Ok(entry.hash)
}
