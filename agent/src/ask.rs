//! Asks an engine one question, greedily: for canaries, probes, evaluations and leak probes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::board::Address;

/// Largest answer that is read, in bytes.
const MOST: usize = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("the engine cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the engine answered with status {0}")]
    Status(u16),
    #[error("the engine's answer is no completion")]
    Malformed,
}

impl AskError {
    /// Whether the engine only has too much to do, which it could not say if it were dead.
    pub(crate) fn busy(&self) -> bool {
        matches!(self, Self::Status(429))
    }
}

/// The client for engines on this machine.
pub(crate) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .build()
}

/// The answer to `prompt`.
pub(crate) async fn ask(
    client: &reqwest::Client,
    address: &Address,
    prompt: &str,
    most_tokens: u32,
    deadline: Duration,
) -> Result<String, AskError> {
    let body = json!({
        "model": address.model,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "max_tokens": most_tokens,
    });
    let exchange = async {
        let url = format!("{}/v1/chat/completions", address.base_url);
        let mut response = client.post(url).json(&body).send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(AskError::Status(response.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unreachable)? {
            bytes.extend_from_slice(&part);
            if bytes.len() > MOST {
                return Err(AskError::Malformed);
            }
        }
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| AskError::Malformed)?;
        let content = value.pointer("/choices/0/message/content").ok_or(AskError::Malformed)?;
        Ok(content.as_str().unwrap_or_default().to_string())
    };
    tokio::time::timeout(deadline, exchange).await.map_err(|_| AskError::Timeout(deadline))?
}

/// Whether the engine says that it is up. An engine of somebody else may have no `/health`, which is no fault.
pub(crate) async fn healthy(
    client: &reqwest::Client,
    base_url: &str,
    needed: bool,
    deadline: Duration,
) -> Result<(), AskError> {
    let request = client.get(format!("{base_url}/health")).send();
    let response = tokio::time::timeout(deadline, request).await.map_err(|_| AskError::Timeout(deadline))?;
    match response.map_err(unreachable)?.status() {
        status if status.is_success() || (!needed && status == 404) => Ok(()),
        status => Err(AskError::Status(status.as_u16())),
    }
}

/// The name of the first model that an engine lists.
pub(crate) async fn first_model(
    client: &reqwest::Client,
    base_url: &str,
    deadline: Duration,
) -> Result<String, AskError> {
    let exchange = async {
        let response = client.get(format!("{base_url}/v1/models")).send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(AskError::Status(response.status().as_u16()));
        }
        let value: Value = response.json().await.map_err(|_| AskError::Malformed)?;
        value.pointer("/data/0/id").and_then(Value::as_str).map(str::to_string).ok_or(AskError::Malformed)
    };
    tokio::time::timeout(deadline, exchange).await.map_err(|_| AskError::Timeout(deadline))?
}

fn unreachable(error: reqwest::Error) -> AskError {
    AskError::Unreachable(error.without_url())
}
