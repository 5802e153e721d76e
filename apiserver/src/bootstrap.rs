//! What is there from the start: the namespaces `default` and `kube-system`, and the configured CRDs.

use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

use crate::User;
use crate::builtin::{CRDS, NAMESPACES};
use crate::query::Options;
use crate::request::Request;
use crate::server::Server;
use crate::status::Failure;
use crate::store::{Key, OpenError};
use crate::write::{self, Update};

pub(crate) async fn run(server: &Arc<Server>, crds: Vec<CustomResourceDefinition>) -> Result<(), OpenError> {
    for name in ["default", "kube-system"] {
        let document = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        ensure(server, NAMESPACES, name, &document)
            .await
            .map_err(|failure| OpenError::Crd { name: name.to_owned(), why: failure.message })?;
    }
    for crd in crds {
        let name = crd.metadata.name.clone().unwrap_or_default();
        let refused = |why: String| OpenError::Crd { name: name.clone(), why };
        let document = serde_json::to_value(&crd).map_err(|error| refused(error.to_string()))?;
        ensure(server, CRDS, &name, &document).await.map_err(|failure| refused(failure.message))?;
    }
    Ok(())
}

/// Creates the object; an existing CRD gets the document's spec, an existing namespace is left alone.
async fn ensure(server: &Arc<Server>, storage: &str, name: &str, document: &Value) -> Result<(), Failure> {
    let resource = server
        .registry()
        .stored_as(storage)
        .ok_or_else(|| Failure::internal(format!("the built-in resource {storage} is missing")))?;
    let exists = server.store.get(&Key::new(storage, "", name)).is_some();
    let request = Request {
        user: User { name: "system:apiserver".to_owned(), groups: vec!["system:masters".to_owned()] },
        resource,
        namespace: String::new(),
        name: name.to_owned(),
        subresource: String::new(),
        options: Options::default(),
        user_agent: "homeostat-apiserver".to_owned(),
    };
    if !exists {
        write::create(server, &request, "application/json", document.to_string().as_bytes()).await?;
    } else if storage == CRDS {
        // JSON patch, not a merge: what the new document no longer has must go.
        let patch = json!([{"op": "replace", "path": "/spec", "value": document["spec"]}]).to_string();
        let update = Update::Patch { media: "application/json-patch+json", body: patch.as_bytes() };
        write::update(server, &request, update).await?;
    }
    Ok(())
}
