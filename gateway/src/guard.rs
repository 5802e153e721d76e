//! The guard: what happens to personal data in questions and answers while they pass, by the model's CompliancePolicy.
//!
//! Every text of a request or answer is looked at; what cannot be looked at (token ids, images, an answer that is no JSON) is
//! refused unless the policy fails open. Streams are guarded as whole answers are: text is held back until nothing can
//! begin in it any more.

mod leaves;
mod stream;

use std::collections::BTreeMap;

use homeostat_privacy::{Anonymizer, Entity, Recognizers, redact};
use serde_json::{Map, Value};

pub(crate) use stream::StreamGuard;

use crate::problem::Problem;

/// What a model's policy wants done about personal data that passes the gateway.
#[derive(Clone, Debug)]
pub struct Guard {
    /// In what users ask.
    pub input: GuardAction,
    /// In what the model answers.
    pub output: GuardAction,
    /// Lets pass what cannot be looked at; by default it is refused.
    pub fails_open: bool,
    /// What is looked for; `None`: it could not be understood, so that nothing can be looked at.
    pub recognizers: Option<Recognizers>,
}

/// What is done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardAction {
    /// It is counted.
    Observe,
    /// `<ENTITY>` stands in its place.
    Redact,
    /// The request is refused, or the answer ends.
    Block,
}

/// Findings by entity.
pub(crate) type Found = BTreeMap<Entity, u64>;

impl Guard {
    fn recognizers(&self) -> Result<Option<&Recognizers>, Problem> {
        match &self.recognizers {
            None if !self.fails_open => Err(Problem::Unguarded),
            found => Ok(found.as_ref()),
        }
    }

    /// Looks at all texts of a request's body.
    pub(crate) fn request(&self, body: &mut Map<String, Value>) -> Result<Found, Problem> {
        let Some(recognizers) = self.recognizers()? else { return Ok(Found::new()) };
        let mut found = Found::new();
        let mut each = |text: &mut String| look(recognizers, self.input, text, &mut found);
        let seen_all = leaves::of_request(body, &mut each);
        if !seen_all && !self.fails_open {
            return Err(Problem::Invalid(
                "the request holds something that is no text and cannot be checked for personal data: send text only"
                    .to_string(),
            ));
        }
        match self.input {
            GuardAction::Block if !found.is_empty() => Err(Problem::PersonalData(names(&found))),
            _ => Ok(found),
        }
    }

    /// Looks at a whole answer; gives the answer to pass on.
    pub(crate) fn answer(&self, body: &[u8]) -> Result<(Vec<u8>, Found), Problem> {
        let Some(recognizers) = self.recognizers()? else { return Ok((body.to_vec(), Found::new())) };
        let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
            return if self.fails_open { Ok((body.to_vec(), Found::new())) } else { Err(Problem::Broken) };
        };
        let mut found = Found::new();
        let choices = value.get_mut("choices").and_then(Value::as_array_mut);
        for choice in choices.into_iter().flatten() {
            leaves::of_choice(choice, &mut |_, text| look(recognizers, self.output, text, &mut found));
            if self.output != GuardAction::Observe {
                leaves::drop_tokens(choice);
            }
        }
        match self.output {
            GuardAction::Observe => Ok((body.to_vec(), found)),
            GuardAction::Block if !found.is_empty() => Err(Problem::PersonalDataInAnswer),
            // A value that was just parsed always serialises.
            _ => Ok((serde_json::to_vec(&value).unwrap_or_default(), found)),
        }
    }
}

fn look(recognizers: &Recognizers, action: GuardAction, text: &mut String, found: &mut Found) {
    let redaction = redact(text, recognizers, &Anonymizer::Replace);
    for finding in &redaction.findings {
        *found.entry(finding.entity).or_default() += 1;
    }
    if action == GuardAction::Redact && !redaction.findings.is_empty() {
        *text = redaction.text;
    }
}

fn names(found: &Found) -> String {
    found.keys().map(|entity| entity.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn guard(action: GuardAction) -> Guard {
        Guard {
            input: action,
            output: action,
            fails_open: false,
            recognizers: Some(Recognizers::new(&[Entity::EmailAddress])),
        }
    }

    fn body(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn all_texts_of_a_request_are_looked_at() {
        let mut asked = body(json!({"model": "m", "messages": [
            {"role": "system", "content": "a@example.org"},
            {"role": "user", "content": [{"type": "text", "text": "b@example.org"}]},
        ]}));
        let found = guard(GuardAction::Redact).request(&mut asked).ok().unwrap();
        assert_eq!(found[&Entity::EmailAddress], 2);
        assert_eq!(asked["messages"][0]["content"], "<EMAIL_ADDRESS>");
        assert_eq!(asked["messages"][1]["content"][0]["text"], "<EMAIL_ADDRESS>");
        let mut asked = body(json!({"model": "m", "prompt": ["a@example.org"]}));
        let refused = guard(GuardAction::Block).request(&mut asked).err().unwrap().to_string();
        assert!(refused.contains("EMAIL_ADDRESS") && !refused.contains("example.org"), "{refused}");
    }

    #[test]
    fn what_cannot_be_looked_at_is_refused_unless_the_policy_fails_open() {
        let image =
            json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]});
        let closed = guard(GuardAction::Redact);
        let open = Guard { fails_open: true, ..closed.clone() };
        assert!(closed.request(&mut body(image.clone())).is_err() && open.request(&mut body(image)).is_ok());
        assert!(closed.answer(b"no json").is_err() && open.answer(b"no json").is_ok());
        let broken = Guard { recognizers: None, ..closed };
        assert!(matches!(broken.answer(b"{}"), Err(Problem::Unguarded)));
        assert!(Guard { fails_open: true, ..broken }.answer(b"{}").is_ok());
    }

    #[test]
    fn an_answer_is_redacted_with_its_tokens() {
        let answer = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "it is a@example.org",
            "tool_calls": [{"function": {"name": "mail", "arguments": "{\"to\":\"b@example.org\"}"}}]}, "logprobs": {"content": [{"token": "a@"}]}}]});
        let bytes = serde_json::to_vec(&answer).unwrap();
        let (passed, found) = guard(GuardAction::Redact).answer(&bytes).ok().unwrap();
        let passed = String::from_utf8(passed).unwrap();
        assert!(
            !passed.contains("example.org") && !passed.contains("a@") && found[&Entity::EmailAddress] == 2,
            "{passed}"
        );
        assert!(matches!(guard(GuardAction::Block).answer(&bytes), Err(Problem::PersonalDataInAnswer)));
        assert_eq!(guard(GuardAction::Observe).answer(&bytes).ok().unwrap().0, bytes);
    }
}
