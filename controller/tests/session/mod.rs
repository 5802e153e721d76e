//! A server for sessions, and a raw client of it.

use std::sync::Arc;
use std::time::Duration;

use homeostat_clock::{ManualClock, UtcMillis};
use homeostat_controller::agents::{Fleet, NodeState, Server, ServerConfig, TlsIdentity, tls, window_to_wire};
use homeostat_protocol::agents_client::AgentsClient;
use homeostat_protocol::from_agent::Message as Up;
use homeostat_protocol::to_agent::Message as Down;
use homeostat_protocol::*;
use homeostat_quality::registry::Statistic;
use homeostat_quality::{ModelKey, Sketch, Slice, Source, Window, WindowKey};
use homeostat_records::{Records, WindowQuery};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status, Streaming};

pub(crate) const TOKEN: &str = "join-me";
pub(crate) const NOW: UtcMillis = UtcMillis(1_779_000_000_000);
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) struct World {
    pub(crate) dir: Arc<TempDir>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) records: Records,
    pub(crate) fleet: Fleet,
    pub(crate) identity: TlsIdentity,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) server: JoinHandle<()>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::at(Arc::new(tempfile::tempdir().unwrap()), NOW).await
    }

    pub(crate) async fn at(dir: Arc<TempDir>, now: UtcMillis) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(ManualClock::at(now));
        let url = Records::sqlite_url(&dir.path().join("records.db"));
        let records = Records::open(&url, dir.path().join("blobs")).await.unwrap();
        let fleet = Fleet::new(records.clone(), clock.clone());
        // The client checks the certificate by the real clock.
        let identity =
            tls::ensure(&dir.path().join("tls"), &["localhost".to_owned()], &homeostat_clock::SystemClock).unwrap();
        let config = ServerConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            identity: identity.clone(),
            join_token: TOKEN.to_owned(),
        };
        let server = Server::bind(config, fleet.clone(), records.clone(), clock.clone()).await.unwrap();
        let address = server.local_address();
        let shutdown = CancellationToken::new();
        let running = server.run(shutdown.clone());
        let server = tokio::spawn(async move { running.await.unwrap() });
        Self { dir, clock, records, fleet, identity, address, shutdown, server }
    }

    pub(crate) async fn restart(self, now: UtcMillis) -> Self {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.server).await.expect("the server ends").unwrap();
        self.records.close().await;
        Self::at(self.dir, now).await
    }

    pub(crate) async fn client(&self) -> AgentsClient<Channel> {
        let ca = Certificate::from_pem(&self.identity.ca_pem);
        let tls = ClientTlsConfig::new().ca_certificate(ca).domain_name("localhost");
        let endpoint = Endpoint::from_shared(format!("https://{}", self.address)).unwrap().tls_config(tls).unwrap();
        AgentsClient::new(endpoint.connect().await.unwrap())
    }

    pub(crate) async fn join(&self, node: &str) -> String {
        let request = JoinRequest { join_token: TOKEN.to_owned(), node: node.to_owned(), version: "1".to_owned() };
        self.client().await.join(request).await.unwrap().into_inner().credential
    }

    pub(crate) async fn open(&self, credential: &str) -> Result<Session, Status> {
        let (up, outbound) = mpsc::channel(16);
        let down = self.client().await.session(authorized(ReceiverStream::new(outbound), credential)).await?;
        Ok(Session { up, down: down.into_inner() })
    }

    pub(crate) async fn session(&self, credential: &str, node: &str) -> (Session, Welcome) {
        let mut session = self.open(credential).await.unwrap();
        session.send(Up::Hello(hello(node))).await;
        match session.next().await.unwrap() {
            Down::Welcome(welcome) => (session, welcome),
            other => panic!("{other:?} instead of Welcome"),
        }
    }

    pub(crate) async fn until(&self, node: &str, holds: impl Fn(&NodeState) -> bool) {
        let mut changed = self.fleet.changed();
        let wait = async {
            while !self.fleet.node(node).is_some_and(|state| holds(&state)) {
                changed.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(DEADLINE, wait).await.is_err() {
            panic!("node {node} stays at {:?}", self.fleet.node(node));
        }
    }

    pub(crate) async fn windows(&self) -> Vec<Window> {
        let all = WindowQuery::new(ModelKey::new("ml", "atlas"), UtcMillis(0), UtcMillis(i64::MAX));
        self.records.windows(&all).await.unwrap()
    }
}

pub(crate) struct Session {
    pub(crate) up: mpsc::Sender<FromAgent>,
    pub(crate) down: Streaming<ToAgent>,
}

impl Session {
    pub(crate) async fn send(&self, message: Up) {
        self.up.send(FromAgent { message: Some(message) }).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> Result<Down, Status> {
        let message = tokio::time::timeout(DEADLINE, self.down.message()).await.expect("an answer in time")?;
        Ok(message.expect("the session is open").message.unwrap())
    }

    pub(crate) async fn report(&mut self, report: Report) {
        let sequence = report.sequence;
        self.send(Up::Report(report)).await;
        match self.next().await.unwrap() {
            Down::Ack(ack) => assert_eq!(ack.sequence, sequence),
            other => panic!("{other:?} instead of Ack"),
        }
    }

    pub(crate) async fn desired(&mut self) -> DesiredState {
        match self.next().await.unwrap() {
            Down::Desired(state) => state,
            other => panic!("{other:?} instead of Desired"),
        }
    }
}

pub(crate) fn authorized<T>(message: T, credential: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {credential}").parse().unwrap());
    request
}

pub(crate) fn hello(node: &str) -> Hello {
    Hello { node: node.to_owned(), version: "1.2".to_owned(), epoch: "e1".to_owned(), ..Hello::default() }
}

pub(crate) fn window(replica: &str) -> homeostat_protocol::Window {
    let mut sketch = Sketch::empty(Statistic::Mean);
    [1.0, 0.0].into_iter().for_each(|value| sketch.observe(value));
    let key = WindowKey {
        model: ModelKey::new("ml", "atlas"),
        version: "atlas-v1".to_owned(),
        replica: replica.to_owned(),
        source: Source::Golden,
        metric: "exact_match".to_owned(),
        slice: Slice::new("currency"),
        start: NOW.window_start(Duration::from_secs(60)),
        step_ms: 60_000,
    };
    window_to_wire(&Window { key, sketch })
}

pub(crate) fn report(sequence: u64, windows: Vec<homeostat_protocol::Window>) -> Report {
    Report { epoch: "e1".to_owned(), sequence, windows, samples: Vec::new() }
}
