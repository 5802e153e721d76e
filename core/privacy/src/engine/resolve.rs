use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::catalog::trust;
use crate::lists::Lists;
use crate::recognizer::Compiled;
use crate::text::{boundary, fold};
use crate::{Entity, Finding};

use super::{Candidate, EntitySet, LOOK_BEHIND, Scratch, context, scan};

/// How much context lifts a score, and to what at least.
const LIFT: f64 = 0.35;
const LIFTED: f64 = 0.5;

/// How often what stands between findings is read again, and how far from each. Only a text made for the purpose needs more
/// than two rounds.
const ROUNDS: u32 = 8;
const WINDOW: usize = 160;

/// From this score on a candidate is preferred to any below it, whatever their lengths.
const LIKELY: f64 = 0.5;

/// What is looked for and what of it is reported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) entities: EntitySet,
    /// Least score; none for each entity's own rule.
    pub(crate) minimum: Option<f64>,
    pub(crate) custom: &'a [Compiled],
    pub(crate) lists: &'a Lists,
}

/// What is carried from one piece of a text to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ground {
    scratch: Scratch,
    candidates: Vec<Candidate>,
    /// Where the last finding ended, in the whole text.
    last: usize,
    /// Whether the last line belonged to a private key that goes on.
    key: bool,
}

impl Ground {
    /// Findings of `piece[behind..]`, which stands at `offset` of the whole text, with segments ending at `ends`.
    pub(crate) fn findings(
        &mut self,
        rules: &Rules<'_>,
        piece: &str,
        behind: usize,
        ends: &[usize],
        offset: usize,
        found: &mut Vec<Finding>,
    ) {
        let folded = fold(piece);
        let text = folded.text.as_ref();
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        scan(text, folded.folded(behind), text.len(), rules.entities, &mut self.scratch, &mut candidates);
        candidates.sort_by_key(|candidate| candidate.start);
        let keys = self.key || rules.entities.has(Entity::Secret) && piece.contains("PRIVATE KEY-----");
        let plain = candidates.is_empty() && rules.custom.is_empty() && rules.lists.is_empty() && !keys;
        let (mut start, mut next) = (behind, 0);
        for end in ends.iter().copied().filter(|_| !plain) {
            let (low, from, until) = (
                folded.folded(boundary(piece, start.saturating_sub(LOOK_BEHIND))),
                folded.folded(start),
                folded.folded(end),
            );
            let first = next;
            while candidates.get(next).is_some_and(|candidate| candidate.start < until) {
                next += 1;
            }
            // Nothing is read behind another finding.
            let low = low.max(if self.last > offset { folded.folded(boundary(piece, self.last - offset)) } else { 0 });
            let mut segment: Vec<_> =
                candidates[first..next].iter().copied().filter(|candidate| candidate.end <= until).collect();
            self.own(rules, text, low, from, until, &mut segment);
            if keys && self.key_line(&piece[start..end]) {
                let line = piece[start..end].trim_end();
                segment = vec![Candidate::sure(Entity::Secret, from, folded.folded(start + line.len()))];
            }
            if !segment.is_empty() {
                for kept in self.settle(rules, text, low, from, until, segment) {
                    let (first, last) = folded.original(kept.start, kept.end);
                    self.last = self.last.max(offset + last);
                    found.push(Finding {
                        entity: kept.entity,
                        start: offset + first,
                        end: offset + last,
                        score: kept.score,
                    });
                }
            }
            start = end;
        }
        self.candidates = candidates;
    }

    /// What the caller's own recognizers and lists say.
    fn own(
        &mut self,
        rules: &Rules<'_>,
        text: &str,
        low: usize,
        from: usize,
        until: usize,
        candidates: &mut Vec<Candidate>,
    ) {
        for custom in rules.custom {
            custom.find(text, from, until, |start, end, score, checked| {
                let near = context::has_any(text, low, start, end, until, custom.context());
                let score = if near { lifted(score) } else { score };
                candidates.push(Candidate {
                    entity: custom.entity(),
                    start,
                    end,
                    score,
                    checked,
                    firm: score >= LIFTED,
                });
            });
        }
        rules
            .lists
            .denied(text, from, until, |entity, start, end| candidates.push(Candidate::sure(entity, start, end)));
    }

    /// Whether a line belongs to a private key whose first line came before.
    fn key_line(&mut self, line: &str) -> bool {
        let inside = self.key;
        if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY-----") {
            self.key = !line.contains("-----END ");
            return false;
        }
        let body = line.trim_end().bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        self.key = inside && body && !line.contains("-----END ");
        inside && body && !line.trim().is_empty()
    }

    /// What is reported of a segment, sorted, without overlaps.
    fn settle(
        &mut self,
        rules: &Rules<'_>,
        text: &str,
        low: usize,
        from: usize,
        until: usize,
        candidates: Vec<Candidate>,
    ) -> Vec<Candidate> {
        let mut all = reported(rules, text, low, until, candidates);
        // What stands between two findings is read again as if they were gone: it may be the rest of one that lost to
        // another, or look like no part of a word any more. So nothing is left to find after a redaction.
        let mut fresh = all.clone();
        for _ in 0..ROUNDS {
            if fresh.is_empty() {
                break;
            }
            let mut gaps: Vec<(Range<usize>, Range<usize>, bool)> = Vec::new();
            for (index, kept) in all.iter().enumerate() {
                if !fresh.contains(kept) {
                    continue;
                }
                let first = index.checked_sub(1).map(|index| all[index].end);
                let before = first.unwrap_or(from)..kept.start;
                let after = kept.end..all.get(index + 1).map_or(until, |next| next.start);
                let low_end = before.start.max(boundary(text, before.end.saturating_sub(WINDOW)));
                gaps.push((before.clone(), low_end..before.end, first.is_none()));
                gaps.push((after.clone(), after.start..after.end.min(boundary(text, after.start + WINDOW)), false));
            }
            fresh = gaps.into_iter().flat_map(|gap| self.again(rules, text, low, gap)).collect();
            all.extend(&fresh);
            // Two windows may have found the same.
            all = without_overlaps(all);
            fresh.retain(|candidate| all.contains(candidate));
        }
        all
    }

    /// What a window of a gap holds when the text around the gap is gone.
    fn again(
        &mut self,
        rules: &Rules<'_>,
        text: &str,
        low: usize,
        (gap, window, first): (Range<usize>, Range<usize>, bool),
    ) -> Vec<Candidate> {
        if window.is_empty() {
            return Vec::new();
        }
        // Before the first finding of a segment the text goes on as it was.
        let base = if first { 0 } else { gap.start };
        let Some(slice) = text.get(base..gap.end) else { return Vec::new() };
        let mut candidates = Vec::new();
        scan(slice, window.start - base, window.end - base, rules.entities, &mut self.scratch, &mut candidates);
        let low = if first { low } else { 0 };
        self.own(rules, slice, low, window.start - base, window.end - base, &mut candidates);
        let mut kept = reported(rules, slice, low, slice.len(), candidates);
        for candidate in &mut kept {
            candidate.start += base;
            candidate.end += base;
        }
        kept
    }
}

