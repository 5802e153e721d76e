//! The admin dashboard: pages, fragments and server-sent events over the custom resources and the records.
//!
//! It reads objects from reflector stores (one shared watch per kind) and time series from [`homeostat_records::Records`],
//! and changes nothing but `Model.spec.steering`, by one merge patch through the client of the signed-in user: the same
//! path and the same validation as kubectl. It deliberately holds no state of its own, decides nothing, and never sees
//! prompt or completion text.
//!
//! Flow of a page: extract (session, path) → query (stores, records) → build the view model (pure) → render the template.
//! A change of an object or a record becomes one `changed` event on `/events`; the page then fetches its live part again.

mod assets;
mod events;
mod facts;
mod headers;
mod pages;
mod session;
mod site;
mod view;
mod watch;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use homeostat_clock::Clock;
use homeostat_records::Records;

use crate::session::Signer;
use crate::site::Site;
use crate::watch::Objects;

/// What the dashboard is made of.
pub struct WebConfig {
    /// Clients that carry a user's name.
    pub clients: Arc<dyn Clients>,
    /// Time series, analyses, alerts and the ledger.
    pub records: Records,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Token that signs in.
    pub token: String,
    /// Key that signs session cookies.
    pub session_key: [u8; 32],
    /// One line shown on every page, for instance "demo: policy windows are seconds, not minutes".
    pub notice: Option<String>,
}

/// Where clients come from: every write carries the name of the signed-in user.
pub trait Clients: Send + Sync {
    /// A client that acts as `user`.
    fn client_for(&self, user: &str) -> kube::Client;
}

/// All pages, assets and events.
///
/// Must be called within a Tokio runtime: it starts one watch per kind, which end when the router is dropped. `/events`
/// streams last as long as their browser does: a graceful shutdown needs a deadline.
///
/// # Panics
/// Outside of a Tokio runtime.
pub fn router(config: WebConfig) -> Router {
    let WebConfig { clients, records, clock, token, session_key, notice } = config;
    let (sender, changes) = tokio::sync::watch::channel(0);
    let mut objects = Objects::start(&clients.client_for(watch::READER), clock.clone(), sender.clone());
    objects.also(facts::follow(records.clone(), sender));
    let site = Arc::new(Site {
        objects,
        records,
        series: facts::SeriesCache::default(),
        clients,
        clock,
        token,
        signer: Signer::new(session_key),
        notice,
        changes,
    });
    Router::new()
        .route("/", get(pages::overview::get))
        .route("/models/{namespace}/{name}", get(pages::model::get))
        .route("/models/{namespace}/{name}/steering", post(pages::steering::post))
        .route("/runs", get(pages::runs::get))
        .route("/runs/{namespace}/{name}", get(pages::run::get))
        .route("/alerts", get(pages::alerts::get))
        .route("/nodes", get(pages::nodes::get))
        .route("/compliance", get(pages::compliance::get))
        .route("/ledger", get(pages::ledger::get))
        .route("/sign-in", get(pages::sign_in::get).post(pages::sign_in::post))
        .route("/sign-out", post(pages::sign_in::sign_out))
        .route("/events", get(events::get))
        .route("/assets/{file}", get(assets::get))
        .fallback(pages::not_found)
        .layer(axum::middleware::map_response(headers::harden))
        .with_state(site)
}

/// The link that signs in, `base` being for instance `http://127.0.0.1:7080`.
#[must_use]
pub fn sign_in_link(base: &str, token: &str) -> String {
    format!("{}/sign-in?token={token}", base.trim_end_matches('/'))
}
