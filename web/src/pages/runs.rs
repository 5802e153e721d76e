//! `GET /runs`: all retrainings, open ones first.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;

use crate::site::{Chrome, PageError, Part, Signed, Site, html};
use crate::view::run::{RunLine, line, sorted};

/// Ended runs beyond this many are left to kubectl.
const LIMIT: usize = 100;

#[derive(Template)]
#[template(path = "runs.html")]
struct Page {
    chrome: Chrome,
    live: Live,
}

#[derive(Template)]
#[template(path = "runs_live.html")]
struct Fragment {
    live: Live,
}

struct Live {
    runs: Vec<RunLine>,
    read: bool,
}

/// `GET /runs`
pub(crate) async fn get(
    Signed(session): Signed,
    State(site): State<Arc<Site>>,
    Query(part): Query<Part>,
) -> Result<Response, PageError> {
    let now = site.now();
    let runs = site.objects.runs.state();
    let live = Live {
        runs: sorted(runs.iter().map(|run| &**run)).into_iter().take(LIMIT).map(|run| line(run, now)).collect(),
        read: !site.objects.unread().contains(&"RetrainingRun"),
    };
    if part.live() {
        return html(&Fragment { live });
    }
    let kubectl = ["kubectl get retrainingruns -A -w".to_string()];
    html(&Page { chrome: site.chrome(&session, "/runs", "Retraining runs", &kubectl), live })
}
