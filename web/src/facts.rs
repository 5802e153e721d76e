//! What pages read from the records, in the pages' own terms.
//!
//! It judges nothing: outcomes come from the controller's status. Windows are merged over replicas and slices into the
//! policy's windows, so that a point on a chart is what one analysed window held.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_crds::policy::RuleSource;
use homeostat_crds::{DecayPolicy, duration};
use homeostat_decay::Verdict;
use homeostat_quality::{ModelKey, Sketch, Source, registry};
use homeostat_records::{LedgerQuery, LedgerRow, Records, RecordsError, WindowQuery};
use tokio::sync::watch;

use crate::view::alert::AlertFact;
use crate::view::decision::Entry;
use crate::view::metric::{registry_name, rule_of};
use crate::view::series::{Mark, MarkKind, Point, Series};

/// Length of a window when no policy says it.
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Counts every change of the records into `changes`.
pub(crate) async fn follow(records: Records, changes: watch::Sender<u64>) {
    let mut records = records.changed();
    while records.changed().await.is_ok() {
        changes.send_modify(|count| *count += 1);
    }
}

/// Series that were read a moment ago: a chart of 15-minute windows need not be read again twice a second.
#[derive(Default)]
pub(crate) struct SeriesCache(Mutex<HashMap<SeriesKey, (UtcMillis, Series)>>);

/// Model, rule, number of windows.
type SeriesKey = (String, String, u32);

impl SeriesCache {
    /// The series of `rule` over the last `windows` windows of the policy; marks are added by the caller.
    pub(crate) async fn series(
        &self,
        records: &Records,
        model: &ModelKey,
        policy: Option<&DecayPolicy>,
        entry: &homeostat_crds::model::QualityStatus,
        windows: u32,
        now: UtcMillis,
    ) -> Result<Series, RecordsError> {
        let step = window(policy);
        let key = (model.to_string(), entry.name.clone(), windows);
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let mut series = match held {
            Some((read, series)) if read <= now && now.since(read) < step / 60 => series,
            _ => {
                let series = read(records, model, policy, &entry.name, windows, now).await?;
                self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, (now, series.clone()));
                series
            }
        };
        series.threshold = entry.threshold;
        Ok(series)
    }
}

/// Length of the policy's windows.
pub(crate) fn window(policy: Option<&DecayPolicy>) -> Duration {
    policy
        .and_then(|policy| duration::duration(&policy.spec.window).ok())
        .filter(|step| !step.is_zero())
        .unwrap_or(WINDOW)
}

async fn read(
    records: &Records,
    model: &ModelKey,
    policy: Option<&DecayPolicy>,
    rule: &str,
    windows: u32,
    now: UtcMillis,
) -> Result<Series, RecordsError> {
    let step = window(policy);
    let from = now.minus(step * windows).window_start(step);
    let step_ms = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    let source = match rule_of(policy, rule).map(|rule| rule.source) {
        Some(RuleSource::Golden) => Some(Source::Golden),
        Some(RuleSource::Traffic) => Some(Source::Traffic),
        Some(RuleSource::Feedback) => Some(Source::Feedback),
        Some(RuleSource::PromQl) | None => None,
    };
    let metric = registry::metric(registry_name(policy, rule));
    let points = match (source, metric) {
        (Some(source), Some(metric)) => {
            let query = WindowQuery {
                source: Some(source),
                metrics: vec![metric.stored.to_string()],
                ..WindowQuery::new(model.clone(), from, now)
            };
            merge(&records.windows(&query).await?, metric, step)
        }
        _ => analysed(records, model, rule, from, now, step).await?,
    };
    Ok(Series { points, threshold: None, marks: Vec::new(), from, to: now, step_ms })
}

/// Merges windows over replicas and slices into windows of length `step`.
fn merge(windows: &[homeostat_quality::Window], metric: &registry::Metric, step: Duration) -> Vec<Point> {
    let mut merged: BTreeMap<(UtcMillis, String), (UtcMillis, Sketch)> = BTreeMap::new();
    for window in windows {
        let start = window.key.start.window_start(step);
        let end = start.plus(step).max(window.key.end());
        match merged.entry((start, window.key.version.clone())) {
            std::collections::btree_map::Entry::Occupied(mut held) => {
                let (held_end, sketch) = held.get_mut();
                *held_end = end.max(*held_end);
                if let Err(error) = sketch.merge(&window.sketch) {
                    tracing::debug!(%error, "a window of another sort is left out of a chart");
                }
            }
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert((end, window.sketch.clone()));
            }
        }
    }
    merged
        .into_iter()
        .filter_map(|((start, version), (end, sketch))| {
            let estimate = metric.value(&sketch)?;
            let finite = |edge: f64| if edge.is_finite() && edge.abs() < f64::MAX { edge } else { estimate.value };
            Some(Point {
                start,
                end,
                version,
                value: estimate.value,
                low: finite(estimate.low),
                high: finite(estimate.high),
                n: estimate.n,
            })
        })
        .collect()
}

