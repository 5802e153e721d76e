//! `GET /`: how many models need a person, and how each stands.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use homeostat_clock::UtcMillis;
use homeostat_crds::Model;
use homeostat_quality::ModelKey;
use kube::ResourceExt;

use crate::facts;
use crate::site::{Chrome, PageError, Part, Signed, Site, html};
use crate::view::Tone;
use crate::view::card::{Headline, ModelCard, card, headline, sort};
use crate::view::decision::{DecisionView, decision};
use crate::view::node::{NodeView, node};
use crate::view::series::Series;
use crate::view::standing::Evidence;
use crate::words::Moment;

/// Windows that a small chart shows.
const WINDOWS: u32 = 48;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    chrome: Chrome,
    live: Live,
}

#[derive(Template)]
#[template(path = "overview_live.html")]
struct Fragment {
    live: Live,
}

struct Live {
    headline: Headline,
    cards: Vec<ModelCard>,
    troubled: Vec<NodeView>,
    decisions: Vec<DecisionView>,
    agents: Vec<Agent>,
    firing: usize,
}

/// The age of an agent's newest report.
struct Agent {
    name: String,
    seen: Option<Moment>,
    tone: Tone,
    /// `well`, or what is wrong with the agent's node.
    state: String,
}

/// `GET /`
pub(crate) async fn get(
    Signed(session): Signed,
    State(site): State<Arc<Site>>,
    Query(part): Query<Part>,
) -> Result<Response, PageError> {
    let live = live(&site).await?;
    if part.live() {
        return html(&Fragment { live });
    }
    let kubectl = ["kubectl get models -A".to_string(), "kubectl get gpunodes".to_string()];
    html(&Page { chrome: site.chrome(&session, "/", "Overview", &kubectl), live })
}

async fn live(site: &Site) -> Result<Live, PageError> {
    let now = site.now();
    let mut cards = Vec::new();
    for model in site.objects.models.state() {
        cards.push(read_card(site, &model, WINDOWS, now).await?.0);
    }
    sort(&mut cards);
    let versions = site.objects.versions.state();
    let mut nodes: Vec<_> = site
        .objects
        .nodes
        .state()
        .iter()
        .map(|held| node(held, versions.iter().map(|version| &**version), now))
        .collect();
    nodes.sort_by(|left, right| left.name.cmp(&right.name));
    let decisions = facts::decisions(&site.records, None, 8).await?;
    let seen = facts::agents(&site.records).await?;
    Ok(Live {
        headline: headline(&cards, !site.objects.unread().contains(&"Model")),
        cards,
        agents: agents(&nodes, &seen, now),
        troubled: nodes.into_iter().filter(|node| node.tone != Tone::Ok || !node.chips.is_empty()).collect(),
        decisions: decisions.iter().map(|entry| decision(entry, now)).collect(),
        firing: site.records.firing().await?.len(),
    })
}

/// What was heard last of each agent: from its own stream where the records know it, else from its node's status.
fn agents(
    nodes: &[NodeView],
    seen: &std::collections::BTreeMap<String, Option<UtcMillis>>,
    now: UtcMillis,
) -> Vec<Agent> {
    let newest = |node: &NodeView| match seen.get(&node.name).copied().flatten() {
        Some(time) => Some(Moment::new(time, now)),
        None => node.report.clone(),
    };
    nodes
        .iter()
        .map(|node| Agent { name: node.name.clone(), seen: newest(node), tone: node.tone, state: node.state.clone() })
        .collect()
}

/// The card of a model with the series behind its metrics.
pub(crate) async fn read_card(
    site: &Site,
    model: &Model,
    windows: u32,
    now: UtcMillis,
) -> Result<(ModelCard, Vec<Series>), PageError> {
    let namespace = model.namespace().unwrap_or_default();
    let key = ModelKey::new(namespace.clone(), model.name_any());
    let policy = site.objects.policies.state().into_iter().find(|policy| {
        policy.name_any() == model.spec.decay_policy_ref.name
            && policy.namespace().as_deref() == Some(namespace.as_str())
    });
    let marks = facts::marks(&site.records, &key).await?;
    let mut series = Vec::new();
    for entry in model.status.iter().flat_map(|status| &status.quality) {
        let read = site.series.series(&site.records, &key, policy.as_deref(), entry, windows, now).await?;
        series.push(Series { marks: marks.clone(), ..read });
    }
    let of_model =
        |namespace_of: Option<String>, name: &str| namespace_of.as_deref() == Some(&namespace) && name == key.name;
    let versions = site.objects.versions.state();
    let versions: Vec<_> = versions
        .iter()
        .filter(|version| of_model(version.namespace(), &version.spec.model))
        .map(|version| &**version)
        .collect();
    let runs = site.objects.runs.state();
    let runs: Vec<_> = runs.iter().filter(|run| of_model(run.namespace(), &run.spec.model)).map(|run| &**run).collect();
    let evidence = Evidence {
        model,
        versions: &versions,
        runs: &runs,
        newest_data: series.iter().filter_map(Series::newest).max(),
        now,
    };
    Ok((card(&evidence, policy.as_deref(), &series), series))
}
