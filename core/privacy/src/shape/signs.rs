//! One automaton for all words and prefixes that give something away.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};

use crate::Entity;
use crate::engine::Candidate;
use crate::shape::{secret, spelled};

/// Adds the secrets and spelled-out addresses whose sign stands in `from..until`.
pub(crate) fn find(text: &str, from: usize, until: usize, secrets: bool, mails: bool, found: &mut Vec<Candidate>) {
    static SIGNS: OnceLock<Option<AhoCorasick>> = OnceLock::new();
    let signs = SIGNS.get_or_init(|| {
        AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(secret::signs().chain(spelled::SIGNS))
            .ok()
    });
    let (Some(signs), Some(bytes)) = (signs, text.as_bytes().get(from..until)) else { return };
    let mut read = from;
    for hit in signs.find_iter(bytes) {
        let (start, end) = (from + hit.start(), from + hit.end());
        let index = hit.pattern().as_usize();
        if index < secret::SIGNS {
            if secrets {
                found.extend(secret::at(text, index, start, end));
            }
        } else if mails
            && start >= read
            && let Some((start, end)) = spelled::around(text, from, start, end)
        {
            found.push(Candidate::sure(Entity::EmailAddress, start, end));
            read = end;
        }
    }
}
