//! A controller for the agent's tests: one tonic server that keeps everything in memory and misbehaves on request.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use homeostat_protocol::agents_server::{Agents, AgentsServer};
use homeostat_protocol::*;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

/// What the controller knows and how it behaves.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) hellos: Vec<Hello>,
    pub(crate) joins: u32,
    pub(crate) credential: Option<String>,
    /// Reports by (epoch, sequence), each once.
    pub(crate) applied: BTreeMap<(String, u64), Report>,
    /// Reports that came although they had been applied.
    pub(crate) repeated: u32,
    pub(crate) status: Option<AgentStatus>,
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    /// Bytes of unfinished uploads.
    pub(crate) uploads: BTreeMap<String, Vec<u8>>,
    /// Acknowledge nothing.
    pub(crate) silent: bool,
    /// Break off blob downloads after so many bytes.
    pub(crate) cut_after: Option<usize>,
}

#[derive(Clone)]
pub(crate) struct Controller {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) desired: watch::Sender<DesiredState>,
    /// Changes end all sessions.
    pub(crate) cut: watch::Sender<u32>,
    pub(crate) address: SocketAddr,
    pub(crate) ca: String,
}

pub(crate) const TOKEN: &str = "join-me";

impl Controller {
    pub(crate) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_string()]).unwrap();
        let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let controller = Self {
            state: Arc::default(),
            desired: watch::Sender::new(DesiredState { generation: 1, window_ms: 200, ..DesiredState::default() }),
            cut: watch::Sender::new(0),
            address: listener.local_addr().unwrap(),
            ca: certificate.clone(),
        };
        let server = Server::builder()
            .tls_config(ServerTlsConfig::new().identity(Identity::from_pem(certificate, key)))
            .unwrap()
            .add_service(AgentsServer::new(controller.clone()).max_decoding_message_size(MAX_MESSAGE))
            .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener));
        tokio::spawn(server);
        controller
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn blob(&self, bytes: impl Into<Vec<u8>>) -> String {
        let bytes = bytes.into();
        let digest = hex::encode(Sha256::digest(&bytes));
        self.state().blobs.insert(digest.clone(), bytes);
        digest
    }

    /// Uploads an artifact that answers as told.
    pub(crate) fn artifact(&self, answers: &[(&str, &str)]) -> String {
        let answers: BTreeMap<&str, &str> = answers.iter().copied().collect();
        let file = self.blob(serde_json::to_vec(&answers).unwrap());
        self.blob(format!("{file}  answers.json\n"))
    }

    pub(crate) fn want(&self, change: impl FnOnce(&mut DesiredState)) {
        self.desired.send_modify(|desired| {
            desired.generation += 1;
            change(desired);
        });
    }

    pub(crate) fn cut_sessions(&self) {
        self.cut.send_modify(|cut| *cut += 1);
    }

    /// Waits until the state holds something.
    pub(crate) async fn until<T>(&self, what: &str, mut pick: impl FnMut(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            if let Some(found) = pick(&self.state()) {
                return found;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}; status: {:#?}", self.state().status);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the newest status holds something, having taken in what is wanted now.
    pub(crate) async fn status<T>(&self, what: &str, mut pick: impl FnMut(&AgentStatus) -> Option<T>) -> T {
        let generation = self.desired.borrow().generation;
        self.until(what, |state| {
            state.status.as_ref().filter(|status| status.observed >= generation).and_then(&mut pick)
        })
        .await
    }

    pub(crate) async fn engine(&self, replica: &str, phase: EnginePhase) -> EngineStatus {
        self.status(&format!("{replica} to be {phase:?}"), |status| {
            status.engines.iter().find(|engine| engine.replica == replica && engine.phase() == phase).cloned()
        })
        .await
    }

    pub(crate) async fn work(&self, id: &str, phase: WorkPhase) -> WorkStatus {
        self.status(&format!("{id} to be {phase:?}"), |status| {
            status.work.iter().find(|work| work.id == id && work.phase() == phase).cloned()
        })
        .await
    }

    fn authorize<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let sent = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let held = self.state().credential.clone().map(|credential| format!("Bearer {credential}"));
        if sent.is_some() && sent == held.as_deref() { Ok(()) } else { Err(Status::unauthenticated("join first")) }
    }
}

fn to(message: to_agent::Message) -> Result<ToAgent, Status> {
    Ok(ToAgent { message: Some(message) })
}

#[tonic::async_trait]
impl Agents for Controller {
    type SessionStream = ReceiverStream<Result<ToAgent, Status>>;
    type GetBlobStream = ReceiverStream<Result<BlobChunk, Status>>;

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        if request.get_ref().join_token != TOKEN {
            return Err(Status::unauthenticated("a wrong join token"));
        }
        let mut state = self.state();
        state.joins += 1;
        let credential = format!("credential-{}", state.joins);
        state.credential = Some(credential.clone());
        Ok(Response::new(JoinResponse { credential }))
    }

    async fn session(&self, request: Request<Streaming<FromAgent>>) -> Result<Response<Self::SessionStream>, Status> {
        self.authorize(&request)?;
        let mut up = request.into_inner();
        let (down, receiver) = mpsc::channel(16);
        let (this, mut cut, mut desired) = (self.clone(), self.cut.subscribe(), self.desired.subscribe());
        tokio::spawn(async move {
            let mut epoch = String::new();
            loop {
                let answer = tokio::select! {
                    _ = cut.changed() => return,
                    Ok(()) = desired.changed(), if !epoch.is_empty() => {
                        let state = desired.borrow_and_update().clone();
                        Some(to_agent::Message::Desired(state))
                    }
                    message = up.message() => match message.ok().flatten().and_then(|message| message.message) {
                        None => return,
                        Some(from_agent::Message::Hello(hello)) => {
                            epoch = hello.epoch.clone();
                            let mut state = this.state();
                            state.hellos.push(hello);
                            let applied = state.applied.keys().filter(|(of, _)| *of == epoch).map(|(_, s)| *s).max();
                            desired.mark_changed();
                            Some(to_agent::Message::Welcome(Welcome { acknowledged: applied.unwrap_or(0), controller_time_ms: 0 }))
                        }
                        Some(from_agent::Message::Status(status)) => {
                            this.state().status = Some(status);
                            None
                        }
                        Some(from_agent::Message::Report(report)) => {
                            let sequence = report.sequence;
                            let mut state = this.state();
                            assert_eq!(report.epoch, epoch);
                            if state.applied.insert((report.epoch.clone(), sequence), report).is_some() {
                                state.repeated += 1;
                            }
                            (!state.silent).then_some(to_agent::Message::Ack(Ack { sequence }))
                        }
                    },
                };
                if let Some(answer) = answer
                    && down.send(to(answer)).await.is_err()
                {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn put_blob(&self, request: Request<Streaming<BlobChunk>>) -> Result<Response<BlobStat>, Status> {
        self.authorize(&request)?;
        let mut parts = request.into_inner();
        let first = parts.message().await?.ok_or_else(|| Status::invalid_argument("no first message"))?;
        let mut bytes = self.state().uploads.get(&first.digest).cloned().unwrap_or_default();
        assert_eq!(first.offset, bytes.len() as u64, "it goes on where it stopped");
        while let Some(part) = parts.message().await? {
            assert_eq!(part.offset, bytes.len() as u64);
            bytes.extend_from_slice(&part.data);
        }
        assert_eq!((bytes.len() as u64, hex::encode(Sha256::digest(&bytes))), (first.size, first.digest.clone()));
        let held = bytes.len() as u64;
        self.state().blobs.insert(first.digest.clone(), bytes);
        Ok(Response::new(BlobStat { digest: first.digest, held, complete: true }))
    }

    async fn get_blob(&self, request: Request<GetBlobRequest>) -> Result<Response<Self::GetBlobStream>, Status> {
        self.authorize(&request)?;
        let GetBlobRequest { digest, offset } = request.into_inner();
        let (bytes, cut) = {
            let mut state = self.state();
            (
                state.blobs.get(&digest).cloned().ok_or_else(|| Status::not_found("no such blob"))?,
                state.cut_after.take(),
            )
        };
        let (sender, receiver) = mpsc::channel(4);
        tokio::spawn(async move {
            let size = bytes.len() as u64;
            let start = usize::try_from(offset).unwrap();
            let end = cut.map_or(bytes.len(), |cut| (start + cut).min(bytes.len()));
            let mut at = start;
            let first = BlobChunk { digest, size, offset, data: Vec::new().into() };
            if sender.send(Ok(first)).await.is_err() {
                return;
            }
            for data in bytes[start..end].chunks(BLOB_CHUNK) {
                let part = BlobChunk { digest: String::new(), size: 0, offset: at as u64, data: data.to_vec().into() };
                at += data.len();
                if sender.send(Ok(part)).await.is_err() {
                    return;
                }
            }
            if end < bytes.len() {
                let _ = sender.send(Err(Status::unavailable("cut"))).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn stat_blob(&self, request: Request<StatBlobRequest>) -> Result<Response<BlobStat>, Status> {
        self.authorize(&request)?;
        let digest = request.into_inner().digest;
        let state = self.state();
        let whole = state.blobs.get(&digest);
        let held = whole.or(state.uploads.get(&digest)).map_or(0, Vec::len) as u64;
        Ok(Response::new(BlobStat { digest, held, complete: whole.is_some() }))
    }
}
