use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Entity, Recognizers};

/// What may be in a body of texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompliancePolicy {
    /// Names of the regulations it stands for (`GDPR`, `HIPAA`), for people and the ledger; they change no verdict.
    #[serde(default)]
    pub regulations: Vec<String>,
    /// One rule an entity; all must hold.
    pub rules: Vec<EntityRule>,
    /// With fewer records scanned there is no verdict. At least 1 is always needed.
    #[serde(default)]
    pub min_records: u64,
}

/// How much of one entity may be found. With neither bound given, none may.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntityRule {
    /// What is counted.
    pub entity: Entity,
    /// Most findings, over all records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_count: Option<u64>,
    /// Largest share of records, 0 to 1, with at least one finding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<f64>,
}

/// How much of each entity was found in a body of texts. Holds counts and a digest, never text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanReport {
    /// A row for every entity that was looked for, also when none was found.
    pub entities: BTreeMap<Entity, EntityCount>,
    /// Records looked at.
    pub records_scanned: u64,
    /// Records with a finding of any entity.
    pub records_affected: u64,
    /// sha256 (hex) over the texts in order, each with its length before it: what exactly was scanned.
    pub digest: String,
}

/// One entity's row of a [`ScanReport`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntityCount {
    /// Findings.
    pub count: u64,
    /// Records with at least one.
    pub records: u64,
}

/// What a policy says of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum ComplianceVerdict {
    /// Every rule holds.
    Passed,
    /// At least one rule is broken.
    Failed {
        /// One sentence for each broken rule; figures only.
        reasons: Vec<String>,
    },
    /// Cannot be said; never counts as passed.
    Inconclusive {
        /// What is missing and the remedy.
        reason: String,
    },
}

/// Counts what the recognizers find in each text; one text is one record.
#[must_use]
pub fn scan<'a>(texts: impl Iterator<Item = &'a str>, recognizers: &Recognizers) -> ScanReport {
    let mut entities: BTreeMap<_, _> =
        recognizers.entities().iter().map(|entity| (*entity, EntityCount::default())).collect();
    let (mut records_scanned, mut records_affected) = (0, 0);
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
        let findings = recognizers.find(text);
        records_scanned += 1;
        records_affected += u64::from(!findings.is_empty());
        for (entity, row) in &mut entities {
            let count = findings.iter().filter(|finding| finding.entity == *entity).count() as u64;
            row.count += count;
            row.records += u64::from(count > 0);
        }
    }
    ScanReport { entities, records_scanned, records_affected, digest: hex::encode(hash.finalize()) }
}

/// Judges a report. A broken rule fails, whatever else is missing; without one, anything missing is inconclusive.
#[must_use]
pub fn verdict(report: &ScanReport, policy: &CompliancePolicy) -> ComplianceVerdict {
    let mut broken = Vec::new();
    let mut missing = Vec::new();
    let needed = policy.min_records.max(1);
    if report.records_scanned < needed {
        missing.push(format!("{} records were scanned, {needed} are needed", report.records_scanned));
    }
    if policy.rules.is_empty() {
        missing.push("the policy has no rule: give at least one under rules".to_string());
    }
    for (index, rule) in policy.rules.iter().enumerate() {
        let Some(found) = report.entities.get(&rule.entity) else {
            missing.push(format!("{} was not looked for: switch its recognizer on", rule.entity));
            continue;
        };
        let most = rule.max_count.or(if rule.max_rate.is_none() { Some(0) } else { None });
        if let Some(most) = most
            && found.count > most
        {
            broken.push(format!("{}: {} found, at most {most} allowed", rule.entity, found.count));
        }
        match rule.max_rate {
            Some(most) if !(0.0..=1.0).contains(&most) => {
                missing.push(format!("rules[{index}].maxRate is {most}: give a share between 0 and 1"));
            }
            Some(most) if report.records_scanned > 0 => {
                let rate = found.records as f64 / report.records_scanned as f64;
                if rate > most {
                    let (records, of) = (found.records, report.records_scanned);
                    broken.push(format!(
                        "{}: in {records} of {of} records ({rate:.4}), at most {most} allowed",
                        rule.entity
                    ));
                }
            }
            _ => {}
        }
    }
    if !broken.is_empty() {
        ComplianceVerdict::Failed { reasons: broken }
    } else if !missing.is_empty() {
        ComplianceVerdict::Inconclusive { reason: missing.join("; ") }
    } else {
        ComplianceVerdict::Passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(max_count: Option<u64>, max_rate: Option<f64>) -> CompliancePolicy {
        let rules = vec![EntityRule { entity: Entity::EmailAddress, max_count, max_rate }];
        CompliancePolicy { regulations: vec!["GDPR".to_string()], rules, min_records: 2 }
    }

    fn report() -> ScanReport {
        scan(["a@b.co and c@d.co", "nothing", "4111111111111111", ""].into_iter(), &Recognizers::all())
    }

    #[test]
    fn a_scan_counts_findings_and_records_and_holds_no_text() {
        let report = report();
        assert_eq!(report.entities[&Entity::EmailAddress], EntityCount { count: 2, records: 1 });
        assert_eq!(report.entities[&Entity::CreditCard], EntityCount { count: 1, records: 1 });
        assert_eq!((report.records_scanned, report.records_affected), (4, 2));
        let json = serde_json::to_string(&report).unwrap_or_default();
        assert!(json.contains("EMAIL_ADDRESS") && !json.contains("b.co") && !json.contains("4111"), "{json}");
        let other = scan(["a", "b"].into_iter(), &Recognizers::all());
        assert_ne!(other.digest, scan(["ab", ""].into_iter(), &Recognizers::all()).digest);
    }

    #[test]
    fn bounds_are_inclusive_and_no_bound_means_none() {
        assert_eq!(verdict(&report(), &policy(Some(2), None)), ComplianceVerdict::Passed);
        assert_eq!(verdict(&report(), &policy(None, Some(0.25))), ComplianceVerdict::Passed);
        for (count, rate) in [(Some(1), None), (None, Some(0.2)), (None, None), (Some(9), Some(0.0))] {
            let verdict = verdict(&report(), &policy(count, rate));
            assert!(matches!(verdict, ComplianceVerdict::Failed { .. }), "{count:?} {rate:?}: {verdict:?}");
        }
    }

    #[test]
    fn missing_data_is_never_a_pass() {
        let empty = scan(std::iter::empty(), &Recognizers::all());
        let cards_only = scan(["x", "y"].into_iter(), &Recognizers::new(&[Entity::CreditCard]));
        let no_rules = CompliancePolicy { rules: Vec::new(), ..policy(None, None) };
        for verdict in [
            verdict(&empty, &policy(None, Some(0.5))),
            verdict(&cards_only, &policy(None, None)),
            verdict(&report(), &no_rules),
            verdict(&report(), &policy(Some(9), Some(f64::NAN))),
        ] {
            assert!(matches!(verdict, ComplianceVerdict::Inconclusive { .. }), "{verdict:?}");
        }
    }

    #[test]
    fn a_broken_rule_fails_even_when_another_cannot_be_judged() {
        let mut policy = policy(Some(0), None);
        policy.min_records = 1_000;
        assert!(matches!(verdict(&report(), &policy), ComplianceVerdict::Failed { .. }));
    }
}
