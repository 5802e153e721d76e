//! The gRPC server for agents: TLS, joining, credentials.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use homeostat_clock::Clock;
use homeostat_protocol::agents_server::{Agents, AgentsServer};
use homeostat_protocol::{
    BlobChunk, BlobStat, FromAgent, GetBlobRequest, JoinRequest, JoinResponse, MAX_MESSAGE, StatBlobRequest,
};
use homeostat_records::{Records, RecordsError};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::metadata::MetadataMap;
use tonic::transport::{Identity, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use super::{Fleet, TlsIdentity, credential, session, transfer};

/// A dead peer is found after at most the sum of both.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(20));
/// How long sessions get to end by themselves at shutdown.
const GRACE: Duration = Duration::from_secs(5);

/// How the server is reached and trusted.
#[derive(Clone)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Certificate and key.
    pub identity: TlsIdentity,
    /// What an agent shows to get a credential of its own.
    pub join_token: String,
}

/// Why agents cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not ours.
    #[error(
        "cannot listen for agents on {listen}; is another controller running, or the port taken? Give another address"
    )]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// An empty join token would let everyone in.
    #[error("the join token is empty; give a secret that only agents know")]
    NoJoinToken,
    /// The server.
    #[error("the server for agents failed")]
    Serve(#[source] tonic::transport::Error),
}

/// A bound, not yet running server.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    config: ServerConfig,
    service: Service,
}

impl Server {
    /// Takes the port. Connections wait until [`Server::run`].
    ///
    /// # Errors
    /// When the port cannot be had or the join token is empty.
    pub async fn bind(
        config: ServerConfig,
        fleet: Fleet,
        records: Records,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServeError> {
        if config.join_token.is_empty() {
            return Err(ServeError::NoJoinToken);
        }
        let listen = config.listen;
        let failed = |source| ServeError::Bind { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let service = Service(Arc::new(Shared {
            fleet,
            records,
            clock,
            join_token: config.join_token.clone(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }));
        Ok(Self { listener, address, config, service })
    }

    /// Where agents reach it.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then ends all sessions.
    ///
    /// # Errors
    /// When certificate or key are not usable, or the listener fails.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ServeError> {
        let Self { listener, address, config, service } = self;
        let identity = Identity::from_pem(&config.identity.cert_pem, &config.identity.key_pem);
        let shared = Arc::clone(&service.0);
        let agents =
            AgentsServer::new(service).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
        let ended = shared.shutdown.clone();
        let _also_on_error = ended.clone().drop_guard();
        let stop = {
            let ended = ended.clone();
            async move {
                shutdown.cancelled().await;
                ended.cancel();
            }
        };
        let serving = tonic::transport::Server::builder()
            .tls_config(ServerTlsConfig::new().identity(identity))
            .map_err(ServeError::Serve)?
            .http2_keepalive_interval(Some(KEEPALIVE.0))
            .http2_keepalive_timeout(Some(KEEPALIVE.1))
            .tcp_nodelay(true)
            .add_service(agents)
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop);
        tracing::info!(listen = %address, "serving agents");
        // A peer that holds its connection open must not hold up the end of the process.
        let overdue = async {
            ended.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let served = tokio::select! {
            served = serving => served.map_err(ServeError::Serve),
            () = overdue => Ok(()),
        };
        ended.cancel();
        shared.tasks.close();
        if tokio::time::timeout(GRACE, shared.tasks.wait()).await.is_err() {
            tracing::warn!("agents' sessions did not end in time; their reports come again");
        }
        served
    }
}

/// What every call needs.
pub(super) struct Shared {
    pub(super) fleet: Fleet,
    pub(super) records: Records,
    pub(super) clock: Arc<dyn Clock>,
    join_token: String,
    pub(super) shutdown: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Shared {
    /// The node whose credential a call carries.
    pub(super) async fn node_of(&self, metadata: &MetadataMap) -> Result<String, Status> {
        let digest = credential::digest(credential::bearer(metadata)?);
        let agent = self.records.agent_by_credential(&digest).await.map_err(|error| unavailable(&error))?;
        agent.map(|agent| agent.node).ok_or_else(|| {
            Status::unauthenticated(
                "this credential is not known; it may have been replaced by a later join of the same node. Join again",
            )
        })
    }
}

/// What an agent hears when the records fail: to come again. The details are for our own log.
pub(super) fn unavailable(error: &RecordsError) -> Status {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(error = %error, error.source = source, "the records failed in a call of an agent");
    Status::unavailable("the controller's records cannot be used at the moment; try again")
}

struct Service(Arc<Shared>);

#[tonic::async_trait]
impl Agents for Service {
    type SessionStream = session::Outbound;
    type GetBlobStream = transfer::Chunks;

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let JoinRequest { join_token, node, version } = request.into_inner();
        if !credential::same(&join_token, &self.0.join_token) {
            tracing::warn!(node.name = %node.escape_debug(), "an agent came with a wrong join token");
            return Err(Status::unauthenticated(
                "the join token is wrong; take the one that the controller was started with",
            ));
        }
        if !is_dns_label(&node) {
            return Err(Status::invalid_argument(
                "node must be a DNS label: at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit",
            ));
        }
        let credential = credential::draw()?;
        let now = self.0.clock.now();
        let registered = self.0.records.register_agent(&node, &credential::digest(&credential), now).await;
        registered.map_err(|error| unavailable(&error))?;
        tracing::info!(node.name = %node, agent.version = %version.escape_debug(), "an agent joined");
        Ok(Response::new(JoinResponse { credential }))
    }

    async fn session(&self, request: Request<Streaming<FromAgent>>) -> Result<Response<Self::SessionStream>, Status> {
        let node = self.0.node_of(request.metadata()).await?;
        Ok(Response::new(session::open(Arc::clone(&self.0), node, request.into_inner())))
    }

    async fn put_blob(&self, request: Request<Streaming<BlobChunk>>) -> Result<Response<BlobStat>, Status> {
        self.0.node_of(request.metadata()).await?;
        transfer::put(self.0.records.blobs(), request.into_inner()).await.map(Response::new)
    }

    async fn get_blob(&self, request: Request<GetBlobRequest>) -> Result<Response<Self::GetBlobStream>, Status> {
        self.0.node_of(request.metadata()).await?;
        let GetBlobRequest { digest, offset } = request.into_inner();
        transfer::get(self.0.records.blobs(), digest, offset).await.map(Response::new)
    }

    async fn stat_blob(&self, request: Request<StatBlobRequest>) -> Result<Response<BlobStat>, Status> {
        self.0.node_of(request.metadata()).await?;
        transfer::stat(self.0.records.blobs(), &request.into_inner().digest).await.map(Response::new)
    }
}

fn is_dns_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| plain(*byte) || *byte == b'-')
        && bytes.first().copied().is_some_and(plain)
        && bytes.last().copied().is_some_and(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names_are_dns_labels() {
        for name in ["a", "gpu-1", "0"] {
            assert!(is_dns_label(name), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a.b", "a/b", "ä", &"a".repeat(64)] {
            assert!(!is_dns_label(name), "{name}");
        }
    }
}
