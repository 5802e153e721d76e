use std::sync::OnceLock;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};

use crate::catalog::{Anchor, Edge, Pattern, patterns};
use crate::check::Verdict;
use crate::text::{is_word_after, is_word_before};

use super::{Candidate, EntitySet};

/// All patterns that start at one sort of place, as one automaton that reports every match of every pattern.
pub(super) struct Machine {
    patterns: Vec<&'static Pattern>,
    automaton: dense::DFA<Vec<u32>>,
    start: StateID,
}

/// What a machine remembers while it goes through one text: where each pattern's last match ended, as a search for one
/// pattern alone would go on only there.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    resume: Vec<usize>,
    ends: Vec<(usize, usize)>,
}

impl Progress {
    pub(super) fn reset(&mut self) {
        self.resume.fill(0);
    }
}

impl Machine {
    /// The machine of an anchor; none when its patterns cannot be built, which a test rules out.
    pub(super) fn of(anchor: Anchor) -> Option<&'static Self> {
        static MACHINES: OnceLock<Vec<(Anchor, Option<Machine>)>> = OnceLock::new();
        let machines = MACHINES.get_or_init(|| {
            [Anchor::Run, Anchor::Digit, Anchor::Colon, Anchor::Licence, Anchor::Inside]
                .map(|anchor| (anchor, Machine::build(anchor)))
                .into()
        });
        machines.iter().find(|(known, _)| *known == anchor).and_then(|(_, machine)| machine.as_ref())
    }

    fn build(anchor: Anchor) -> Option<Self> {
        let patterns: Vec<_> = patterns().filter(|pattern| pattern.anchor == anchor).collect();
        let forms: Vec<_> = patterns.iter().map(|pattern| pattern.form).collect();
        let automaton = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .match_kind(MatchKind::All)
                    .start_kind(StartKind::Anchored)
                    .accelerate(false)
                    .dfa_size_limit(Some(64 << 20))
                    .determinize_size_limit(Some(256 << 20)),
            )
            .syntax(syntax::Config::new().unicode(false).utf8(false).case_insensitive(true))
            .build_many(&forms)
            .ok()?;
        let start = automaton.universal_start_state(Anchored::Yes)?;
        Some(Self { patterns, automaton, start })
    }

    /// Bytes the automaton takes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.automaton.memory_usage()
    }

    /// Tries all patterns at one place. Of several ends of a pattern the last whose edge fits counts, as in a greedy search.
    pub(super) fn try_at(
        &self,
        text: &str,
        start: usize,
        wanted: EntitySet,
        progress: &mut Progress,
        found: &mut Vec<Candidate>,
    ) {
        let bytes = text.as_bytes();
        progress.ends.clear();
        let mut state = self.start;
        let mut position = start;
        loop {
            let end = position >= bytes.len();
            state = if end {
                self.automaton.next_eoi_state(state)
            } else {
                self.automaton.next_state(state, bytes[position])
            };
            if self.automaton.is_special_state(state) {
                if self.automaton.is_match_state(state) {
                    for index in 0..self.automaton.match_len(state) {
                        let pattern = self.automaton.match_pattern(state, index).as_usize();
                        if wanted.has(self.patterns[pattern].entity) {
                            progress.ends.push((pattern, position));
                        }
                    }
                } else {
                    break;
                }
            }
            if end {
                break;
            }
            position += 1;
        }
        if progress.ends.is_empty() {
            return;
        }
        progress.resume.resize(self.patterns.len(), 0);
        // A stable order by pattern, longest first.
        progress.ends.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        let mut done = usize::MAX;
        for (index, end) in &progress.ends {
            let pattern = self.patterns[*index];
            if done == *index
                || start < progress.resume[*index]
                || !fits_before(text, start, pattern.before)
                || !fits_after(text, *end, pattern.after)
            {
                continue;
            }
            done = *index;
            progress.resume[*index] = *end;
            let Some(matched) = text.get(start..*end) else { continue };
            let (score, checked) = match (pattern.check)(matched) {
                Verdict::Invalid => continue,
                Verdict::Valid => (1.0, true),
                Verdict::Unknown => (pattern.score, false),
            };
            found.push(Candidate { entity: pattern.entity, start, end: *end, score, checked, firm: false });
        }
    }
}

fn fits_before(text: &str, at: usize, edge: Edge) -> bool {
    let bytes = text.as_bytes();
    let previous = at.checked_sub(1).and_then(|index| bytes.get(index)).copied();
    let word = || is_word_before(text, at);
    match edge {
        Edge::Any | Edge::AddressEnd => true,
        Edge::Word => word() != is_word_after(text, at),
        Edge::NoWord => !word(),
        Edge::NoWordHyphen => previous != Some(b'-') && !word(),
        Edge::NoWordColon => previous != Some(b':') && !word(),
        Edge::Digit => !previous.is_some_and(|byte| byte.is_ascii_digit()),
        Edge::Alphanumeric => !previous.is_some_and(|byte| byte.is_ascii_alphanumeric()),
    }
}

fn fits_after(text: &str, at: usize, edge: Edge) -> bool {
    let bytes = text.as_bytes();
    let next = bytes.get(at).copied();
    let word = || is_word_after(text, at);
    match edge {
        Edge::Any => true,
        Edge::Word => word() != is_word_before(text, at),
        Edge::NoWord => !word(),
        Edge::NoWordHyphen => next != Some(b'-') && !word(),
        Edge::NoWordColon => next != Some(b':') && !word(),
        Edge::AddressEnd => {
            let dotted = next == Some(b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
            next != Some(b':') && !dotted && !word()
        }
        Edge::Digit => !next.is_some_and(|byte| byte.is_ascii_digit()),
        Edge::Alphanumeric => !next.is_some_and(|byte| byte.is_ascii_alphanumeric()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_is_built_and_small() {
        for anchor in [Anchor::Run, Anchor::Digit, Anchor::Colon, Anchor::Licence, Anchor::Inside] {
            let size = Machine::of(anchor).map(Machine::size);
            println!("{anchor:?}: {size:?} bytes");
            assert!(size.is_some_and(|size| size < 32 << 20), "{anchor:?} {size:?}");
        }
    }
}
