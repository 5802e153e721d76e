//! One receiver's task: what is due is sent, what fails is tried again with backoff.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use homeostat_clock::UtcMillis;
use homeostat_quality::ModelKey;
use homeostat_records::{AlertRow, Entry};
use reqwest::{StatusCode, Url};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Alerting, AlertingError, Receiver, payload};

/// Resolved alerts are sent again for this long, since an Alertmanager may restart without its state.
const RESOLVED_FOR: Duration = Duration::from_secs(5 * 60);
/// A receiver that was down learns for this long that an alert it knows is over.
const RESOLVED_KEPT: Duration = Duration::from_secs(24 * 3600);
/// First and longest wait after a failed delivery.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The newest firings that are looked at for resolved ones.
const ROWS: u32 = 1000;
/// Alerts in one POST to an Alertmanager.
const BATCH: usize = 64;
/// How much of a refusal is shown.
const REASON: usize = 300;

/// Delivers to one receiver until `shutdown`.
pub(super) async fn run(alerting: Alerting, receiver: Receiver, shutdown: CancellationToken) {
    // Checked when the receivers were taken.
    let Some(endpoint) = receiver.endpoint() else { return };
    let mut news = alerting.inner.news.subscribe();
    let mut delivery = Delivery { alerting, receiver, endpoint, sent: HashMap::new(), failures: 0 };
    loop {
        news.borrow_and_update();
        let round = tokio::select! {
            () = shutdown.cancelled() => return,
            round = delivery.round() => round,
        };
        let failed = round.is_err();
        delivery.note(round).await;
        let pause = delivery.pause();
        // News do not cut a backoff short: the receiver is down for new alerts as well.
        let heard = async {
            if failed {
                std::future::pending::<()>().await;
            }
            // Ends only with the alerting itself, which this task holds.
            let _ = news.changed().await;
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = heard => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct Delivery {
    alerting: Alerting,
    receiver: Receiver,
    endpoint: Url,
    /// What this process sent, by fingerprint.
    sent: HashMap<String, Sent>,
    /// Failed rounds in a row.
    failures: u32,
}

struct Sent {
    starts_at: UtcMillis,
    resolved: bool,
    at: Instant,
}

/// Why a delivery failed.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error(transparent)]
    Records(#[from] AlertingError),
    #[error("no answer")]
    Unreachable(#[source] reqwest::Error),
    #[error("it answered {status}: {reason}")]
    Answer { status: StatusCode, reason: String },
}

impl Delivery {
    /// Sends what is due now; gives how many alerts were refused as malformed.
    async fn round(&mut self) -> Result<u64, DeliveryError> {
        let now = self.alerting.inner.clock.now();
        let rows = self.rows(now).await?;
        let known: BTreeSet<&str> = rows.iter().map(|row| row.fingerprint.as_str()).collect();
        self.sent.retain(|fingerprint, _| known.contains(fingerprint.as_str()));
        let due: Vec<&AlertRow> = rows.iter().filter(|row| self.is_due(row, now)).collect();
        match self.receiver {
            Receiver::Alertmanager { .. } => self.tell_alertmanager(&due, now).await,
            Receiver::Webhook { .. } => self.tell_webhook(&rows, &due, now).await,
        }
    }

    /// The newest firing of every alert that this receiver may have to hear of.
    async fn rows(&self, now: UtcMillis) -> Result<Vec<AlertRow>, AlertingError> {
        let records = &self.alerting.inner.records;
        let mut newest = BTreeMap::<String, AlertRow>::new();
        let firing = records.firing().await?;
        for row in firing.into_iter().chain(records.alerts(None, ROWS).await?) {
            match newest.get(&row.fingerprint) {
                // Read after the other: an alert that ended in between is over.
                Some(held) if held.starts_at > row.starts_at => {}
                _ => _ = newest.insert(row.fingerprint.clone(), row),
            }
        }
        let wanted = |row: &AlertRow| row.ends_at.is_none_or(|end| now.since(end) < RESOLVED_KEPT);
        Ok(newest.into_values().filter(wanted).collect())
    }

    fn is_due(&self, row: &AlertRow, now: UtcMillis) -> bool {
        let told = row.last_sent.get(self.receiver.name());
        let sent = self.sent.get(&row.fingerprint).filter(|sent| sent.starts_at == row.starts_at);
        let again = sent.is_none_or(|sent| sent.at.elapsed() >= self.alerting.inner.resend_every);
        let Some(end) = row.ends_at else { return again };
        let accepted = sent.is_some_and(|sent| sent.resolved) || told.is_some_and(|told| *told > end);
        if accepted {
            // A webhook has heard it; an Alertmanager may have forgotten.
            return again && now.since(end) < RESOLVED_FOR && matches!(self.receiver, Receiver::Alertmanager { .. });
        }
        // Nobody is told of the end of what they never heard of.
        sent.is_some() || told.is_some()
    }

    async fn tell_alertmanager(&mut self, due: &[&AlertRow], now: UtcMillis) -> Result<u64, DeliveryError> {
        let resend_every = self.alerting.inner.resend_every;
        let mut refused = 0;
        for batch in due.chunks(BATCH) {
            let body: Vec<_> = batch.iter().map(|row| payload::posted(row, now, resend_every)).collect();
            match self.post(&body).await {
                Ok(()) => {}
                Err(DeliveryError::Answer { status: StatusCode::BAD_REQUEST, reason }) => {
                    // It may have stored the others: sent alone, each alert shows which one it was.
                    tracing::warn!(
                        receiver.name = self.receiver.name(),
                        reason,
                        "alerts were refused, sending each alone"
                    );
                    for row in batch {
                        refused += self.alone(row, now).await?;
                    }
                }
                Err(error) => return Err(error),
            }
            self.mark(batch, now).await?;
        }
        Ok(refused)
    }

    /// Sends one alert; gives 1 when it was refused as malformed, which trying again at once would not mend.
    async fn alone(&self, row: &AlertRow, now: UtcMillis) -> Result<u64, DeliveryError> {
        match self.post(&[payload::posted(row, now, self.alerting.inner.resend_every)]).await {
            Ok(()) => Ok(0),
            Err(DeliveryError::Answer { status: StatusCode::BAD_REQUEST, reason }) => {
                tracing::error!(receiver.name = self.receiver.name(), alert.name = %row.name, reason, "an alert was refused");
                Ok(1)
            }
            Err(error) => Err(error),
        }
    }

    /// One message a model, with everything that fires for it, whenever something of it is due.
    async fn tell_webhook(
        &mut self,
        rows: &[AlertRow],
        due: &[&AlertRow],
        now: UtcMillis,
    ) -> Result<u64, DeliveryError> {
        let models: BTreeSet<Option<&ModelKey>> = due.iter().map(|row| row.model.as_ref()).collect();
        for model in models {
            let is_due = |row: &AlertRow| due.iter().any(|due| due.fingerprint == row.fingerprint);
            let group: Vec<&AlertRow> = rows
                .iter()
                .filter(|row| row.model.as_ref() == model && (row.ends_at.is_none() || is_due(row)))
                .collect();
            self.post(&payload::webhook(self.receiver.name(), &group)).await?;
            self.mark(&group, now).await?;
        }
        Ok(0)
    }

    async fn post<T: Serialize + ?Sized>(&self, body: &T) -> Result<(), DeliveryError> {
        let unreachable = |error: reqwest::Error| DeliveryError::Unreachable(error.without_url());
        let request = self.alerting.inner.http.post(self.endpoint.clone()).json(body);
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let reason: String = answer.text().await.unwrap_or_default().chars().take(REASON).collect();
        Err(DeliveryError::Answer { status, reason })
    }

    async fn mark(&mut self, rows: &[&AlertRow], now: UtcMillis) -> Result<(), AlertingError> {
        for row in rows {
            let sent = Sent { starts_at: row.starts_at, resolved: row.ends_at.is_some(), at: Instant::now() };
            self.sent.insert(row.fingerprint.clone(), sent);
            self.alerting.inner.records.mark_sent(&row.fingerprint, self.receiver.name(), now).await?;
        }
        Ok(())
    }

    /// Makes the outcome of a round visible: a log line and a ledger entry when it changes, the state always.
    async fn note(&mut self, round: Result<u64, DeliveryError>) {
        let inner = &*self.alerting.inner;
        let (name, now) = (self.receiver.name(), inner.clock.now());
        let error = round.as_ref().err().map(chain);
        let was_failing = {
            let mut states = inner.states.lock().unwrap_or_else(PoisonError::into_inner);
            let state = states.entry(name.to_owned()).or_insert_with(|| self.receiver.state());
            let was_failing = state.failing_since.is_some();
            state.failing_since = error.as_ref().map(|_| state.failing_since.unwrap_or(now));
            state.error.clone_from(&error);
            if let Ok(refused) = round {
                state.refused += refused;
                state.delivered_at = Some(now);
            }
            was_failing
        };
        self.failures = if error.is_some() { self.failures.saturating_add(1) } else { 0 };
        let summary = match (&error, was_failing) {
            (Some(error), false) => {
                tracing::warn!(receiver.name = name, error, "alerts cannot be delivered; trying again with backoff");
                format!("Alerts cannot be delivered to receiver {name}: {error}")
            }
            (None, true) => {
                tracing::info!(receiver.name = name, "alerts are delivered again");
                format!("Alerts are delivered to receiver {name} again")
            }
            _ => return,
        };
        let entry = Entry {
            at: now,
            actor: "controller".to_owned(),
            kind: "alert-receiver".to_owned(),
            model: None,
            object: None,
            summary,
            detail: serde_json::json!({ "receiver": name, "failing": error.is_some() }),
            evidence: None,
        };
        if let Err(error) = inner.records.append_ledger(entry).await {
            tracing::warn!(receiver.name = name, error = %error, "the receiver's change could not be entered in the ledger");
        }
    }

    /// How long until the next round, unless there is news.
    fn pause(&self) -> Duration {
        let (first, longest) = BACKOFF;
        let resend_every = self.alerting.inner.resend_every;
        match self.failures {
            // Several looks an interval, so that no alert is late by a whole one.
            0 => resend_every / 4,
            failures => first.min(resend_every).saturating_mul(1 << (failures - 1).min(16)).min(longest),
        }
    }
}

/// An error with its causes in one line.
fn chain(error: &DeliveryError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
