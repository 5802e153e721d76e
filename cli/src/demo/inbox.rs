//! The demo's webhook: the receiver at the other end of an alert.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Gets alerts in the shape of Alertmanager's webhook, version 4. Clones share what was received; the port closes when the
/// process ends.
#[derive(Clone, Debug)]
pub struct Inbox {
    address: std::net::SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

/// One alert as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// When.
    pub(crate) at: Instant,
    /// Its name.
    pub(crate) name: String,
    /// Its summary.
    pub(crate) summary: String,
    /// Whether it fires, or is over.
    pub(crate) firing: bool,
    /// Its labels, which tell it from others.
    pub(crate) labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Message {
    version: String,
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    status: String,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Inbox {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// When there is none.
    pub async fn open() -> anyhow::Result<Self> {
        let listener =
            tokio::net::TcpListener::bind("127.0.0.1:0").await.context("the demo's webhook finds no port")?;
        let inbox = Self { address: listener.local_addr()?, received: Arc::default() };
        let router = Router::new().route("/alerts", post(receive)).with_state(inbox.clone());
        // It has no state of its own and ends with the process.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(inbox)
    }

    /// Where alerts go.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/alerts", self.address)
    }

    /// Everything that came after the first `known`.
    pub(crate) fn after(&self, known: usize) -> Vec<Received> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.get(known..).map(<[Received]>::to_vec).unwrap_or_default()
    }
}

async fn receive(State(inbox): State<Inbox>, Json(message): Json<Message>) -> StatusCode {
    if message.version != "4" {
        return StatusCode::BAD_REQUEST;
    }
    let at = Instant::now();
    let mut received = inbox.received.lock().unwrap_or_else(PoisonError::into_inner);
    for alert in message.alerts {
        let text = |map: &BTreeMap<String, String>, key: &str| map.get(key).cloned().unwrap_or_default();
        let news = Received {
            at,
            name: text(&alert.labels, "alertname"),
            summary: text(&alert.annotations, "summary"),
            firing: alert.status == "firing",
            labels: alert.labels,
        };
        // A group comes again as a whole whenever something of it is new.
        let last = received.iter().rev().find(|other| other.labels == news.labels);
        if last.map_or(news.firing, |last| last.firing != news.firing) {
            received.push(news);
        }
    }
    StatusCode::OK
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn alerts_are_kept_once_for_each_change() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let inbox = Inbox::open().await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let send = async |status: &str| {
            let alert =
                json!({"status": status, "labels": {"alertname": "NoData"}, "annotations": {"summary": "none"}});
            let body = json!({"version": "4", "status": status, "alerts": [alert]});
            client.post(inbox.url()).json(&body).send().await.unwrap().status().as_u16()
        };
        for status in ["firing", "firing", "resolved", "resolved"] {
            assert_eq!(send(status).await, 200);
        }
        let received = inbox.after(0);
        let told: Vec<(&str, bool)> = received.iter().map(|alert| (alert.name.as_str(), alert.firing)).collect();
        assert_eq!(told, [("NoData", true), ("NoData", false)]);
        assert!(inbox.after(2).is_empty() && inbox.after(9).is_empty());
    }
}
