use std::collections::BTreeMap;

use homeostat_clock::UtcMillis;
use homeostat_decay::Severity;
use homeostat_quality::ModelKey;
use homeostat_records::AlertRow;

/// One alert that fires.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// The model it is about.
    pub model: ModelKey,
    /// Its name, such as `QualityDegraded`, `NoData`, `RetrainingFailed`, `CanaryRolledBack`, `NodeTrouble`, `HelpNeeded`.
    pub name: String,
    /// How loud.
    pub severity: Severity,
    /// What else tells it from other alerts of the model (`metric`, `node`, …). Never a value or a cause: those change while
    /// it fires, and another label set is another alert. `alertname`, `severity`, `model` and `namespace` are added.
    pub labels: BTreeMap<String, String>,
    /// What a person reads.
    pub annotations: AlertText,
    /// Since when the condition holds; taken as now when it lies ahead.
    pub starts_at: UtcMillis,
}

/// Everything a tired person needs at a glance. Empty fields are left out. Never prompt or completion text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertText {
    /// One line: what is wrong with what.
    pub summary: String,
    /// Metric, value with interval and n against its baseline, breached windows M of N, since when.
    pub what: String,
    /// The diagnosed cause.
    pub cause: String,
    /// What speaks for that cause.
    pub reasons: Vec<String>,
    /// Whose requests suffer, and how many.
    pub affected_traffic: String,
    /// What Homeostat is doing about it at the moment.
    pub doing_now: String,
    /// When it will be over.
    pub ends_when: String,
    /// How to stop or steer what is being done.
    pub how_to_stop: String,
    /// Title and URL; a link titled `Runbook` becomes the `runbook_url` that receivers know, `Dashboard` also the alert's source.
    pub links: Vec<(String, String)>,
}

impl Alert {
    /// All labels: what identifies the alert.
    #[must_use]
    pub fn all_labels(&self) -> BTreeMap<String, String> {
        let own = self.labels.iter().map(|(name, value)| (label_name(name), value.clone()));
        let fixed = [
            ("alertname", self.name.as_str()),
            ("severity", self.severity.as_str()),
            ("model", &self.model.name),
            ("namespace", &self.model.namespace),
        ];
        let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        // An empty label is no label to Prometheus and Alertmanager, also where they compute the fingerprint.
        own.chain(fixed).filter(|(_, value)| !value.is_empty()).collect()
    }

    pub(super) fn row(&self, model: &ModelKey, now: UtcMillis) -> AlertRow {
        let labels = self.all_labels();
        AlertRow {
            fingerprint: fingerprint(&labels),
            model: Some(model.clone()),
            name: self.name.clone(),
            severity: self.severity.as_str().to_owned(),
            labels,
            annotations: self.annotations.render(),
            starts_at: self.starts_at.min(now),
            updated_at: now,
            ends_at: None,
            last_sent: BTreeMap::new(),
        }
    }
}

impl AlertText {
    /// As annotations: `summary`, `description`, `cause`, and each link as `<title>_url`.
    #[must_use]
    pub fn render(&self) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::from([
            ("summary".to_owned(), self.summary.clone()),
            ("description".to_owned(), self.description()),
            ("cause".to_owned(), self.cause.clone()),
        ]);
        for (title, url) in &self.links {
            annotations.insert(format!("{}_url", label_name(&title.to_lowercase())), url.clone());
        }
        annotations.retain(|_, text| !text.is_empty());
        annotations
    }

    fn description(&self) -> String {
        let mut cause = self.cause.clone();
        for reason in &self.reasons {
            cause.push_str("\n  - ");
            cause.push_str(reason);
        }
        let links: Vec<_> = self.links.iter().map(|(title, url)| format!("{title} {url}")).collect();
        let lines = [
            ("What", self.what.as_str()),
            ("Cause", cause.trim_start()),
            ("Affected", &self.affected_traffic),
            ("Doing now", &self.doing_now),
            ("Ends when", &self.ends_when),
            ("To stop it", &self.how_to_stop),
            ("Links", &links.join(" · ")),
        ];
        let present = lines.into_iter().filter(|(_, text)| !text.is_empty());
        present.map(|(title, text)| format!("{title}: {text}")).collect::<Vec<_>>().join("\n")
    }
}

