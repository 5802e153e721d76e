//! The way to the controller: one TLS channel, shared by the session and the blobs, and the credential for it.
//!
//! The channel connects by itself when it is used. The credential lies in a 0600 file; without one, or when the controller
//! no longer takes it, the join token is exchanged for a new one.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use homeostat_protocol::agents_client::AgentsClient;
use homeostat_protocol::{JoinRequest, MAX_MESSAGE};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

/// Why the controller cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The address is no address.
    #[error(
        "the controller's address {address:?} or its certificate authority cannot be used: give https://host:port and PEM"
    )]
    Address {
        /// What was given.
        address: String,
        /// Why.
        #[source]
        source: tonic::transport::Error,
    },
    /// There is neither credential nor token.
    #[error("node {node:?} has no valid credential and no join token: start the agent with a join token")]
    NoToken {
        /// The node.
        node: String,
    },
    /// The credential cannot be kept.
    #[error("the credential cannot be written to {}: see that the folder belongs to this user", path.display())]
    Credential {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The controller said no or is not there.
    #[error("the controller answered {:?}: {}", .0.code(), .0.message())]
    Status(Box<Status>),
}

impl From<Status> for LinkError {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl LinkError {
    /// Whether the credential was refused.
    pub(crate) fn unauthenticated(&self) -> bool {
        matches!(self, Self::Status(status) if status.code() == Code::Unauthenticated)
    }
}

/// The way to the controller for one node; clones share it.
#[derive(Clone)]
pub(crate) struct Link {
    node: String,
    version: String,
    path: PathBuf,
    token: Option<String>,
    client: AgentsClient<Channel>,
    credential: Arc<Mutex<Option<MetadataValue<Ascii>>>>,
}

impl Link {
    pub(crate) fn new(
        node: &str,
        version: &str,
        folder: &Path,
        address: &str,
        ca_pem: &str,
        token: Option<String>,
    ) -> Result<Self, LinkError> {
        let fail = |source| LinkError::Address { address: address.to_string(), source };
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca_pem));
        let channel = Endpoint::from_shared(address.to_string())
            .and_then(|endpoint| endpoint.tls_config(tls))
            .map_err(fail)?
            .connect_timeout(Duration::from_secs(10))
            .http2_keep_alive_interval(Duration::from_secs(15))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true)
            .connect_lazy();
        let path = folder.join("credential");
        let held = std::fs::read_to_string(&path).ok().and_then(|text| bearer(text.trim()));
        Ok(Self {
            node: node.to_string(),
            version: version.to_string(),
            path,
            token,
            client: AgentsClient::new(channel)
                .max_decoding_message_size(MAX_MESSAGE)
                .max_encoding_message_size(MAX_MESSAGE),
            credential: Arc::new(Mutex::new(held)),
        })
    }

    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn client(&self) -> AgentsClient<Channel> {
        self.client.clone()
    }

    /// `message` with the credential.
    pub(crate) fn request<T>(&self, message: T) -> Result<Request<T>, LinkError> {
        let held = self.credential.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(bearer) = held else {
            return Err(Status::unauthenticated("the agent has not joined yet").into());
        };
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", bearer);
        Ok(request)
    }

    /// Sees that there is a credential; `renew` when the one there was refused.
    pub(crate) async fn join(&self, renew: bool) -> Result<(), LinkError> {
        if !renew && self.credential.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let join_token = self.token.clone().ok_or_else(|| LinkError::NoToken { node: self.node.clone() })?;
        let request = JoinRequest { join_token, node: self.node.clone(), version: self.version.clone() };
        let credential = self.client().join(request).await?.into_inner().credential;
        let bearer = bearer(&credential).ok_or_else(|| Status::internal("the credential is no header value"))?;
        keep_secret(&self.path, &credential)
            .map_err(|source| LinkError::Credential { path: self.path.clone(), source })?;
        *self.credential.lock().unwrap_or_else(PoisonError::into_inner) = Some(bearer);
        tracing::info!(node = self.node, "joined the controller");
        Ok(())
    }
}

fn bearer(credential: &str) -> Option<MetadataValue<Ascii>> {
    if credential.is_empty() {
        return None;
    }
    let mut value: MetadataValue<Ascii> = format!("Bearer {credential}").parse().ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn keep_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let partial = path.with_extension("new");
    let _ = std::fs::remove_file(&partial);
    let mut file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&partial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&partial, path)
}
