//! `GET /models/{namespace}/{name}`: one model over time, its versions, why it stands as it does, and the steering.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use homeostat_clock::UtcMillis;
use homeostat_crds::{Model, ModelVersion};
use homeostat_quality::ModelKey;
use homeostat_quality::registry::{self, Unit};
use kube::ResourceExt;

use super::overview::read_card;
use crate::facts::{self, Diagnosis};
use crate::site::{Chrome, PageError, Signed, Site, find, html};
use crate::view::alert::{AlertView, alert};
use crate::view::card::ModelCard;
use crate::view::chart::quality;
use crate::view::decision::{DecisionView, decision};
use crate::view::metric::registry_name;
use crate::view::run::{RunLine, line, sorted};
use crate::view::{ConditionLine, Tone, condition, condition_lines};
use crate::words::{Moment, millis, short, spaced};

/// Windows that a large chart shows.
const WINDOWS: u32 = 192;

#[derive(Template)]
#[template(path = "model.html")]
struct Page {
    chrome: Chrome,
    live: Live,
    steering: SteeringForm,
    /// What a steering action that was just done says.
    done: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "model_live.html")]
struct LiveFragment {
    live: Live,
}

#[derive(Template)]
#[template(path = "model_steering.html")]
struct SteeringFragment {
    steering: SteeringForm,
}

struct Live {
    card: ModelCard,
    charts: Vec<ChartView>,
    traffic: Vec<(String, u8)>,
    datasets: Vec<DatasetView>,
    versions: Vec<VersionView>,
    diagnosis: Option<DiagnosisView>,
    decision: Option<LastDecision>,
    alerts: Vec<AlertView>,
    runs: Vec<RunLine>,
    decisions: Vec<DecisionView>,
    conditions: Vec<ConditionLine>,
}

struct ChartView {
    name: String,
    json: String,
    empty: bool,
}

/// One version in the timeline.
struct VersionView {
    name: String,
    /// `stable`, `canary`, `last known good`, `rolled back`.
    role: String,
    tone: Tone,
    phase: String,
    why: String,
    parent: Option<String>,
    run: Option<(String, String)>,
    created: Option<Moment>,
    digest: Option<(String, String)>,
    baseline: Option<String>,
    created_ms: i64,
}

/// A Dataset that the model uses.
struct DatasetView {
    name: String,
    purpose: &'static str,
    tone: Tone,
    /// `600 records`, or what is wrong.
    state: String,
}

struct DiagnosisView {
    at: Moment,
    version: String,
    cause: Option<String>,
    reasons: Vec<String>,
    explanations: Vec<(String, String)>,
    evidence: Option<(String, String)>,
}

struct LastDecision {
    what: String,
    why: String,
    time: Moment,
}

/// What a person can do now.
pub(crate) struct SteeringForm {
    pub(crate) action: String,
    pub(crate) live: String,
    pub(crate) csrf: String,
    pub(crate) held: bool,
    pub(crate) pinned: Option<String>,
    pub(crate) candidate: Option<String>,
    pub(crate) can_retrain: bool,
    pub(crate) versions: Vec<String>,
    /// The same with kubectl.
    pub(crate) kubectl: String,
}

/// What the address asks for.
#[derive(Debug, Default, serde::Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    part: String,
    #[serde(default)]
    done: String,
}

