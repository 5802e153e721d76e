//! `GET /compliance`: what was checked for personal data and secrets, what was found, and the requests of persons with their
//! deadlines. Figures only, never text.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use homeostat_clock::UtcMillis;
use homeostat_crds::ErasureRequest;
use homeostat_crds::compliance::{ComplianceCheck, CompliancePolicy};
use kube::ResourceExt;

use crate::site::{Chrome, PageError, Part, Signed, Site, html};
use crate::view::{Tone, condition};
use crate::words::{Moment, grouped, millis, short, spaced};

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
    requests: Vec<RequestView>,
}

/// A person's request for erasure or access.
struct RequestView {
    name: String,
    kind: String,
    regulation: &'static str,
    phase: String,
    tone: Tone,
    deadline: Option<Moment>,
    message: String,
    receipt: Option<(String, String)>,
    order: i64,
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
    let mut requests: Vec<_> = site.objects.erasures.state().iter().map(|request| request_view(request, now)).collect();
    requests.sort_by_key(|request| (request.order, request.name.clone()));
    let live = Live { checks, policies, requests };
    if part.live() {
        return html(&Fragment { live });
    }
    let kubectl = ["compliancechecks", "compliancepolicies", "erasurerequests"];
    let kubectl = kubectl.map(|kind| format!("kubectl get {kind} -A"));
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

/// Those that are open come first, by deadline.
fn request_view(request: &ErasureRequest, now: UtcMillis) -> RequestView {
    let status = request.status.clone().unwrap_or_default();
    let phase = status.phase.unwrap_or_else(|| "Planning".to_string());
    let deadline = status.deadline.as_ref().map(millis);
    let ended = status.finished.is_some();
    let overdue = !ended && deadline.is_some_and(|deadline| deadline <= now);
    let message = condition(&status.conditions, "Ready").map(|held| held.message.clone()).unwrap_or_default();
    RequestView {
        name: format!("{}/{}", request.namespace().unwrap_or_default(), request.name_any()),
        kind: request.spec.kind.as_str().to_lowercase(),
        regulation: request.spec.regulation.as_str(),
        tone: match phase.as_str() {
            _ if overdue => Tone::Bad,
            "Completed" => Tone::Ok,
            "Failed" => Tone::Bad,
            "AwaitingApproval" | "OnHold" => Tone::Warn,
            _ => Tone::Work,
        },
        phase: if overdue { format!("overdue, {}", spaced(&phase)) } else { spaced(&phase) },
        deadline: deadline.filter(|_| !ended).map(|deadline| Moment::new(deadline, now)),
        message,
        receipt: status.receipt.map(|digest| (short(&digest), digest)),
        order: if ended { i64::MAX } else { deadline.map_or(0, |deadline| deadline.0) },
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
