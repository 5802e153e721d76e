//! What an agent that was just killed leaves in its spool, and what must therefore be in the records in the end: each of these
//! reports once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use homeostat_agent::{Spool, SpoolLimits};
use homeostat_clock::UtcMillis;
use homeostat_protocol::Report;
use homeostat_quality::{ModelKey, Sketch, Slice, WindowKey};
use homeostat_records::{Records, SampleQuery, WindowQuery};

use crate::stage::{MODEL, NAMESPACE, NODE, Stage};

/// Reports of the dead agent that the controller may still hold in its hands are applied within this.
const STILL: Duration = Duration::from_millis(250);

/// What must be there in the end.
#[derive(Debug)]
pub(crate) struct Left {
    epoch: String,
    last: u64,
    /// Reports in the spool, and how many of them had not been applied.
    pub(crate) reports: usize,
    pub(crate) open: usize,
    /// Observations a window must hold: those that were there, and those of the open reports.
    windows: BTreeMap<WindowKey, u64>,
    samples: Vec<String>,
}

impl Left {
    /// Looks at the spool of an agent that was killed at `killed`; `None` when it was empty.
    pub(crate) async fn look(spool: &Path, killed: UtcMillis, records: &Records) -> anyhow::Result<Option<Self>> {
        let (epoch, reports) = read(spool)?;
        let Some(last) = reports.last().map(|report| report.sequence) else { return Ok(None) };
        loop {
            let applied = records.acknowledged(NODE, &epoch).await?;
            let open: Vec<&Report> = reports.iter().filter(|report| report.sequence > applied).collect();
            let mut windows: BTreeMap<WindowKey, u64> = BTreeMap::new();
            for window in open.iter().flat_map(|report| &report.windows) {
                let (key, n) = observed(window)?;
                // The next life may go on in a window that has not ended.
                if key.end() <= killed {
                    *windows.entry(key).or_default() += n;
                }
            }
            let held = counts(records, windows.keys()).await?;
            tokio::time::sleep(STILL).await;
            // Else the controller was still at it.
            if records.acknowledged(NODE, &epoch).await? == applied {
                for (key, n) in &mut windows {
                    *n += held.get(key).copied().unwrap_or(0);
                }
                let samples = reports.iter().flat_map(|report| &report.samples);
                let samples = samples.map(|sample| sample.request_id.clone()).collect();
                let (reports, open) = (reports.len(), open.len());
                return Ok(Some(Self { epoch, last, reports, open, windows, samples }));
            }
        }
    }

    /// That all of it is in the records, once.
    pub(crate) async fn check(&self, records: &Records) -> anyhow::Result<()> {
        let applied = records.acknowledged(NODE, &self.epoch).await?;
        ensure!(applied >= self.last, "epoch {}: {} was spooled, {applied} is the last applied", self.epoch, self.last);
        let held = counts(records, self.windows.keys()).await?;
        for (key, n) in &self.windows {
            let found = held.get(key).copied().unwrap_or(0);
            ensure!(found == *n, "epoch {}: {found} observations instead of {n} in {key:?}", self.epoch);
        }
        let (from, to) = (UtcMillis(0), UtcMillis(i64::MAX));
        let model = ModelKey::new(NAMESPACE, MODEL);
        let query = SampleQuery { model, labelled_only: false, from, to, limit: 1_000_000 };
        let samples = records.samples(&query).await?;
        for id in &self.samples {
            ensure!(samples.iter().any(|sample| sample.request_id == *id), "sample {id} was spooled and is lost");
        }
        Ok(())
    }
}

/// What has been acknowledged to the agent that runs.
pub(crate) struct Acknowledged {
    epoch: String,
    sequence: u64,
    observations: u64,
}

impl Acknowledged {
    pub(crate) async fn now(stage: &Stage) -> anyhow::Result<Self> {
        Self::of(stage, std::fs::read_to_string(stage.spool().join("epoch"))?).await
    }

    /// That a dead controller has left no less.
    pub(crate) async fn check(&self, stage: &Stage) -> anyhow::Result<()> {
        let after = Self::of(stage, self.epoch.clone()).await?;
        ensure!(
            after.sequence >= self.sequence,
            "{} of epoch {} was applied, then {}",
            self.sequence,
            self.epoch,
            after.sequence
        );
        ensure!(
            after.observations >= self.observations,
            "{} observations, then {}",
            self.observations,
            after.observations
        );
        Ok(())
    }

    async fn of(stage: &Stage, epoch: String) -> anyhow::Result<Self> {
        let records = stage.records().await?;
        let sequence = records.acknowledged(NODE, &epoch).await?;
        let all = WindowQuery::new(ModelKey::new(NAMESPACE, MODEL), UtcMillis(0), UtcMillis(i64::MAX));
        let observations = records.windows(&all).await?.iter().map(|window| window.sketch.n()).sum();
        records.close().await;
        Ok(Self { epoch, sequence, observations })
    }
}

/// Epoch and reports of a spool, read from a copy: opening one mends it.
fn read(spool: &Path) -> anyhow::Result<(String, Vec<Report>)> {
    let copy = tempfile::tempdir()?;
    for entry in std::fs::read_dir(spool)? {
        let path = entry?.path();
        std::fs::copy(&path, copy.path().join(path.file_name().context("no name")?))?;
    }
    let spool = Spool::open(copy.path(), SpoolLimits::of(1 << 30), || "none".to_string())?;
    let mut reports = Vec::new();
    while let Some(next) =
        spool.read(reports.last().map_or(0, |report: &Report| report.sequence) + 1, 1 << 20)?.into_iter().next()
    {
        reports.push(next);
    }
    Ok((spool.epoch().to_string(), reports))
}

fn observed(window: &homeostat_protocol::Window) -> anyhow::Result<(WindowKey, u64)> {
    let key = window.key.clone().context("a window without a key")?;
    let key = WindowKey {
        model: key.model.parse().map_err(anyhow::Error::msg)?,
        version: key.version,
        replica: key.replica,
        source: key.source.parse().map_err(anyhow::Error::msg)?,
        metric: key.metric,
        slice: Slice(key.slice),
        start: UtcMillis(key.start_ms),
        step_ms: key.step_ms,
    };
    Ok((key, Sketch::from_bytes(&window.sketch)?.n()))
}

/// Observations in the windows of these keys.
async fn counts<'a>(
    records: &Records,
    keys: impl Iterator<Item = &'a WindowKey>,
) -> anyhow::Result<BTreeMap<WindowKey, u64>> {
    let starts: Vec<UtcMillis> = keys.map(|key| key.start).collect();
    let (Some(first), Some(last)) = (starts.iter().min(), starts.iter().max()) else { return Ok(BTreeMap::new()) };
    let query = WindowQuery::new(ModelKey::new(NAMESPACE, MODEL), *first, last.plus(Duration::from_millis(1)));
    Ok(records.windows(&query).await?.into_iter().map(|window| (window.key, window.sketch.n())).collect())
}
