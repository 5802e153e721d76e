//! Telephone numbers: what looks like one is tried against the numbering plans of the world.
//!
//! A number with a country's calling code counts for any country, one without for the countries whose plans are tried by
//! default (those of Presidio). What a plan says is libphonenumber's data (`data/phone.tsv`); the reading of candidates
//! follows the behaviour that its matcher documents at its level "valid". Letters for digits are not read.

mod candidate;
mod plan;

use crate::Entity;
use crate::engine::Candidate;

pub(crate) use candidate::end as candidate_end;

/// Fewest digits of a candidate that is worth reading.
pub(crate) const LEAST: usize = plan::LEAST;

/// Score of a number that some plan allows.
const SCORE: f64 = 0.4;

/// Looks in one candidate, `start..end`. Several numbers may stand in it.
pub(crate) fn find(text: &str, start: usize, end: usize, found: &mut Vec<Candidate>) {
    let mut from = start;
    while from < end {
        // Of the default regions each may read another part; what one has found the others need not repeat.
        let mut reached = end;
        let hits = candidate::matches(text, from, end);
        for (start, stop) in &hits {
            let value = &text[*start..*stop];
            found.push(Candidate { firm: is_written_as_one(value), ..plain(*start, *stop) });
        }
        if let Some(last) = hits.iter().map(|(_, stop)| *stop).max() {
            reached = last;
        }
        let rest = &text[reached..end];
        let Some(next) = rest.find(|c: char| c.is_ascii_digit() || matches!(c, '+' | '(' | '[')) else { break };
        if hits.is_empty() {
            break;
        }
        from = reached + next;
    }
}

fn plain(start: usize, end: usize) -> Candidate {
    Candidate { entity: Entity::PhoneNumber, start, end, score: SCORE, checked: false, firm: false }
}

/// Whether the digits are grouped as people group those of a telephone: a decimal point alone groups nothing, and short
/// numbers are too often something else.
fn is_written_as_one(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let grouped = value.contains([' ', '-', '/']) || value.matches('.').count() > 1;
    value.starts_with('+') || digits >= 9 && (value.starts_with('(') || grouped)
}
