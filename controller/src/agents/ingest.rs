//! Reports and work statuses into the records.

use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_protocol::{AgentStatus, Report, Window as WireWindow, WorkStatus};
use homeostat_quality::{Sample, Window};
use homeostat_records::{Records, RecordsError};

use super::convert::{self, ConvertError};

/// A window that starts this far ahead comes from a machine whose clock cannot be used.
const FUTURE: Duration = Duration::from_secs(24 * 3600);

/// Applies a report in one transaction; gives how many of its windows and samples were refused.
///
/// Malformed parts are left out, so that one bad window neither loses the rest nor blocks the agent's spool for good.
///
/// # Errors
/// When the records fail; nothing was applied then, and the report comes again.
pub(super) async fn report(records: &Records, node: &str, report: Report, now: UtcMillis) -> Result<u64, RecordsError> {
    let Report { epoch, sequence, windows, samples } = report;
    let mut refused = Refused { node, sequence, count: 0 };
    let windows: Vec<Window> =
        windows.iter().filter_map(|wire| refused.keep("window", window(wire, node, now))).collect();
    let samples: Vec<Sample> =
        samples.into_iter().filter_map(|wire| refused.keep("sample", convert::sample_from_wire(wire))).collect();
    match records.apply_report(node, &epoch, sequence, &windows, &samples, now).await {
        Ok(_) => Ok(refused.count),
        // It will never be applicable; not acknowledging it would hold up the spool for good.
        Err(error @ RecordsError::Invalid { .. }) => {
            tracing::error!(node.name = node, report.sequence = sequence, error = %error, "a report was refused as a whole");
            Ok(refused.count + windows.len() as u64 + samples.len() as u64)
        }
        Err(error) => Err(error),
    }
}

/// Writes what is new in a status about work that was given to this node.
///
/// # Errors
/// When the records fail; the next session's first status says it again.
pub(super) async fn work(
    records: &Records,
    node: &str,
    before: Option<&AgentStatus>,
    status: &AgentStatus,
    now: UtcMillis,
) -> Result<(), RecordsError> {
    let known = |work: &WorkStatus| before.is_some_and(|before| before.work.contains(work));
    for work in status.work.iter().filter(|work| !known(work)) {
        let Some(update) = convert::work_update(work) else { continue };
        let assigned = records.work(&work.id).await?.and_then(|row| row.item.agent);
        if assigned.as_deref() != Some(node) {
            tracing::debug!(node.name = node, work.id = %work.id.escape_debug(), "a status about work of somebody else");
            continue;
        }
        if let Some(progress) = &work.progress {
            match records.append_progress(&work.id, &convert::progress_point(progress, now)).await {
                Ok(_) => {}
                Err(error @ RecordsError::Invalid { .. }) => {
                    tracing::warn!(node.name = node, work.id = %work.id, error = %error, "a progress was refused");
                }
                Err(error) => return Err(error),
            }
        }
        records.update_work(&work.id, &update, now).await?;
    }
    Ok(())
}

fn window(wire: &WireWindow, node: &str, now: UtcMillis) -> Result<Window, ConvertError> {
    let window = convert::window_from_wire(wire)?;
    let wrong = |field, problem| Err(ConvertError::Field { field, problem });
    if window.key.replica.split('/').next() != Some(node) {
        return wrong("replica", format!("{:?} is not one of node {node}", window.key.replica));
    }
    if window.key.start > now.plus(FUTURE) {
        return wrong("start_ms", format!("{} is more than a day ahead; set the node's clock", window.key.start));
    }
    Ok(window)
}

struct Refused<'a> {
    node: &'a str,
    sequence: u64,
    count: u64,
}

impl Refused<'_> {
    fn keep<T>(&mut self, what: &str, part: Result<T, ConvertError>) -> Option<T> {
        part.inspect_err(|error| {
            self.count += 1;
            // One line a report: a broken agent would fill the log.
            if self.count == 1 {
                let source = std::error::Error::source(error).map(ToString::to_string);
                tracing::warn!(
                    node.name = self.node, report.sequence = self.sequence, error = %error, error.source = source,
                    "a {what} of a report was refused (and maybe more of the same report)"
                );
            }
        })
        .ok()
    }
}
