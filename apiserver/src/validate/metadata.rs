//! The rules of names, labels, annotations, finalizers and owner references.

use serde_json::Value;

use crate::status::Cause;

const ANNOTATIONS_LIMIT: usize = 256 * 1024;
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED_NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Everything that is wrong with an object's metadata. `label_name`: the name is a DNS label (namespaces).
pub(crate) fn check(object: &Value, label_name: bool) -> Vec<Cause> {
    let metadata = &object["metadata"];
    let mut causes = Vec::new();
    let name = &metadata["name"];
    match name.as_str() {
        None | Some("") => causes.push(Cause::required("metadata.name", "name or generateName is required")),
        Some(text) => {
            let why = if label_name { label_error(text) } else { subdomain_error(text) };
            if let Some(why) = why {
                causes.push(Cause::invalid("metadata.name", name, why));
            }
        }
    }
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        if let Some(why) = qualified_error(key) {
            causes.push(Cause::invalid("metadata.labels", &Value::from(key.as_str()), why));
        }
        if let Some(why) = label_value_error(value.as_str().unwrap_or_default()) {
            causes.push(Cause::invalid("metadata.labels", value, why));
        }
    }
    let mut size = 0;
    for (key, value) in metadata["annotations"].as_object().into_iter().flatten() {
        size += key.len() + value.as_str().unwrap_or_default().len();
        if let Some(why) = qualified_error(&key.to_lowercase()) {
            causes.push(Cause::invalid("metadata.annotations", &Value::from(key.as_str()), why));
        }
    }
    if size > ANNOTATIONS_LIMIT {
        let message = format!("Too long: may not be more than {ANNOTATIONS_LIMIT} bytes");
        causes.push(Cause { reason: "FieldValueTooLong", message, field: "metadata.annotations".to_owned() });
    }
    for finalizer in metadata["finalizers"].as_array().into_iter().flatten() {
        if let Some(why) = qualified_error(finalizer.as_str().unwrap_or_default()) {
            causes.push(Cause::invalid("metadata.finalizers", finalizer, why));
        }
    }
    owners(metadata, &mut causes);
    causes
}

/// Finalizers that Kubernetes warns about: without a domain and none of its own.
pub(crate) fn finalizer_warnings(object: &Value) -> Vec<String> {
    let own = ["orphan", "foregroundDeletion", "kubernetes"];
    let finalizers = object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str);
    finalizers
        .filter(|finalizer| !finalizer.contains('/') && !own.contains(finalizer))
        .map(|finalizer| {
            format!(
                "metadata.finalizers: \"{finalizer}\": prefer a domain-qualified finalizer name including a path (/) \
                 to avoid accidental conflicts with other finalizer writers"
            )
        })
        .collect()
}

fn owners(metadata: &Value, causes: &mut Vec<Cause>) {
    let mut controllers = 0;
    for (index, owner) in metadata["ownerReferences"].as_array().into_iter().flatten().enumerate() {
        let at = format!("metadata.ownerReferences[{index}]");
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().unwrap_or_default().is_empty() {
                let value = Value::from("");
                let why = if field == "apiVersion" { "version must not be empty" } else { "must not be empty" };
                causes.push(Cause::invalid(format!("{at}.{field}"), &value, why));
            }
        }
        controllers += usize::from(owner["controller"] == true);
    }
    if controllers > 1 {
        let why = "Only one reference can have Controller set to true";
        causes.push(Cause::invalid("metadata.ownerReferences", &metadata["ownerReferences"], why));
    }
}

fn is_label(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && edge(text.chars().next())
        && edge(text.chars().next_back())
}

fn label_error(text: &str) -> Option<String> {
    if text.len() > 63 {
        return Some("must be no more than 63 bytes".to_owned());
    }
    (!is_label(text)).then(|| LABEL.to_owned())
}

pub(crate) fn subdomain_error(text: &str) -> Option<String> {
    if text.len() > 253 {
        return Some("must be no more than 253 bytes".to_owned());
    }
    (!text.split('.').all(is_label)).then(|| SUBDOMAIN.to_owned())
}

fn is_name(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && edge(text.chars().next())
        && edge(text.chars().next_back())
}

fn qualified_error(text: &str) -> Option<String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if let Some(prefix) = prefix
        && let Some(why) = subdomain_error(prefix)
    {
        return Some(format!("prefix part {why}"));
    }
    if name.is_empty() {
        return Some("name part must be non-empty".to_owned());
    }
    if name.len() > 63 {
        return Some("name part must be no more than 63 bytes".to_owned());
    }
    (!is_name(name)).then(|| QUALIFIED_NAME.to_owned())
}

fn label_value_error(text: &str) -> Option<String> {
    if text.len() > 63 {
        return Some("must be no more than 63 bytes".to_owned());
    }
    (!text.is_empty() && !is_name(text)).then(|| LABEL_VALUE.to_owned())
}
