//! The work of a run: what agents are asked to do in each stage. The same run always plans the same work.

use homeostat_crds::RetrainingRun;
use homeostat_crds::conditions::reason;
use homeostat_protocol::{Curate, Evaluate, Train, Work, work::Kind};
use kube::ResourceExt;

use super::{End, Facts, data};
use crate::Context;
use crate::reconcile::ReconcileError;
use crate::reconcile::model::validate;
use crate::work::{Outcome, Owner, Standing, advance};

pub(super) async fn curate(
    run: &RetrainingRun,
    facts: &Facts,
    owner: &Owner<'_>,
    ctx: &Context,
) -> Result<Result<Standing, End>, ReconcileError> {
    let sources = match data::sources(run, facts, ctx).await? {
        Ok(sources) => sources,
        Err(problem) => return Ok(Err(End::new(reason::NO_FRESH_DATA, problem))),
    };
    let seed = seed_of(run);
    let standing = advance(ctx, owner, "curate", |id, attempt| Work {
        id: id.to_string(),
        attempt,
        kind: Some(Kind::Curate(Curate {
            fresh_digests: sources.fresh.clone(),
            replay_digests: sources.replay.clone(),
            evaluation_digest: facts.evaluation.digest.clone(),
            entities: sources.entities.clone(),
            per_key_cap: facts.retraining.per_key_cap,
            seed,
        })),
    })
    .await?;
    Ok(Ok(standing))
}

pub(super) async fn train(
    facts: &Facts,
    owner: &Owner<'_>,
    curated: &Outcome,
    deadline: homeostat_clock::UtcMillis,
    ctx: &Context,
) -> Result<Standing, ReconcileError> {
    let parent = facts.parent.spec.artifact.as_ref().map(|artifact| artifact.sha256.clone()).unwrap_or_default();
    let successors = ctx.records.successors().await?;
    let snapshot = |role| curated.blob(role).map(|digest| successors.of(digest).to_string());
    let (fresh, replay) = (snapshot("fresh")?, snapshot("replay")?);
    advance(ctx, owner, "train", |id, attempt| Work {
        id: id.to_string(),
        attempt,
        kind: Some(Kind::Train(Train {
            run: owner.object.to_string(),
            parent_artifact: parent.clone(),
            fresh_digest: fresh.clone(),
            replay_digest: replay.clone(),
            replay_fraction: facts.retraining.replay,
            hyperparameters_json: facts.retraining.hyperparameters.clone(),
            seed: seed_of_text(owner.object),
            deadline_ms: deadline.0,
            trainer: facts.retraining.trainer.clone(),
            architecture_json: String::new(),
        })),
    })
    .await
}

pub(super) async fn evaluate(
    facts: &Facts,
    owner: &Owner<'_>,
    trained: &Outcome,
    ctx: &Context,
) -> Result<Standing, ReconcileError> {
    let incumbent = facts.parent.spec.artifact.as_ref().map(|artifact| artifact.sha256.clone()).unwrap_or_default();
    advance(ctx, owner, "evaluate", |id, attempt| Work {
        id: id.to_string(),
        attempt,
        kind: Some(Kind::Evaluate(Evaluate {
            artifacts: vec![incumbent.clone(), trained.artifact.clone()],
            evaluation_digest: facts.evaluation.digest.clone(),
        })),
    })
    .await
}

fn seed_of(run: &RetrainingRun) -> u64 {
    seed_of_text(&run.name_any())
}

/// The seed follows from the name, so that the same run is the same run. 53 bits, which every JSON reader keeps.
fn seed_of_text(name: &str) -> u64 {
    let digest = validate::digest(&[name]);
    u64::from_str_radix(&digest[..13], 16).unwrap_or(1)
}
