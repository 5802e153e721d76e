//! Alerts: which fire, who is told, and what a tired person reads.
//!
//! It decides nothing about models: whoever reconciles one hands over the full set of its alerts ([`Alerting::sync`]); new
//! ones start, missing ones resolve. All state is in the records, so a restart neither repeats nor forgets a firing. It
//! does no grouping, silencing or routing: that is Alertmanager's trade; a plain webhook gets Alertmanager's own payload.
//!
//! The flow: sync → rows in the records and entries in the ledger (fired, resolved) → each receiver's own task sees what is
//! due → POST → noted as sent. A dead receiver holds up nobody else and is retried with backoff.

mod alert;
mod delivery;
mod payload;
mod receiver;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use homeostat_clock::{Clock, UtcMillis};
use homeostat_quality::ModelKey;
use homeostat_records::{AlertRow, Entry, LedgerQuery, Records, RecordsError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use alert::{Alert, AlertText, fingerprint};
pub use receiver::{Receiver, ReceiverState};

/// How often a firing alert is sent again, unless told otherwise.
pub const RESEND_EVERY: Duration = Duration::from_secs(60);

/// `kind` of the ledger entries written here.
pub const LEDGER_KIND: &str = "alert";

/// How far back the ledger is searched for an entry that a crash may have kept from being written.
const LOOK_BACK: u32 = 500;

/// All alerts and their receivers. A cheap handle: clones share one state.
#[derive(Clone)]
pub struct Alerting {
    inner: Arc<Inner>,
}

struct Inner {
    records: Records,
    clock: Arc<dyn Clock>,
    receivers: Vec<Receiver>,
    http: reqwest::Client,
    resend_every: Duration,
    /// Wakes the receivers' tasks.
    news: watch::Sender<u64>,
    states: Mutex<BTreeMap<String, ReceiverState>>,
    /// One sync at a time; holds the models whose ledger entries were checked since the start.
    checked: tokio::sync::Mutex<BTreeSet<ModelKey>>,
}

/// What a sync changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Alerts that began to fire.
    pub fired: Vec<AlertRow>,
    /// Alerts that are over.
    pub resolved: Vec<AlertRow>,
}

