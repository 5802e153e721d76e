//! Work: what agents do for the controller. Planned under a derived id, so that planning again is the same work.

use std::collections::BTreeMap;

use homeostat_protocol::Work;
use homeostat_records::{WorkItem, WorkPhase, WorkRow};
use prost::Message;

use crate::Context;
use crate::agents::result_from_json;
use crate::reconcile::ReconcileError;

/// How often retryable work is tried.
pub(crate) const ATTEMPTS: u32 = 3;

/// How a piece of work stands, over all its attempts.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// Nobody has begun.
    Waiting {
        /// Which attempt.
        attempt: u32,
    },
    /// An agent is at it.
    Running(Box<WorkRow>),
    /// Done.
    Succeeded(Outcome),
    /// Failed for good.
    Failed {
        /// Condition reason.
        reason: String,
        /// One sentence.
        message: String,
    },
}

/// What work came to.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Digest of the artifact, for training.
    pub artifact: String,
    /// Blobs by role.
    pub blobs: BTreeMap<String, String>,
    /// Figures by name.
    pub figures: BTreeMap<String, f64>,
    /// Device-seconds used.
    pub spent_seconds: f64,
}

impl Outcome {
    /// The blob of a role.
    ///
    /// # Errors
    /// When the agent did not give one, which is a fault of the agent.
    pub(crate) fn blob(&self, role: &str) -> Result<&str, ReconcileError> {
        self.blobs.get(role).map(String::as_str).ok_or_else(|| ReconcileError::Corrupt {
            what: "a work result".to_string(),
            problem: format!("it has no blob {role:?}"),
        })
    }

    /// A figure, zero when the agent did not give it.
    #[must_use]
    pub(crate) fn count(&self, name: &str) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures used here are counts")]
        self.figures.get(name).map_or(0, |value| value.max(0.0) as u64)
    }
}

/// The work called `name`, planned by `make` (given the id and the attempt) when its latest attempt is not there yet or failed
/// in a way that another attempt may mend.
///
/// # Errors
/// When the records do not answer.
pub(crate) async fn advance(
    ctx: &Context,
    owner: &Owner<'_>,
    name: &str,
    make: impl Fn(&str, u32) -> Work,
) -> Result<Standing, ReconcileError> {
    for attempt in 1..=ATTEMPTS {
        let id = id_of(owner, name, attempt);
        let row = match ctx.records.work(&id).await? {
            Some(row) => row,
            None => {
                let item = WorkItem {
                    id: id.clone(),
                    agent: None,
                    kind: name.to_string(),
                    spec: make(&id, attempt).encode_to_vec(),
                    attempt,
                    run: Some(owner.object.to_string()),
                    model: (!owner.model.is_empty()).then(|| format!("{}/{}", owner.namespace, owner.model)),
                    created: ctx.now(),
                };
                ctx.records.ensure_work(&item).await?
            }
        };
        match standing(row)? {
            Standing::Failed { .. } if attempt < ATTEMPTS && retryable(ctx, &id).await? => {}
            standing => return Ok(standing),
        }
    }
    Ok(Standing::Failed {
        reason: "AttemptsExhausted".to_string(),
        message: format!("{name} was tried {ATTEMPTS} times"),
    })
}

/// The id of an attempt at the work called `name`.
pub(crate) fn id_of(owner: &Owner<'_>, name: &str, attempt: u32) -> String {
    format!("{}.{}.{name}.{attempt}", owner.namespace, owner.object)
}

/// Whom work belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner<'a> {
    /// Namespace of the object.
    pub namespace: &'a str,
    /// Name of the RetrainingRun, ComplianceCheck or ErasureRequest.
    pub object: &'a str,
    /// Name of the Model; empty when it is about none.
    pub model: &'a str,
}

fn standing(row: WorkRow) -> Result<Standing, ReconcileError> {
    Ok(match row.phase {
        WorkPhase::Pending => Standing::Waiting { attempt: row.item.attempt },
        WorkPhase::Accepted | WorkPhase::Running => Standing::Running(Box::new(row)),
        WorkPhase::Succeeded => Standing::Succeeded(outcome(&row)?),
        WorkPhase::Failed | WorkPhase::Cancelled => Standing::Failed {
            reason: if row.reason.is_empty() { "WorkFailed".to_string() } else { row.reason },
            message: row.message,
        },
    })
}

fn outcome(row: &WorkRow) -> Result<Outcome, ReconcileError> {
    let corrupt =
        |problem: String| ReconcileError::Corrupt { what: format!("the result of work {}", row.item.id), problem };
    let result = row.result.as_ref().ok_or_else(|| corrupt("there is none".to_string()))?;
    let result = result_from_json(result).map_err(|error| corrupt(error.to_string()))?;
    Ok(Outcome {
        artifact: result.artifact_digest,
        blobs: result.blobs.into_iter().collect(),
        figures: result.figures.into_iter().collect(),
        spent_seconds: row.spent_seconds,
    })
}

async fn retryable(ctx: &Context, id: &str) -> Result<bool, ReconcileError> {
    Ok(ctx.records.work(id).await?.is_some_and(|row| row.retryable))
}
