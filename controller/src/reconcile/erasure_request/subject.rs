//! From the identifiers of a Secret to the HMACs under which the records know the person.

use std::collections::BTreeSet;

use homeostat_privacy::{Entity, Recognizers, SubjectKey};
use homeostat_quality::SubjectHmac;

/// Most identifiers of one request.
const MOST: usize = 1_000;

/// A person, as far as the records can know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subjects {
    /// How many identifiers were given.
    pub(super) identifiers: u64,
    /// The HMACs they may stand under, sorted.
    pub(super) hmacs: Vec<SubjectHmac>,
}

/// Reads one identifier a line; empty lines and those that begin with `#` are skipped. An identifier counts as every entity
/// whose recognizer takes the whole line for one, since text may be read either way; `ENTITY=value` says which it is.
///
/// # Errors
/// A sentence that names the line and the remedy, never the text.
pub(super) fn parse(text: &str, key: &SubjectKey) -> Result<Subjects, String> {
    let mut hmacs = BTreeSet::new();
    let mut identifiers = 0;
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let found = named(line, key).map_or_else(|| recognised(line, key), |hmac| vec![hmac]);
        if found.is_empty() {
            return Err(format!(
                "line {} is no identifier that is known by itself: write ENTITY=value, with the name of its entity, such as EMAIL_ADDRESS",
                index + 1
            ));
        }
        identifiers += 1;
        hmacs.extend(found);
    }
    match identifiers {
        0 => Err("it holds no identifier: give one a line".to_string()),
        count if count > MOST => {
            Err(format!("it holds {count} identifiers, and {MOST} are the most of one request: make several"))
        }
        count => Ok(Subjects { identifiers: count as u64, hmacs: hmacs.into_iter().collect() }),
    }
}

/// `ENTITY=value`.
fn named(line: &str, key: &SubjectKey) -> Option<SubjectHmac> {
    let (entity, value) = line.split_once('=')?;
    let entity: Entity = entity.trim().parse().ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| key.hmac(entity, value))
}

fn recognised(line: &str, key: &SubjectKey) -> Vec<SubjectHmac> {
    let whole = |entity: &&Entity| {
        let findings = Recognizers::new(&[**entity]).find(line);
        findings.iter().any(|finding| finding.start == 0 && finding.end == line.len())
    };
    Entity::ALL.iter().filter(whole).map(|entity| key.hmac(*entity, line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Subjects, String> {
        parse(text, &SubjectKey::new([7; 32]))
    }

    #[test]
    fn identifiers_are_read_as_the_recognizers_read_text() {
        let key = SubjectKey::new([7; 32]);
        let subjects = read("# of the person\n\n  Ann@Example.org \n4111 1111 1111 1111\n").unwrap();
        assert_eq!(subjects.identifiers, 2);
        for (entity, value) in [(Entity::EmailAddress, "ann@example.org"), (Entity::CreditCard, "4111111111111111")] {
            assert!(subjects.hmacs.contains(&key.hmac(entity, value)), "{entity}");
        }
        let named = read("EMAIL_ADDRESS=ann@example.org").unwrap();
        assert_eq!(named.hmacs, [key.hmac(Entity::EmailAddress, "ann@example.org")]);
    }

    #[test]
    fn a_line_that_is_none_is_named_without_its_text() {
        let problem = read("ann@example.org\nAnn the secret").unwrap_err();
        assert!(problem.starts_with("line 2 is no identifier") && !problem.contains("secret"), "{problem}");
        // Part of a line is not the line.
        assert!(read("write to ann@example.org").is_err());
        assert!(read("EMAIL_ADDRESS=").is_err());
        assert!(read(" \n# nothing\n").unwrap_err().contains("no identifier"));
        let many: String = (0..=MOST).map(|index| format!("a{index}@example.org\n")).collect();
        assert!(read(&many).unwrap_err().contains("make several"));
    }
}
