//! What a served resource is: names, schema, subresources, columns.

use std::sync::Arc;

use serde_json::Value;

use crate::validate::Validator;

/// A printed column of a resource.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    pub(crate) priority: i64,
    pub(crate) path: String,
}

/// The `scale` subresource's paths, dotted and with a leading dot.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    pub(crate) spec_replicas: String,
    pub(crate) status_replicas: String,
    pub(crate) label_selector: Option<String>,
}

/// Which rules beyond its schema a resource has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    Custom,
    Namespace,
    ConfigMap,
    Secret,
    /// Stored as core v1; served also as events.k8s.io/v1.
    Event,
    Lease,
    CustomResourceDefinition,
}

/// One resource of one group and version.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) namespaced: bool,
    pub(crate) rules: Rules,
    /// The key of its objects in the log; versions of one resource share it, and so do the two event groups.
    pub(crate) storage: String,
    pub(crate) validator: Arc<Validator>,
    /// The OpenAPI schema, as it is published.
    pub(crate) schema: Arc<Value>,
    pub(crate) status: bool,
    pub(crate) scale: Option<Scale>,
    pub(crate) columns: Vec<Column>,
    /// The JSON paths a field selector may name beside the metadata, without a leading dot.
    pub(crate) selectable: Vec<String>,
}

impl Resource {
    /// `widgets.demo.example.com`, `configmaps`.
    pub(crate) fn qualified(&self) -> String {
        qualify(&self.plural, &self.group)
    }

    /// `Widget.demo.example.com`, `ConfigMap`.
    pub(crate) fn qualified_kind(&self) -> String {
        qualify(&self.kind, &self.group)
    }

    /// `demo.example.com/v1`, `v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    pub(crate) fn is_custom(&self) -> bool {
        self.rules == Rules::Custom
    }

    /// Whether metadata.generation counts its changes of the desired state.
    pub(crate) fn has_generation(&self) -> bool {
        matches!(self.rules, Rules::Custom | Rules::CustomResourceDefinition)
    }

    pub(crate) fn verbs(&self) -> &'static [&'static str] {
        match self.rules {
            Rules::Namespace => &["create", "delete", "get", "list", "patch", "update", "watch"],
            _ => &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        }
    }

    /// The subresources with a `status` or `scale` shape of their own.
    pub(crate) fn has_subresource(&self, name: &str) -> bool {
        match name {
            "status" => self.status,
            "scale" => self.scale.is_some(),
            "finalize" => self.rules == Rules::Namespace,
            _ => false,
        }
    }
}

fn qualify(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}
