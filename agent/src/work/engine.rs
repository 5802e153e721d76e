use std::time::Duration;

use homeostat_quality::ItemScore;
use tokio::time::Instant;

use super::{Attempt, Failure};
use crate::ask;
use crate::board::Address;
use crate::prober::ask_all;
use crate::process::{Launch, Process, STDOUT};
use crate::supervisor::{Adapter as _, Embedded};

/// Questions asked at once: enough to keep an engine busy, few enough to leave it responsive.
const AT_ONCE: usize = 4;

/// How many engines one after the other may die under the questions.
const LIVES: usize = 3;

/// An engine that answers for an artifact: one that serves anyway, or one started for this work.
pub(super) struct Lease {
    pub(super) address: Address,
    temporary: Option<Process>,
}

impl Attempt {
    /// Asks the artifact all prompts; `None` where no answer came although the engine lived. One that dies meanwhile is
    /// replaced, and asked what is still open: its death says nothing about the version.
    pub(super) async fn answers(
        &self,
        artifact: &str,
        prompts: &[&str],
        stage: &str,
    ) -> Result<Vec<Option<String>>, Failure> {
        let (total, deadline) = (prompts.len(), self.runner.timing.answer_deadline);
        let mut answers: Vec<Option<String>> = vec![None; total];
        let mut dead = None;
        for _ in 0..LIVES {
            let lease = self.lease(artifact, dead.as_ref()).await?;
            let open: Vec<usize> =
                (0..total).filter(|index| answers.get(*index).is_some_and(Option::is_none)).collect();
            let asked: Vec<&str> = open.iter().filter_map(|index| prompts.get(*index).copied()).collect();
            let before = total - open.len();
            let came = ask_all(&self.runner.client, &lease.address, &asked, AT_ONCE, deadline, |done| {
                self.stage(stage, before + done, total);
            })
            .await;
            let missing = came.iter().any(Option::is_none);
            let lives = !missing || self.one_token(&lease.address).await;
            if let Some(process) = lease.temporary {
                process.stop(self.runner.timing.grace).await;
            }
            for (index, answer) in open.into_iter().zip(came) {
                if let Some(held) = answers.get_mut(index) {
                    *held = answer;
                }
            }
            if lives {
                return Ok(answers);
            }
            dead = Some(lease.address);
            tracing::warn!(work.id = self.id, "an engine died while it was asked; another one is asked the rest");
        }
        let message = format!("{LIVES} engines for artifact {artifact} died while they were asked");
        Err(Failure::new("EngineFailed", message, true))
    }

    async fn one_token(&self, address: &Address) -> bool {
        ask::ask(&self.runner.client, address, "1", 1, self.runner.timing.health_deadline).await.is_ok()
    }

    /// An engine for the artifact. A temporary one left over by a restart is ended first.
    /// The board may still name one that has just died.
    async fn lease(&self, artifact: &str, dead: Option<&Address>) -> Result<Lease, Failure> {
        let serving = self
            .runner
            .board
            .borrow()
            .values()
            .filter(|engine| engine.status.artifact_digest == artifact)
            .find_map(|engine| engine.serving().filter(|address| Some(*address) != dead).cloned());
        if let Some(address) = serving {
            return Ok(Lease { address, temporary: None });
        }
        let timing = &self.runner.timing;
        let folder = self.folder.join("engine");
        if let Some(leftover) = Process::find(&folder) {
            leftover.stop(timing.grace).await;
        }
        let artifact_folder = self.runner.artifacts.materialise(artifact).await?;
        // As it is started where it serves, so that it answers the same.
        let arguments = self.runner.desired.borrow().as_ref().and_then(|desired| {
            desired
                .engines
                .iter()
                .find(|engine| engine.artifact_digest == artifact)
                .map(|engine| engine.arguments.clone())
        });
        let embedded = Embedded {
            program: self.runner.engine_program.clone(),
            model: "evaluated".to_string(),
            artifact_digest: artifact.to_string(),
            arguments: arguments.unwrap_or_default(),
        };
        let failed = |what: String| Failure::new("EngineFailed", what, true);
        let command = embedded.command(&artifact_folder).unwrap_or_default();
        let launch = Launch { folder: &folder, command, environment: Vec::new(), batch: false };
        let mut process =
            Process::start(&launch).map_err(|error| failed(format!("an engine cannot be started: {error}")))?;
        let stdout = folder.join(STDOUT);
        let ready = async {
            loop {
                if let Some(base_url) = embedded.base_url(&stdout) {
                    let address = Address { base_url, model: embedded.model.clone() };
                    if self.one_token(&address).await {
                        return address;
                    }
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let address = tokio::select! {
            address = ready => Ok(address),
            code = process.ended() => Err((
                format!("the engine for artifact {artifact} ended ({code:?}) before it answered"),
                !matches!(code, Some(64..=66)),
            )),
            () = tokio::time::sleep_until(Instant::now() + timing.ready_within) => {
                Err((format!("the engine for artifact {artifact} did not answer in time"), true))
            }
        };
        match address {
            Ok(address) => Ok(Lease { address, temporary: Some(process) }),
            Err((message, retryable)) => {
                process.stop(timing.grace).await;
                Err(Failure::new("EngineFailed", message, retryable))
            }
        }
    }
}

/// Marks of one artifact, one an item.
pub(super) fn scores(set: &homeostat_quality::EvaluationSet, answers: &[Option<String>]) -> Vec<ItemScore> {
    let marked = set.items.iter().zip(answers).map(|(item, answer)| ItemScore {
        item: item.id.clone(),
        slice: item.slice.clone(),
        score: answer.as_deref().map(|answer| homeostat_quality::grade::grade(item.grader, answer, &item.references)),
    });
    marked.collect()
}
