//! `GET /compliance`: what was checked for personal data and secrets, and what was found. Figures only, never text.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use homeostat_clock::UtcMillis;
use homeostat_crds::compliance::{ComplianceCheck, CompliancePolicy};
use kube::ResourceExt;

use crate::site::{Chrome, PageError, Part, Signed, Site, html};
use crate::view::Tone;
use crate::words::{Moment, grouped, millis, short};

#[derive(Template)]
#[template(path = "compliance.html")]
struct Page {
    chrome: Chrome,
    live: Live,
}

#[derive(Template)]
#[template(path = "compliance_live.html")]
struct Fragment {
    live: Live,
}

struct Live {
    checks: Vec<CheckView>,
    policies: Vec<PolicyView>,
}

struct CheckView {
    name: String,
    model: String,
    model_href: String,
    version: String,
    policy: String,
    tone: Tone,
    verdict: String,
    findings: Vec<FindingView>,
    report: Option<(String, String)>,
    when: Option<Moment>,
    order: i64,
}

struct FindingView {
    entity: String,
    count: String,
    of: String,
    maximum: String,
    tone: Tone,
}

struct PolicyView {
    name: String,
    regulations: String,
    entities: String,
    leaks: String,
}

/// `GET /compliance`
pub(crate) async fn get(
    Signed(session): Signed,
    State(site): State<Arc<Site>>,
    Query(part): Query<Part>,
) -> Result<Response, PageError> {
    let now = site.now();
    let mut checks: Vec<_> = site.objects.checks.state().iter().map(|check| check_view(check, now)).collect();
    checks.sort_by_key(|check| (std::cmp::Reverse(check.order), check.name.clone()));
    let mut policies: Vec<_> = site.objects.compliance.state().iter().map(|policy| policy_view(policy)).collect();
    policies.sort_by(|left, right| left.name.cmp(&right.name));
    let live = Live { checks, policies };
    if part.live() {
        return html(&Fragment { live });
    }
    let kubectl = ["kubectl get compliancechecks -A".to_string(), "kubectl get compliancepolicies -A".to_string()];
    html(&Page { chrome: site.chrome(&session, "/compliance", "Compliance", &kubectl), live })
}

fn check_view(check: &ComplianceCheck, now: UtcMillis) -> CheckView {
    let status = check.status.clone().unwrap_or_default();
    let namespace = check.namespace().unwrap_or_default();
    let created = check.metadata.creation_timestamp.as_ref().map(millis);
    let finished = status.finished.as_ref().map(millis);
    CheckView {
        name: check.name_any(),
        model_href: format!("/models/{namespace}/{}", check.spec.model),
        model: check.spec.model.clone(),
        version: check.spec.version.clone(),
        policy: check.spec.policy_ref.name.clone(),
        tone: status.verdict.as_deref().map_or(Tone::Work, Tone::of),
        verdict: status.verdict.map_or_else(|| "running".to_string(), |verdict| verdict.to_lowercase()),
        findings: status
            .findings
            .iter()
            .map(|finding| FindingView {
                entity: finding.entity.clone(),
                count: grouped(finding.count),
                of: grouped(finding.of),
                maximum: grouped(finding.maximum),
                tone: match (finding.of, finding.count > finding.maximum) {
                    (0, _) => Tone::Unknown,
                    (_, true) => Tone::Bad,
                    (_, false) => Tone::Ok,
                },
            })
            .collect(),
        report: status.report.map(|digest| (short(&digest), digest)),
        when: finished.or(created).map(|time| Moment::new(time, now)),
        order: created.map_or(0, |time| time.0),
    }
}

fn policy_view(policy: &CompliancePolicy) -> PolicyView {
    let regulations: Vec<_> =
        policy.spec.regulations.iter().map(|regulation| format!("{regulation:?}").to_uppercase()).collect();
    let entities: Vec<_> =
        policy.spec.entities.iter().map(|entity| format!("{} (at most {})", entity.name, entity.maximum)).collect();
    PolicyView {
        name: format!("{}/{}", policy.namespace().unwrap_or_default(), policy.name_any()),
        regulations: if regulations.is_empty() { "none named".to_string() } else { regulations.join(", ") },
        entities: entities.join(", "),
        leaks: grouped(policy.spec.maximum_leaks),
    }
}
