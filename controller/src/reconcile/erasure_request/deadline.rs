//! By when a request must be answered, and the alerts about it.

use std::collections::BTreeMap;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_crds::compliance::Regulation;
use homeostat_decay::Severity;
use homeostat_quality::ModelKey;
use jiff::{Timestamp, ToSpan, tz::TimeZone};

use crate::alerting::{Alert, AlertText};

const DAY: Duration = Duration::from_secs(86_400);
/// So long before the deadline somebody is told.
const NEAR: Duration = Duration::from_secs(7 * 86_400);
/// Days to answer under the CCPA (Cal. Civ. Code 1798.130(a)(2)).
const CCPA: u32 = 45;

/// What stands before the name of a request where alerts have the name of a model; no model's name holds a colon.
const PREFIX: &str = "erasurerequest:";

/// When the time to answer ends: a month after receipt under GDPR Art. 12(3), on the last day of a shorter month (Regulation
/// 1182/71, Art. 3(2)(c)); 45 days under the CCPA. Extensions are not counted.
pub(super) fn deadline(received: UtcMillis, regulation: Regulation) -> UtcMillis {
    match regulation {
        Regulation::Gdpr => month_after(received).unwrap_or(received.plus(DAY * 28)),
        Regulation::Ccpa => received.plus(DAY * CCPA),
    }
}

fn month_after(time: UtcMillis) -> Option<UtcMillis> {
    let zoned = Timestamp::from_millisecond(time.0).ok()?.to_zoned(TimeZone::UTC);
    Some(UtcMillis(zoned.checked_add(1.month()).ok()?.timestamp().as_millisecond()))
}

/// What alerts of a request are kept under.
pub(super) fn alert_key(namespace: &str, name: &str) -> ModelKey {
    ModelKey::new(namespace, format!("{PREFIX}{name}"))
}

/// The name of the request that alerts with this key are about, if they are about one.
pub(crate) fn request_of(key: &ModelKey) -> Option<&str> {
    key.name.strip_prefix(PREFIX)
}

/// The alert that fires now for a request that is not completed.
pub(super) fn alerts(key: &ModelKey, phase: &str, message: &str, deadline: UtcMillis, now: UtcMillis) -> Vec<Alert> {
    let (Some(name), namespace) = (request_of(key), &key.namespace) else { return Vec::new() };
    let near = deadline.minus(NEAR);
    if now < near {
        return Vec::new();
    }
    let overdue = now >= deadline;
    let (alert, severity, starts_at, left) = if overdue {
        ("ErasureOverdue", Severity::Critical, deadline, "has passed".to_string())
    } else {
        let days = deadline.since(now).as_secs().div_ceil(DAY.as_secs());
        ("ErasureDeadlineNear", Severity::Warning, near, format!("is in {days} days"))
    };
    let text = AlertText {
        // Without the number of days: text that changes is news to every receiver.
        summary: format!("ErasureRequest {namespace}/{name} must be answered by {deadline}, and is {phase}"),
        what: format!("The deadline {left}. {message}"),
        cause: "a person's request".to_string(),
        ends_when: "The request is completed.".to_string(),
        links: vec![("kubectl".to_string(), format!("kubectl describe erasurerequest {name} -n {namespace}"))],
        ..AlertText::default()
    };
    vec![alert_of(key, name, alert, severity, text, starts_at)]
}

/// The alert that fires for a request that failed, until it is deleted.
pub(super) fn failed(key: &ModelKey, message: &str, deadline: UtcMillis, now: UtcMillis) -> Vec<Alert> {
    let (Some(name), namespace) = (request_of(key), &key.namespace) else { return Vec::new() };
    let text = AlertText {
        summary: format!("ErasureRequest {namespace}/{name} failed, and must be answered by {deadline}"),
        what: message.to_string(),
        cause: "a person's request".to_string(),
        ends_when: "The failed request is deleted, best after another has been completed.".to_string(),
        links: vec![("kubectl".to_string(), format!("kubectl describe erasurerequest {name} -n {namespace}"))],
        ..AlertText::default()
    };
    vec![alert_of(key, name, "ErasureFailed", Severity::Critical, text, now)]
}

fn alert_of(
    key: &ModelKey,
    request: &str,
    name: &str,
    severity: Severity,
    annotations: AlertText,
    starts_at: UtcMillis,
) -> Alert {
    let labels = BTreeMap::from([("erasurerequest".to_string(), request.to_string())]);
    Alert { model: key.clone(), name: name.to_string(), severity, labels, annotations, starts_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UtcMillis {
        UtcMillis::from_rfc3339(text).unwrap()
    }

    #[test]
    fn a_month_is_a_calendar_month() {
        for (received, due) in [
            ("2026-03-05T10:00:00Z", "2026-04-05T10:00:00Z"),
            ("2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"),
            ("2028-01-31T10:00:00Z", "2028-02-29T10:00:00Z"),
            ("2026-12-15T00:00:00Z", "2027-01-15T00:00:00Z"),
        ] {
            assert_eq!(deadline(at(received), Regulation::Gdpr), at(due), "{received}");
        }
        assert_eq!(deadline(at("2026-01-01T00:00:00Z"), Regulation::Ccpa), at("2026-02-15T00:00:00Z"));
        // A time that no calendar holds does not end the controller.
        assert!(deadline(UtcMillis(i64::MAX), Regulation::Gdpr) >= UtcMillis(i64::MAX - 1));
    }

    #[test]
    fn alerts_begin_a_week_before_and_get_louder_after() {
        let key = alert_key("ml", "r-17");
        let due = at("2026-04-05T10:00:00Z");
        let firing = |now: &str| alerts(&key, "AwaitingApproval", "Waits.", due, at(now));
        assert_eq!(firing("2026-03-29T09:59:59Z"), []);
        let near = firing("2026-04-01T12:00:00Z").remove(0);
        assert_eq!((near.name.as_str(), near.severity), ("ErasureDeadlineNear", Severity::Warning));
        assert_eq!(near.annotations.what, "The deadline is in 4 days. Waits.");
        let over = firing("2026-04-05T10:00:00Z").remove(0);
        assert_eq!((over.name.as_str(), over.severity, over.starts_at), ("ErasureOverdue", Severity::Critical, due));
        let failed = failed(&key, "An agent is too old.", due, at("2026-03-20T00:00:00Z")).remove(0);
        assert_eq!((failed.name.as_str(), failed.severity), ("ErasureFailed", Severity::Critical));
        assert_eq!(request_of(&key), Some("r-17"));
        assert_eq!(request_of(&ModelKey::new("ml", "atlas")), None);
    }
}
