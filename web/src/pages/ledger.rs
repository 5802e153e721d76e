//! `GET /ledger`: every decision and audited write, newest first, with the head of the chain.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;

use crate::facts;
use crate::site::{Chrome, PageError, Signed, Site, html};
use crate::view::decision::{DecisionView, decision};

/// Entries on a page.
const PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "ledger.html")]
struct Page {
    chrome: Chrome,
    live: Live,
    href: String,
}

#[derive(Template)]
#[template(path = "ledger_live.html")]
struct Fragment {
    live: Live,
}

struct Live {
    head: Option<(u64, String)>,
    entries: Vec<DecisionView>,
    older: Option<u64>,
    newest: bool,
}

/// Which page is wanted.
#[derive(Debug, Default, serde::Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    part: String,
    before: Option<u64>,
}

/// `GET /ledger?before=SEQUENCE`
pub(crate) async fn get(
    Signed(session): Signed,
    State(site): State<Arc<Site>>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, PageError> {
    let now = site.now();
    let entries = facts::ledger(&site.records, wanted.before, PAGE).await?;
    let live = Live {
        head: site.records.ledger_head().await?,
        older: entries.last().map(|entry| entry.sequence).filter(|sequence| *sequence > 1),
        entries: entries.iter().map(|entry| decision(entry, now)).collect(),
        newest: wanted.before.is_none(),
    };
    if wanted.part == "live" {
        return html(&Fragment { live });
    }
    let kubectl = ["homeostat audit verify".to_string(), "kubectl get events -A".to_string()];
    let href = wanted
        .before
        .map_or_else(|| "/ledger?part=live".to_string(), |before| format!("/ledger?part=live&before={before}"));
    html(&Page { chrome: site.chrome(&session, "/ledger", "Ledger", &kubectl), live, href })
}
