//! A guarded stream of server-sent events.

use std::collections::BTreeMap;

use homeostat_privacy::{Anonymizer, Recognizers, StreamRedactor};
use serde_json::{Map, Value, json};

use super::{Found, Guard, GuardAction, leaves};
use crate::problem::Problem;

/// Longest line that is looked at.
const LONGEST_LINE: usize = 1024 * 1024;

/// Guards one stream. Every text of every choice has a redactor of its own.
pub(crate) struct StreamGuard {
    action: GuardAction,
    fails_open: bool,
    recognizers: Option<Recognizers>,
    line: Vec<u8>,
    redactors: BTreeMap<(u64, String), StreamRedactor>,
    /// The fields around the choices, for a part of ours.
    frame: Map<String, Value>,
    chat: bool,
}

impl StreamGuard {
    pub(crate) fn new(guard: &Guard) -> Result<Self, Problem> {
        let recognizers = guard.recognizers()?.cloned();
        let (line, redactors, frame) = (Vec::new(), BTreeMap::new(), Map::new());
        Ok(Self { action: guard.output, fails_open: guard.fails_open, recognizers, line, redactors, frame, chat: true })
    }

    /// Takes the engine's next bytes and gives those to pass on, perhaps none.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Problem> {
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            self.line.push(*byte);
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.line(&line, &mut out)?;
            } else if self.line.len() > LONGEST_LINE {
                return Err(Problem::Broken);
            }
        }
        Ok(out)
    }

    /// What was found so far.
    pub(crate) fn found(&self) -> Found {
        let mut found = Found::new();
        for finding in self.redactors.values().flat_map(StreamRedactor::findings) {
            *found.entry(finding.entity).or_default() += 1;
        }
        found
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        let data = line.strip_prefix(b"data:").map(<[u8]>::trim_ascii);
        let Some(data) = data else {
            // Comments and names of events carry no answer; anything else may.
            let known = line.trim_ascii().is_empty()
                || line.starts_with(b":")
                || line.starts_with(b"event:")
                || line.starts_with(b"id:");
            return if known || self.fails_open {
                out.extend_from_slice(line);
                Ok(())
            } else {
                Err(Problem::Broken)
            };
        };
        if data == b"[DONE]" {
            self.flush(None, out)?;
            out.extend_from_slice(line);
            return Ok(());
        }
        match serde_json::from_slice::<Value>(data) {
            Ok(value) => self.event(value, line, out),
            Err(_) if self.fails_open => {
                out.extend_from_slice(line);
                Ok(())
            }
            Err(_) => Err(Problem::Broken),
        }
    }

    fn event(&mut self, mut value: Value, line: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        let Some(recognizers) = self.recognizers.clone() else {
            out.extend_from_slice(line);
            return Ok(());
        };
        if let Some(object) = value.as_object() {
            let outer = |(name, _): &(&String, &Value)| *name != "choices" && *name != "usage";
            self.frame = object.iter().filter(outer).map(|(name, value)| (name.clone(), value.clone())).collect();
        }
        let mut ended = Vec::new();
        for choice in value.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten() {
            let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
            self.chat = choice.get("text").is_none();
            let redactors = &mut self.redactors;
            leaves::of_choice(choice, &mut |name, text| {
                let new = || StreamRedactor::new(recognizers.clone(), Anonymizer::Replace);
                let redactor = redactors.entry((index, name.to_string())).or_insert_with(new);
                *text = redactor.push(text);
            });
            leaves::drop_tokens(choice);
            if choice.get("finish_reason").is_some_and(|reason| !reason.is_null()) {
                ended.push(index);
            }
        }
        self.stop_if_blocked()?;
        if self.action == GuardAction::Observe {
            out.extend_from_slice(line);
            return Ok(());
        }
        for index in ended {
            self.flush(Some(index), out)?;
        }
        let data = serde_json::to_vec(&value).unwrap_or_default();
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&data);
        out.push(b'\n');
        Ok(())
    }

    /// Gives out what is held back, of one choice or of all.
    fn flush(&mut self, of: Option<u64>, out: &mut Vec<u8>) -> Result<(), Problem> {
        let held: Vec<(u64, String, String)> = self
            .redactors
            .iter_mut()
            .filter(|((index, _), _)| of.is_none_or(|of| of == *index))
            .map(|((index, name), redactor)| (*index, name.clone(), redactor.finish()))
            .collect();
        self.stop_if_blocked()?;
        if self.action == GuardAction::Observe {
            return Ok(());
        }
        for (index, name, text) in held.into_iter().filter(|(_, _, text)| !text.is_empty()) {
            let mut part = self.frame.clone();
            let mut choice = json!({"index": index, "finish_reason": null});
            if self.chat {
                let mut delta = Map::new();
                leaves::put(&mut delta, &name, text);
                choice["delta"] = Value::Object(delta);
            } else {
                choice["text"] = Value::String(text);
            }
            part.insert("choices".to_string(), Value::Array(vec![choice]));
            out.extend_from_slice(format!("data: {}\n\n", Value::Object(part)).as_bytes());
        }
        Ok(())
    }

    fn stop_if_blocked(&self) -> Result<(), Problem> {
        let any = || self.redactors.values().any(|redactor| !redactor.findings().is_empty());
        if self.action == GuardAction::Block && any() { Err(Problem::PersonalDataInAnswer) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use homeostat_privacy::Entity;

    use super::*;

    fn guard(action: GuardAction) -> StreamGuard {
        let recognizers = Some(Recognizers::new(&[Entity::EmailAddress]));
        StreamGuard::new(&Guard { input: action, output: action, fails_open: false, recognizers }).ok().unwrap()
    }

    /// The texts of a choice in what was passed on.
    fn text(passed: &[u8], index: u64) -> String {
        let lines = std::str::from_utf8(passed).unwrap().lines();
        let events = lines.filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
        let mut text = String::new();
        for mut event in events {
            for choice in event["choices"].as_array_mut().unwrap().iter_mut().filter(|choice| choice["index"] == index)
            {
                leaves::of_choice(choice, &mut |_, part| text.push_str(part));
            }
        }
        text
    }

    fn stream(parts: &[&str]) -> Vec<u8> {
        let mut out = String::new();
        for part in parts {
            out += &format!("data: {}\n\n", json!({"id": "x", "choices": [{"index": 0, "delta": {"content": part}}]}));
        }
        out += &format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}));
        out += "data: [DONE]\n\n";
        out.into_bytes()
    }

    #[test]
    fn a_stream_cut_anywhere_is_redacted_as_the_whole() {
        let whole = "Write to ann@example.org, or call. Bob is at bob@example.com";
        let expected = "Write to <EMAIL_ADDRESS>, or call. Bob is at <EMAIL_ADDRESS>";
        for at in 0..whole.len() {
            let bytes = stream(&[&whole[..at], &whole[at..]]);
            for cut in [0, bytes.len() / 3, bytes.len() / 2] {
                let mut guard = guard(GuardAction::Redact);
                let mut passed = guard.feed(&bytes[..cut]).ok().unwrap();
                passed.extend(guard.feed(&bytes[cut..]).ok().unwrap());
                assert_eq!(text(&passed, 0), expected, "cut at {at}");
                assert!(passed.ends_with(b"data: [DONE]\n\n"));
                assert_eq!(guard.found()[&Entity::EmailAddress], 2);
            }
        }
    }

    #[test]
    fn a_blocked_stream_ends_before_the_finding() {
        let mut guard = guard(GuardAction::Block);
        assert!(matches!(guard.feed(&stream(&["mail ann@exa", "mple.org now\n"])), Err(Problem::PersonalDataInAnswer)));
    }

    #[test]
    fn observing_changes_no_byte() {
        let bytes = stream(&["mail ann@exa", "mple.org now"]);
        let mut guard = guard(GuardAction::Observe);
        assert_eq!(guard.feed(&bytes).ok().unwrap(), bytes);
        assert_eq!(guard.found()[&Entity::EmailAddress], 1);
    }

    #[test]
    fn what_is_no_event_is_not_passed_on() {
        assert!(guard(GuardAction::Redact).feed(b"{\"choices\": []}\n").is_err());
        assert!(guard(GuardAction::Redact).feed(b"data: nonsense\n").is_err());
    }
}
