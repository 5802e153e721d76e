//! What is known of a node's engines at the moment: written by the supervisor, read by everybody else.

use std::collections::BTreeMap;

use homeostat_protocol::{EnginePhase, EngineStatus};
use tokio::sync::watch;

/// The engines of a node by replica.
pub(crate) type Engines = BTreeMap<String, EngineState>;

/// One engine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EngineState {
    /// As it is reported.
    pub(crate) status: EngineStatus,
    /// Where it can be asked, while it runs.
    pub(crate) address: Option<Address>,
}

/// Where an engine can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// `http://host:port`, without `/v1`.
    pub(crate) base_url: String,
    /// What it calls its model.
    pub(crate) model: String,
}

impl EngineState {
    /// Its address, if requests may go there.
    pub(crate) fn serving(&self) -> Option<&Address> {
        self.address.as_ref().filter(|_| self.status.phase == i32::from(EnginePhase::Serving))
    }
}

/// Changes one engine on the board; readers wake only if something did change.
pub(crate) fn change(board: &watch::Sender<Engines>, replica: &str, change: impl FnOnce(&mut EngineState)) {
    board.send_if_modified(|engines| {
        let Some(engine) = engines.get_mut(replica) else { return false };
        let before = engine.clone();
        change(engine);
        *engine != before
    });
}
