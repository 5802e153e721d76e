//! `GET /alerts`: what fires and what fired lately, with all its text.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;

use crate::facts;
use crate::site::{Chrome, PageError, Part, Signed, Site, html};
use crate::view::alert::{AlertView, alert};

#[derive(Template)]
#[template(path = "alerts.html")]
struct Page {
    chrome: Chrome,
    live: Live,
}

#[derive(Template)]
#[template(path = "alerts_live.html")]
struct Fragment {
    live: Live,
}

struct Live {
    firing: Vec<AlertView>,
    over: Vec<AlertView>,
}

/// `GET /alerts`
pub(crate) async fn get(
    Signed(session): Signed,
    State(site): State<Arc<Site>>,
    Query(part): Query<Part>,
) -> Result<Response, PageError> {
    let now = site.now();
    let facts = facts::alerts(&site.records, None, 50, now).await?;
    let (firing, over) = facts.iter().map(|fact| alert(fact, now)).partition(|alert| alert.firing);
    let live = Live { firing, over };
    if part.live() {
        return html(&Fragment { live });
    }
    let kubectl = ["kubectl get events -A".to_string()];
    html(&Page { chrome: site.chrome(&session, "/alerts", "Alerts", &kubectl), live })
}
