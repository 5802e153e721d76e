//! Waiting for a condition with a deadline.

use std::time::{Duration, Instant};

/// Asks `condition` again and again until it gives a value; `None` means not yet.
///
/// # Errors
/// When the deadline passes first; names what was waited for.
pub async fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        // The condition itself may hang: it is cut off at the deadline as well.
        let left = deadline.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, condition()).await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) if started.elapsed() < deadline => tokio::time::sleep(Duration::from_millis(20)).await,
            _ => anyhow::bail!("{what} did not happen within {} s", deadline.as_secs_f64()),
        }
    }
}
