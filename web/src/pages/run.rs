//! `GET /runs/{namespace}/{name}`: one retraining as it goes.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use kube::ResourceExt;

use crate::facts;
use crate::site::{Chrome, PageError, Part, Signed, Site, find, html};
use crate::view::chart::loss;
use crate::view::run::{FunnelView, GateView, RunLine, funnel, gate, line, percent};
use crate::view::{ConditionLine, condition_lines};
use crate::words::{Moment, grouped, length, millis, number, short};

#[derive(Template)]
#[template(path = "run.html")]
struct Page {
    chrome: Chrome,
    live: Live,
    href: String,
}

#[derive(Template)]
#[template(path = "run_live.html")]
struct Fragment {
    live: Live,
}

struct Live {
    run: RunLine,
    /// What, figure.
    figures: Vec<(&'static str, String)>,
    percent: Option<u64>,
    loss: Option<String>,
    funnel: Option<FunnelView>,
    gates: Vec<GateView>,
    conditions: Vec<ConditionLine>,
    finished: Option<Moment>,
    evidence: Option<(String, String)>,
}

/// `GET /runs/{namespace}/{name}`
pub(crate) async fn get(
    Signed(session): Signed,
    State(site): State<Arc<Site>>,
    Path((namespace, name)): Path<(String, String)>,
    Query(part): Query<Part>,
) -> Result<Response, PageError> {
    let live = live(&site, &namespace, &name).await?;
    if part.live() {
        return html(&Fragment { live });
    }
    let kubectl = [
        format!("kubectl describe retrainingrun {name} -n {namespace}"),
        format!("kubectl get retrainingrun {name} -n {namespace} -w"),
    ];
    let chrome = site.chrome(&session, "/runs", format!("Run {namespace}/{name}"), &kubectl);
    html(&Page { chrome, live, href: format!("/runs/{namespace}/{name}") })
}

async fn live(site: &Site, namespace: &str, name: &str) -> Result<Live, PageError> {
    let now = site.now();
    let run = find(&site.objects.runs, namespace, name)?;
    let status = run.status.clone().unwrap_or_default();
    let curve = facts::loss(&site.records, &format!("{namespace}/{}", run.name_any())).await?;
    let stages = match &status.snapshot {
        Some(snapshot) => facts::funnel(&site.records, &snapshot.funnel).await,
        None => Vec::new(),
    };
    let progress = status.progress.clone().unwrap_or_default();
    let mut figures = Vec::new();
    if progress.total_steps > 0 {
        figures.push(("step", format!("{} of {}", grouped(progress.step), grouped(progress.total_steps))));
    }
    if let Some(loss) = progress.loss {
        figures.push(("training loss", format!("{} nats/byte", number(loss))));
    }
    if let Some(eta) = progress.eta_seconds.filter(|eta| eta.is_finite() && *eta >= 0.0 && status.finished.is_none()) {
        figures.push(("to go", format!("about {}", length(std::time::Duration::from_secs_f64(eta.min(1e9))))));
    }
    if status.attempt > 0 {
        figures.push(("attempt", status.attempt.to_string()));
    }
    if status.spent_seconds > 0.0 {
        figures.push(("device time", length(std::time::Duration::from_secs_f64(status.spent_seconds.min(1e9)))));
    }
    Ok(Live {
        figures,
        percent: percent(&progress),
        loss: (!curve.is_empty()).then(|| loss(&curve, progress.total_steps).json()),
        funnel: funnel(&run, &stages),
        gates: status.gates.iter().map(gate).collect(),
        conditions: condition_lines(&status.conditions, now),
        finished: status.finished.as_ref().map(|time| Moment::new(millis(time), now)),
        evidence: run.spec.evidence.as_ref().map(|digest| (short(digest), digest.clone())),
        run: line(&run, now),
    })
}