/// Why alerts could not be kept or sent.
#[derive(Debug, thiserror::Error)]
pub enum AlertingError {
    /// The records.
    #[error("the alerts could not be read or written")]
    Records(#[from] RecordsError),
    /// No HTTP client.
    #[error("no HTTP client could be made for the alert receivers")]
    Client(#[source] reqwest::Error),
    /// A receiver's configuration.
    #[error("alert receiver {name:?}: {problem}")]
    Receiver {
        /// Its name.
        name: String,
        /// What is wrong, and the remedy.
        problem: String,
    },
    /// A delivery task ended by a panic.
    #[error("the delivery of alerts ended unexpectedly")]
    Ended(#[source] tokio::task::JoinError),
}

impl Alerting {
    /// Alerting with these receivers. A TLS provider must have been installed before.
    ///
    /// # Errors
    /// When a receiver's address is none or two have the same name.
    pub fn new(records: Records, clock: Arc<dyn Clock>, receivers: Vec<Receiver>) -> Result<Self, AlertingError> {
        Self::with_interval(records, clock, receivers, RESEND_EVERY)
    }

    /// The same, with another time after which a firing alert is sent again.
    ///
    /// # Errors
    /// As [`Alerting::new`].
    pub fn with_interval(
        records: Records,
        clock: Arc<dyn Clock>,
        receivers: Vec<Receiver>,
        resend_every: Duration,
    ) -> Result<Self, AlertingError> {
        receiver::check(&receivers)?;
        let http = receiver::client().map_err(AlertingError::Client)?;
        let states = receivers.iter().map(|receiver| (receiver.name().to_owned(), receiver.state())).collect();
        Ok(Self {
            inner: Arc::new(Inner {
                records,
                clock,
                receivers,
                http,
                resend_every,
                news: watch::Sender::new(0),
                states: Mutex::new(states),
                checked: tokio::sync::Mutex::default(),
            }),
        })
    }

    /// Makes `firing` the full set of `model`'s alerts: new ones start, known ones take the new text, missing ones are
    /// over. Doing it again changes nothing. Alerts with the same labels are one alert; the first counts.
    ///
    /// # Errors
    /// When the records fail; some of the alerts may have been taken over then, the next sync does the rest.
    pub async fn sync(&self, model: &ModelKey, firing: Vec<Alert>) -> Result<Changes, AlertingError> {
        let inner = &*self.inner;
        let mut checked = inner.checked.lock().await;
        if !checked.contains(model) {
            self.complete_ledger(model).await?;
            checked.insert(model.clone());
        }
        let now = inner.clock.now();
        let before = inner.records.firing().await?;
        let mut before: BTreeMap<String, AlertRow> = before
            .into_iter()
            .filter(|row| row.model.as_ref() == Some(model))
            .map(|row| (row.fingerprint.clone(), row))
            .collect();
        let mut seen = BTreeSet::new();
        let mut changes = Changes::default();
        for alert in firing {
            let row = alert.row(model, now);
            if !seen.insert(row.fingerprint.clone()) {
                continue;
            }
            match before.remove(&row.fingerprint) {
                Some(old) => self.still_fires(&old, row).await?,
                None => changes.fired.push(self.fires(model, row).await?),
            }
        }
        for old in before.into_values() {
            let over = AlertRow { updated_at: now, ends_at: Some(now), ..old };
            let row = inner.records.upsert_alert(&over).await?;
            inner.records.append_ledger(entry(&row, Transition::Resolved)).await?;
            changes.resolved.push(row);
        }
        drop(checked);
        if changes != Changes::default() {
            inner.news.send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(changes)
    }

    /// How each receiver fares, by name.
    #[must_use]
    pub fn receivers(&self) -> Vec<ReceiverState> {
        self.inner.states.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Delivers until `shutdown`.
    ///
    /// # Errors
    /// When a receiver's task ends by a panic; the process should end then.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), AlertingError> {
        let mut tasks = JoinSet::new();
        for receiver in &self.inner.receivers {
            tasks.spawn(delivery::run(self.clone(), receiver.clone(), shutdown.clone()));
        }
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(AlertingError::Ended)?;
        }
        shutdown.cancelled().await;
        Ok(())
    }

    async fn fires(&self, model: &ModelKey, mut row: AlertRow) -> Result<AlertRow, AlertingError> {
        // An alert that comes back is a new firing, also when its cause counts from before the last one's end.
        let past = self.inner.records.alerts(Some(model), LOOK_BACK).await?;
        let last_end = past.iter().filter(|old| old.fingerprint == row.fingerprint).filter_map(|old| old.ends_at).max();
        if last_end.is_some_and(|end| row.starts_at <= end) {
            row.starts_at = row.updated_at.max(UtcMillis(last_end.map_or(0, |end| end.0.saturating_add(1))));
        }
        let row = self.inner.records.upsert_alert(&row).await?;
        self.inner.records.append_ledger(entry(&row, Transition::Fired)).await?;
        Ok(row)
    }

    /// Takes over the new text; without news only now and then, since every write is a sync to disk.
    async fn still_fires(&self, old: &AlertRow, row: AlertRow) -> Result<(), AlertingError> {
        let same = old.annotations == row.annotations && old.severity == row.severity;
        if !same || row.updated_at.since(old.updated_at) >= self.inner.resend_every {
            self.inner.records.upsert_alert(&row).await?;
        }
        Ok(())
    }

    /// Writes the ledger entries that a crash between an alert's row and its entry left out.
    async fn complete_ledger(&self, model: &ModelKey) -> Result<(), AlertingError> {
        let records = &self.inner.records;
        let query = LedgerQuery {
            model: Some(model.to_string()),
            newest_first: true,
            limit: LOOK_BACK,
            ..LedgerQuery::default()
        };
        let entries = records.ledger(&query).await?;
        let full = entries.len() == LOOK_BACK as usize;
        let horizon = entries.last().filter(|_| full).map_or(i64::MIN, |oldest| oldest.entry.at.0);
        let noted: BTreeSet<(String, String, i64)> = entries.iter().filter_map(|row| key_of(&row.entry)).collect();
        for row in records.alerts(Some(model), LOOK_BACK).await?.iter().rev() {
            for transition in [Transition::Fired, Transition::Resolved] {
                let Some(at) = transition.time(row).filter(|at| at.0 > horizon) else { continue };
                let key = (row.fingerprint.clone(), transition.as_str().to_owned(), row.starts_at.0);
                if !noted.contains(&key) {
                    tracing::info!(alert.name = %row.name, at = %at, "completing the ledger after a restart");
                    records.append_ledger(entry(row, transition)).await?;
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Transition {
    Fired,
    Resolved,
}

impl Transition {
    fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Resolved => "resolved",
        }
    }

    /// When it happened, as far as it did. A firing's entry is written at its row's time, which may be after its start.
    fn time(self, row: &AlertRow) -> Option<UtcMillis> {
        match self {
            Self::Fired => Some(row.starts_at),
            Self::Resolved => row.ends_at,
        }
    }
}

fn entry(row: &AlertRow, transition: Transition) -> Entry {
    let summary = row.annotations.get("summary").map_or("", String::as_str);
    Entry {
        at: row.updated_at,
        actor: "controller".to_owned(),
        kind: LEDGER_KIND.to_owned(),
        model: row.model.as_ref().map(ToString::to_string),
        object: None,
        summary: format!("Alert {} {}: {summary}", row.name, transition.as_str()),
        detail: serde_json::json!({
            "fingerprint": row.fingerprint,
            "transition": transition.as_str(),
            "startsAt": row.starts_at.0,
            "endsAt": row.ends_at.map(|at| at.0),
            "severity": row.severity,
            "labels": row.labels,
            "cause": row.annotations.get("cause"),
        }),
        evidence: None,
    }
}

/// Fingerprint, transition and start of the alert that a ledger entry is about, if it is about one.
fn key_of(entry: &Entry) -> Option<(String, String, i64)> {
    let text = |field: &str| entry.detail.get(field)?.as_str().map(str::to_owned);
    if entry.kind != LEDGER_KIND {
        return None;
    }
    Some((text("fingerprint")?, text("transition")?, entry.detail.get("startsAt")?.as_i64()?))
}