/// Values of a rule that has no windows of its own (PromQL): what the analyses saw.
async fn analysed(
    records: &Records,
    model: &ModelKey,
    rule: &str,
    from: UtcMillis,
    now: UtcMillis,
    step: Duration,
) -> Result<Vec<Point>, RecordsError> {
    let rows = records.analyses(model, from, now).await?;
    let point = |row: &homeostat_records::AnalysisRow| {
        let verdicts: Vec<Verdict> = serde_json::from_value(row.outcome.get("verdicts")?.clone()).ok()?;
        let current = verdicts.into_iter().find(|verdict| verdict.name == rule)?.current?;
        let start = row.at.minus(step);
        let finite = |edge: f64| if edge.is_finite() && edge.abs() < f64::MAX { edge } else { current.value };
        Some(Point {
            start,
            end: row.at,
            version: row.version.clone(),
            value: current.value,
            low: finite(current.low),
            high: finite(current.high),
            n: current.n,
        })
    };
    Ok(rows.iter().filter_map(point).collect())
}

/// The diagnosis of the newest analysis: cause and reasons.
pub(crate) async fn diagnosis(records: &Records, model: &ModelKey) -> Result<Option<Diagnosis>, RecordsError> {
    let Some(row) = records.latest_analysis(model).await? else { return Ok(None) };
    let diagnosis = row.outcome.get("diagnosis");
    let text = |value: &serde_json::Value| value.as_str().map(str::to_string);
    Ok(Some(Diagnosis {
        at: row.at,
        version: row.version.clone(),
        cause: diagnosis.and_then(|found| text(found.pointer("/cause/kind")?)),
        reasons: diagnosis
            .and_then(|found| Some(found.get("reasons")?.as_array()?.iter().filter_map(text).collect()))
            .unwrap_or_default(),
        explanations: row
            .outcome
            .get("verdicts")
            .and_then(serde_json::Value::as_array)
            .map(|verdicts| {
                verdicts
                    .iter()
                    .filter_map(|verdict| Some((text(verdict.get("name")?)?, text(verdict.get("explanation")?)?)))
                    .collect()
            })
            .unwrap_or_default(),
        evidence: row.evidence,
    }))
}

/// What the newest analysis said about the cause.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Diagnosis {
    pub(crate) at: UtcMillis,
    pub(crate) version: String,
    pub(crate) cause: Option<String>,
    pub(crate) reasons: Vec<String>,
    /// Rule, sentence.
    pub(crate) explanations: Vec<(String, String)>,
    pub(crate) evidence: Option<String>,
}

/// The newest decisions, about one model or all; writes of status are left out.
pub(crate) async fn decisions(
    records: &Records,
    model: Option<&ModelKey>,
    limit: usize,
) -> Result<Vec<Entry>, RecordsError> {
    let query = LedgerQuery {
        model: model.map(ToString::to_string),
        newest_first: true,
        limit: u32::try_from(limit.saturating_mul(4)).unwrap_or(u32::MAX),
        ..LedgerQuery::default()
    };
    let rows = records.ledger(&query).await?;
    // What was decided, and what people wrote; not what the programs write by themselves.
    let program = |actor: &str| actor.starts_with("homeostat") || actor.starts_with("system:");
    let told = |row: &&LedgerRow| row.entry.kind == "decision" || !program(&row.entry.actor);
    Ok(rows.iter().filter(told).map(entry).take(limit).collect())
}

/// A page of the ledger, newest first.
pub(crate) async fn ledger(records: &Records, before: Option<u64>, limit: u32) -> Result<Vec<Entry>, RecordsError> {
    let query = LedgerQuery { before_sequence: before, newest_first: true, limit, ..LedgerQuery::default() };
    Ok(records.ledger(&query).await?.iter().map(entry).collect())
}

fn entry(row: &LedgerRow) -> Entry {
    let what = row.entry.detail.get("what").and_then(serde_json::Value::as_str).unwrap_or(&row.entry.kind).to_string();
    let why = row.entry.summary.strip_prefix(&format!("{what}: ")).unwrap_or(&row.entry.summary).to_string();
    Entry {
        sequence: row.sequence,
        time: row.entry.at,
        actor: row.entry.actor.clone(),
        subject: row.entry.model.clone().or_else(|| row.entry.object.clone()).unwrap_or_default(),
        model: row.entry.model.clone(),
        what,
        why,
        evidence: row.entry.evidence.clone(),
        hash: row.hash.clone(),
    }
}

/// What happened to a model, as marks for its charts.
pub(crate) async fn marks(records: &Records, model: &ModelKey) -> Result<Vec<Mark>, RecordsError> {
    let decided = decisions(records, Some(model), 100).await?;
    let alerts = records.alerts(Some(model), 50).await?;
    let mark = |entry: &Entry| {
        let kind = match entry.what.as_str() {
            "Promoted" => MarkKind::Promotion,
            "RolledBack" | "Restored" => MarkKind::Rollback,
            "RetrainingStarted" => MarkKind::Retraining,
            _ => return None,
        };
        Some(Mark { time: entry.time, kind, label: format!("{}: {}", crate::words::spaced(&entry.what), entry.why) })
    };
    let mut marks: Vec<_> = decided.iter().filter_map(mark).collect();
    marks.extend(alerts.iter().map(|alert| Mark {
        time: alert.starts_at,
        kind: MarkKind::Alert,
        label: format!("Alert {}", alert.name),
    }));
    marks.sort_by_key(|mark| mark.time);
    Ok(marks)
}

