//! What a request is about: the parsed path, options and identity.

use std::sync::Arc;

use crate::User;
use crate::query::Options;
use crate::resource::Resource;

/// A request for a resource.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) user: User,
    pub(crate) resource: Arc<Resource>,
    /// Empty for cluster-scoped resources and for all namespaces.
    pub(crate) namespace: String,
    /// Empty for collections.
    pub(crate) name: String,
    /// Empty for the object itself.
    pub(crate) subresource: String,
    pub(crate) options: Options,
    pub(crate) user_agent: String,
}

impl Request {
    /// The namespace to list; None for all.
    pub(crate) fn namespace_filter(&self) -> Option<&str> {
        (!self.namespace.is_empty()).then_some(self.namespace.as_str())
    }

    pub(crate) fn field_manager(&self) -> String {
        self.options.field_manager(&self.user_agent)
    }
}

/// A path below `/api/v1` or `/apis/GROUP/VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    pub(crate) group: &'a str,
    pub(crate) version: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) plural: &'a str,
    pub(crate) name: &'a str,
    pub(crate) subresource: &'a str,
    /// The old `/watch/` form.
    pub(crate) watch: bool,
}

impl<'a> Path<'a> {
    /// None when the path has another shape.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        let mut segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, version) = match segments.first().copied()? {
            "api" => ("", *segments.get(1)?),
            "apis" => (*segments.get(1)?, *segments.get(2)?),
            _ => return None,
        };
        segments.drain(..if group.is_empty() { 2 } else { 3 });
        let watch = segments.first() == Some(&"watch");
        if watch {
            segments.remove(0);
        }
        // `namespaces/NAME/status` is about a namespace, `namespaces/NAME/configmaps` about what is in it.
        let inside = segments.len() > 2
            && segments[0] == "namespaces"
            && !(group.is_empty() && matches!(segments[2], "status" | "finalize"));
        let namespace = if inside { segments[1] } else { "" };
        if inside {
            segments.drain(..2);
        }
        if segments.is_empty() || segments.len() > 3 || segments.iter().any(|segment| segment.is_empty()) {
            return None;
        }
        let at = |index: usize| segments.get(index).copied().unwrap_or_default();
        Some(Self { group, version, namespace, plural: at(0), name: at(1), subresource: at(2), watch })
    }
}

#[cfg(test)]
mod tests {
    use super::Path;

    fn parse(path: &str) -> Option<(&str, &str, &str, &str, &str, &str)> {
        Path::parse(path).map(|p| (p.group, p.version, p.namespace, p.plural, p.name, p.subresource))
    }

    #[test]
    fn paths() {
        assert_eq!(parse("/api/v1/namespaces"), Some(("", "v1", "", "namespaces", "", "")));
        assert_eq!(parse("/api/v1/namespaces/a"), Some(("", "v1", "", "namespaces", "a", "")));
        assert_eq!(parse("/api/v1/namespaces/a/finalize"), Some(("", "v1", "", "namespaces", "a", "finalize")));
        assert_eq!(parse("/api/v1/namespaces/a/configmaps/"), Some(("", "v1", "a", "configmaps", "", "")));
        assert_eq!(parse("/apis/g/v1/namespaces/a/ws/w/status"), Some(("g", "v1", "a", "ws", "w", "status")));
        assert_eq!(parse("/apis/g/v1/ws"), Some(("g", "v1", "", "ws", "", "")));
        assert!(Path::parse("/apis/g/v1/watch/namespaces/a/ws").is_some_and(|path| path.watch && path.plural == "ws"));
        assert_eq!(parse("/apis/g/v1"), None);
        assert_eq!(parse("/healthz"), None);
    }
}
