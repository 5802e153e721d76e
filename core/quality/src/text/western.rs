//! The part that mteval-v13a, sacrebleu's `zh` and Tercom share: ASCII punctuation apart from the words, points and commas except
//! between digits, the dash behind a digit. Each pass does what one regular expression of the reference does, on bytes: all
//! patterns are ASCII, and no byte of a longer character is.

/// ASCII that always stands alone: everything from space to `~` that is neither letter, digit, nor one of `' , - .`
pub(crate) const fn stands_alone(byte: u8) -> bool {
    matches!(byte, b' '..=b'&' | b'('..=b'+' | b'/' | b':'..=b'@' | b'['..=b'`' | b'{'..=b'~')
}

/// Appends `byte`, apart from its neighbours if it stands alone.
#[inline]
pub(crate) fn push_isolated(out: &mut Vec<u8>, byte: u8) {
    if !stands_alone(byte) {
        out.push(byte);
    } else if byte == b' ' {
        // The reference makes three spaces of one; no later pass and no split can tell.
        out.push(b' ');
    } else {
        out.extend_from_slice(&[b' ', byte, b' ']);
    }
}

/// The passes that look at two neighbours: `([^0-9])([.,])`, `([.,])([^0-9])`, `([0-9])(-)`, in this order, each left to right and
/// without overlap.
pub(crate) fn split_numbers(mut text: Vec<u8>) -> Vec<u8> {
    let is_point = |byte: u8| byte == b'.' || byte == b',';
    if text.iter().any(|byte| is_point(*byte)) {
        text = pairs(
            &text,
            |a, b| !a.is_ascii_digit() && is_point(b),
            |out, a, b| out.extend_from_slice(&[a, b' ', b, b' ']),
        );
        text = pairs(
            &text,
            |a, b| is_point(a) && !b.is_ascii_digit(),
            |out, a, b| out.extend_from_slice(&[b' ', a, b' ', b]),
        );
    }
    if text.contains(&b'-') {
        text = pairs(
            &text,
            |a, b| a.is_ascii_digit() && b == b'-',
            |out, a, b| out.extend_from_slice(&[a, b' ', b, b' ']),
        );
    }
    text
}

/// What `re.sub` does with a pattern of two characters.
pub(crate) fn pairs<T: Copy>(
    text: &[T],
    matches: impl Fn(T, T) -> bool,
    replace: impl Fn(&mut Vec<T>, T, T),
) -> Vec<T> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 4 + 8);
    let mut at = 0;
    while at + 1 < text.len() {
        let (a, b) = (text[at], text[at + 1]);
        if matches(a, b) {
            replace(&mut out, a, b);
            at += 2;
        } else {
            out.push(a);
            at += 1;
        }
    }
    out.extend_from_slice(&text[at..]);
    out
}

/// `&quot;`, `&amp;`, `&lt;` and `&gt;`, one after the other as the references do, so that `&amp;lt;` becomes `<`.
pub(crate) fn unescape(text: String) -> String {
    if text.contains('&') {
        text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    } else {
        text
    }
}

/// Text from bytes that were text before.
pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
