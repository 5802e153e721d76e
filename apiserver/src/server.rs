//! The state that every request shares, and the one way to write.

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::builtin::{Builtin, CRDS};
use crate::registry::Registry;
use crate::request::Request;
use crate::status::Failure;
use crate::store::{Change, Key, Operation, Store, Transaction};
use crate::{Audit, AuditedWrite, Now};

/// See the module's documentation.
pub(crate) struct Server {
    pub(crate) store: Store,
    builtin: Builtin,
    registry: RwLock<Arc<Registry>>,
    audit: Option<Arc<dyn Audit>>,
    clock: Now,
    /// Fires when the API closes.
    pub(crate) closing: CancellationToken,
}

impl Server {
    pub(crate) fn new(store: Store, audit: Option<Arc<dyn Audit>>, clock: Now) -> Self {
        let builtin = Builtin::new();
        let registry = Registry::new(&builtin, &documents(&store));
        Self {
            store,
            builtin,
            registry: RwLock::new(Arc::new(registry)),
            audit,
            clock,
            closing: CancellationToken::new(),
        }
    }

    /// The wall clock, UTC milliseconds.
    pub(crate) fn now(&self) -> i64 {
        (self.clock)()
    }

    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes, serves a changed CRD at once, and tells the audit.
    pub(crate) async fn commit(
        &self,
        transaction: &mut Transaction<'_>,
        request: &Request,
        verb: &'static str,
        operation: Operation,
        key: &Key,
        object: Value,
    ) -> Result<Arc<Change>, Failure> {
        let at = self.now();
        let change = transaction.commit(operation, key, object, at).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "a write to the object store failed");
            Failure::internal(error.to_string())
        })?;
        if key.resource == CRDS {
            let registry = Registry::new(&self.builtin, &documents(transaction.store()));
            *self.registry.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(registry);
        }
        if let Some(audit) = &self.audit {
            audit.record(AuditedWrite {
                user: request.user.clone(),
                verb,
                group: request.resource.group.clone(),
                version: request.resource.version.clone(),
                resource: request.resource.plural.clone(),
                subresource: request.subresource.clone(),
                namespace: key.namespace.clone(),
                name: key.name.clone(),
                uid: crate::meta::uid(&change.object).to_owned(),
                resource_version: change.revision,
                field_manager: request.field_manager(),
                at,
            });
        }
        Ok(change)
    }
}

fn documents(store: &Store) -> Vec<Arc<Value>> {
    let crds = store.state().list(CRDS, None);
    crds.objects.into_iter().map(|stored| stored.object).collect()
}