/// The newest alerts, firing ones first.
pub(crate) async fn alerts(
    records: &Records,
    model: Option<&ModelKey>,
    limit: u32,
    now: UtcMillis,
) -> Result<Vec<AlertFact>, RecordsError> {
    let mut rows = records.alerts(model, limit).await?;
    if model.is_none() {
        // One that has fired for long may lie behind many that came and went.
        let known: Vec<_> = rows.iter().map(|row| (row.fingerprint.clone(), row.starts_at)).collect();
        rows.extend(
            records
                .firing()
                .await?
                .into_iter()
                .filter(|row| !known.contains(&(row.fingerprint.clone(), row.starts_at))),
        );
    }
    let mut facts: Vec<_> = rows.into_iter().map(|row| alert(row, now)).collect();
    facts.sort_by_key(|fact| (fact.until.is_some(), std::cmp::Reverse(fact.until.unwrap_or(fact.since))));
    Ok(facts)
}

fn alert(row: homeostat_records::AlertRow, now: UtcMillis) -> AlertFact {
    let mut annotations = row.annotations;
    let mut labels: Vec<_> =
        row.labels.into_iter().filter(|(name, _)| !matches!(name.as_str(), "alertname" | "severity")).collect();
    let summary = annotations.remove("summary").unwrap_or_default();
    let text = annotations.remove("description").unwrap_or_default();
    labels.extend(
        row.last_sent.iter().map(|(receiver, at)| (format!("told {receiver}"), crate::words::relative(*at, now))),
    );
    AlertFact {
        name: row.name,
        model: row.model.map(|model| model.to_string()),
        severity: row.severity,
        summary,
        text,
        notes: annotations.into_iter().collect(),
        labels,
        since: row.starts_at,
        until: row.ends_at,
    }
}

/// The loss curve of a run: steps done and loss, in order of steps.
pub(crate) async fn loss(records: &Records, run: &str) -> Result<Vec<(u64, f64)>, RecordsError> {
    let mut curve = BTreeMap::new();
    for work in records.work_of_run(run).await? {
        for point in records.progress(&work.item.id).await? {
            if let Some(loss) = point.loss {
                curve.insert(point.step, loss);
            }
        }
    }
    Ok(curve.into_iter().collect())
}

/// What each stage of a funnel dropped, and why; empty when its blob is not here. Reads figures only.
pub(crate) async fn funnel(records: &Records, digest: &str) -> Vec<Stage> {
    /// The part of the funnel that pages show; ids of records are not read.
    #[derive(serde::Deserialize)]
    struct Funnel {
        stages: Vec<Stage>,
    }
    let Ok(bytes) = records.blobs().get(digest).await else { return Vec::new() };
    serde_json::from_slice::<Funnel>(&bytes).map(|funnel| funnel.stages).unwrap_or_default()
}

/// One stage of a funnel.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) input: u64,
    pub(crate) output: u64,
    #[serde(default)]
    pub(crate) dropped: Vec<Dropped>,
}

/// What a stage dropped for one reason.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Dropped {
    pub(crate) reason: String,
    pub(crate) count: u64,
}

/// When each agent was last heard of.
pub(crate) async fn agents(records: &Records) -> Result<BTreeMap<String, Option<UtcMillis>>, RecordsError> {
    Ok(records.agents().await?.into_iter().map(|agent| (agent.node, agent.last_seen)).collect())
}

#[cfg(test)]
mod tests {
    use homeostat_quality::registry::Statistic;
    use homeostat_quality::{Slice, Window, WindowKey};

    use super::*;

    #[test]
    fn slices_and_replicas_merge_into_the_policys_windows() {
        let window = |start: i64, slice: &str, hit: f64| {
            let mut sketch = Sketch::empty(Statistic::Mean);
            sketch.observe(hit);
            let key = WindowKey {
                model: ModelKey::new("ml", "atlas"),
                version: "atlas-v1".into(),
                replica: "node-a/0".into(),
                source: Source::Golden,
                metric: "exact_match".into(),
                slice: Slice::new(slice),
                start: UtcMillis(start),
                step_ms: 1_000,
            };
            Window { key, sketch }
        };
        let metric = registry::metric("exact_match").expect("registered");
        let windows = [window(0, "capital", 1.0), window(1_000, "currency", 0.0), window(60_000, "capital", 1.0)];
        let points = merge(&windows, metric, Duration::from_secs(60));
        let seen: Vec<_> = points.iter().map(|point| (point.start.0, point.value, point.n)).collect();
        assert_eq!(seen, [(0, 0.5, 2), (60_000, 1.0, 1)]);
    }
}
