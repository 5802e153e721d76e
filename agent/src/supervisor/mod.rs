//! Runs the engines that the desired state names: one slot a replica, each its own small state machine.
//!
//! ```text
//! fetching ─▶ starting ─▶ serving ⇄ unhealthy ─┐
//!     ▲           ▲                            ▼
//!     └───────────┴──────────────────────── backoff      failed: the configuration is wrong, nothing is tried again
//! ```
//! An engine counts as serving only after it has generated a token. One that answers `/health` and generates nothing is
//! unhealthy, gets no traffic and is restarted. Engines outlive the agent: a slot first looks for one that runs already.
//!
//! It never chooses what runs, and routes nothing: it writes the board.

mod adapter;
mod slot;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use homeostat_clock::{Clock, Seed};
use homeostat_gateway::Gateway;
use homeostat_protocol::{DesiredState, Engine};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Timing;
use crate::artifacts::Artifacts;
use crate::board::Engines;
use crate::process::Process;

pub(crate) use adapter::{Adapter, Embedded};
pub(crate) use slot::with_source;

/// Everything the slots of a node share.
#[derive(Clone)]
pub(crate) struct Supervisor {
    /// Where each slot has its folder.
    pub(crate) folder: PathBuf,
    pub(crate) engine_program: PathBuf,
    pub(crate) artifacts: Artifacts,
    pub(crate) timing: Timing,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seed: Seed,
    pub(crate) board: watch::Sender<Engines>,
    /// Generation of the desired state that the board has taken in.
    pub(crate) taken: watch::Sender<u64>,
    pub(crate) gateway: Gateway,
    pub(crate) client: reqwest::Client,
    pub(crate) keep_engines: bool,
}

type Desired = watch::Receiver<Option<Arc<DesiredState>>>;

impl Supervisor {
    /// Keeps what runs equal to what is desired until `shutdown`; then ends the engines, unless they are to be kept.
    ///
    /// # Errors
    /// When a slot panicked.
    pub(crate) async fn run(
        self,
        mut desired: Desired,
        shutdown: CancellationToken,
    ) -> Result<(), tokio::task::JoinError> {
        let mut slots: BTreeMap<String, watch::Sender<Option<Engine>>> = BTreeMap::new();
        let mut running = JoinSet::new();
        let mut swept = false;
        loop {
            let state = desired.borrow_and_update().clone();
            if let Some(state) = state {
                let wanted: BTreeMap<&str, &Engine> =
                    state.engines.iter().map(|engine| (engine.replica.as_str(), engine)).collect();
                if !swept {
                    swept = true;
                    self.sweep(&wanted).await;
                }
                for (replica, engine) in &wanted {
                    slot::announce(&self.board, engine, self.clock.now());
                    let engine = Some((*engine).clone());
                    match slots.get(*replica) {
                        // A slot that is ending takes nothing any more: it is replaced when it is gone.
                        Some(slot) if !slot.is_closed() => {
                            slot.send_if_modified(|held| {
                                let changed = *held != engine;
                                *held = engine;
                                changed
                            });
                        }
                        _ => {
                            let (sender, receiver) = watch::channel(engine);
                            slots.insert((*replica).to_string(), sender);
                            let slot = slot::Slot::new(self.clone(), replica);
                            running.spawn(slot.run(receiver, shutdown.clone()));
                        }
                    }
                }
                for (replica, slot) in &slots {
                    if !wanted.contains_key(replica.as_str()) {
                        slot.send_if_modified(|held| held.take().is_some());
                    }
                }
                slots.retain(|_, slot| !slot.is_closed());
                self.taken.send_replace(state.generation);
            }
            tokio::select! {
                changed = desired.changed() => if changed.is_err() { break },
                Some(ended) = running.join_next() => { ended?; }
                () = shutdown.cancelled() => break,
            }
        }
        while let Some(ended) = running.join_next().await {
            ended?;
        }
        Ok(())
    }

    /// Ends engines of replicas that are no longer wanted, left from before a restart.
    async fn sweep(&self, wanted: &BTreeMap<&str, &Engine>) {
        let kept: Vec<PathBuf> = wanted.keys().map(|replica| folder_of(&self.folder, replica)).collect();
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        for folder in entries.flatten().map(|entry| entry.path()) {
            if !kept.contains(&folder)
                && let Some(process) = Process::find(&folder)
            {
                tracing::info!(folder = %folder.display(), "ending an engine that is no longer wanted");
                process.stop(self.timing.grace).await;
            }
        }
    }
}

/// A folder of its own for anything named by the controller: readable, and never outside `parent`.
pub(crate) fn folder_of(parent: &Path, name: &str) -> PathBuf {
    use sha2::Digest as _;
    let readable: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).take(60).collect();
    let digest = hex::encode(sha2::Sha256::digest(name));
    parent.join(format!("{readable}.{}", digest.get(..8).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_folders_that_stay_inside_and_apart() {
        let parent = Path::new("/data/engines");
        for name in ["node-a/0", "../../etc", "", "a\0b", &"x".repeat(500)] {
            let folder = folder_of(parent, name);
            assert_eq!(folder.parent(), Some(parent), "{name}");
            assert!(folder.file_name().is_some_and(|name| name.len() < 80));
        }
        assert_ne!(folder_of(parent, "a/0"), folder_of(parent, "a_0"));
    }
}
