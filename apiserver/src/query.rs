//! The query options of requests and their checks.

use axum::extract::Query;
use axum::http::Uri;
use serde_json::Value;

use crate::status::{Cause, Failure};

/// The parsed query string.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options(Vec<(String, String)>);

/// What to do about unknown and duplicate fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

impl Options {
    pub(crate) fn parse(uri: &Uri) -> Result<Self, Failure> {
        Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map(|Query(pairs)| Self(pairs))
            .map_err(|error| Failure::bad_request(error.to_string()))
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.iter().any(|(key, value)| key == name && matches!(value.as_str(), "true" | "1" | ""))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Adds a flag that the path implies.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Failure> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse()
            .map(Some)
            .map_err(|_| Failure::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))
    }

    /// `kind` is `CreateOptions` and the like, for the error.
    pub(crate) fn dry_run(&self, kind: &str) -> Result<bool, Failure> {
        let values: Vec<Value> =
            self.0.iter().filter(|(key, _)| key == "dryRun").map(|(_, v)| v.as_str().into()).collect();
        if values.iter().any(|value| value != "All" && value != "") {
            return Err(Failure::options(kind, Cause::unsupported("dryRun", &Value::from(values), &["All".into()])));
        }
        Ok(values.iter().any(|value| value == "All"))
    }

    pub(crate) fn field_validation(&self, kind: &str) -> Result<FieldValidation, Failure> {
        match self.get("fieldValidation") {
            "" | "Warn" => Ok(FieldValidation::Warn),
            "Strict" => Ok(FieldValidation::Strict),
            "Ignore" => Ok(FieldValidation::Ignore),
            other => {
                let supported: [Value; 4] = ["".into(), "Ignore".into(), "Strict".into(), "Warn".into()];
                Err(Failure::options(kind, Cause::unsupported("fieldValidation", &other.into(), &supported)))
            }
        }
    }

    /// The field manager, or what the user agent says before its version.
    pub(crate) fn field_manager(&self, user_agent: &str) -> String {
        match self.get("fieldManager") {
            "" => user_agent.split('/').next().filter(|name| !name.is_empty()).unwrap_or("unknown").to_owned(),
            manager => manager.to_owned(),
        }
    }

    /// A resourceVersion as a revision; None when unset.
    pub(crate) fn revision(&self) -> Result<Option<u64>, String> {
        match self.get("resourceVersion") {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
            }),
        }
    }

    /// The checks of resourceVersionMatch and sendInitialEvents, for a list or a watch.
    pub(crate) fn check_list(&self, watch: bool) -> Result<(), Failure> {
        let forbidden = |field: &str, why: &str| Err(Failure::options("ListOptions", Cause::forbidden(field, why)));
        let matching = self.get("resourceVersionMatch");
        let initial = self.has("sendInitialEvents");
        if watch {
            if initial && matching != "NotOlderThan" {
                let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
                return forbidden("resourceVersionMatch", why);
            }
            if !initial && !matching.is_empty() {
                let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
                return forbidden("resourceVersionMatch", why);
            }
            return Ok(());
        }
        if initial {
            return forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list");
        }
        match matching {
            "" => Ok(()),
            "Exact" | "NotOlderThan" => match self.get("resourceVersion") {
                "" => forbidden(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                ),
                "0" if matching == "Exact" => forbidden(
                    "resourceVersionMatch",
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
                ),
                _ => Ok(()),
            },
            other => {
                let supported: [Value; 3] = ["Exact".into(), "NotOlderThan".into(), "".into()];
                let cause = Cause::unsupported("resourceVersionMatch", &other.into(), &supported);
                Err(Failure::options("ListOptions", cause))
            }
        }
    }
}
