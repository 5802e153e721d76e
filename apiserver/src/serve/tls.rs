//! Accepting connections and telling who is there.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::response::Response;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::pki::Pki;
use crate::status::Failure;
use crate::{ApiServer, User};

const HANDSHAKE: Duration = Duration::from_secs(10);

/// A bearer token and whom it stands for.
#[derive(Clone)]
pub struct Token {
    /// The secret, sent as `Authorization: Bearer ...`.
    pub token: String,
    /// Who its bearer is.
    pub user: User,
}

/// Without the secret.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Token {
    /// A new random token of 256 bits.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate(user: User) -> Result<Self, ServeError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| ServeError::Certificate(error.to_string()))?;
        Ok(Self { token: hex::encode(bytes), user })
    }
}

/// Why a listener or its files could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: is another program using the port?")]
    Bind {
        /// The wanted address.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {path}: check that its folder is writable")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
    /// The TLS library refused its configuration.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
}

impl From<rcgen::Error> for ServeError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

/// A bound, not yet serving listener.
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    ca_pem: String,
    guard: Guard,
}

impl Listener {
    /// Binds `addr` (port 0 picks one); takes CA and server certificate from `pki_dir` or makes them there.
    ///
    /// # Errors
    /// When the address is taken or the folder is not writable.
    pub async fn bind(
        api: &ApiServer,
        addr: SocketAddr,
        pki_dir: &Path,
        tokens: Vec<Token>,
    ) -> Result<Self, ServeError> {
        let bind = |source| ServeError::Bind { address: addr, source };
        let listener = TcpListener::bind(addr).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let pki = Pki::load_or_make(pki_dir, address.ip(), api.now_ms())?;
        let acceptor = TlsAcceptor::from(Arc::new(configuration(&pki.certificate, &pki.key)?));
        let tokens = tokens.into_iter().map(|token| (digest(&token.token), token.user)).collect();
        let guard = Guard { router: api.router(), tokens: Arc::new(tokens) };
        Ok(Self { listener, address, acceptor, ca_pem: pki.ca_pem, guard })
    }

    /// The bound address.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The CA certificate, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Serves until `shutdown` fires; open connections, watches too, are ended then.
    ///
    /// # Errors
    /// None at present: a failing accept is logged and tried again, since it is about one connection or a passing shortage.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), ServeError> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, self.acceptor.clone(), self.guard.clone(), shutdown.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(error = %error, "a connection to the embedded API could not be accepted");
                        // Out of file descriptors stays so for a while.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
        Ok(())
    }
}

pub(super) fn configuration(
    certificate: &CertificateDer<'static>,
    key: &PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut configuration = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.clone_key())?;
    configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(configuration)
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, guard: Guard, shutdown: CancellationToken) {
    // Watch events are small and should not wait for each other.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    let service = tower::service_fn(move |request: axum::http::Request<hyper::body::Incoming>| {
        let guard = guard.clone();
        async move { Ok::<_, Infallible>(guard.answer(request.map(axum::body::Body::new)).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::select! {
        result = serving => if let Err(error) = result {
            tracing::debug!(error = %error, "a connection to the embedded API ended early");
        },
        () = shutdown.cancelled() => {}
    }
}

/// Lets requests through that carry a known token.
#[derive(Clone)]
struct Guard {
    router: axum::Router,
    tokens: Arc<Vec<([u8; 32], User)>>,
}

impl Guard {
    async fn answer(self, mut request: axum::extract::Request) -> Response {
        match self.identify(&request) {
            Some(user) => {
                request.extensions_mut().insert(user);
            }
            None => {
                request.extensions_mut().remove::<User>();
                if !matches!(request.uri().path(), "/healthz" | "/livez" | "/readyz" | "/version") {
                    let mut response = crate::answer::fail(&Failure::unauthorized());
                    response.headers_mut().insert(WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
                    return response;
                }
            }
        }
        match self.router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Digests are compared, so that the time it takes tells nothing about a token.
    fn identify(&self, request: &axum::extract::Request) -> Option<User> {
        let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let digest = digest(token.trim());
        self.tokens.iter().find(|(known, _)| *known == digest).map(|(_, user)| user.clone())
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
