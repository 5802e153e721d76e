//! Redaction of a text that arrives in pieces.

use crate::engine::{Ground, LOOK_BEHIND, next_end};
use crate::text::boundary;
use crate::{Anonymizer, Finding, Recognizers};

/// Takes chunks of a text and gives back redacted text, the same as [`redact`](crate::redact) gives for the whole.
///
/// Text is held back until its line ends, or a longer line comes to a place where nothing can stand: 256 bytes and a word or
/// two in prose, never more than [`StreamRedactor::MOST_HELD`] bytes. Positions of findings refer to the whole original text.
///
/// ```
/// use homeostat_privacy::{Anonymizer, Recognizers, StreamRedactor};
///
/// let mut stream = StreamRedactor::new(Recognizers::all(), Anonymizer::Replace);
/// let mut out = stream.push("write to ann@exam");
/// out += &stream.push("ple.org\nthen");
/// assert_eq!(out, "write to <EMAIL_ADDRESS>\n");
/// assert_eq!(stream.finish(), "then");
/// ```
#[derive(Clone, Debug)]
pub struct StreamRedactor {
    recognizers: Recognizers,
    anonymizer: Anonymizer,
    ground: Ground,
    /// A piece of what was given out already, in its original form, and what is held back.
    buffer: String,
    /// Where in the buffer the held part starts.
    behind: usize,
    /// Where in the whole text the buffer starts.
    offset: usize,
    findings: Vec<Finding>,
}

impl StreamRedactor {
    /// Most bytes that are held back between two chunks.
    pub const MOST_HELD: usize = 4_096 + 8;

    /// A stream that nothing has come through yet.
    #[must_use]
    pub fn new(recognizers: Recognizers, anonymizer: Anonymizer) -> Self {
        let (ground, buffer, findings) = (Ground::default(), String::new(), Vec::new());
        Self { recognizers, anonymizer, ground, buffer, behind: 0, offset: 0, findings }
    }

    /// Takes a chunk and returns what is redacted by now, perhaps nothing.
    pub fn push(&mut self, chunk: &str) -> String {
        self.buffer.push_str(chunk);
        self.advance(false)
    }

    /// Returns what was held back. The stream starts anew after it; its findings remain.
    pub fn finish(&mut self) -> String {
        let rest = self.advance(true);
        self.buffer.clear();
        (self.behind, self.offset, self.ground) = (0, 0, Ground::default());
        rest
    }

    /// What was found so far, as positions in the whole original text.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Bytes held back.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buffer.len() - self.behind
    }

    fn advance(&mut self, complete: bool) -> String {
        let mut out = String::new();
        while let Some(end) = next_end(&self.buffer, self.behind, complete) {
            // As much before the segment is seen as when the whole text is at hand.
            let low = boundary(&self.buffer, self.behind.saturating_sub(LOOK_BEHIND));
            let first = self.findings.len();
            let piece = self.buffer.get(low..end).unwrap_or("");
            let ends = [end - low];
            let rules = self.recognizers.rules();
            self.ground.findings(&rules, piece, self.behind - low, &ends, self.offset + low, &mut self.findings);
            let mut done = self.behind;
            for finding in &self.findings[first..] {
                let (start, stop) = (finding.start - self.offset, finding.end - self.offset);
                out.push_str(self.buffer.get(done..start).unwrap_or(""));
                let value = self.buffer.get(start..stop).unwrap_or("");
                out.push_str(&self.anonymizer.replacement(finding.entity, value));
                done = stop;
            }
            out.push_str(self.buffer.get(done..end).unwrap_or(""));
            self.behind = end;
        }
        // Given out and out of sight.
        let gone = boundary(&self.buffer, self.behind.saturating_sub(2 * LOOK_BEHIND)).min(self.behind);
        if gone > LOOK_BEHIND {
            self.buffer.drain(..gone);
            self.behind -= gone;
            self.offset += gone;
        }
        out
    }
}
