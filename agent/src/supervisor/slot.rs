use std::path::PathBuf;
use std::time::{Duration, Instant};

use homeostat_clock::UtcMillis;
use homeostat_protocol::{Engine, EnginePhase, EngineStatus};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::adapter::{self, Adapter};
use super::{Supervisor, folder_of};
use crate::ask;
use crate::backoff::Backoff;
use crate::board::{self, Address, EngineState, Engines};
use crate::process::{self, Launch, Process, STDERR, STDOUT};

/// An exit with a configuration error is tried again so often, in case it was a race; then it is final.
const CONFIG_FAILURES: u32 = 3;
/// Failed checks in a row after which an engine gets no traffic, and after which it is restarted.
const UNHEALTHY_AFTER: u32 = 2;
const RESTART_AFTER: u32 = 3;
/// Reported memory is rounded, so that it does not change all the time.
const MEMORY_STEP: i64 = 4 * 1024 * 1024;

const CONFIG: &str = "config";

/// One replica.
pub(super) struct Slot {
    shared: Supervisor,
    replica: String,
    folder: PathBuf,
}

/// How one life of an engine ended.
enum Ending {
    Exited(Option<i32>),
    Unready(String),
    Unhealthy(String),
}

/// A life that has begun.
struct Life {
    // `None` when somebody else runs it.
    process: Option<Process>,
    address: Address,
}

impl Slot {
    pub(super) fn new(shared: Supervisor, replica: &str) -> Self {
        Self { folder: folder_of(&shared.folder, replica), shared, replica: replica.to_string() }
    }

    /// Runs what is wanted until nothing is.
    pub(super) async fn run(self, mut wanted: watch::Receiver<Option<Engine>>, shutdown: CancellationToken) {
        loop {
            let engine = wanted.borrow_and_update().clone();
            let Some(engine) = engine else {
                self.stop().await;
                self.shared.board.send_if_modified(|engines| engines.remove(&self.replica).is_some());
                return;
            };
            announce(&self.shared.board, &engine, self.shared.clock.now());
            // Dropping the future loses nothing: the process is found again through its folder.
            tokio::select! {
                () = self.live(&engine) => {}
                changed = wanted.changed() => if changed.is_err() { return },
                () = shutdown.cancelled() => {
                    if !self.shared.keep_engines {
                        self.stop().await;
                    }
                    return;
                }
            }
        }
    }

