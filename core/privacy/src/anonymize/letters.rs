//! Bytes as letters `a` to `p`: hexadecimal digits could happen to spell a card number.

pub(crate) fn letters(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| char::from(b'a' + nibble)).collect()
}

/// The bytes again; `None` for other letters or an odd number of them.
pub(crate) fn from_letters(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let nibble = |byte: u8| byte.checked_sub(b'a').filter(|nibble| *nibble < 16);
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}
