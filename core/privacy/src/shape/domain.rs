//! Names of the network: which words end a domain.

use std::sync::OnceLock;

use crate::text::WordMap;

/// Endings that no registry sells but that private networks and documentation use (RFC 2606, RFC 6762, RFC 9476).
const PRIVATE: [&str; 6] = ["example", "home", "internal", "lan", "local", "test"];

/// Whether a label can end the domain of an e-mail address.
pub(crate) fn is_top_level(label: &str) -> bool {
    let lower = label.to_lowercase();
    known().contains_key(lower.as_str()) || PRIVATE.contains(&lower.as_str())
}

/// Whether a label can end an address that is written without a scheme: brand names and file endings cannot.
pub(crate) fn ends_bare_address(label: &[u8]) -> bool {
    ends(label, true)
}

/// Whether a label can end the host of an address with a scheme.
pub(crate) fn ends_address(label: &[u8]) -> bool {
    ends(label, false)
}

fn ends(label: &[u8], bare: bool) -> bool {
    if !(2..=24).contains(&label.len()) {
        return false;
    }
    let mut lower = [0; 24];
    for (to, from) in lower.iter_mut().zip(label) {
        *to = from.to_ascii_lowercase();
    }
    std::str::from_utf8(&lower[..label.len()])
        .ok()
        .and_then(|label| known().get(label))
        .is_some_and(|common| *common || !bare)
}

/// All top-level domains, and whether each counts without a scheme.
fn known() -> &'static WordMap<bool> {
    static KNOWN: OnceLock<WordMap<bool>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let lines = include_str!("../../data/tlds.txt").lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.strip_suffix('+').map_or((line, false), |name| (name, true))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_known_in_any_case() {
        assert!(is_top_level("ORG") && is_top_level("公司") && is_top_level("xn--p1ai") && is_top_level("test"));
        assert!(!is_top_level("png") && !is_top_level("c1") && !is_top_level(""));
        assert!(ends_bare_address(b"Com") && ends_address(b"microsoft") && !ends_bare_address(b"microsoft"));
    }
}
