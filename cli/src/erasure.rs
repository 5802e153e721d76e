use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, bail};
use homeostat_controller::receipt;
use homeostat_records::{LedgerQuery, Records};

use crate::args::{ExportArgs, RequestArgs};
use crate::keys::Keys;
use crate::why::open;

/// Entries that are read at once while the ledger is searched.
const PAGE: u32 = 1_000;

/// Verifies and prints the receipt of a request.
pub(crate) async fn receipt(args: RequestArgs) -> anyhow::Result<()> {
    let records = open(&args.records).await?;
    let bytes = blob(&records, &args.request, "Completed").await?;
    records.close().await;
    let receipt = receipt::verify(&bytes, &Keys::open(&args.records.data)?.seed()?)?;
    println!("{}", serde_json::to_string_pretty(&receipt)?);
    eprintln!("The signature fits: this installation issued the receipt, and it was not changed.");
    Ok(())
}

/// Writes the export of a request to a file.
pub(crate) async fn export(args: ExportArgs) -> anyhow::Result<()> {
    let records = open(&args.request.records).await?;
    let bytes = blob(&records, &args.request.request, "ExportReady").await?;
    records.close().await;
    let path = &args.output;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = made.with_context(|| format!("--output: {} cannot be made", path.display()))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).with_context(|| format!("--output: {}", path.display()))?;
    println!("{} bytes were written to {}: they are personal data", bytes.len(), path.display());
    Ok(())
}

/// The blob that the ledger names for a step of a request, in the form that stands for it now.
async fn blob(records: &Records, request: &str, step: &str) -> anyhow::Result<Vec<u8>> {
    let full = if request.contains('/') { request.to_string() } else { format!("default/{request}") };
    let object = format!("ErasureRequest/{full}");
    let mut query = LedgerQuery { newest_first: true, limit: PAGE, ..LedgerQuery::default() };
    let digest = loop {
        let rows = records.ledger(&query).await?;
        let is_it = |row: &&homeostat_records::LedgerRow| {
            row.entry.object.as_ref() == Some(&object) && row.entry.detail["what"] == step
        };
        if let Some(digest) = rows.iter().find(is_it).and_then(|row| row.entry.evidence.clone()) {
            break digest;
        }
        let Some(last) = rows.last().filter(|_| rows.len() == PAGE as usize) else {
            bail!(
                "the ledger knows no {step} of ErasureRequest {full}: see `kubectl get erasurerequests -A` for its phase and kind"
            );
        };
        query.before_sequence = Some(last.sequence);
    };
    let successors = records.successors().await?;
    let bytes = records.blobs().get(successors.of(&digest)).await;
    bytes.with_context(|| format!("blob {digest} is gone: exports are deleted after 30 days"))
}
