//! Label and field selectors: which objects of a list or watch the caller wants.

mod field;
mod label;

pub(crate) use field::FieldSelector;
pub(crate) use label::LabelSelector;
use serde_json::Value;

use crate::resource::Resource;
use crate::status::Failure;

/// Both selectors of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    pub(crate) labels: LabelSelector,
    pub(crate) fields: FieldSelector,
}

impl Selector {
    pub(crate) fn parse(resource: &Resource, labels: &str, fields: &str) -> Result<Self, Failure> {
        Ok(Self {
            labels: LabelSelector::parse(labels).map_err(Failure::bad_request)?,
            fields: FieldSelector::parse(resource, fields).map_err(Failure::bad_request)?,
        })
    }

    /// Whether the object, as it is shown to the caller, is selected.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }
}
