//! A server on a temporary folder, and one request's answer.
#![allow(dead_code, unreachable_pub, clippy::allow_attributes, reason = "each test program uses its part of this")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, to_bytes};
use futures::StreamExt as _;
use homeostat_apiserver::{ApiServer, Config, User};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;
use tower::ServiceExt as _;

/// 2026-01-01, a time that stands still unless a test moves it.
pub const START_MS: i64 = 1_767_225_600_000;

pub fn widget_crd() -> CustomResourceDefinition {
    crd(include_str!("../fixtures/widget-crd.yaml"))
}

pub fn crd(yaml: &str) -> CustomResourceDefinition {
    serde_saphyr::from_str(yaml).unwrap()
}

pub struct Api {
    pub server: ApiServer,
    pub clock: Arc<AtomicI64>,
    pub folder: tempfile::TempDir,
    crds: Vec<CustomResourceDefinition>,
}

pub struct Answer {
    pub status: u16,
    pub text: String,
    pub value: Value,
    pub warning: Option<String>,
}

impl Api {
    pub async fn open(crds: Vec<CustomResourceDefinition>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(START_MS));
        let server = start(&folder, &clock, crds.clone()).await;
        Self { server, clock, folder, crds }
    }

    /// Closes and opens again.
    pub async fn restart(self) -> Self {
        self.server.close().await;
        let server = start(&self.folder, &self.clock, self.crds.clone()).await;
        Self { server, ..self }
    }

    pub fn router(&self) -> axum::Router {
        self.server.in_process(User::new("tester"))
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        content: Option<&str>,
        accept: Option<&str>,
        body: String,
    ) -> Answer {
        let mut request = http::Request::builder().method(method).uri(path.replace(' ', "%20"));
        if let Some(content) = content {
            request = request.header("content-type", content);
        }
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let response = self.router().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let warning = response.headers().get("warning").map(|value| value.to_str().unwrap().to_owned());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status, value: serde_json::from_str(&text).unwrap_or(Value::Null), text, warning }
    }

    pub async fn json(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, Some("application/json"), None, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.json("GET", path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.json("POST", path, body).await
    }

    pub async fn merge(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, Some("application/merge-patch+json"), None, body.to_string()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.json("DELETE", path, Value::Null).await
    }

    pub async fn watch(&self, path: &str) -> Watch {
        let request = http::Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = self.router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        Watch { stream: response.into_body().into_data_stream(), rest: Vec::new() }
    }

    /// Waits until GET answers `status`.
    pub async fn until(&self, path: &str, status: u16) -> Answer {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let answer = self.get(path).await;
            if answer.status == status {
                return answer;
            }
            assert!(tokio::time::Instant::now() < deadline, "{path} is still {}: {}", answer.status, answer.text);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn start(folder: &tempfile::TempDir, clock: &Arc<AtomicI64>, crds: Vec<CustomResourceDefinition>) -> ApiServer {
    let clock = Arc::clone(clock);
    let now = Arc::new(move || clock.load(Ordering::SeqCst));
    ApiServer::open(Config { database: folder.path().join("objects.db"), crds, audit: None, now }).await.unwrap()
}

pub struct Watch {
    stream: BodyDataStream,
    rest: Vec<u8>,
}

impl Watch {
    /// The next event; None at the end of the watch.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let next = tokio::time::timeout(Duration::from_secs(10), self.stream.next());
            match next.await.expect("the watch said nothing for 10 s") {
                Some(bytes) => self.rest.extend_from_slice(&bytes.unwrap()),
                None => return None,
            }
        }
    }

    /// `TYPE name` of the next event.
    pub async fn next_short(&mut self) -> String {
        let event = self.next().await.expect("the watch ended");
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        format!("{} {name}", event["type"].as_str().unwrap())
    }
}
