//! Reads along in a stream of server-sent events, as far as metering needs it.

use serde_json::Value;

/// Longest line that is read; a longer one is passed on unread.
const LONGEST_LINE: usize = 1024 * 1024;

/// What has come so far.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    line: Vec<u8>,
    skipping: bool,
    /// Parts with text in them.
    pub(crate) parts: u64,
    /// The text.
    pub(crate) text: String,
    /// What the engine says it generated.
    pub(crate) usage: Option<u64>,
    /// Whether the stream ended as it should.
    pub(crate) done: bool,
    /// Whether an error came as an event.
    pub(crate) error: bool,
}

impl EventReader {
    /// Reads the next bytes; whether they brought text.
    pub(crate) fn feed(&mut self, bytes: &[u8], longest_text: usize) -> bool {
        let before = self.parts;
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                if !std::mem::take(&mut self.skipping) {
                    self.line(&line, longest_text);
                }
            } else if self.line.len() < LONGEST_LINE {
                self.line.push(*byte);
            } else {
                self.skipping = true;
            }
        }
        self.parts > before
    }

    fn line(&mut self, line: &[u8], longest_text: usize) {
        let Some(data) = line.strip_prefix(b"data:") else { return };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.done = true;
            return;
        }
        let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
        self.error |= value.get("error").is_some_and(|error| !error.is_null());
        self.usage = tokens(&value).or(self.usage);
        let Some(text) = text(&value).filter(|text| !text.is_empty()) else { return };
        self.parts += 1;
        if self.text.len() + text.len() <= longest_text {
            self.text.push_str(text);
        }
    }
}

/// The text of a whole answer or of one part of a stream.
pub(crate) fn text(value: &Value) -> Option<&str> {
    let choice = value.get("choices")?.get(0)?;
    let message = choice.get("message").or_else(|| choice.get("delta"));
    message.and_then(|message| message.get("content")).or_else(|| choice.get("text")).and_then(Value::as_str)
}

/// The number of generated tokens.
pub(crate) fn tokens(value: &Value) -> Option<u64> {
    value.get("usage")?.get("completion_tokens")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_may_be_cut_anywhere() {
        let stream = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"Eu\"}}]}\r\n\r\n: comment\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"ro\"}}],\"usage\":{\"completion_tokens\":9}}\n\ndata: [DONE]\n\n";
        for cut in 0..stream.len() {
            let mut reader = EventReader::default();
            reader.feed(&stream.as_bytes()[..cut], 100);
            reader.feed(&stream.as_bytes()[cut..], 100);
            assert_eq!((reader.text.as_str(), reader.parts, reader.usage, reader.done), ("Euro", 2, Some(9), true));
        }
    }

    #[test]
    fn text_and_lines_are_bounded() {
        let mut reader = EventReader::default();
        reader.feed(b"data: {\"choices\":[{\"text\":\"12345\"}]}\n", 4);
        assert_eq!((reader.text.as_str(), reader.parts), ("", 1));
        reader.feed(&vec![b'x'; LONGEST_LINE + 10], 4);
        assert_eq!(reader.line.len(), LONGEST_LINE);
        reader.feed(b"\ndata: {\"error\":{}}\n", 4);
        assert!(reader.error && !reader.done);
    }
}
