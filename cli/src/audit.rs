use anyhow::bail;

use crate::args::VerifyArgs;
use crate::why::open;

/// Checks the ledger's chain.
pub(crate) async fn verify(args: VerifyArgs) -> anyhow::Result<()> {
    let records = open(&args.records).await?;
    let found = records.verify_ledger(args.head.as_deref()).await?;
    records.close().await;
    if let Some(problem) = found.problem {
        bail!("the ledger was changed: entry {}: {}", problem.sequence, problem.what);
    }
    println!("{} entries, the chain holds; head {}", found.entries, found.head);
    if args.head.is_none() {
        println!("Keep the head: a chain by itself cannot show that its tail was cut. Check later with --head.");
    }
    Ok(())
}
