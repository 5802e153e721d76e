//! Asks serving engines the questions of golden sets and marks the answers.
//!
//! One task a probe, one question at a time, each once a round in an order drawn anew for it: so every window holds a fair
//! sample of the set's slices, and can be compared with every other at fixed mix. An answer that did not come is missing
//! for quality, and an error for `error_rate`: a dead engine does not look like a bad model.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use homeostat_clock::{Clock, Seed};
use homeostat_gateway::{Meter, Subject};
use homeostat_protocol::{DesiredState, Probe};
use homeostat_quality::grade::{exact_match, token_f1};
use homeostat_quality::{EvaluationItem, EvaluationSet, Grader, ModelKey, Source};
use rand::seq::SliceRandom as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ask;
use crate::blobs::Blobs;
use crate::board::Engines;
use crate::reporter::{Reporter, lock};
use crate::supervisor::with_source;

const MOST_TOKENS: u32 = 64;

/// Everything the probes of a node share.
#[derive(Clone)]
pub(crate) struct Prober {
    pub(crate) blobs: Blobs,
    pub(crate) board: watch::Receiver<Engines>,
    pub(crate) reporter: Reporter,
    pub(crate) client: reqwest::Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seed: Seed,
    pub(crate) deadline: Duration,
    pub(crate) retry: Duration,
    pub(crate) meter: Arc<Mutex<Meter>>,
}

impl Prober {
    /// Probes what the desired state names until `shutdown`.
    ///
    /// # Errors
    /// When a probe panicked.
    pub(crate) async fn run(
        self,
        mut desired: watch::Receiver<Option<Arc<DesiredState>>>,
        shutdown: CancellationToken,
    ) -> Result<(), tokio::task::JoinError> {
        let mut probes: Vec<(Probe, CancellationToken)> = Vec::new();
        let mut running = JoinSet::new();
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        loop {
            if let Some(state) = desired.borrow_and_update().clone() {
                if let Ok(window @ 1..) = u64::try_from(state.window_ms) {
                    lock(&self.meter).set_step(Duration::from_millis(window));
                }
                probes.retain(|(probe, token)| {
                    let kept = state.probes.contains(probe);
                    if !kept {
                        token.cancel();
                    }
                    kept
                });
                for probe in &state.probes {
                    if !probes.iter().any(|(held, _)| held == probe) {
                        let token = shutdown.child_token();
                        probes.push((probe.clone(), token.clone()));
                        let (prober, probe) = (self.clone(), probe.clone());
                        running.spawn(async move {
                            tokio::select! {
                                () = prober.probe(&probe) => {}
                                () = token.cancelled() => {}
                            }
                        });
                    }
                }
            }
            tokio::select! {
                changed = desired.changed() => if changed.is_err() { break },
                Some(ended) = running.join_next() => ended?,
                _ = tick.tick() => {
                    let closed = lock(&self.meter).close(self.clock.now());
                    self.reporter.windows(closed);
                }
                () = shutdown.cancelled() => break,
            }
        }
        while let Some(ended) = running.join_next().await {
            ended?;
        }
        let rest = lock(&self.meter).close_all();
        self.reporter.windows(rest);
        Ok(())
    }

    /// One probe, as long as it is wanted.
    async fn probe(&self, probe: &Probe) {
        let Ok(model) = probe.model.parse::<ModelKey>() else {
            tracing::warn!(model.name = probe.model, "a probe's model is not namespace/name; it is not probed");
            return std::future::pending().await;
        };
        if !(probe.per_second > 0.0 && probe.per_second <= 1000.0) {
            tracing::warn!(model.name = probe.model, "a probe's rate is not between 0 and 1000 per second");
            return std::future::pending().await;
        }
        let set = self.set(&probe.evaluation_digest).await;
        let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / probe.per_second));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut order: Vec<&EvaluationItem> = set.items.iter().collect();
        if order.is_empty() {
            return std::future::pending().await;
        }
        // Not the same after each restart: some questions would never be asked.
        let mut rng = self.seed.rng(&format!("probe/{}/{}", probe.replica, self.clock.now().0));
        loop {
            order.shuffle(&mut rng);
            for item in &order {
                tick.tick().await;
                self.ask(probe, &model, item).await;
            }
        }
    }

    /// The golden set, however long it takes to get it.
    async fn set(&self, digest: &str) -> EvaluationSet {
        loop {
            match self.blobs.read(digest).await {
                Ok(bytes) => match serde_json::from_slice(&bytes) {
                    Ok(set) => return set,
                    Err(_) => {
                        tracing::warn!(digest, "an evaluation set cannot be read; it is not probed");
                        std::future::pending::<()>().await;
                    }
                },
                Err(error) => {
                    tracing::warn!(digest, "an evaluation set cannot be had yet: {}", with_source(&error));
                    tokio::time::sleep(self.retry).await;
                }
            }
        }
    }

    async fn ask(&self, probe: &Probe, model: &ModelKey, item: &EvaluationItem) {
        let address = {
            let engines = self.board.borrow();
            let engine = engines.get(&probe.replica).filter(|engine| engine.status.version == probe.version);
            // An engine that is not up yet is no fault of the version.
            match engine.and_then(|engine| engine.serving()) {
                Some(address) => address.clone(),
                None => return,
            }
        };
        let answer = ask::ask(&self.client, &address, &item.prompt, MOST_TOKENS, self.deadline).await;
        let subject = Subject {
            model: model.clone(),
            version: probe.version.clone(),
            replica: probe.replica.clone(),
            slice: item.slice.clone(),
        };
        let now = self.clock.now();
        let mut meter = lock(&self.meter);
        let mut observe = |metric, value| meter.observe(&subject, Source::Golden, metric, value, now);
        match answer {
            Ok(answer) => {
                observe("error_rate", 0.0);
                observe("token_f1", token_f1(&answer, &item.references));
                if item.grader == Grader::ExactMatch {
                    observe("exact_match", exact_match(&answer, &item.references));
                }
            }
            Err(error) => {
                tracing::debug!(replica = probe.replica, item = item.id, "a probe had no answer: {error}");
                observe("error_rate", 1.0);
            }
        }
    }
}

/// Answers to several questions at once, for evaluations: `None` where none came.
pub(crate) async fn ask_all(
    client: &reqwest::Client,
    address: &crate::board::Address,
    prompts: &[&str],
    at_once: usize,
    deadline: Duration,
    mut done: impl FnMut(usize),
) -> Vec<Option<String>> {
    use futures::StreamExt as _;
    let mut answers: HashMap<usize, String> = HashMap::new();
    let mut questions = Vec::with_capacity(prompts.len());
    for (index, prompt) in prompts.iter().enumerate() {
        questions.push(ask_twice(client, address, prompt, index, deadline));
    }
    let mut asked = futures::stream::iter(questions).buffer_unordered(at_once);
    let mut count = 0;
    while let Some((index, answer)) = asked.next().await {
        count += 1;
        done(count);
        if let Some(answer) = answer {
            answers.insert(index, answer);
        }
    }
    (0..prompts.len()).map(|index| answers.remove(&index)).collect()
}

/// Once more after a failure, so that one hiccup does not make a missing mark.
async fn ask_twice(
    client: &reqwest::Client,
    address: &crate::board::Address,
    prompt: &str,
    index: usize,
    deadline: Duration,
) -> (usize, Option<String>) {
    for _ in 0..2 {
        if let Ok(answer) = ask::ask(client, address, prompt, MOST_TOKENS, deadline).await {
            return (index, Some(answer));
        }
    }
    (index, None)
}