/// The fingerprint of a label set as Prometheus and Alertmanager compute it: FNV-1a (64 bit) over the names and values in
/// order of the names, each followed by a byte 255; in hex.
#[must_use]
pub fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let texts = labels.iter().flat_map(|(name, value)| [name, value]);
    let bytes = texts.flat_map(|text| text.bytes().chain([255]));
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}

/// A name that Alertmanager takes: letters, digits and `_`, not beginning with a digit.
fn label_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = text.chars().map(plain).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) || name.is_empty() { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn degraded() -> Alert {
        Alert {
            model: ModelKey::new("ml", "atlas"),
            name: "QualityDegraded".to_owned(),
            severity: Severity::Critical,
            labels: BTreeMap::from([("metric".to_owned(), "exact_match".to_owned())]),
            annotations: AlertText {
                summary: "atlas answers 8 points worse than its baseline".to_owned(),
                what: "exact_match 0.853 (0.831 to 0.874, n=980) against 0.934; 3 of 4 windows since 10:15 UTC"
                    .to_owned(),
                cause: "model decay".to_owned(),
                reasons: vec!["slice currency fell from 0.97 to 0.61".to_owned(), "the mix is unchanged".to_owned()],
                affected_traffic: "12 % of the requests of the last hour (slice currency)".to_owned(),
                doing_now: "retraining atlas-v2, step 120 of 400".to_owned(),
                ends_when: "exact_match is back within 3 points for 3 windows".to_owned(),
                how_to_stop: "homeostat hold ml/atlas".to_owned(),
                links: vec![("Dashboard".to_owned(), "http://d/models/ml/atlas".to_owned())],
            },
            starts_at: UtcMillis(5),
        }
    }

    #[test]
    fn what_a_person_reads() {
        insta::assert_snapshot!(degraded().annotations.render()["description"], @r"
        What: exact_match 0.853 (0.831 to 0.874, n=980) against 0.934; 3 of 4 windows since 10:15 UTC
        Cause: model decay
          - slice currency fell from 0.97 to 0.61
          - the mix is unchanged
        Affected: 12 % of the requests of the last hour (slice currency)
        Doing now: retraining atlas-v2, step 120 of 400
        Ends when: exact_match is back within 3 points for 3 windows
        To stop it: homeostat hold ml/atlas
        Links: Dashboard http://d/models/ml/atlas
        ");
        assert_eq!(degraded().annotations.render()["dashboard_url"], "http://d/models/ml/atlas");
    }

    #[test]
    fn another_cause_is_the_same_alert() {
        let mut other = degraded();
        other.annotations.cause = "infrastructure".to_owned();
        let row = degraded().row(&other.model, UtcMillis(9));
        assert_eq!(row.fingerprint, other.row(&other.model, UtcMillis(9)).fingerprint);
        assert_eq!(row.labels.keys().collect::<Vec<_>>(), ["alertname", "metric", "model", "namespace", "severity"]);
    }

    #[test]
    fn an_alert_does_not_start_in_the_future_and_has_no_empty_labels() {
        let mut alert = degraded();
        alert.labels.insert("metric".to_owned(), String::new());
        let row = alert.row(&alert.model, UtcMillis(3));
        assert_eq!(row.starts_at, UtcMillis(3));
        assert!(!row.labels.contains_key("metric"));
    }

    #[test]
    fn names_of_labels_are_made_to_fit() {
        assert_eq!(label_name("run book"), "run_book");
        assert_eq!(label_name("9"), "_9");
        assert_eq!(label_name(""), "_");
    }
}
