//! The two JSON shapes that receivers take. Times are RFC 3339.

use std::collections::BTreeMap;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_records::AlertRow;
use serde::Serialize;

use super::fingerprint;

/// What Alertmanager writes for "has not ended".
const NEVER: &str = "0001-01-01T00:00:00Z";

/// One alert of `POST /api/v2/alerts`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Posted<'a> {
    labels: &'a BTreeMap<String, String>,
    annotations: &'a BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "str::is_empty")]
    generator_url: &'a str,
}

/// A firing alert ends by itself when we fall silent for four intervals.
pub(super) fn posted(row: &AlertRow, now: UtcMillis, resend_every: Duration) -> Posted<'_> {
    Posted {
        labels: &row.labels,
        annotations: &row.annotations,
        starts_at: row.starts_at.to_rfc3339(),
        ends_at: row.ends_at.unwrap_or_else(|| now.plus(resend_every * 4)).to_rfc3339(),
        generator_url: source(row),
    }
}

/// The body of a webhook, version 4.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Webhook<'a> {
    version: &'static str,
    group_key: String,
    truncated_alerts: u64,
    status: &'static str,
    receiver: &'a str,
    group_labels: BTreeMap<&'a str, &'a str>,
    common_labels: BTreeMap<&'a str, &'a str>,
    common_annotations: BTreeMap<&'a str, &'a str>,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    alerts: Vec<WebhookAlert<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WebhookAlert<'a> {
    status: &'static str,
    labels: &'a BTreeMap<String, String>,
    annotations: &'a BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
    fingerprint: String,
}

/// The alerts of one model as one message.
pub(super) fn webhook<'a>(receiver: &'a str, rows: &[&'a AlertRow]) -> Webhook<'a> {
    let common_labels = common(rows.iter().map(|row| &row.labels));
    let group_labels: BTreeMap<_, _> = common_labels
        .iter()
        .filter(|(name, _)| matches!(**name, "model" | "namespace"))
        .map(|(k, v)| (*k, *v))
        .collect();
    let alerts = rows.iter().map(|row| WebhookAlert {
        status: status(row),
        labels: &row.labels,
        annotations: &row.annotations,
        starts_at: row.starts_at.to_rfc3339(),
        ends_at: row.ends_at.map_or_else(|| NEVER.to_owned(), UtcMillis::to_rfc3339),
        generator_url: source(row),
        fingerprint: fingerprint(&row.labels),
    });
    let group: Vec<_> = group_labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    Webhook {
        version: "4",
        group_key: format!("{{}}:{{{}}}", group.join(", ")),
        truncated_alerts: 0,
        status: if rows.iter().any(|row| row.ends_at.is_none()) { "firing" } else { "resolved" },
        receiver,
        group_labels,
        common_labels,
        common_annotations: common(rows.iter().map(|row| &row.annotations)),
        external_url: "",
        alerts: alerts.collect(),
    }
}

fn status(row: &AlertRow) -> &'static str {
    if row.ends_at.is_none() { "firing" } else { "resolved" }
}

fn source(row: &AlertRow) -> &str {
    row.annotations.get("dashboard_url").map_or("", String::as_str)
}

/// What all have, with the same value.
fn common<'a>(mut all: impl Iterator<Item = &'a BTreeMap<String, String>>) -> BTreeMap<&'a str, &'a str> {
    let first = all.next();
    let mut shared: BTreeMap<&str, &str> =
        first.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for other in all {
        shared.retain(|name, value| other.get(*name).is_some_and(|theirs| theirs == value));
    }
    shared
}
