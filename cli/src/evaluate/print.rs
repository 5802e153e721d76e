//! The figures for people and for programs.

use std::fmt::Write;

use homeostat_quality::registry::Direction;
use serde_json::{Map, Value, json};

use super::compare::Difference;
use super::matrix::Figure;

/// A table; what could not be computed comes last, with the fields it needs.
pub(super) fn table(records: usize, figures: &[Figure], differences: &[Difference]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ =
        writeln!(out, "{:<22} {:>9}  {:<19} {:>8} {:>8}  BETTER", "METRIC", "VALUE", "95 % INTERVAL", "N", "MISSING");
    for figure in figures {
        let Some(value) = figure.value else { continue };
        let interval = figure.interval.map_or(String::new(), |(low, high)| format!("{low:.4} to {high:.4}"));
        let better = if figure.metric.direction == Direction::Up { "higher" } else { "lower" };
        let name = figure.metric.name;
        let _ =
            writeln!(out, "{name:<22} {value:>9.4}  {interval:<19} {:>8} {:>8}  {better}", figure.n, figure.missing);
        for (part, value) in &figure.parts {
            let _ = writeln!(out, "  {part:<20} {value:>9.4}");
        }
    }
    let lacking: Vec<&Figure> = figures.iter().filter(|figure| figure.value.is_none()).collect();
    if !lacking.is_empty() {
        let _ = writeln!(out, "\nNot in these {records} records:");
        for figure in lacking {
            let _ = writeln!(out, "{:<22} needs {}", figure.metric.name, figure.needs);
        }
    }
    if !differences.is_empty() {
        let _ = writeln!(
            out,
            "\n{:<22} {:>9} {:>9} {:>10}  {:<21} {:>8}",
            "AGAINST", "THEIRS", "OURS", "DIFFERENCE", "95 % INTERVAL", "P"
        );
        for (name, found) in differences {
            let interval = format!("{:+.4} to {:+.4}", found.low, found.high);
            let _ = writeln!(
                out,
                "{name:<22} {:>9.4} {:>9.4} {:>+10.4}  {interval:<21} {:>8.4}",
                found.first, found.second, found.difference, found.p
            );
        }
    }
    out
}

/// One document. What could not be computed is null, never 0.
pub(super) fn json(records: usize, figures: &[Figure], differences: &[Difference]) -> String {
    let metric = |figure: &Figure| {
        let parts: Map<String, Value> =
            figure.parts.iter().map(|(name, value)| ((*name).to_string(), json!(value))).collect();
        let better = if figure.metric.direction == Direction::Up { "higher" } else { "lower" };
        let value = json!({
            "value": figure.value,
            "low": figure.interval.map(|(low, _)| low),
            "high": figure.interval.map(|(_, high)| high),
            "n": figure.n,
            "missing": figure.missing,
            "better": better,
            "parts": parts,
        });
        (figure.metric.name.to_string(), value)
    };
    let metrics: Map<String, Value> = figures.iter().map(metric).collect();
    let difference = |(name, found): &Difference| {
        let value = json!({
            "theirs": found.first, "ours": found.second, "difference": found.difference,
            "low": found.low, "high": found.high, "p": found.p, "n": found.n, "missing": found.missing,
        });
        ((*name).to_string(), value)
    };
    let mut document = json!({"records": records, "metrics": metrics});
    if !differences.is_empty() {
        document["against"] = differences.iter().map(difference).collect::<Map<String, Value>>().into();
    }
    format!("{document:#}\n")
}
