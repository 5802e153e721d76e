//! A cluster's API: found, asked for our kinds, and people act on it by impersonation.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// An API server serves a new kind within a second or two.
const SERVED_WITHIN: Duration = Duration::from_secs(30);

/// Group of the dashboard's users; `deploy/rbac.yaml` says what it may do.
const PEOPLE: &str = "homeostat:dashboard";

/// The cluster that KUBECONFIG or the Pod's service account names.
///
/// # Errors
/// When neither is there; `otherwise` ends the sentence with what else can be done.
pub(crate) async fn config(otherwise: &str) -> anyhow::Result<Box<kube::Config>> {
    let config = kube::Config::infer().await;
    config
        .map(Box::new)
        .with_context(|| format!("no cluster: set KUBECONFIG, run in a Pod with a service account, or {otherwise}"))
}

/// Where kubectl finds the same cluster.
pub(crate) fn kubeconfig() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".kube/config"));
    let given = std::env::var_os("KUBECONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    given.or_else(home).unwrap_or_default()
}

/// A client of a cluster that answers.
///
/// # Errors
/// When it does not.
pub(crate) async fn connect(config: &kube::Config) -> anyhow::Result<Client> {
    let client = Client::try_from(config.clone()).context("the cluster's API client could not be made")?;
    client
        .apiserver_version()
        .await
        .with_context(|| format!("the Kubernetes API at {} does not answer", config.cluster_url))?;
    Ok(client)
}

/// Checks that the cluster knows all our kinds.
///
/// # Errors
/// Names those that are missing, and the command that brings them.
pub(crate) async fn demand_definitions(client: &Client, config: &kube::Config) -> anyhow::Result<()> {
    let missing = missing(client).await?;
    if !missing.is_empty() {
        let missing = missing.into_iter().collect::<Vec<_>>().join(", ");
        bail!(
            "the Kubernetes API at {} does not know {missing}: run `kubectl apply -f crds/yaml`, or `homeostat crds | kubectl apply -f -`",
            config.cluster_url
        );
    }
    Ok(())
}

/// Gives the dashboard's users the rights of `deploy/rbac.yaml`.
///
/// # Errors
/// When the API refuses.
pub(crate) async fn apply_rights(client: &Client) -> anyhow::Result<()> {
    let text = include_str!("../../../deploy/rbac.yaml");
    let mut documents = text.split("\n---\n");
    let (role, binding) = (documents.next().unwrap_or_default(), documents.next().unwrap_or_default());
    let role: ClusterRole = serde_saphyr::from_str(role).context("deploy/rbac.yaml holds no ClusterRole")?;
    let binding: ClusterRoleBinding =
        serde_saphyr::from_str(binding).context("deploy/rbac.yaml holds no ClusterRoleBinding")?;
    let roles = create_unless_there(&Api::all(client.clone()), &role).await;
    roles.context("the rights of the dashboard's users cannot be created")?;
    let bindings = create_unless_there(&Api::all(client.clone()), &binding).await;
    bindings.context("the rights of the dashboard's users cannot be bound")
}

/// What an administrator has changed stays.
async fn create_unless_there<K>(api: &Api<K>, object: &K) -> Result<(), kube::Error>
where
    K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    match api.create(&PostParams::default(), object).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Creates our definitions, or brings those that are there up to date; returns once all kinds are served.
///
/// # Errors
/// When the API refuses one, or does not serve it in time.
pub(crate) async fn apply_definitions(client: &Client) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in homeostat_crds::all() {
        let name = definition.name_any();
        let applied = match api.create(&PostParams::default(), &definition).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let patch = Patch::Merge(json!({"spec": definition.spec}));
                api.patch(&name, &PatchParams::default(), &patch).await
            }
            other => other,
        };
        applied.with_context(|| format!("the definition of {name} cannot be applied"))?;
    }
    let since = Instant::now();
    loop {
        let missing = missing(client).await?;
        if missing.is_empty() {
            return Ok(());
        }
        if since.elapsed() > SERVED_WITHIN {
            bail!(
                "the cluster does not serve {} within {} s; see `kubectl describe crd`",
                missing.into_iter().collect::<Vec<_>>().join(", "),
                SERVED_WITHIN.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Our kinds that the API does not serve. Asked of its discovery, which everybody who may sign in may read.
async fn missing(client: &Client) -> anyhow::Result<BTreeSet<String>> {
    let group = format!("{}/v1alpha1", homeostat_crds::GROUP);
    let served: BTreeSet<String> = match client.list_api_group_resources(&group).await {
        Ok(list) => list.resources.into_iter().map(|resource| resource.name).collect(),
        Err(kube::Error::Api(status)) if status.code == 404 => BTreeSet::new(),
        Err(error) => return Err(error).context("the cluster's kinds cannot be listed"),
    };
    let wanted = homeostat_crds::all().into_iter().map(|definition| definition.spec.names.plural);
    let missing = wanted.filter(|plural| !served.contains(plural));
    Ok(missing.map(|plural| format!("{plural}.{}", homeostat_crds::GROUP)).collect())
}

/// Clients for the dashboard's users: they act as themselves, with the rights that the cluster gives them.
pub(super) struct Clients(pub(super) kube::Config);

impl homeostat_web::Clients for Clients {
    fn client_for(&self, user: &str) -> Client {
        let mut config = self.0.clone();
        config.auth_info.impersonate = Some(user.to_string());
        config.auth_info.impersonate_groups = Some(vec!["system:authenticated".to_string(), PEOPLE.to_string()]);
        // The same configuration made a client at the start.
        #[expect(clippy::expect_used, reason = "only the user name differs from a configuration that worked")]
        Client::try_from(config).expect("a client for the same cluster")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rights_are_those_of_the_group() {
        let text = include_str!("../../../deploy/rbac.yaml");
        let documents: Vec<&str> = text.split("\n---\n").collect();
        assert_eq!(documents.len(), 2);
        let role: ClusterRole = serde_saphyr::from_str(documents[0]).unwrap();
        let binding: ClusterRoleBinding = serde_saphyr::from_str(documents[1]).unwrap();
        assert_eq!(binding.role_ref.name, role.metadata.name.unwrap());
        assert_eq!(binding.subjects.unwrap()[0].name, PEOPLE);
    }
}
