use anyhow::{Context, bail};
use homeostat_clock::{Clock, SystemClock, UtcMillis};
use homeostat_records::{LedgerQuery, LedgerRow, Records};

use crate::args::{RecordsArgs, WhyArgs};
use crate::host;

/// Opens the records for reading.
pub(crate) async fn open(args: &RecordsArgs) -> anyhow::Result<Records> {
    if args.records.is_none() && !host::records_file(&args.data).exists() {
        bail!(
            "{} does not exist: give --data the folder that `homeostat dev` or `controller` uses, or --records",
            host::records_file(&args.data).display()
        );
    }
    host::open_records(&args.data, args.records.as_deref()).await
}

/// Tells the last decisions about a model, each with its evidence.
pub(crate) async fn run(args: WhyArgs) -> anyhow::Result<()> {
    let until = match &args.at {
        Some(text) => UtcMillis::from_rfc3339(text)
            .with_context(|| format!("--at {text:?} is no time: write 2026-01-31T12:00:00Z"))?,
        None => SystemClock.now(),
    };
    let records = open(&args.records).await?;
    let query = |model: Option<String>, limit| LedgerQuery {
        model,
        until: Some(until.plus(std::time::Duration::from_millis(1))),
        newest_first: true,
        limit,
        ..LedgerQuery::default()
    };
    let name = if args.model.contains('/') {
        args.model.clone()
    } else {
        find(&records, &args.model, query(None, 10_000)).await?
    };
    let mut rows = records.ledger(&query(Some(name.clone()), 1_000)).await?;
    rows.retain(|row| row.entry.kind == "decision");
    rows.truncate(args.last as usize);
    if rows.is_empty() {
        bail!("nothing was decided about {name} until {until}: check the name with `kubectl get models -A`");
    }
    for row in rows.iter().rev() {
        tell(&records, row).await;
    }
    records.close().await;
    Ok(())
}

/// The full name of a model that is given without its namespace.
async fn find(records: &Records, name: &str, query: LedgerQuery) -> anyhow::Result<String> {
    let rows = records.ledger(&query).await?;
    let mut names: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.entry.model.as_deref())
        .filter(|full| full.ends_with(&format!("/{name}")))
        .collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [one] => Ok((*one).to_string()),
        [] => bail!("nothing is recorded about a model called {name:?}: check the name with `kubectl get models -A`"),
        several => bail!("there are several: {}; name one in full", several.join(", ")),
    }
}

async fn tell(records: &Records, row: &LedgerRow) {
    let entry = &row.entry;
    println!("{}  {}", entry.at, entry.summary);
    if let Some(reason) = entry.detail.get("steeringReason").and_then(|reason| reason.as_str()) {
        println!("    a person's reason: {reason}");
    }
    let Some(digest) = &entry.evidence else { return };
    let Ok(bytes) = records.blobs().get(digest).await else {
        println!("    evidence {digest} is not in the blob store any more");
        return;
    };
    let Ok(evidence) = serde_json::from_slice::<serde_json::Value>(&bytes) else { return };
    if let Some(cause) = evidence.pointer("/diagnosis/cause/kind").and_then(|cause| cause.as_str()) {
        println!("    cause: {cause}");
    }
    for reason in evidence.pointer("/diagnosis/reasons").and_then(|reasons| reasons.as_array()).into_iter().flatten() {
        println!("      {}", reason.as_str().unwrap_or_default());
    }
    for verdict in evidence.pointer("/analysis/verdicts").and_then(|verdicts| verdicts.as_array()).into_iter().flatten()
    {
        let text = |name: &str| verdict.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_string();
        println!("    {:<24} {:<13} {}", text("name"), text("outcome"), text("explanation"));
    }
    println!("    evidence {digest}, ledger entry {} {}", row.sequence, row.hash);
}
