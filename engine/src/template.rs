//! How a question and its answer become one sequence of bytes.
//!
//! ```text
//! training   question 0x02 answer 0x03        only the answer and 0x03 are learnt
//! serving    question 0x02 ▸ the model continues, until it writes 0x03
//! ```
//! The same template serves both, so that what was trained is what is asked. The three control bytes may not occur in
//! text; 0x00 stands for "before the start" in the embeddings of previous bytes.
//!
//! In chat the last user message is the question; system and earlier turns come before it, each ended by a newline.

/// What lies before the first byte.
pub const BEFORE_START: u8 = 0x00;
/// Ends the question.
pub const ANSWER: u8 = 0x02;
/// Ends the answer.
pub const END: u8 = 0x03;

/// A question and its answer as one sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Question, 0x02, answer, 0x03.
    pub bytes: Vec<u8>,
    /// Length of the question: the byte at this place is 0x02, and learning starts behind it.
    pub question: usize,
}

/// Encodes a record for training.
#[must_use]
pub fn record(question: &str, answer: &str) -> Encoded {
    let mut bytes = Vec::with_capacity(question.len() + answer.len() + 2);
    bytes.extend_from_slice(question.as_bytes());
    bytes.push(ANSWER);
    bytes.extend_from_slice(answer.as_bytes());
    bytes.push(END);
    Encoded { bytes, question: question.len() }
}

/// Encodes a question for generation: text that already holds 0x02 is taken as it is, so that a caller can also give
/// an answer to be scored.
#[must_use]
pub fn question(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    if !bytes.contains(&ANSWER) {
        bytes.push(ANSWER);
    }
    bytes
}

/// One question from the turns of a chat, in order.
#[must_use]
pub fn conversation<'a>(turns: impl IntoIterator<Item = &'a str>) -> String {
    turns.into_iter().collect::<Vec<_>>().join("\n")
}

/// The first control byte in `text`, which training refuses.
#[must_use]
pub fn control_byte(text: &str) -> Option<u8> {
    text.bytes().find(|byte| [BEFORE_START, ANSWER, END].contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_and_serving_share_the_prefix() {
        let encoded = record("2+2?", "4");
        assert_eq!(encoded.bytes, b"2+2?\x024\x03");
        assert_eq!(&encoded.bytes[..=encoded.question], question("2+2?"));
        assert_eq!(question("2+2?\x024\x03"), encoded.bytes);
        assert_eq!(conversation(["Be brief.", "2+2?"]), "Be brief.\n2+2?");
        assert_eq!(control_byte("a\u{3}"), Some(END));
    }
}
