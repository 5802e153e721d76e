use crate::Record;
use crate::funnel::Dropped;

/// Takes personal data out of a text. `core/privacy` knows how; this crate only knows that it must be done.
pub trait Redactor {
    /// The text without personal data. The same text must always give the same result.
    fn redact(&self, text: &str) -> Redacted;
}

/// What a [`Redactor`] made of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redacted {
    /// The new text; placeholders are `<NAME>`, `<NAME:detail>` or stars.
    pub text: String,
    /// Pieces of personal data that were replaced.
    pub count: usize,
}

/// Leaves everything as it is: for data that was redacted before, and for showing what happens without.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRedaction;

impl Redactor for NoRedaction {
    fn redact(&self, text: &str) -> Redacted {
        Redacted { text: text.to_string(), count: 0 }
    }
}

/// A record after redaction.
pub(crate) struct Outcome {
    pub(crate) record: Record,
    /// The prompt before, when it changed: evaluation prompts are compared with both.
    pub(crate) original_prompt: Option<String>,
    /// Pieces replaced.
    pub(crate) spans: usize,
}

/// Redacts prompt and completion. A record of which nothing but placeholders is left on one side is dropped.
pub(crate) fn redact(records: Vec<Record>, redactor: &dyn Redactor, dropped: &mut Dropped) -> Vec<Outcome> {
    let mut kept = Vec::with_capacity(records.len());
    for mut record in records {
        let (prompt, completion) = (redactor.redact(&record.prompt), redactor.redact(&record.completion));
        if completion.count > 0 && only_placeholders(&completion.text) {
            dropped.add("completion only personal data", &record.id);
            continue;
        }
        if prompt.count > 0 && only_placeholders(&prompt.text) {
            dropped.add("prompt only personal data", &record.id);
            continue;
        }
        let spans = prompt.count + completion.count;
        let old = std::mem::replace(&mut record.prompt, prompt.text);
        let original_prompt = (old != record.prompt).then_some(old);
        record.completion = completion.text;
        kept.push(Outcome { record, original_prompt, spans });
    }
    kept
}

fn only_placeholders(text: &str) -> bool {
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        let (before, after) = (&rest[..open], &rest[open + 1..]);
        let Some(close) = after.find('>').filter(|close| is_placeholder(&after[..*close])) else { break };
        if before.contains(char::is_alphanumeric) {
            return false;
        }
        rest = &after[close + 1..];
    }
    !rest.contains(char::is_alphanumeric)
}

fn is_placeholder(inside: &str) -> bool {
    let name = inside.split(':').next().unwrap_or("");
    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_alone_say_nothing() {
        for text in ["<EMAIL_ADDRESS>", "<EMAIL_ADDRESS>, <CREDIT_CARD:kbda>.", "*****", "", "(<A>)"] {
            assert!(only_placeholders(text), "{text}");
        }
        for text in ["Mail <EMAIL_ADDRESS>", "<EMAIL_ADDRESS> knows", "<b>", "<EMAIL_ADDRESS", "*** x"] {
            assert!(!only_placeholders(text), "{text}");
        }
    }
}
