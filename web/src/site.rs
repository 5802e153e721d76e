//! What all handlers share, the frame around every page, and how a page fails.

use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::response::{Html, IntoResponse, Response};
use homeostat_clock::{Clock, UtcMillis};
use homeostat_records::Records;
use http::request::Parts;
use http::{StatusCode, header};
use kube::{Resource, ResourceExt};
use tokio::sync::watch;

use crate::Clients;
use crate::assets::{LINKS, Links};
use crate::facts::SeriesCache;
use crate::session::{Session, Signer};
use crate::watch::Objects;
use crate::words::clock_time;

/// What all handlers share.
pub(crate) struct Site {
    pub(crate) objects: Objects,
    pub(crate) records: Records,
    pub(crate) series: SeriesCache,
    pub(crate) clients: Arc<dyn Clients>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) token: String,
    pub(crate) signer: Signer,
    pub(crate) notice: Option<String>,
    pub(crate) changes: watch::Receiver<u64>,
}

impl Site {
    pub(crate) fn now(&self) -> UtcMillis {
        self.clock.now()
    }

    /// The frame of a page.
    pub(crate) fn chrome(
        &self,
        session: &Session,
        section: &'static str,
        title: impl Into<String>,
        kubectl: &[String],
    ) -> Chrome {
        let now = self.now();
        let banner = self.objects.failing().map(|(since, problem)| {
            format!(
                "The Kubernetes API has not answered since {} ({problem}). What you see may be old; it is tried again by itself.",
                clock_time(since, now)
            )
        });
        Chrome {
            links: &LINKS,
            title: title.into(),
            section,
            user: session.user.clone(),
            csrf: session.csrf.clone(),
            notice: self.notice.clone(),
            banner,
            since: *self.changes.borrow(),
            kubectl: kubectl.to_vec(),
        }
    }
}

/// The frame of a page.
pub(crate) struct Chrome {
    pub(crate) links: &'static Links,
    pub(crate) title: String,
    /// Which entry of the navigation is the current one.
    pub(crate) section: &'static str,
    pub(crate) user: String,
    pub(crate) csrf: String,
    pub(crate) notice: Option<String>,
    /// What is wrong with the dashboard's own sources.
    pub(crate) banner: Option<String>,
    /// The state of the change counter that this page was made from.
    pub(crate) since: u64,
    /// Commands that show the same.
    pub(crate) kubectl: Vec<String>,
}

impl Chrome {
    /// The navigation: address, name, whether it is the current one.
    pub(crate) fn navigation(&self) -> Vec<(&'static str, &'static str, bool)> {
        [
            ("/", "Overview"),
            ("/runs", "Runs"),
            ("/alerts", "Alerts"),
            ("/nodes", "Nodes"),
            ("/compliance", "Compliance"),
            ("/ledger", "Ledger"),
        ]
        .into_iter()
        .map(|(href, name)| (href, name, href == self.section))
        .collect()
    }
}

/// Which part of a page is asked for: all of it, or a fragment.
#[derive(Debug, Default, serde::Deserialize)]
pub(crate) struct Part {
    #[serde(default)]
    pub(crate) part: String,
}

impl Part {
    /// Whether only the part that changes by itself is asked for.
    pub(crate) fn live(&self) -> bool {
        self.part == "live"
    }
}

/// A person who is signed in; everybody else gets 401 and an explanation.
pub(crate) struct Signed(pub(crate) Session);

impl FromRequestParts<Arc<Site>> for Signed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let now = site.now();
        match cookies.into_iter().find_map(|cookie| site.signer.session(cookie, now)) {
            Some(session) => Ok(Self(session)),
            None => Err(crate::pages::sign_in::unauthorized(site)),
        }
    }
}

/// Why a page does not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// No such object.
    #[error("there is no {0}: it may have been deleted, or its name is misspelt")]
    NotFound(String),
    /// The form was not one of ours, or is too old.
    #[error("this form does not belong to your sign-in: load the page again and repeat the action")]
    Forged,
    /// A field of a form is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The Kubernetes API said no.
    #[error("the Kubernetes API refused the change: {0}")]
    Refused(String),
    /// The records did not answer.
    #[error("the records could not be read; the controller's log says more")]
    Records(#[from] homeostat_records::RecordsError),
    /// A template failed, which tests rule out.
    #[error("the page could not be rendered")]
    Template(#[from] askama::Error),
}

impl PageError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Forged => StatusCode::FORBIDDEN,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Records(_) | Self::Template(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    links: &'static Links,
    status: u16,
    message: String,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            let cause = std::error::Error::source(&self).map(ToString::to_string).unwrap_or_default();
            tracing::error!(error = %self, cause, "a page of the dashboard could not be made");
        }
        let page = ErrorPage { links: &LINKS, status: status.as_u16(), message: self.to_string() };
        match page.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => (status, self.to_string()).into_response(),
        }
    }
}

/// Renders a template as a page.
pub(crate) fn html(template: &impl Template) -> Result<Response, PageError> {
    Ok(Html(template.render()?).into_response())
}

/// The object called `name` in `namespace`.
///
/// # Errors
/// [`PageError::NotFound`]
pub(crate) fn find<K>(
    store: &kube::runtime::reflector::Store<K>,
    namespace: &str,
    name: &str,
) -> Result<Arc<K>, PageError>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store
        .state()
        .into_iter()
        .find(|object| object.name_any() == name && object.namespace().as_deref() == Some(namespace))
        .ok_or_else(|| PageError::NotFound(format!("{} {namespace}/{name}", K::kind(&()))))
}
