//! Field selectors: `metadata.name=a,spec.color!=red`.

use serde_json::Value;

use crate::resource::{Resource, Rules};

const EVENT_FIELDS: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "regarding.kind",
    "regarding.namespace",
    "regarding.name",
    "regarding.uid",
    "regarding.apiVersion",
    "regarding.resourceVersion",
    "regarding.fieldPath",
    "reason",
    "reportingComponent",
    "reportingController",
    "source",
    "type",
];

#[derive(Debug, Clone, PartialEq)]
struct Test {
    path: Vec<String>,
    value: String,
    equal: bool,
}

/// A parsed field selector; the empty one selects everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FieldSelector(Vec<Test>);

impl FieldSelector {
    pub(crate) fn parse(resource: &Resource, text: &str) -> Result<Self, String> {
        let mut tests = Vec::new();
        for term in terms(text) {
            let (field, value, equal) =
                split(&term).ok_or_else(|| format!("invalid selector: '{term}'; can't understand '{term}'"))?;
            if !supported(resource, &field) {
                return Err(format!("field label not supported: {field}"));
            }
            // The core event's selector label `source` means its component.
            let field = match (resource.rules, field.as_str()) {
                (Rules::Event, "source") if resource.group.is_empty() => "source.component",
                _ => &field,
            };
            tests.push(Test { path: field.split('.').map(str::to_owned).collect(), value, equal });
        }
        Ok(Self(tests))
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|test| (text(object, &test.path) == test.value) == test.equal)
    }
}

fn supported(resource: &Resource, field: &str) -> bool {
    field == "metadata.name"
        || (field == "metadata.namespace" && resource.namespaced)
        || resource.selectable.iter().any(|path| path == field)
        || match resource.rules {
            Rules::Event => EVENT_FIELDS.contains(&field),
            Rules::Namespace => field == "status.phase",
            Rules::Secret => field == "type",
            _ => false,
        }
}

/// An absent field equals the empty text, as in Kubernetes.
fn text(object: &Value, path: &[String]) -> String {
    let mut value = object;
    for step in path {
        match value.get(step) {
            Some(next) => value = next,
            None => return String::new(),
        }
    }
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn terms(text: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == ',' {
            terms.push(String::new());
        } else if let Some(term) = terms.last_mut() {
            term.push(c);
            if c == '\\'
                && let Some(next) = chars.next()
            {
                term.push(next);
            }
        }
    }
    terms.retain(|term| !term.is_empty());
    terms
}

fn split(term: &str) -> Option<(String, String, bool)> {
    let at = term.find(['=', '!'])?;
    let (field, rest) = term.split_at(at);
    let (value, equal) = if let Some(value) = rest.strip_prefix("!=") {
        (value, false)
    } else if let Some(value) = rest.strip_prefix("==") {
        (value, true)
    } else {
        (rest.strip_prefix('=')?, true)
    };
    let value = value.replace("\\,", ",").replace("\\=", "=").replace("\\\\", "\\");
    Some((field.to_owned(), value, equal))
}
