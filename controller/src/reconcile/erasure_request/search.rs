//! The search through blobs, which agents do: one piece of work for the plan and one for each pass.

use homeostat_crds::conditions::reason;
use homeostat_protocol::{Erase, Work, work::Kind};
use homeostat_quality::SubjectHmac;
use homeostat_records::{WorkPhase, subject_mark};
use prost::Message;

use super::{Case, Stage, places};
use crate::reconcile::ReconcileError;
use crate::work::{ATTEMPTS, Outcome, Owner, Standing, advance, id_of};

/// What is done with what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Counted only.
    Plan,
    /// Rewritten without the person.
    Erase,
    /// Gathered for the person.
    Collect,
}

/// A blob that holds the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) digest: String,
    pub(super) records: u64,
    pub(super) of: u64,
    /// The blob without the person, when it was rewritten.
    pub(super) successor: Option<String>,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Sorted by digest.
    pub(super) blobs: Vec<Holding>,
    /// How many blobs were read.
    pub(super) scanned: u64,
    /// How many ids of samples were looked for.
    pub(super) ids: usize,
    /// Blob of the gathered lines.
    pub(super) collected: Option<String>,
}

/// Advances the search called `name`; `Err` is what is waited for.
pub(super) async fn search(
    case: &Case<'_>,
    name: &str,
    purpose: Purpose,
    subjects: &[SubjectHmac],
    ids: &[String],
) -> Result<Result<Found, Stage>, ReconcileError> {
    let ctx = case.ctx;
    let owner = Owner { namespace: case.namespace, object: &case.work, model: "" };
    // Listing all blobs is for when there is something to plan.
    let first = ctx.records.work(&id_of(&owner, name, 1)).await?.map(|row| row.phase);
    let digests = match first {
        None | Some(WorkPhase::Failed | WorkPhase::Cancelled) => places::candidates(ctx).await?,
        Some(_) => Vec::new(),
    };
    if first.is_none() && digests.is_empty() {
        return Ok(Ok(Found { ids: ids.len(), ..Found::default() }));
    }
    let standing = advance(ctx, &owner, name, |id, attempt| Work {
        id: id.to_string(),
        attempt,
        kind: Some(Kind::Erase(Erase {
            digests: digests.clone(),
            subjects: subjects.iter().map(subject_mark).collect(),
            records: ids.to_vec(),
            rewrite: purpose == Purpose::Erase,
            collect: purpose == Purpose::Collect,
        })),
    })
    .await?;
    let (phase, why) = match purpose {
        Purpose::Plan => ("Planning", reason::PLANNING),
        Purpose::Erase => ("Erasing", reason::ERASING),
        Purpose::Collect => ("Exporting", reason::EXPORTING),
    };
    Ok(match standing {
        Standing::Succeeded(outcome) => Ok(Found { ids: planned_ids(case, &owner, name).await?, ..found(&outcome) }),
        Standing::Failed { reason, message } => Err(Stage::failed(
            reason::ATTEMPTS_EXHAUSTED,
            format!(
                "the search through the blobs failed ({reason}: {message}): mend that, and create a new ErasureRequest"
            ),
        )),
        Standing::Waiting { .. } if !ctx.fleet.nodes().values().any(|node| node.connected) => {
            Err(Stage::wait(phase, reason::NO_AGENT, "the blobs are searched by an agent, and none is connected"))
        }
        Standing::Waiting { .. } | Standing::Running(_) => {
            Err(Stage::wait(phase, why, format!("an agent searches the blobs ({name})")))
        }
    })
}

/// How many ids the work that succeeded was given: more may be known since.
async fn planned_ids(case: &Case<'_>, owner: &Owner<'_>, name: &str) -> Result<usize, ReconcileError> {
    for attempt in (1..=ATTEMPTS).rev() {
        let id = id_of(owner, name, attempt);
        let Some(row) = case.ctx.records.work(&id).await?.filter(|row| row.phase == WorkPhase::Succeeded) else {
            continue;
        };
        let work = Work::decode(row.item.spec.as_slice())
            .map_err(|error| ReconcileError::Corrupt { what: format!("work {id}"), problem: error.to_string() })?;
        if let Some(Kind::Erase(erase)) = work.kind {
            return Ok(erase.records.len());
        }
    }
    Ok(0)
}

fn found(outcome: &Outcome) -> Found {
    let removed = outcome.figures.keys().filter_map(|name| name.strip_prefix("removed/"));
    let holding = |digest: &str| Holding {
        digest: digest.to_string(),
        records: outcome.count(&format!("removed/{digest}")),
        of: outcome.count(&format!("lines/{digest}")),
        successor: outcome.blobs.get(digest).cloned(),
    };
    Found {
        blobs: removed.map(holding).collect(),
        scanned: outcome.count("scanned"),
        ids: 0,
        collected: outcome.blobs.get("records").cloned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_result_is_read_by_blob() {
        let figures = [("removed/aa", 2.0), ("lines/aa", 9.0), ("scanned", 4.0)];
        let outcome = Outcome {
            artifact: String::new(),
            blobs: BTreeMap::from([("aa".to_string(), "bb".to_string())]),
            figures: figures.map(|(name, value)| (name.to_string(), value)).into(),
            spent_seconds: 0.0,
        };
        let holding = Holding { digest: "aa".into(), records: 2, of: 9, successor: Some("bb".into()) };
        assert_eq!(found(&outcome), Found { blobs: vec![holding], scanned: 4, ids: 0, collected: None });
    }
}