    /// One life after another. Does not end.
    async fn live(&self, engine: &Engine) {
        let timing = &self.shared.timing;
        let rng = self.shared.seed.rng(&format!("supervisor/{}", self.replica));
        let mut backoff = Backoff::new(timing.backoff_initial, timing.backoff_max, rng);
        let mut config_failures = 0;
        let adapter = match adapter::of(engine, &self.shared.engine_program) {
            Ok(adapter) => adapter,
            Err(problem) => return self.fail(&problem).await,
        };
        loop {
            let began = Instant::now();
            let artifact = match self.artifact(engine, adapter.as_ref()).await {
                Ok(artifact) => artifact,
                Err(error) if error.transient() => {
                    self.phase(EnginePhase::Backoff, &with_source(&error), None);
                    tokio::time::sleep(backoff.next()).await;
                    continue;
                }
                Err(error) => return self.fail(&with_source(&error)).await,
            };
            let (ending, life) = match self.begin(adapter.as_ref(), artifact).await {
                Ok(mut life) => (self.watch(&mut life, adapter.as_ref(), engine).await, Some(life)),
                Err(ending) => (ending, None),
            };
            let message = self.explain(&ending);
            tracing::warn!(replica = self.replica, version = engine.version, "{message}");
            if let Some(Life { process: Some(process), .. }) = life {
                process.stop(timing.grace).await;
            } else if let Some(process) = Process::find(&self.folder) {
                process.stop(timing.grace).await;
            }
            // sysexits.h: usage, data and missing input are the configuration's fault.
            config_failures = if matches!(ending, Ending::Exited(Some(64..=66))) { config_failures + 1 } else { 0 };
            if config_failures >= CONFIG_FAILURES {
                return self.fail(&message).await;
            }
            if began.elapsed() >= timing.backoff_reset {
                backoff.reset();
            }
            board::change(&self.shared.board, &self.replica, |state| state.status.restarts += 1);
            self.phase(EnginePhase::Backoff, &message, None);
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// The verified artifact's folder; `None` when none is needed: the engine runs already, or elsewhere.
    async fn artifact(
        &self,
        engine: &Engine,
        adapter: &dyn Adapter,
    ) -> Result<Option<PathBuf>, crate::artifacts::ArtifactError> {
        let runs = self.runs(adapter);
        let digest = if runs || adapter.command(&self.folder).is_some() {
            engine.artifact_digest.clone()
        } else {
            String::new()
        };
        let folder = if runs || digest.is_empty() {
            None
        } else {
            self.phase(EnginePhase::Fetching, "the artifact is fetched and verified", None);
            Some(self.shared.artifacts.materialise(&engine.artifact_digest).await?)
        };
        board::change(&self.shared.board, &self.replica, |state| state.status.artifact_digest = digest);
        Ok(folder)
    }

    /// Whether a process of this very configuration runs.
    fn runs(&self, adapter: &dyn Adapter) -> bool {
        let held = std::fs::read_to_string(self.folder.join(CONFIG)).unwrap_or_default();
        held == adapter.config_hash() && Process::find(&self.folder).is_some()
    }

    /// Finds or starts the process and waits until it has generated its first token.
    async fn begin(&self, adapter: &dyn Adapter, artifact: Option<PathBuf>) -> Result<Life, Ending> {
        let timing = &self.shared.timing;
        let deadline = tokio::time::Instant::now() + timing.ready_within;
        let mut process = match artifact.and_then(|artifact| adapter.command(&artifact)) {
            None => self.found_again(adapter).await?,
            Some(command) => {
                if let Some(old) = Process::find(&self.folder) {
                    old.stop(timing.grace).await;
                }
                self.phase(EnginePhase::Starting, "the engine starts", None);
                Some(self.start(command, &adapter.config_hash()).map_err(|error| {
                    Ending::Unready(format!("the engine cannot be started ({error}): see the agent's data folder"))
                })?)
            }
        };
        let stdout = self.folder.join(STDOUT);
        let ready = async {
            let base_url = loop {
                match adapter.base_url(&stdout) {
                    Some(base_url) => break base_url,
                    None => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            };
            let needed = adapter.command(&self.folder).is_some();
            loop {
                match self.check(&base_url, adapter.model(), needed).await {
                    Ok(address) => return address,
                    Err(error) => {
                        let message = format!("not ready yet: {}", with_source(&error));
                        self.phase(EnginePhase::Starting, &message, None);
                        tokio::time::sleep(Duration::from_millis(100).min(timing.health_every)).await;
                    }
                }
            }
        };
        let ended = async {
            match &mut process {
                Some(process) => process.ended().await,
                None => std::future::pending().await,
            }
        };
        let address = tokio::select! {
            address = ready => address,
            code = ended => return Err(Ending::Exited(code)),
            () = tokio::time::sleep_until(deadline) => {
                return Err(Ending::Unready(format!("it was not ready within {} s", timing.ready_within.as_secs())));
            }
        };
        Ok(Life { process, address })
    }

    /// The process that runs already; none for an engine of somebody else.
    async fn found_again(&self, adapter: &dyn Adapter) -> Result<Option<Process>, Ending> {
        let needed = adapter.command(&self.folder).is_some();
        match Process::find(&self.folder) {
            Some(process) if needed && self.runs(adapter) => Ok(Some(process)),
            Some(other) => {
                other.stop(self.shared.timing.grace).await;
                if needed { Err(Ending::Exited(None)) } else { Ok(None) }
            }
            // It has ended since it was seen.
            None if needed => Err(Ending::Exited(None)),
            None => Ok(None),
        }
    }

    fn start(&self, command: Vec<std::ffi::OsString>, config_hash: &str) -> std::io::Result<Process> {
        std::fs::create_dir_all(&self.folder)?;
        // Before the process, so that one that is found always has the configuration beside it.
        std::fs::write(self.folder.join(CONFIG), config_hash)?;
        Process::start(&Launch { folder: &self.folder, command, environment: Vec::new(), batch: false })
    }

    /// Watches over a running engine until it must be restarted.
    async fn watch(&self, life: &mut Life, adapter: &dyn Adapter, engine: &Engine) -> Ending {
        let timing = &self.shared.timing;
        let needed = adapter.command(&self.folder).is_some();
        let mut failures = 0;
        tracing::info!(replica = self.replica, version = engine.version, "the engine serves");
        loop {
            if failures < UNHEALTHY_AFTER {
                self.phase(EnginePhase::Serving, "", Some(&life.address));
            }
            if let Some(bytes) = life.process.as_ref().and_then(Process::resident_bytes) {
                let rounded = bytes / MEMORY_STEP * MEMORY_STEP;
                board::change(&self.shared.board, &self.replica, |state| state.status.resident_bytes = rounded);
            }
            let answered = self.shared.gateway.answered(&self.replica);
            let ended = async {
                match &mut life.process {
                    Some(process) => process.ended().await,
                    None => std::future::pending().await,
                }
            };
            let checked = async {
                // After a failure the next check comes at once: one slow answer on a busy machine is no fault.
                let wait = if failures == 0 {
                    timing.health_every
                } else {
                    timing.health_every.min(Duration::from_millis(500))
                };
                tokio::time::sleep(wait).await;
                self.check(&life.address.base_url, Some(life.address.model.clone()), needed).await
            };
            let error = tokio::select! {
                code = ended => return Ending::Exited(code),
                result = checked => match result {
                    Ok(_) => {
                        failures = 0;
                        continue;
                    }
                    // A canary that waits behind real requests says nothing while those are answered.
                    Err(error) if error.busy() || self.shared.gateway.answered(&self.replica) > answered => {
                        failures = 0;
                        continue;
                    }
                    Err(error) => error,
                },
            };
            failures += 1;
            let message = format!("it runs but generates nothing: {}", with_source(&error));
            if failures >= UNHEALTHY_AFTER {
                self.phase(EnginePhase::Unhealthy, &message, None);
            }
            if failures >= RESTART_AFTER && life.process.is_some() {
                return Ending::Unhealthy(message);
            }
        }
    }

    /// `/health`, and a canary of one token: the engine's address when both succeed.
    async fn check(&self, base_url: &str, model: Option<String>, needed: bool) -> Result<Address, ask::AskError> {
        let (client, deadline) = (&self.shared.client, self.shared.timing.health_deadline);
        ask::healthy(client, base_url, needed, deadline).await?;
        let model = match model {
            Some(model) => model,
            None => ask::first_model(client, base_url, deadline).await?,
        };
        let address = Address { base_url: base_url.to_string(), model };
        ask::ask(client, &address, "1", 1, deadline).await?;
        Ok(address)
    }

    fn phase(&self, phase: EnginePhase, message: &str, address: Option<&Address>) {
        let now = self.shared.clock.now().0;
        board::change(&self.shared.board, &self.replica, |state| {
            if state.status.phase != i32::from(phase) {
                state.status.phase = phase.into();
                state.status.since_ms = now;
            }
            state.status.message = message.to_string();
            state.status.address = address.map(|address| address.base_url.clone()).unwrap_or_default();
            state.address = address.cloned();
            if matches!(phase, EnginePhase::Backoff | EnginePhase::Failed) {
                state.status.resident_bytes = 0;
            }
        });
    }

    /// The end of all trying; only another desired state leads out of it.
    async fn fail(&self, message: &str) {
        tracing::error!(replica = self.replica, "the engine is not started again: {message}");
        self.phase(EnginePhase::Failed, message, None);
        std::future::pending().await
    }

    /// Takes the engine out of the traffic, lets requests end, and ends it.
    async fn stop(&self) {
        self.phase(EnginePhase::Stopping, "no longer wanted here", None);
        let Some(process) = Process::find(&self.folder) else { return };
        let idle = || (self.shared.gateway.in_flight(&self.replica) == 0).then_some(());
        process::eventually(self.shared.timing.drain, idle).await;
        process.stop(self.shared.timing.grace).await;
    }

    fn explain(&self, ending: &Ending) -> String {
        match ending {
            Ending::Exited(Some(code @ 64..=66)) => {
                let line = process::last_line(&self.folder.join(STDERR)).unwrap_or_default();
                format!("the engine ended with {code}, a configuration error: {line}")
            }
            Ending::Exited(Some(137)) => "the engine was killed (137), perhaps for want of memory".to_string(),
            Ending::Exited(Some(code)) => format!("the engine ended with {code}; its last words are in its log"),
            Ending::Exited(None) => "the engine has ended".to_string(),
            Ending::Unready(message) | Ending::Unhealthy(message) => message.clone(),
        }
    }
}

/// Puts an engine that is wanted on the board, so that a status never says less than was asked for.
pub(super) fn announce(board: &watch::Sender<Engines>, engine: &Engine, now: UtcMillis) {
    let status = EngineStatus {
        replica: engine.replica.clone(),
        model: engine.model.clone(),
        version: engine.version.clone(),
        phase: EnginePhase::Fetching.into(),
        since_ms: now.0,
        ..EngineStatus::default()
    };
    board.send_if_modified(|engines| {
        let held = engines.get(&engine.replica).map(|held| &held.status);
        // What runs keeps its state until its slot says otherwise; what stops is announced anew.
        let same = held.is_some_and(|held| {
            held.model == engine.model
                && held.version == engine.version
                && held.phase != i32::from(EnginePhase::Stopping)
        });
        if !same {
            engines.insert(engine.replica.clone(), EngineState { status, address: None });
        }
        !same
    });
}

/// An error and its causes in one sentence.
pub(crate) fn with_source(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