/// `GET /models/{namespace}/{name}`
pub(crate) async fn get(
    Signed(session): Signed,
    State(site): State<Arc<Site>>,
    Path((namespace, name)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, PageError> {
    let model = find(&site.objects.models, &namespace, &name)?;
    match wanted.part.as_str() {
        "steering" => return html(&SteeringFragment { steering: steering(&site, &model, &session.csrf) }),
        "live" => return html(&LiveFragment { live: live(&site, &model).await? }),
        _ => {}
    }
    let kubectl =
        [format!("kubectl describe model {name} -n {namespace}"), format!("homeostat why {name} -n {namespace}")];
    html(&Page {
        chrome: site.chrome(&session, "/", format!("{namespace}/{name}"), &kubectl),
        live: live(&site, &model).await?,
        steering: steering(&site, &model, &session.csrf),
        done: super::steering::Action::parse(&wanted.done).map(super::steering::Action::done),
    })
}

fn steering(site: &Site, model: &Model, csrf: &str) -> SteeringForm {
    let (namespace, name) = (model.namespace().unwrap_or_default(), model.name_any());
    let spec = model.spec.steering.clone().unwrap_or_default();
    let status = model.status.clone().unwrap_or_default();
    let mut versions: Vec<_> = versions(site, model).iter().map(|version| version.name_any()).collect();
    versions.sort();
    SteeringForm {
        action: format!("/models/{namespace}/{name}/steering"),
        live: format!("/models/{namespace}/{name}?part=steering"),
        csrf: csrf.to_string(),
        held: spec.hold,
        pinned: spec.pin,
        candidate: status.candidate.filter(|candidate| status.stable.as_ref() != Some(candidate)),
        can_retrain: model.spec.retraining.is_some(),
        versions,
        kubectl: format!(
            "kubectl patch model {name} -n {namespace} --type merge -p '{{\"spec\":{{\"steering\":{{\"hold\":{},\"reason\":\"...\"}}}}}}'",
            !spec.hold
        ),
    }
}

fn versions(site: &Site, model: &Model) -> Vec<Arc<ModelVersion>> {
    let (namespace, name) = (model.namespace(), model.name_any());
    let all = site.objects.versions.state().into_iter();
    all.filter(|version| version.namespace() == namespace && version.spec.model == name).collect()
}

async fn live(site: &Site, model: &Model) -> Result<Live, PageError> {
    let now = site.now();
    let namespace = model.namespace().unwrap_or_default();
    let key = ModelKey::new(namespace.clone(), model.name_any());
    let (card, series) = read_card(site, model, WINDOWS, now).await?;
    let status = model.status.clone().unwrap_or_default();
    let policy = find(&site.objects.policies, &namespace, &model.spec.decay_policy_ref.name).ok();
    let charts = status.quality.iter().zip(&series).map(|(entry, series)| ChartView {
        name: entry.name.clone(),
        json: quality(series, &entry.name, unit(registry_name(policy.as_deref(), &entry.name))).json(),
        empty: series.points.is_empty(),
    });
    let mut versions: Vec<_> = versions(site, model).iter().map(|version| version_view(version, model, now)).collect();
    versions.sort_by_key(|version| std::cmp::Reverse((version.created_ms, version.name.clone())));
    let runs = site.objects.runs.state();
    let runs = sorted(
        runs.iter().map(|run| &**run).filter(|run| run.namespace() == model.namespace() && run.spec.model == key.name),
    );
    let alerts = facts::alerts(&site.records, Some(&key), 10, now).await?;
    let decisions = facts::decisions(&site.records, Some(&key), 12).await?;
    Ok(Live {
        charts: charts.collect(),
        traffic: status.traffic.iter().map(|traffic| (traffic.version.clone(), traffic.weight)).collect(),
        datasets: datasets(site, model),
        versions,
        diagnosis: facts::diagnosis(&site.records, &key).await?.map(|found| diagnosis_view(found, now)),
        decision: status.last_decision.as_ref().map(|last| LastDecision {
            what: spaced(&last.what),
            why: last.why.clone(),
            time: Moment::new(millis(&last.time), now),
        }),
        alerts: alerts.iter().map(|fact| alert(fact, now)).filter(|alert| alert.firing).collect(),
        runs: runs.into_iter().take(5).map(|run| line(run, now)).collect(),
        decisions: decisions.iter().map(|entry| decision(entry, now)).collect(),
        conditions: condition_lines(&status.conditions, now),
        card,
    })
}

fn datasets(site: &Site, model: &Model) -> Vec<DatasetView> {
    let namespace = model.namespace().unwrap_or_default();
    let golden = model.spec.evaluation.golden.iter().map(|reference| (&reference.name, "golden probes"));
    let fresh = model.spec.retraining.iter().map(|retraining| (&retraining.dataset.name, "fresh records"));
    let view = |(name, purpose): (&String, &'static str)| {
        let status = find(&site.objects.datasets, &namespace, name)
            .ok()
            .map(|dataset| dataset.status.clone().unwrap_or_default());
        let ready = status.as_ref().and_then(|status| condition(&status.conditions, homeostat_crds::conditions::READY));
        let (tone, state) = match (&status, ready) {
            (None, _) => (Tone::Bad, "does not exist".to_string()),
            (Some(status), Some(ready)) if ready.status == "True" => (
                Tone::Ok,
                status.records.map_or_else(|| "grows".to_string(), |n| format!("{} records", crate::words::grouped(n))),
            ),
            (Some(_), Some(ready)) if ready.status == "False" => (Tone::Bad, ready.message.clone()),
            _ => (Tone::Unknown, "not looked at yet".to_string()),
        };
        DatasetView { name: name.clone(), purpose, tone, state }
    };
    golden.chain(fresh).map(view).collect()
}

fn unit(metric: &str) -> &'static str {
    match registry::metric(metric).map(|metric| metric.unit) {
        Some(Unit::Ratio) => "ratio",
        Some(Unit::Seconds) => "seconds",
        _ => "",
    }
}

fn version_view(version: &ModelVersion, model: &Model, now: UtcMillis) -> VersionView {
    use homeostat_crds::conditions::version::PROMOTED;
    let name = version.name_any();
    let status = version.status.clone().unwrap_or_default();
    let of_model = model.status.clone().unwrap_or_default();
    let promoted = condition(&status.conditions, PROMOTED);
    let role = if of_model.stable.as_ref() == Some(&name) {
        "stable".to_string()
    } else if of_model.candidate.as_ref() == Some(&name) {
        "candidate".to_string()
    } else if of_model.last_known_good.as_ref() == Some(&name) {
        "last known good".to_string()
    } else {
        promoted.map_or_else(|| "not promoted".to_string(), |condition| spaced(&condition.reason).to_lowercase())
    };
    let rejected = promoted.is_some_and(|condition| condition.status == "False");
    let created = version.metadata.creation_timestamp.as_ref().map(millis);
    let lineage = version.spec.lineage.clone().unwrap_or_default();
    let namespace = version.namespace().unwrap_or_default();
    VersionView {
        role,
        tone: if rejected { Tone::Bad } else { Tone::of(status.phase.as_deref().unwrap_or("")) },
        phase: status.phase.unwrap_or_else(|| "not looked at yet".to_string()),
        why: promoted.map(|condition| condition.message.clone()).unwrap_or_default(),
        parent: lineage.parent,
        run: lineage.run.map(|run| (format!("/runs/{namespace}/{run}"), run)),
        created: created.map(|time| Moment::new(time, now)),
        digest: version.spec.artifact.as_ref().map(|artifact| (short(&artifact.sha256), artifact.sha256.clone())),
        baseline: status.baseline.map(|baseline| {
            format!(
                "baseline of {} observations, frozen {}",
                crate::words::grouped(baseline.n),
                crate::words::relative(millis(&baseline.frozen_at), now)
            )
        }),
        created_ms: created.map_or(0, |time| time.0),
        name,
    }
}

fn diagnosis_view(found: Diagnosis, now: UtcMillis) -> DiagnosisView {
    DiagnosisView {
        at: Moment::new(found.at, now),
        version: found.version,
        cause: found.cause.filter(|cause| cause != "None").map(|cause| spaced(&cause)),
        reasons: found.reasons,
        explanations: found.explanations,
        evidence: found.evidence.map(|digest| (short(&digest), digest)),
    }
}
