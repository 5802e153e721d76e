//! The embedded API: opened, served to kubectl, and its writes put into the ledger.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use homeostat_apiserver::{ApiServer, Audit, AuditedWrite, User, serve as api_serve};
use homeostat_clock::{Clock, UtcMillis};
use homeostat_records::{Entry, Records};
use kube::Client;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::CONTROLLER;
use crate::keys::Keys;

/// Opens the embedded API with our kinds.
pub(super) async fn open(
    data: &Path,
    clock: &Arc<dyn Clock>,
    audit: mpsc::UnboundedSender<AuditedWrite>,
) -> anyhow::Result<ApiServer> {
    let now = clock.clone();
    let config = homeostat_apiserver::Config {
        database: data.join("objects.db"),
        crds: homeostat_crds::all(),
        audit: Some(Arc::new(Forward(audit))),
        now: Arc::new(move || now.now().0),
    };
    Ok(ApiServer::open(config).await?)
}

/// Serves the API to kubectl and writes the kubeconfig; gives its path.
pub(super) async fn serve(
    api: &ApiServer,
    listen: SocketAddr,
    data: &Path,
    keys: &Keys,
    tasks: &mut JoinSet<anyhow::Result<&'static str>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<PathBuf> {
    let token = keys.token("api-token")?;
    let admin = User {
        name: "admin".to_string(),
        groups: vec!["system:masters".to_string(), "system:authenticated".to_string()],
    };
    let tokens = vec![api_serve::Token { token: token.clone(), user: admin }];
    let listener = api_serve::Listener::bind(api, listen, &data.join("api-tls"), tokens)
        .await
        .with_context(|| format!("--api-listen {listen}: the Kubernetes-style API cannot listen there"))?;
    let kubeconfig = data.join("kubeconfig");
    api_serve::write_kubeconfig(&kubeconfig, &listener.url(), listener.ca_pem(), &token)?;
    let stop = shutdown.clone();
    tasks.spawn(async move { listener.serve(stop).await.map(|()| "api").map_err(Into::into) });
    Ok(kubeconfig)
}

/// Clients for the dashboard's users.
pub(super) struct Clients(pub(super) ApiServer);

impl homeostat_web::Clients for Clients {
    fn client_for(&self, user: &str) -> Client {
        Client::new(self.0.in_process(User::new(user)), "default")
    }
}

struct Forward(mpsc::UnboundedSender<AuditedWrite>);

impl Audit for Forward {
    fn record(&self, write: AuditedWrite) {
        // The receiver ends after the API only.
        let _ = self.0.send(write);
    }
}

/// Puts writes of desired state into the ledger. Left out: Events and Leases, and the status that our own controllers write,
/// whose decisions have entries of their own.
pub(super) async fn keep_audit(
    mut writes: mpsc::UnboundedReceiver<AuditedWrite>,
    records: Records,
    shutdown: CancellationToken,
) -> anyhow::Result<&'static str> {
    loop {
        let next = tokio::select! {
            biased;
            write = writes.recv() => write,
            () = shutdown.cancelled() => None,
        };
        let Some(write) = next else { return Ok("audit") };
        let own = write.user.name == CONTROLLER || write.user.name.starts_with("system:apiserver");
        if matches!(write.resource.as_str(), "events" | "leases") || (own && write.subresource == "status") {
            continue;
        }
        if let Err(error) = records.append_ledger(entry(&write)).await {
            bail!("a write of {} could not be put into the ledger: {error}", write.user.name);
        }
    }
}

fn entry(write: &AuditedWrite) -> Entry {
    let place =
        if write.namespace.is_empty() { write.name.clone() } else { format!("{}/{}", write.namespace, write.name) };
    let part = if write.subresource.is_empty() { String::new() } else { format!("/{}", write.subresource) };
    let model = (write.resource == "models").then(|| place.clone());
    Entry {
        at: UtcMillis(write.at),
        actor: write.user.name.clone(),
        kind: "write".to_string(),
        model,
        object: Some(format!("{}{part}/{place}", write.resource)),
        summary: format!("{} {}{part} {place}", write.verb, write.resource),
        detail: serde_json::json!({
            "verb": write.verb, "group": write.group, "version": write.version, "uid": write.uid,
            "resourceVersion": write.resource_version.to_string(), "fieldManager": write.field_manager,
        }),
        evidence: None,
    }
}
