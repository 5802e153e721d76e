//! Reads what the gateway must know of a request; everything else is passed on as it came.

use serde_json::{Map, Value};

use crate::problem::Problem;

/// Which of the two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Chat,
    Text,
}

impl Endpoint {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Text => "/v1/completions",
        }
    }
}

/// A request for a completion.
pub(crate) struct CompletionRequest {
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// The last user message, or the prompt.
    pub(crate) message: String,
    pub(crate) body: Map<String, Value>,
}

impl CompletionRequest {
    pub(crate) fn parse(endpoint: Endpoint, body: &[u8]) -> Result<Self, Problem> {
        // serde_json's message quotes no more than single tokens' kinds, but says where.
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            Problem::Invalid(format!("the body is no JSON (line {}, column {})", error.line(), error.column()))
        })?;
        let Value::Object(body) = value else {
            return Err(Problem::Invalid("the body must be a JSON object".to_string()));
        };
        let Some(model) = body.get("model").and_then(Value::as_str).filter(|model| !model.is_empty()) else {
            return Err(Problem::Invalid(
                "\"model\" must be the name of a model: GET /v1/models lists them".to_string(),
            ));
        };
        let stream = match body.get("stream") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(stream)) => *stream,
            Some(_) => return Err(Problem::Invalid("\"stream\" must be true or false".to_string())),
        };
        let message = match endpoint {
            Endpoint::Chat => last_user_message(&body)?,
            Endpoint::Text => prompt(&body)?,
        };
        Ok(Self { model: model.to_string(), stream, message, body })
    }

    /// The body for an engine that calls the model `model`.
    pub(crate) fn body_for(&self, model: Option<&str>) -> Vec<u8> {
        let mut body = self.body.clone();
        if let Some(model) = model {
            body.insert("model".to_string(), Value::String(model.to_string()));
        }
        // A map of values that were just parsed always serialises.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

fn last_user_message(body: &Map<String, Value>) -> Result<String, Problem> {
    let Some(messages) = body.get("messages").and_then(Value::as_array).filter(|messages| !messages.is_empty()) else {
        return Err(Problem::Invalid("\"messages\" must be a list with at least one message".to_string()));
    };
    let role = |message: &&Value| message.get("role").and_then(Value::as_str) == Some("user");
    let content = messages.iter().rev().find(role).and_then(|message| message.get("content"));
    Ok(content.map(text_of).unwrap_or_default())
}

fn prompt(body: &Map<String, Value>) -> Result<String, Problem> {
    match body.get("prompt") {
        Some(Value::String(prompt)) => Ok(prompt.clone()),
        // A list of one text is the same; token ids are passed on and not read.
        Some(Value::Array(parts)) => Ok(parts.last().and_then(Value::as_str).unwrap_or_default().to_string()),
        _ => Err(Problem::Invalid("\"prompt\" must be a text".to_string())),
    }
}

/// The text of a message: a string, or the text parts of a list.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str));
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<CompletionRequest, String> {
        CompletionRequest::parse(Endpoint::Chat, body.as_bytes()).map_err(|problem| problem.to_string())
    }

    #[test]
    fn the_last_user_message_counts() {
        let request = parse(
            r#"{"model":"atlas","seed":7,"messages":[{"role":"user","content":"first"},{"role":"user","content":[{"type":"text","text":"last"}]},{"role":"assistant","content":"x"}]}"#,
        )
        .unwrap();
        assert_eq!((request.message.as_str(), request.stream), ("last", false));
        let sent: Value = serde_json::from_slice(&request.body_for(Some("atlas-v1"))).unwrap();
        assert_eq!((&sent["model"], &sent["seed"]), (&Value::from("atlas-v1"), &Value::from(7)));
    }

    #[test]
    fn bad_bodies_name_the_field_and_never_the_text() {
        for (body, says) in [
            ("{", "no JSON (line 1"),
            ("[]", "JSON object"),
            (r#"{"messages":[]}"#, "\"model\""),
            (r#"{"model":"m"}"#, "\"messages\""),
            (r#"{"model":"m","messages":[{}],"stream":"yes"}"#, "\"stream\""),
        ] {
            let error = parse(body).err().unwrap_or_default();
            assert!(error.contains(says), "{body}: {error}");
        }
        let text = CompletionRequest::parse(Endpoint::Text, br#"{"model":"m","prompt":["a","b"]}"#).ok().unwrap();
        assert_eq!(text.message, "b");
    }
}
