//! The chain holds, and shows who broke it.

use homeostat_records::{Entry, LedgerQuery, Records};
use serde_json::json;

use crate::Place;
use crate::given::{T0, at};

fn entry(n: i64) -> Entry {
    Entry {
        at: at(n),
        actor: "controller".into(),
        kind: "decision".into(),
        model: Some(if n % 2 == 0 { "ml/atlas" } else { "ml/other" }.into()),
        object: None,
        summary: format!("entry {n}"),
        detail: json!({"z": 1.5, "a": [n, null, "text \u{0} with nul"]}),
        evidence: Some("ee".repeat(32)),
    }
}

async fn filled(place: &Place, entries: i64) -> Records {
    let records = place.open().await;
    for n in 1..=entries {
        records.append_ledger(entry(n)).await.unwrap();
    }
    records
}

pub(crate) async fn tampering_is_found(place: &Place) {
    let records = filled(place, 6).await;
    let intact = records.verify_ledger(None).await.unwrap();
    assert_eq!((intact.entries, &intact.problem), (6, &None));
    assert_eq!(records.ledger_head().await.unwrap(), Some((6, intact.head.clone())));

    // Each change of each column is named, and is gone when it is taken back.
    for (column, value) in [
        ("summary", "'innocent'"),
        ("actor", "'someone'"),
        ("detail", "'{}'"),
        ("detail", "'no JSON'"),
        ("evidence", "NULL"),
        ("object", "''"),
        ("at_ms", "at_ms + 1"),
        ("prev_hash", "hash"),
        ("hash", "prev_hash"),
    ] {
        place.sql("CREATE TABLE kept AS SELECT * FROM ledger").await;
        assert_eq!(place.sql(&format!("UPDATE ledger SET {column} = {value} WHERE sequence = 3")).await, 1);
        let found = records.verify_ledger(None).await.unwrap();
        assert_eq!((found.entries, found.problem.map(|problem| problem.sequence)), (2, Some(3)), "{column} = {value}");
        place.sql("DELETE FROM ledger").await;
        place.sql("INSERT INTO ledger SELECT * FROM kept").await;
        place.sql("DROP TABLE kept").await;
        assert_eq!(records.verify_ledger(None).await.unwrap(), intact);
    }
    place.sql("DELETE FROM ledger WHERE sequence = 4").await;
    let problem = records.verify_ledger(None).await.unwrap().problem.unwrap();
    assert_eq!(problem.sequence, 4);
    assert!(problem.what.contains("missing"), "{}", problem.what);
    place.sql("DELETE FROM ledger WHERE sequence <= 4").await;
    assert_eq!(records.verify_ledger(None).await.unwrap().problem.unwrap().sequence, 1);
}

pub(crate) async fn a_cut_tail_is_found_with_the_head(place: &Place) {
    let records = place.open().await;
    assert_eq!(records.ledger_head().await.unwrap(), None);
    let empty = records.verify_ledger(None).await.unwrap();
    assert_eq!((empty.entries, &empty.problem), (0, &None));
    assert_eq!(records.verify_ledger(Some(&empty.head)).await.unwrap().problem, None);
    let records = filled(place, 5).await;
    let (_, head) = records.ledger_head().await.unwrap().unwrap();
    records.append_ledger(entry(6)).await.unwrap();
    // An older head is in the chain all the same.
    assert_eq!(records.verify_ledger(Some(&head)).await.unwrap().problem, None);
    place.sql("DELETE FROM ledger WHERE sequence >= 4").await;
    assert_eq!(records.verify_ledger(None).await.unwrap().problem, None);
    assert_eq!(records.verify_ledger(Some(&head)).await.unwrap().problem.unwrap().sequence, 4);
    // Rewriting the tail does not help.
    records.append_ledger(entry(40)).await.unwrap();
    records.append_ledger(entry(50)).await.unwrap();
    assert!(records.verify_ledger(Some(&head)).await.unwrap().problem.is_some());
}

pub(crate) async fn many_writers_keep_one_chain(place: &Place) {
    // Two handles stand for two processes on one database.
    let handles = [place.open().await, place.open().await];
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..40 {
        let records = handles[usize::try_from(n % 2).unwrap()].clone();
        writers.spawn(async move { records.append_ledger(entry(n)).await.unwrap().sequence });
    }
    let mut sequences = writers.join_all().await;
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=40).collect::<Vec<u64>>());
    let found = handles[0].verify_ledger(None).await.unwrap();
    assert_eq!((found.entries, found.problem), (40, None));
}

pub(crate) async fn queries_page_both_ways(place: &Place) {
    let records = filled(place, 9).await;
    let sequences = async |query: LedgerQuery| {
        let rows = records.ledger(&query).await.unwrap();
        rows.iter().map(|row| row.sequence).collect::<Vec<u64>>()
    };
    let all = LedgerQuery::default();
    assert_eq!(sequences(LedgerQuery { limit: 3, ..all.clone() }).await, [1, 2, 3]);
    assert_eq!(sequences(LedgerQuery { from_sequence: 8, ..all.clone() }).await, [8, 9]);
    let back = LedgerQuery { newest_first: true, before_sequence: Some(5), limit: 2, ..all.clone() };
    assert_eq!(sequences(back).await, [4, 3]);
    assert_eq!(sequences(LedgerQuery { model: Some("ml/atlas".into()), ..all.clone() }).await, [2, 4, 6, 8]);
    assert_eq!(sequences(LedgerQuery { until: Some(at(2)), ..all }).await, [1, 2]);
    let stored = records.ledger(&LedgerQuery { limit: 1, ..LedgerQuery::default() }).await.unwrap();
    assert_eq!(stored[0].entry, entry(1));
    assert!(stored[0].entry.at > T0);
}
