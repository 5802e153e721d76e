//! Which bytes of a text an anonymizer replaces.
//!
//! Findings of the recognizers are sorted and disjoint; those of a caller need not be. Every byte that any finding
//! covers is replaced, whatever the overlaps: a finding inside another goes with it, of two that overlap in part the
//! more certain one keeps its extent and the other its rest. Spans grow to whole characters.

use std::ops::Range;

use crate::{Entity, Finding};

/// A part of a text, on character boundaries, never empty.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) entity: Entity,
    pub(crate) range: Range<usize>,
    score: f64,
}

/// Sorted, disjoint spans of `text` that cover exactly what the findings cover.
pub(crate) fn spans(text: &str, findings: &[Finding]) -> Vec<Span> {
    let mut wanted: Vec<_> = findings.iter().filter_map(|finding| whole_characters(text, finding)).collect();
    wanted.sort_by(|a, b| {
        let by_place = (a.range.start, b.range.end).cmp(&(b.range.start, a.range.end));
        by_place.then(b.score.total_cmp(&a.score)).then(a.entity.cmp(&b.entity))
    });
    let mut spans: Vec<Span> = Vec::with_capacity(wanted.len());
    for span in wanted {
        place(&mut spans, span);
    }
    spans
}

fn place(spans: &mut Vec<Span>, mut span: Span) {
    while let Some(last) = spans.last_mut() {
        if span.range.start >= last.range.end {
            break;
        }
        if span.range.end <= last.range.end {
            return;
        }
        if span.score <= last.score {
            span.range.start = last.range.end;
            break;
        }
        if span.range.start > last.range.start {
            last.range.end = span.range.start;
            break;
        }
        spans.pop();
    }
    spans.push(span);
}

fn whole_characters(text: &str, finding: &Finding) -> Option<Span> {
    if finding.start >= finding.end || finding.start >= text.len() {
        return None;
    }
    let range = text.floor_char_boundary(finding.start)..text.ceil_char_boundary(finding.end);
    Some(Span { entity: finding.entity, range, score: finding.score })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finding(start: usize, end: usize, score: f64) -> Finding {
        super::super::finding(Entity::EmailAddress, start, end, score)
    }

    fn ranges(text: &str, findings: &[Finding]) -> Vec<(usize, usize)> {
        spans(text, findings).into_iter().map(|span| (span.range.start, span.range.end)).collect()
    }

    #[test]
    fn overlaps_are_resolved() {
        let text = "0123456789";
        assert_eq!(ranges(text, &[finding(6, 8, 1.0), finding(0, 3, 1.0)]), [(0, 3), (6, 8)]);
        assert_eq!(ranges(text, &[finding(0, 8, 0.1), finding(2, 4, 1.0)]), [(0, 8)]);
        assert_eq!(ranges(text, &[finding(0, 5, 0.1), finding(3, 8, 1.0)]), [(0, 3), (3, 8)]);
        assert_eq!(ranges(text, &[finding(0, 5, 1.0), finding(3, 8, 0.1)]), [(0, 5), (5, 8)]);
        assert_eq!(ranges(text, &[finding(0, 5, 1.0), finding(3, 8, 0.1), finding(4, 9, 0.5)]), [(0, 5), (5, 9)]);
        assert_eq!(ranges(text, &[finding(4, 2, 1.0), finding(3, 3, 1.0), finding(90, 99, 1.0)]), []);
        assert_eq!(ranges(text, &[finding(8, usize::MAX, f64::NAN)]), [(8, 10)]);
    }

    #[test]
    fn half_a_character_counts_as_whole() {
        assert_eq!(ranges("aé用b", &[finding(2, 4, 1.0)]), [(1, 6)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_found_is_covered_and_no_more(
            text in ".{0,20}",
            given in prop::collection::vec((0usize..60, 0usize..60, 0u8..4), 0..12),
        ) {
            let findings: Vec<_> = given.iter().map(|(s, e, score)| finding(*s, *e, f64::from(*score))).collect();
            let spans = spans(&text, &findings);
            let mut end = 0;
            for span in &spans {
                prop_assert!(span.range.start >= end && span.range.end > span.range.start);
                prop_assert!(text.get(span.range.clone()).is_some());
                end = span.range.end;
            }
            for (at, c) in text.char_indices() {
                let found = findings.iter().any(|f| f.start < f.end && f.start < at + c.len_utf8() && f.end > at);
                prop_assert_eq!(found, spans.iter().any(|span| span.range.contains(&at)), "byte {}", at);
            }
        }
    }
}
