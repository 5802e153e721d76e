//! Which resources are served at the moment: the built-in ones and those of the stored CRDs.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::builtin::Builtin;
use crate::crd;
use crate::resource::Resource;

/// An immutable set of resources; a change of a CRD makes a new one.
pub(crate) struct Registry {
    resources: Vec<Arc<Resource>>,
    index: HashMap<(String, String, String), Arc<Resource>>,
    /// OpenAPI schemas that the built-in kinds refer to, by name.
    pub(crate) definitions: Arc<Map<String, Value>>,
}

impl Registry {
    pub(crate) fn new(builtin: &Builtin, crds: &[Arc<Value>]) -> Self {
        let mut resources = builtin.resources.clone();
        for document in crds {
            // What is stored was acceptable when it was written; a newer program may be stricter.
            match crd::resources(document) {
                Ok(served) => resources.extend(served.into_iter().map(Arc::new)),
                Err(causes) => tracing::error!(
                    crd.name = crate::meta::name(document),
                    causes = ?causes,
                    "a stored CRD is not acceptable and its resource is not served: apply it again"
                ),
            }
        }
        let index = resources
            .iter()
            .map(|resource| {
                let key = (resource.group.clone(), resource.version.clone(), resource.plural.clone());
                (key, Arc::clone(resource))
            })
            .collect();
        Self { resources, index, definitions: Arc::clone(&builtin.definitions) }
    }

    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        self.index.get(&(group.to_owned(), version.to_owned(), plural.to_owned())).cloned()
    }

    /// Some version of the resource that is stored under `storage`.
    pub(crate) fn stored_as(&self, storage: &str) -> Option<Arc<Resource>> {
        self.resources.iter().find(|resource| resource.storage == storage).cloned()
    }

    /// Whether objects of this kind can exist here at all.
    pub(crate) fn knows(&self, api_version: &str, kind: &str) -> bool {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        self.resources.iter().any(|resource| resource.group == group && resource.kind == kind)
    }

    /// Groups in the order of registration, each with its versions, the preferred first.
    pub(crate) fn groups(&self) -> Vec<(String, Vec<String>)> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for resource in &self.resources {
            match groups.iter_mut().find(|(group, _)| *group == resource.group) {
                Some((_, versions)) if versions.contains(&resource.version) => {}
                Some((_, versions)) => versions.push(resource.version.clone()),
                None => groups.push((resource.group.clone(), vec![resource.version.clone()])),
            }
        }
        groups
    }

    pub(crate) fn of<'a>(&'a self, group: &'a str, version: &'a str) -> impl Iterator<Item = &'a Arc<Resource>> {
        self.resources.iter().filter(move |resource| resource.group == group && resource.version == version)
    }
}
