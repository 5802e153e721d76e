//! Faults on purpose: engines that were started with `--allow-faults` take them at `POST /fault`.

use anyhow::{Context as _, bail};
use serde::Serialize;

/// What goes wrong in an engine from now on; the default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct EngineFault {
    /// Share of the weights that are noise.
    pub(crate) corrupt_weights: f64,
    /// Milliseconds that each request is delayed by.
    pub(crate) latency_ms: u64,
    /// Share of the requests that fail.
    pub(crate) error_rate: f64,
}

/// The engine's flag that lets it take faults.
pub(crate) const ALLOW: &str = "--allow-faults";

/// Lets the engine at `endpoint` (an address of a ModelVersion's assignment) fail so.
///
/// # Errors
/// When it does not answer, or refuses because it was started without the flag.
pub(crate) async fn inject(client: &reqwest::Client, endpoint: &str, fault: EngineFault) -> anyhow::Result<()> {
    let base = endpoint.trim_end_matches('/');
    let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
    let sent = client.post(format!("{base}/fault")).json(&fault).send().await;
    let answer = sent.with_context(|| format!("the engine at {base} takes no fault"))?;
    if !answer.status().is_success() {
        bail!("the engine at {base} refused a fault with {}: it must be started with {ALLOW}", answer.status());
    }
    Ok(())
}
