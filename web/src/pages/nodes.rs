//! `GET /nodes`: agents, their GPUs and what runs there.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;

use crate::site::{Chrome, PageError, Part, Signed, Site, html};
use crate::view::node::{NodeView, node};

#[derive(Template)]
#[template(path = "nodes.html")]
struct Page {
    chrome: Chrome,
    live: Live,
}

#[derive(Template)]
#[template(path = "nodes_live.html")]
struct Fragment {
    live: Live,
}

struct Live {
    nodes: Vec<NodeView>,
    read: bool,
}

/// `GET /nodes`
pub(crate) async fn get(
    Signed(session): Signed,
    State(site): State<Arc<Site>>,
    Query(part): Query<Part>,
) -> Result<Response, PageError> {
    let now = site.now();
    let versions = site.objects.versions.state();
    let nodes = site.objects.nodes.state();
    let mut nodes: Vec<_> =
        nodes.iter().map(|held| node(held, versions.iter().map(|version| &**version), now)).collect();
    nodes.sort_by(|left, right| left.name.cmp(&right.name));
    let live = Live { nodes, read: !site.objects.unread().contains(&"GpuNode") };
    if part.live() {
        return html(&Fragment { live });
    }
    let kubectl = ["kubectl get gpunodes".to_string(), "kubectl describe gpunode NAME".to_string()];
    html(&Page { chrome: site.chrome(&session, "/nodes", "Nodes", &kubectl), live })
}
