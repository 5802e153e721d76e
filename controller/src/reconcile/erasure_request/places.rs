//! Where a person may stand: which blobs can hold text, what names them, and which versions were trained on them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use homeostat_crds::{Dataset, ModelVersion};
use kube::{Resource, ResourceExt};

use crate::reconcile::ReconcileError;
use crate::{Context, artifacts};

/// So much of a blob tells whether it is text.
const HEAD: u64 = 4096;

/// The blobs that are searched: all that begin like text, but for the files of artifacts, whose digests versions hang on.
pub(super) async fn candidates(ctx: &Context) -> Result<Vec<String>, ReconcileError> {
    let blobs = ctx.records.blobs();
    let mut files = BTreeSet::new();
    for version in ctx.stores.versions.state() {
        if let Some(artifact) = &version.spec.artifact {
            files.insert(artifact.sha256.clone());
            files.extend(artifacts::files(&ctx.records, &artifact.sha256).await);
        }
    }
    let mut candidates = Vec::new();
    for digest in blobs.list().await?.into_iter().filter(|digest| !files.contains(digest)) {
        match blobs.head(&digest, HEAD).await {
            Ok(head) if is_text(&head) => candidates.push(digest),
            // Deleted since it was listed.
            Ok(_) | Err(homeostat_records::BlobError::Missing(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(candidates)
}

/// Whether bytes look like the beginning of UTF-8 text.
fn is_text(head: &[u8]) -> bool {
    let cut = |error: std::str::Utf8Error| error.error_len().is_none();
    !head.is_empty() && !head.contains(&0) && std::str::from_utf8(head).map_or_else(cut, |_| true)
}

/// What objects say about blobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// Digest to the objects that name it, such as `Dataset/ml/atlas-fresh`.
    pub(super) used_by: BTreeMap<String, BTreeSet<String>>,
    /// Digest to the file it was read from.
    pub(super) files: BTreeMap<String, String>,
}

impl Places {
    fn name<K: Resource<DynamicType = ()>>(&mut self, object: &K, digests: impl IntoIterator<Item = String>) {
        let namespace = object.namespace().unwrap_or_default();
        let user = format!("{}/{namespace}/{}", K::kind(&()), object.name_any());
        for digest in digests.into_iter().filter(|digest| !digest.is_empty()) {
            self.used_by.entry(digest).or_default().insert(user.clone());
        }
    }

    /// The objects that name a blob.
    pub(super) fn of(&self, digest: &str) -> Vec<String> {
        self.used_by.get(digest).into_iter().flatten().cloned().collect()
    }
}

/// Reads them from the caches.
pub(super) fn places(ctx: &Context) -> Places {
    let mut places = Places::default();
    for dataset in ctx.stores.datasets.state() {
        let blobs = dataset.status.as_ref().map(|status| status.blobs.clone()).unwrap_or_default();
        for (blob, source) in blobs.iter().zip(&dataset.spec.sources) {
            places.files.extend(source.uri.clone().map(|uri| (blob.clone(), uri)));
        }
        places.name(&*dataset, blobs);
    }
    for version in ctx.stores.versions.state() {
        let lineage = version.spec.lineage.clone().unwrap_or_default();
        places.name(&*version, lineage.snapshot);
    }
    for run in ctx.stores.runs.state() {
        let snapshot = run.status.as_ref().and_then(|status| status.snapshot.clone());
        places.name(&*run, snapshot.into_iter().flat_map(|held| [held.fresh, held.replay, held.funnel]));
    }
    for check in ctx.stores.checks.state() {
        places.name(&*check, check.spec.snapshot.iter().chain(&check.spec.raw).cloned());
    }
    for request in ctx.stores.erasures.state() {
        places.name(&*request, request.status.as_ref().and_then(|status| status.export.clone()));
    }
    places
}

/// The versions (`namespace/name`) that were trained on an affected blob, and those that descend from them.
pub(super) fn trained_on(
    versions: &[Arc<ModelVersion>],
    datasets: &[Arc<Dataset>],
    affected: &dyn Fn(&str) -> bool,
) -> BTreeSet<String> {
    let full = |namespace: Option<String>, name: &str| format!("{}/{name}", namespace.unwrap_or_default());
    let of_dataset = |version: &ModelVersion, name: &str| {
        let is_it = |held: &&Arc<Dataset>| held.name_any() == name && held.namespace() == version.namespace();
        let blobs = datasets.iter().find(is_it).and_then(|held| held.status.as_ref()).map(|status| &status.blobs);
        blobs.into_iter().flatten().any(|blob| affected(blob))
    };
    let saw = |version: &&Arc<ModelVersion>| {
        version.spec.lineage.as_ref().is_some_and(|lineage| {
            lineage.snapshot.iter().any(|blob| affected(blob))
                || lineage.dataset.as_ref().is_some_and(|reference| of_dataset(version, &reference.name))
        })
    };
    let name = |version: &Arc<ModelVersion>| full(version.namespace(), &version.name_any());
    let mut trained: BTreeSet<String> = versions.iter().filter(saw).map(name).collect();
    // A lineage is a tree: at most as many rounds as there are versions.
    for _ in versions {
        let inherits = |version: &&Arc<ModelVersion>| {
            let parent = version.spec.lineage.as_ref().and_then(|lineage| lineage.parent.as_deref());
            parent.is_some_and(|parent| trained.contains(&full(version.namespace(), parent)))
        };
        let more: Vec<String> = versions.iter().filter(inherits).map(name).collect();
        let before = trained.len();
        trained.extend(more);
        if trained.len() == before {
            break;
        }
    }
    trained
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn version(name: &str, lineage: serde_json::Value) -> Arc<ModelVersion> {
        let spec = serde_json::from_value(json!({"model": "m", "lineage": lineage})).unwrap();
        let mut version = ModelVersion::new(name, spec);
        version.metadata.namespace = Some("ml".into());
        Arc::new(version)
    }

    #[test]
    fn versions_inherit_what_their_parents_saw() {
        let versions = [
            version("v3", json!({"parent": "v2"})),
            version("v2", json!({"parent": "v1", "snapshot": ["clean"]})),
            version("v1", json!({"dataset": {"name": "d"}})),
            version("other", json!({"snapshot": ["clean"]})),
            version("direct", json!({"snapshot": ["clean", "bad"]})),
        ];
        let spec = serde_json::from_value(json!({"purpose": "Training", "sources": []})).unwrap();
        let mut dataset = Dataset::new("d", spec);
        dataset.metadata.namespace = Some("ml".into());
        dataset.status = Some(serde_json::from_value(json!({"blobs": ["bad"]})).unwrap());
        let datasets = [Arc::new(dataset)];
        let trained = trained_on(&versions, &datasets, &|digest| digest == "bad");
        assert_eq!(trained.into_iter().collect::<Vec<_>>(), ["ml/direct", "ml/v1", "ml/v2", "ml/v3"]);
        assert!(trained_on(&versions, &datasets, &|_| false).is_empty());
    }

    #[test]
    fn text_is_told_from_binary_also_where_it_is_cut() {
        assert!(is_text(b"{\"prompt\":1}"));
        // The first byte of a character whose rest was cut off.
        assert!(is_text(&[b'a', 0xc3]));
        for binary in [&b""[..], &[0, 1, 2], &[b'a', 0xff, b'b'], b"abc\0"] {
            assert!(!is_text(binary), "{binary:?}");
        }
    }
}
