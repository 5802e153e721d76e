//! The embedded Kubernetes-style API of Homeostat: an [`axum::Router`] over one SQLite file.
//!
//! It is generic: the kinds it serves are the built-in ones (namespaces, configmaps, secrets, events, leases,
//! customresourcedefinitions, the two self reviews) and whatever [CRD documents](Config::crds) come in. It knows nothing of
//! Homeostat's kinds, does no authorization (every identity may do everything) and runs no admission webhooks. Server-side
//! apply is not there yet and is answered with 415.
//!
//! ```text
//! kube::Client::new(api.in_process(user), "default")     in-process, the identity is given
//! serve::Listener (TLS, bearer token -> User)            stock kubectl
//!       └─▶ router ─▶ resource ─▶ patch, validate ─▶ store (one append-only log) ─▶ watchers
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use tokio::task::JoinHandle;

mod answer;
mod bootstrap;
mod builtin;
mod crd;
mod decode;
mod discovery;
mod identity;
mod jsonpath;
mod lifecycle;
mod meta;
mod openapi;
mod patch;
mod protobuf;
mod query;
mod read;
mod registry;
mod request;
mod resource;
mod reviews;
mod route;
mod selectors;
pub mod serve;
mod server;
mod status;
mod store;
mod table;
mod validate;
mod view;
mod watch;
mod write;

use server::Server;
pub use store::OpenError;
use store::Store;

/// Who makes a request. The router takes it from a request extension; [`ApiServer::in_process`] injects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's name, `ops@example.com` or `system:homeostat:controller`.
    pub name: String,
    /// The groups, `system:masters`, `system:authenticated`.
    pub groups: Vec<String>,
}

impl User {
    /// A user with a name and the group `system:authenticated`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), groups: vec!["system:authenticated".to_owned()] }
    }
}

/// The wall clock in UTC milliseconds since the epoch. `Arc::new(move || clock.now().0)` or the like.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How an [`ApiServer`] is opened.
pub struct Config {
    /// The SQLite file; created when missing, its folder too.
    pub database: PathBuf,
    /// The custom resources to serve; written to the store (and replaced there) at each opening.
    pub crds: Vec<CustomResourceDefinition>,
    /// Told of every successful write after its commit.
    pub audit: Option<Arc<dyn Audit>>,
    /// The wall clock, UTC milliseconds.
    pub now: Now,
}

/// A listener for successful writes.
pub trait Audit: Send + Sync {
    /// Called after the commit, in commit order, on the writing task. Must not block.
    fn record(&self, write: AuditedWrite);
}

/// One successful write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedWrite {
    /// Who wrote; the name `system:apiserver` for the garbage collector and the namespace controller.
    pub user: User,
    /// `create`, `update`, `patch`, `delete`.
    pub verb: &'static str,
    /// The API group, empty for core.
    pub group: String,
    /// The version the request used.
    pub version: String,
    /// The plural resource name, `models`.
    pub resource: String,
    /// `status` or another subresource, empty for the object itself.
    pub subresource: String,
    /// Empty for cluster-scoped resources.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// The object's uid.
    pub uid: String,
    /// The revision this write made.
    pub resource_version: u64,
    /// The field manager of the request, or the first part of its user agent.
    pub field_manager: String,
    /// The wall clock of the write, UTC milliseconds.
    pub at: i64,
}

/// The embedded API. Cheap to clone.
#[derive(Clone)]
pub struct ApiServer {
    server: Arc<Server>,
    lifecycle: Arc<tokio::sync::Mutex<Option<JoinHandle<()>>>>,
}

impl ApiServer {
    /// Opens or creates the store, applies its migrations, registers the CRDs, makes the namespaces `default` and
    /// `kube-system`. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the file cannot be opened, is no database or is corrupt, or a CRD is not acceptable.
    pub async fn open(config: Config) -> Result<Self, OpenError> {
        let Config { database, crds, audit, now } = config;
        let (sender, changes) = tokio::sync::mpsc::unbounded_channel();
        let store = Store::open(&database, sender).await?;
        let server = Arc::new(Server::new(store, audit, now));
        bootstrap::run(&server, crds).await?;
        let lifecycle = tokio::spawn(lifecycle::run(Arc::clone(&server), changes));
        Ok(Self { server, lifecycle: Arc::new(tokio::sync::Mutex::new(Some(lifecycle))) })
    }

    /// Every route. The identity is taken from a request extension [`User`]; without one the answer is 401.
    pub fn router(&self) -> axum::Router {
        axum::Router::new().fallback(route::handle).with_state(Arc::clone(&self.server))
    }

    /// The router with an identity injected: what `kube::Client::new(router, namespace)` takes.
    pub fn in_process(&self, user: User) -> axum::Router {
        self.router().layer(axum::Extension(user))
    }

    /// Forgets all history now: watches from before are answered 410. The timer does this for what is older than ten minutes.
    pub async fn compact(&self) {
        let revision = self.server.store.state().revision();
        if let Err(error) = self.server.store.compact(revision).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the object log could not be compacted");
        }
    }

    /// Ends the background task and all watches, and closes the database. Requests after that fail.
    pub async fn close(&self) {
        self.server.closing.cancel();
        if let Some(task) = self.lifecycle.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(error = %error, "the background task of the embedded API had ended before");
        }
        self.server.store.close().await;
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.server.now()
    }
}
