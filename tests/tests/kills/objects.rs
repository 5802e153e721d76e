//! Somebody who writes objects all the time, and remembers what was acknowledged.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::stage::NAMESPACE;

/// Writes a second, about.
const PAUSE: Duration = Duration::from_millis(200);
/// A write that hangs on a killed API is given up, and nothing is known of it.
const PATIENCE: Duration = Duration::from_secs(5);
const LABEL: &str = "kills";

/// What the API has acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Objects(Mutex<Acknowledged>);

#[derive(Debug, Default)]
struct Acknowledged {
    markers: BTreeMap<String, Marker>,
    newest: u64,
}

#[derive(Clone, Debug)]
struct Marker {
    uid: String,
    version: u64,
    count: u64,
}

impl Objects {
    /// Creates and changes objects until cancelled.
    pub(crate) async fn write(&self, client: Client) -> anyhow::Result<()> {
        let api: Api<ConfigMap> = Api::namespaced(client, NAMESPACE);
        for number in 0_usize.. {
            tokio::time::sleep(PAUSE).await;
            let old = (number % 3 == 2).then(|| self.held().markers.keys().nth(number / 7).cloned()).flatten();
            let answer = match &old {
                None => {
                    let marker = json!({"metadata": {"name": format!("marker-{number:05}"), "labels": {LABEL: "marker"}}, "data": {"count": "0"}});
                    tokio::time::timeout(PATIENCE, api.create(&PostParams::default(), &serde_json::from_value(marker)?))
                        .await
                }
                Some(name) => {
                    let count = self.held().markers.get(name).map_or(0, |marker| marker.count) + 1;
                    let patch = Patch::Merge(json!({"data": {"count": count.to_string()}}));
                    tokio::time::timeout(PATIENCE, api.patch(name, &PatchParams::default(), &patch)).await
                }
            };
            // No answer: it may have been written or not.
            let Ok(Ok(written)) = answer else { continue };
            let (name, marker) = read(&written)?;
            let mut held = self.held();
            ensure!(marker.version > held.newest, "{name}: version {} after {}", marker.version, held.newest);
            held.newest = marker.version;
            held.markers.insert(name, marker);
        }
        Ok(())
    }

    /// That everything acknowledged so far is there, in this state or a later one; how many objects that are.
    pub(crate) async fn check(&self, client: &Client) -> anyhow::Result<usize> {
        // Before the list, which may then only hold more.
        let expected = self.held().markers.clone();
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
        let list = api.list(&ListParams::default().labels(&format!("{LABEL}=marker"))).await?;
        let there = list.items.iter().map(read).collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        for (name, marker) in &expected {
            let found = there.get(name).with_context(|| format!("{name} was acknowledged and is gone"))?;
            let same = found.uid == marker.uid && found.version >= marker.version && found.count >= marker.count;
            ensure!(same, "{name} was acknowledged as {marker:?} and is {found:?}");
        }
        Ok(expected.len())
    }

    fn held(&self) -> MutexGuard<'_, Acknowledged> {
        self.0.lock().unwrap()
    }
}

fn read(object: &ConfigMap) -> anyhow::Result<(String, Marker)> {
    let meta = &object.metadata;
    let count = object.data.as_ref().and_then(|data| data.get("count")).context("a marker without its count")?;
    let marker = Marker {
        uid: meta.uid.clone().context("no uid")?,
        version: meta.resource_version.as_deref().context("no resourceVersion")?.parse()?,
        count: count.parse()?,
    };
    Ok((meta.name.clone().context("no name")?, marker))
}
