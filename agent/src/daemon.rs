use std::sync::Arc;
use homeostat_clock::{Clock, Seed};
use tokio_util::sync::CancellationToken;
use crate::AgentConfig;

/// Why the agent could not start or had to end. (Being written: the signature of `run` is final.)
#[derive(Debug, thiserror::Error)]
pub enum AgentError {}

/// Runs the agent until `shutdown` is cancelled.
pub async fn run(config: AgentConfig, clock: Arc<dyn Clock>, seed: Seed, shutdown: CancellationToken) -> Result<(), AgentError> {
    let _ = (config, clock, seed);
    shutdown.cancelled().await;
    Ok(())
}