/// Presidio's lift for a word that says what is meant, but to a half at least.
fn lifted(score: f64) -> f64 {
    (score + LIFT).clamp(LIFTED, 1.0)
}

/// First what speaks for itself, then what the words around it say, these read only up to the former.
fn reported(rules: &Rules<'_>, text: &str, low: usize, until: usize, candidates: Vec<Candidate>) -> Vec<Candidate> {
    let candidates = candidates.into_iter().map(|candidate| trimmed(text, candidate));
    let candidates = candidates.filter(|candidate| !rules.lists.allows(text, candidate));
    let (alone, other): (Vec<_>, Vec<_>) = candidates.partition(|candidate| suffices(rules, text, candidate));
    let mut kept = without_overlaps(alone);
    if !other.is_empty() {
        let mut near: Option<(usize, usize, EntitySet)> = None;
        let mut helped = Vec::new();
        for mut candidate in other {
            if rules.minimum.is_some_and(|minimum| lifted(candidate.score) < minimum) {
                continue;
            }
            let place = kept.partition_point(|kept| kept.end <= candidate.start);
            let left = place.checked_sub(1).map_or(low, |index| low.max(kept[index].end));
            let right = kept.get(place).map_or(until, |next| next.start);
            if candidate.end > right {
                continue;
            }
            let named = match near {
                Some((start, end, named)) if (start, end) == (candidate.start, candidate.end) => named,
                _ => context::around(text, left, candidate.start, candidate.end, right),
            };
            near = Some((candidate.start, candidate.end, named));
            if named.has(candidate.entity) {
                candidate.score = lifted(candidate.score);
                helped.push(candidate);
            }
        }
        kept.extend(without_overlaps(helped));
        kept.sort_by_key(|candidate| candidate.start);
    }
    kept
}

/// Whether a candidate is reported without a word beside it.
fn suffices(rules: &Rules<'_>, text: &str, candidate: &Candidate) -> bool {
    if let Some(minimum) = rules.minimum {
        return candidate.score >= minimum;
    }
    if candidate.firm {
        return true;
    }
    let trust = trust(candidate.entity);
    let matched = text.get(candidate.start..candidate.end).unwrap_or("");
    let bare = matched.bytes().all(|byte| byte.is_ascii_digit());
    // `a::b` is an address and a path of many languages.
    if candidate.entity == Entity::IpAddress
        && (matched.len() < 6 || !matched.bytes().any(|byte| byte.is_ascii_digit()))
    {
        return false;
    }
    if candidate.checked { trust.checked && (trust.bare || !bare) } else { candidate.score >= trust.form && !bare }
}

/// Without the space that some forms end with.
fn trimmed(text: &str, mut candidate: Candidate) -> Candidate {
    let matched = text.get(candidate.start..candidate.end).unwrap_or("");
    candidate.end = candidate.start + matched.trim_end().len();
    candidate
}

/// Of candidates that overlap the likely one stays, of two of those the longer, at equal length the surer, then the earlier.
fn without_overlaps(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by(|a, b| {
        (b.score >= LIKELY)
            .cmp(&(a.score >= LIKELY))
            .then((b.end - b.start).cmp(&(a.end - a.start)))
            .then(b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal))
            .then(a.start.cmp(&b.start))
            .then(a.entity.cmp(&b.entity))
    });
    let mut kept: BTreeMap<usize, Candidate> = BTreeMap::new();
    for candidate in candidates {
        // The kept ones do not overlap each other, so the last that starts before our end is the only one to look at.
        let before = kept.range(..candidate.end).next_back();
        if before.is_none_or(|(_, finding)| finding.end <= candidate.start) && candidate.end > candidate.start {
            kept.insert(candidate.start, candidate);
        }
    }
    kept.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_overlapping_candidates_the_longer_then_the_surer_stays() {
        let candidate = |entity, start, end, score| Candidate { entity, start, end, score, checked: false, firm: true };
        let long = candidate(Entity::EmailAddress, 0, 20, 0.5);
        let inner = candidate(Entity::CreditCard, 2, 18, 1.0);
        let sure = candidate(Entity::CreditCard, 30, 40, 1.0);
        let unsure = candidate(Entity::EmailAddress, 28, 40, 0.4);
        assert_eq!(without_overlaps(vec![unsure, inner, sure, long]), vec![long, sure]);
    }
}
