//! Requests in OpenAI's shape, parsed into what the workers take. Unknown fields are ignored, as there.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::errors::ApiError;
use super::queue::Ask;
use crate::infer::Sampling;
use crate::template;

/// Alternatives to each byte at most.
const ALTERNATIVES: usize = 20;
/// Stop sequences at most.
const STOPS: usize = 4;

/// A checked request.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub(super) ask: Ask,
    pub(super) shape: Shape,
}

/// How the answer is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// A chat answer, or a plain completion.
    pub(super) chat: bool,
    pub(super) stream: bool,
    /// Whether a stream ends with a chunk of token counts.
    pub(super) usage: bool,
    /// Whether the prompt comes first in the text.
    pub(super) echo: bool,
    pub(super) log_probabilities: bool,
}

#[derive(Deserialize)]
struct Shared {
    model: Option<String>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    seed: Option<i64>,
    stop: Option<Strings>,
    n: Option<u64>,
    #[serde(default)]
    stream: bool,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct Chat {
    messages: Vec<Message>,
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    #[serde(default)]
    logprobs: bool,
    top_logprobs: Option<usize>,
}

#[derive(Deserialize)]
struct Completion {
    prompt: Strings,
    max_tokens: Option<usize>,
    logprobs: Option<usize>,
    #[serde(default)]
    echo: bool,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Content,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    text: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Strings {
    One(String),
    Many(Vec<String>),
}

impl Strings {
    fn all(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

/// Parses the body of `/v1/chat/completions` for the model called `served` with `context` bytes.
pub(super) fn chat(body: &[u8], served: &str, context: usize) -> Result<Parsed, ApiError> {
    let (shared, chat): (Shared, Chat) = (parse(body)?, parse(body)?);
    if chat.messages.last().is_none_or(|message| message.role != "user") {
        return invalid("messages", "messages must end with one of role \"user\": add the question");
    }
    let text = |message: Message| match message.content {
        Content::Text(text) => text,
        Content::Parts(parts) => parts.into_iter().map(|part| part.text).collect(),
    };
    let turns: Vec<String> = chat.messages.into_iter().map(text).collect();
    let question = template::conversation(turns.iter().map(String::as_str));
    if template::control_byte(&question).is_some() {
        return invalid("messages", "the text holds one of the control bytes 0x00, 0x02, 0x03: remove it");
    }
    let prompt = template::question(&question);
    let max_tokens = chat.max_completion_tokens.or(chat.max_tokens);
    if max_tokens == Some(0) {
        return invalid("max_tokens", "max_tokens is 0: use a number from 1");
    }
    let alternatives = chat.logprobs.then_some(chat.top_logprobs.unwrap_or(0));
    let shape = Shape { chat: true, stream: false, usage: false, echo: false, log_probabilities: chat.logprobs };
    finish(shared, shape, prompt, max_tokens.unwrap_or(context), alternatives, served, context)
}

/// Parses the body of `/v1/completions`. The prompt may hold 0x02 and a reference behind it, to be scored with `echo`,
/// `logprobs` and `max_tokens` 0.
pub(super) fn completion(body: &[u8], served: &str, context: usize) -> Result<Parsed, ApiError> {
    let (shared, completion): (Shared, Completion) = (parse(body)?, parse(body)?);
    let mut prompts = completion.prompt.all();
    let (Some(prompt), true) = (prompts.pop(), prompts.is_empty()) else {
        return invalid("prompt", "exactly one prompt is answered: send one request for each");
    };
    let max_tokens = completion.max_tokens.unwrap_or(16);
    if max_tokens == 0 && !completion.echo {
        return invalid("max_tokens", "max_tokens is 0 and echo is off, which leaves nothing to answer: change either");
    }
    let shape = Shape {
        chat: false,
        stream: false,
        usage: false,
        echo: completion.echo,
        log_probabilities: completion.logprobs.is_some(),
    };
    let prompt = template::question(&prompt);
    finish(shared, shape, prompt, max_tokens, completion.logprobs, served, context)
}

fn finish(
    shared: Shared,
    shape: Shape,
    prompt: Vec<u8>,
    max_tokens: usize,
    alternatives: Option<usize>,
    served: &str,
    context: usize,
) -> Result<Parsed, ApiError> {
    if shared.model.is_some_and(|model| model != served) {
        return Err(ApiError::UnknownModel { served: served.to_owned() });
    }
    if shared.n.is_some_and(|n| n != 1) {
        return invalid("n", "one answer is given to a request: leave n out or set it to 1");
    }
    let temperature = shared.temperature.unwrap_or(0.0);
    if !(0.0..=2.0).contains(&temperature) {
        return invalid("temperature", format!("temperature is {temperature}: use 0 (the likeliest byte) to 2"));
    }
    let top_p = shared.top_p.unwrap_or(1.0);
    if !(top_p > 0.0 && top_p <= 1.0) {
        return invalid("top_p", format!("top_p is {top_p}: use a number above 0, to 1"));
    }
    if let Some(count) = alternatives.filter(|count| *count > ALTERNATIVES) {
        let field = if shape.chat { "top_logprobs" } else { "logprobs" };
        return invalid(field, format!("{field} is {count}: use 0 to {ALTERNATIVES}"));
    }
    let stops = shared.stop.map(Strings::all).unwrap_or_default();
    if stops.len() > STOPS || stops.iter().any(String::is_empty) {
        return invalid("stop", format!("stop takes up to {STOPS} sequences, none of them empty"));
    }
    let score_prompt = shape.echo && shape.log_probabilities;
    // A byte at least must have room behind the prompt, unless the prompt is only to be scored.
    if prompt.len() + usize::from(max_tokens > 0) > context {
        return Err(ApiError::TooLong { bytes: prompt.len(), context });
    }
    let sampling = Sampling { temperature, top_p, seed: shared.seed.unwrap_or(0).cast_unsigned() };
    let stops = stops.into_iter().map(String::into_bytes).collect();
    let usage = shared.stream_options.is_some_and(|options| options.include_usage);
    Ok(Parsed {
        ask: Ask { prompt, max_tokens, sampling, stops, alternatives, score_prompt },
        shape: Shape { stream: shared.stream, usage, ..shape },
    })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // The message of serde may quote the body; its category and place do not.
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        let message = match error.classify() {
            serde_json::error::Category::Data => {
                format!("a field is missing or of the wrong type, found at {place}: see OpenAI's API reference")
            }
            _ => format!("the body is not JSON, from {place} on: correct it there"),
        };
        ApiError::Invalid { field: "body", message }
    })
}

fn invalid<T>(field: &'static str, message: impl Into<String>) -> Result<T, ApiError> {
    Err(ApiError::Invalid { field, message: message.into() })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ask(body: &Value) -> Result<Parsed, ApiError> {
        chat(body.to_string().as_bytes(), "atlas", 32)
    }

    fn question(text: &str) -> Value {
        json!({"model": "atlas", "messages": [{"role": "user", "content": text}]})
    }

    #[test]
    fn turns_become_one_question() {
        let body = json!({"messages": [{"role": "system", "content": "Brief."},
            {"role": "user", "content": [{"type": "text", "text": "2+2?"}]}], "max_completion_tokens": 4});
        let parsed = ask(&body).unwrap();
        assert_eq!(parsed.ask.prompt, b"Brief.\n2+2?\x02");
        assert_eq!((parsed.ask.max_tokens, parsed.ask.sampling.temperature), (4, 0.0));
    }

    #[test]
    fn wrong_fields_are_named() {
        for (field, value) in [
            ("n", json!(2)),
            ("temperature", json!(3)),
            ("top_p", json!(0)),
            ("stop", json!(["a", "b", "c", "d", "e"])),
            ("max_tokens", json!(0)),
            ("messages", json!([])),
        ] {
            let mut body = question("hi");
            body[field] = value;
            let error = ask(&body).unwrap_err();
            assert!(matches!(&error, ApiError::Invalid { field: named, .. } if *named == field), "{error:?}");
        }
        let mut other = question("hi");
        other["model"] = json!("borealis");
        assert_eq!(ask(&other).unwrap_err(), ApiError::UnknownModel { served: "atlas".to_owned() });
        assert!(matches!(ask(&question(&"x".repeat(40))), Err(ApiError::TooLong { bytes: 41, context: 32 })));
    }

    #[test]
    fn a_reference_can_be_scored() {
        let body = json!({"prompt": "2+2?\u{2}4\u{3}", "max_tokens": 0, "echo": true, "logprobs": 0});
        let parsed = completion(body.to_string().as_bytes(), "atlas", 7).unwrap();
        assert!(parsed.ask.score_prompt && parsed.ask.prompt == b"2+2?\x024\x03");
        assert!(completion(br#"{"prompt": "a", "max_tokens": 0}"#, "atlas", 32).is_err());
        assert!(completion(br#"{"prompt": ["a", "b"]}"#, "atlas", 32).is_err());
    }
}
