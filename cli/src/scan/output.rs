//! How findings are printed. No value that was found is.

use std::io::Write;

use homeostat_privacy::Finding;
use serde::Serialize;
use serde_json::Value;

use super::input::Record;
use super::{Format, Totals, sarif};

/// Prints records as they come.
pub(super) struct Printer<W: Write> {
    format: Format,
    to: W,
    /// SARIF is one document: its results are kept until the end.
    results: Vec<Value>,
    any: bool,
}

impl<W: Write> Printer<W> {
    pub(super) fn new(format: Format, to: W) -> Self {
        Self { format, to, results: Vec::new(), any: false }
    }

    /// One record and what was found in it.
    pub(super) fn record(&mut self, record: &Record<'_>, findings: &[Finding]) -> anyhow::Result<()> {
        match self.format {
            Format::Json => {
                let findings =
                    findings.iter().zip(characters(record.text, findings)).map(|(finding, (start, end))| Place {
                        entity: finding.entity.as_str(),
                        start,
                        end,
                        score: finding.score,
                        recognizer: recognizer(finding),
                    });
                serde_json::to_writer(&mut self.to, &Line { id: &record.id, findings: findings.collect() })?;
                self.to.write_all(b"\n")?;
            }
            Format::Sarif => {
                let places = characters(record.text, findings);
                self.results
                    .extend(findings.iter().zip(places).map(|(finding, place)| sarif::result(record, finding, place)));
            }
            Format::Table => self.lines(record, findings)?,
        }
        Ok(())
    }

    fn lines(&mut self, record: &Record<'_>, findings: &[Finding]) -> anyhow::Result<()> {
        if !findings.is_empty() && !self.any {
            writeln!(self.to, "{:<24} {:>6} {:>9} {:>9}  WHERE", "ENTITY", "SCORE", "START", "END")?;
            self.any = true;
        }
        for (finding, (start, end)) in findings.iter().zip(characters(record.text, findings)) {
            let name = finding.entity.as_str();
            write!(self.to, "{name:<24} {:>6.2} {start:>9} {end:>9}  {}", finding.score, record.file)?;
            match (record.line, record.id.as_str() == Some(record.file)) {
                (_, true) => writeln!(self.to, ":{}", position(record.text, finding).0)?,
                (Some(line), false) => writeln!(self.to, ":{line} {}", record.id)?,
                (None, false) => writeln!(self.to, " {}", record.id)?,
            }
        }
        Ok(())
    }

    /// What comes last; gives the writer back.
    pub(super) fn end(mut self, totals: &Totals) -> anyhow::Result<W> {
        match self.format {
            Format::Json => {}
            Format::Sarif => {
                serde_json::to_writer_pretty(&mut self.to, &sarif::document(self.results, totals.by_entity.keys()))?;
                self.to.write_all(b"\n")?;
            }
            Format::Table => {
                if self.any {
                    writeln!(self.to)?;
                }
                for (entity, count) in &totals.by_entity {
                    writeln!(self.to, "{:<24} {count:>6}", entity.as_str())?;
                }
                let findings: u64 = totals.by_entity.values().sum();
                writeln!(
                    self.to,
                    "{} records, {} bytes scanned: {findings} findings in {} records",
                    totals.records, totals.bytes, totals.affected
                )?;
            }
        }
        Ok(self.to)
    }
}

/// A record in JSON.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a Value,
    findings: Vec<Place<'a>>,
}

/// A finding in JSON; places in code points.
#[derive(Serialize)]
struct Place<'a> {
    entity: &'a str,
    start: usize,
    end: usize,
    score: f64,
    recognizer: String,
}

/// The recognizer of a finding: there is one an entity.
pub(super) fn recognizer(finding: &Finding) -> String {
    format!("homeostat/{}", finding.entity.as_str().to_lowercase())
}

/// Places in code points, one pass over the text. Findings come sorted by position.
fn characters(text: &str, findings: &[Finding]) -> Vec<(usize, usize)> {
    let (mut byte, mut count) = (0, 0);
    let mut advance = |to: usize| {
        count += text.get(byte..to).unwrap_or("").chars().count();
        byte = to;
        count
    };
    findings.iter().map(|finding| (advance(finding.start), advance(finding.end))).collect()
}

/// Line and column of a finding's first character, both from 1, the column in code points.
pub(super) fn position(text: &str, finding: &Finding) -> (usize, usize) {
    let before = text.get(..finding.start).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use homeostat_privacy::Entity;
    use serde_json::json;

    use super::*;

    const TEXT: &str = "größe\nann@example.org";

    fn printed(format: Format) -> String {
        let start = TEXT.find('a').unwrap();
        let finding = Finding { entity: Entity::EmailAddress, start, end: TEXT.len(), score: 1.0 };
        let mut printer = Printer::new(format, Vec::new());
        let record = Record { file: "notes.txt", id: Value::from("notes.txt"), line: None, text: TEXT };
        printer.record(&record, &[finding]).unwrap();
        let totals =
            Totals { records: 1, affected: 1, bytes: 22, by_entity: BTreeMap::from([(Entity::EmailAddress, 1)]) };
        String::from_utf8(printer.end(&totals).unwrap()).unwrap()
    }

    #[test]
    fn places_are_code_points_and_no_value_is_printed() {
        let line: Value = serde_json::from_str(&printed(Format::Json)).unwrap();
        let expected = json!({"entity": "EMAIL_ADDRESS", "start": 6, "end": 21, "score": 1.0, "recognizer": "homeostat/email_address"});
        assert_eq!(line, json!({"id": "notes.txt", "findings": [expected]}));
        assert!(printed(Format::Table).contains("notes.txt:2\n"), "{}", printed(Format::Table));
        let document: Value = serde_json::from_str(&printed(Format::Sarif)).unwrap();
        let region = &document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"];
        assert_eq!(region, &json!({"startLine": 2, "startColumn": 1, "charOffset": 6, "charLength": 15}));
        for format in [Format::Json, Format::Table, Format::Sarif] {
            assert!(!printed(format).contains("example.org"), "{format:?}");
        }
    }
}
