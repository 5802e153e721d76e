//! Character classes by table: Unicode general categories P, S, N, M and Python's `\w`.

use std::sync::LazyLock;

/// Punctuation, `\p{P}`.
pub(crate) const PUNCTUATION: u8 = 1;
/// Symbol, `\p{S}`.
pub(crate) const SYMBOL: u8 = 2;
/// Number, `\p{N}`.
pub(crate) const NUMBER: u8 = 4;
/// Mark, `\p{M}`.
pub(crate) const MARK: u8 = 8;
/// `\w` of Python's `re`: letters, everything numeric, and the underscore.
pub(crate) const WORD: u8 = 16;

/// Whether `character` is in any of `classes`.
pub(crate) fn is(character: char, classes: u8) -> bool {
    of(character) & classes != 0
}

/// The classes of `character`.
pub(crate) fn of(character: char) -> u8 {
    let code = character as usize;
    TABLE.pages[usize::from(TABLE.index[code >> 8])][code & 0xff]
}

struct Table {
    index: Vec<u16>,
    pages: Vec<[u8; 256]>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut flags = vec![0_u8; 0x11_0000];
    for line in include_str!("../../data/character-classes.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split(' ');
        let mut code = || fields.next().and_then(|field| usize::from_str_radix(field, 16).ok()).unwrap_or(0);
        let (first, last) = (code(), code());
        let classes = fields.next().unwrap_or("").bytes().fold(0, |classes, name| classes | class(name));
        for flag in flags.iter_mut().take(last + 1).skip(first) {
            *flag = classes;
        }
    }
    let mut table = Table { index: Vec::with_capacity(0x1100), pages: Vec::new() };
    for page in flags.as_chunks::<256>().0 {
        let at = table.pages.iter().position(|held| held == page).unwrap_or_else(|| {
            table.pages.push(*page);
            table.pages.len() - 1
        });
        table.index.push(u16::try_from(at).unwrap_or(0));
    }
    table
});

fn class(name: u8) -> u8 {
    match name {
        b'P' => PUNCTUATION,
        b'S' => SYMBOL,
        b'N' => NUMBER,
        b'M' => MARK,
        b'W' => WORD,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_have_their_classes() {
        assert_eq!(of('a'), WORD);
        assert_eq!(of('_'), WORD | PUNCTUATION);
        assert_eq!(of('7'), WORD | NUMBER);
        assert_eq!(of('①'), WORD | NUMBER);
        assert_eq!(of('中'), WORD);
        assert_eq!(of('。'), PUNCTUATION);
        assert_eq!(of('€'), SYMBOL);
        assert_eq!(of('😀'), SYMBOL);
        assert_eq!(of('\u{301}'), MARK);
        assert_eq!(of(' '), 0);
        assert_eq!(of('\u{10ffff}'), 0);
    }
}
