//! `homeostat simulate-policy`: replays a history through a DecayPolicy and tells when it would have fired.
//!
//! The same analysis as the controller's, window by window, on a CSV file. It deliberately takes the history as it is: what a
//! retraining or a rollback would have changed afterwards is not known.

mod history;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use homeostat_clock::UtcMillis;
use homeostat_crds::{DecayPolicy, duration};
use homeostat_decay::{Baseline, BaselineSeries, MetricSource, Outcome, Policy, SeriesState, Verdict, analyse};
use serde_json::json;

use history::History;

/// Arguments of `simulate-policy`.
#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// CSV with the columns time, metric (a rule's name), value, and optionally n, sd, slice. Without n each row is one observation; with n it is the mean of so many
    #[arg(value_name = "FILE")]
    pub history: PathBuf,
    /// Manifest of the DecayPolicy (YAML or JSON)
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// How much of the history's beginning is the baseline, such as 24h
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub baseline: String,
    /// How it is printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub format: Format,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line a change of state, then a summary
    Table,
    /// One JSON object a change of state
    Json,
}

/// One change of a rule's state.
#[derive(Clone, Debug, PartialEq)]
struct Change {
    at: UtcMillis,
    before: Option<Outcome>,
    verdict: Verdict,
}

/// Replays a history.
pub(crate) fn run(args: &SimulateArgs) -> anyhow::Result<()> {
    let policy = policy(&args.policy).with_context(|| format!("--policy {}", args.policy.display()))?;
    let length = duration::duration(&args.baseline).context("--baseline")?;
    let history = history::read(&args.history, &policy).with_context(|| args.history.display().to_string())?;
    let from = history.first.plus(length).window_start(policy.window).plus(policy.window);
    if from >= history.last {
        bail!("--baseline {} leaves nothing to replay: the history ends at {}", args.baseline, history.last);
    }
    let baseline = freeze(&policy, &history, from)?;
    let changes = replay(&policy, &baseline, &history, from);
    match args.format {
        Format::Json => changes.iter().for_each(|change| println!("{}", json_of(change))),
        Format::Table => table(&policy, &history, from, &changes),
    }
    Ok(())
}

fn policy(path: &Path) -> anyhow::Result<Policy> {
    let text = std::fs::read_to_string(path).context("it cannot be read")?;
    let manifest: DecayPolicy = serde_saphyr::from_str(&text).context("it is no DecayPolicy")?;
    let policy = homeostat_controller::reconcile::decay_policy::parse(&manifest).map_err(anyhow::Error::msg)?;
    policy.checked().map_err(Into::into)
}

/// The baseline of everything before `until`.
fn freeze(policy: &Policy, history: &History, until: UtcMillis) -> anyhow::Result<Baseline> {
    let mut windows = BTreeMap::new();
    for rule in &policy.metrics {
        if let MetricSource::Agents(metric, source) = rule.source {
            let before = history.windows(&rule.name, UtcMillis(i64::MIN), until);
            windows.insert((metric.stored, source), before);
        }
    }
    let series = windows.iter().map(|((metric, source), windows)| BaselineSeries { metric, source: *source, windows });
    Baseline::freeze(until, "", "", policy.minimum_samples, series).context("--baseline")
}

/// Every change of every rule's state, window by window.
fn replay(policy: &Policy, baseline: &Baseline, history: &History, from: UtcMillis) -> Vec<Change> {
    let mut held: BTreeMap<String, Outcome> = BTreeMap::new();
    let mut changes = Vec::new();
    let horizon = policy.no_data_after + policy.window * (policy.breach.of + 2);
    let mut now = from.plus(policy.window);
    while now <= history.last.plus(policy.no_data_after) {
        let series = series(policy, history, now, horizon);
        for verdict in analyse(policy, Some(baseline), &series, from, now).verdicts {
            let before = held.insert(verdict.name.clone(), verdict.outcome);
            if before != Some(verdict.outcome) {
                changes.push(Change { at: now, before, verdict });
            }
        }
        now = now.plus(policy.window);
    }
    changes
}

fn series(policy: &Policy, history: &History, now: UtcMillis, horizon: Duration) -> BTreeMap<String, SeriesState> {
    let of_rule = |rule: &homeostat_decay::MetricRule| {
        let state = match rule.source {
            MetricSource::Agents(..) => SeriesState::Windows {
                windows: history.windows(&rule.name, now.minus(horizon), now),
                newest: history.newest(&rule.name, now),
            },
            MetricSource::PromQl(_) => {
                SeriesState::Values { values: history.values(&rule.name, now.minus(horizon), now, policy.window) }
            }
        };
        (rule.name.clone(), state)
    };
    policy.metrics.iter().map(of_rule).collect()
}

fn json_of(change: &Change) -> serde_json::Value {
    let verdict = &change.verdict;
    json!({
        "at": change.at.to_rfc3339(),
        "rule": verdict.name,
        "before": change.before.map(Outcome::as_str),
        "outcome": verdict.outcome.as_str(),
        "action": format!("{:?}", verdict.action),
        "severity": verdict.severity.as_str(),
        "value": verdict.current.map(|current| current.value),
        "threshold": verdict.threshold,
        "explanation": verdict.explanation,
    })
}

fn table(policy: &Policy, history: &History, from: UtcMillis, changes: &[Change]) {
    for change in changes {
        let before = change.before.map_or("-", Outcome::as_str);
        let verdict = &change.verdict;
        println!("{}  {:<24} {before} -> {}", change.at, verdict.name, verdict.outcome.as_str());
        println!("    {}", verdict.explanation);
    }
    println!("\nReplayed {from} to {} in windows of {} s.", history.last, policy.window.as_secs());
    println!("{:<24} {:>6}  FIRST", "RULE", "FIRED");
    for rule in &policy.metrics {
        let fired: Vec<&Change> = changes
            .iter()
            .filter(|change| change.verdict.name == rule.name && change.verdict.outcome == Outcome::Degraded)
            .collect();
        let first = fired.first().map_or("-".to_string(), |change| change.at.to_string());
        println!("{:<24} {:>6}  {first}", rule.name, fired.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "
apiVersion: homeostat.dev/v1alpha1
kind: DecayPolicy
metadata: {name: p}
spec:
  window: 10m
  minimumSamples: 50
  breach: {windows: 2, of: 3}
  noDataAfter: 1h
  metrics:
  - {name: exact_match, source: Golden, below: {baseline: 3points}, action: Retrain}
";

    #[test]
    fn a_fall_is_found_once_and_its_time_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, POLICY).unwrap();
        let policy = policy(&file).unwrap();
        let mut csv = "time,metric,value,n\n".to_string();
        for window in 0..300_i64 {
            let value = if window < 240 { 0.9 } else { 0.7 };
            csv.push_str(&format!("{},exact_match,{value},200\n", window * 600));
        }
        let history = folder.path().join("history.csv");
        std::fs::write(&history, csv).unwrap();
        let history = history::read(&history, &policy).unwrap();
        let from = UtcMillis(86_400_000);
        let baseline = freeze(&policy, &history, from).unwrap();
        let changes = replay(&policy, &baseline, &history, from);
        let fired: Vec<&Change> = changes.iter().filter(|c| c.verdict.outcome == Outcome::Degraded).collect();
        assert_eq!(fired.len(), 1, "{changes:?}");
        let after = fired[0].at.since(UtcMillis(240 * 600_000));
        assert!(after <= Duration::from_secs(4 * 600), "{after:?}");
        assert_eq!(changes.last().unwrap().verdict.outcome, Outcome::NoData);
    }
}
