//! Answers in OpenAI's shape: whole, or as the chunks of a stream.

use serde_json::{Value, json};

use super::queue::{Event, Finish, Token};
use super::request::Shape;

/// Builds the answers to one request.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    shape: Shape,
    id: String,
    model: String,
    /// Unix seconds.
    created: i64,
    prompt: Vec<u8>,
    generated: usize,
    started: bool,
    /// What a whole answer collects.
    text: String,
    tokens: Vec<Token>,
    finish: Option<Finish>,
}

impl Answer {
    /// The answer to request number `number`, asked with `prompt`.
    pub(super) fn new(shape: Shape, number: u64, model: String, created: i64, prompt: Vec<u8>) -> Self {
        let id = format!("{}-{number}", if shape.chat { "chatcmpl" } else { "cmpl" });
        let (text, tokens, finish) = (String::new(), Vec::new(), None);
        Self { shape, id, model, created, prompt, generated: 0, started: false, text, tokens, finish }
    }

    /// Takes an event into the whole answer.
    pub(super) fn collect(&mut self, event: Event) {
        match event {
            Event::Prompt(tokens) => self.tokens.extend(tokens),
            Event::Token(token, text) => {
                self.generated += 1;
                self.tokens.push(token);
                self.text.push_str(&text);
            }
            Event::End(text, finish) => {
                self.text.push_str(&text);
                self.finish = Some(finish);
            }
        }
    }

    /// The whole answer; none when the end never came.
    pub(super) fn whole(self) -> Option<Value> {
        let finish = name(self.finish?);
        let prompt = if self.shape.echo { String::from_utf8_lossy(&self.prompt).into_owned() } else { String::new() };
        let log = self.shape.log_probabilities.then(|| self.log(&self.tokens, 0));
        let choice = if self.shape.chat {
            json!({"index": 0, "message": {"role": "assistant", "content": self.text}, "logprobs": log,
                "finish_reason": finish})
        } else {
            json!({"index": 0, "text": prompt + &self.text, "logprobs": log, "finish_reason": finish})
        };
        let kind = if self.shape.chat { "chat.completion" } else { "text_completion" };
        Some(json!({"id": self.id, "object": kind, "created": self.created, "model": self.model,
            "choices": [choice], "usage": self.usage()}))
    }

    /// The chunks that an event gives.
    pub(super) fn chunks(&mut self, event: Event) -> Vec<Value> {
        let mut chunks = Vec::new();
        if !self.started {
            self.started = true;
            if self.shape.chat {
                chunks.push(self.chunk(json!({"role": "assistant", "content": ""}), None, None));
            } else if self.shape.echo && !self.shape.log_probabilities {
                let prompt = String::from_utf8_lossy(&self.prompt).into_owned();
                chunks.push(self.chunk(prompt.into(), None, None));
            }
        }
        let content = |text: String| if self.shape.chat { json!({"content": text}) } else { text.into() };
        match event {
            Event::Prompt(tokens) => {
                let prompt = String::from_utf8_lossy(&self.prompt).into_owned();
                chunks.push(self.chunk(content(prompt), Some(self.log(&tokens, 0)), None));
            }
            Event::Token(token, text) => {
                let log = self.shape.log_probabilities.then(|| self.log(&[token], self.generated));
                self.generated += 1;
                if !text.is_empty() || log.is_some() {
                    chunks.push(self.chunk(content(text), log, None));
                }
            }
            Event::End(text, finish) => {
                if !text.is_empty() {
                    chunks.push(self.chunk(content(text), None, None));
                }
                let nothing = if self.shape.chat { json!({}) } else { "".into() };
                chunks.push(self.chunk(nothing, None, Some(finish)));
                if self.shape.usage {
                    let mut last = self.chunk(Value::Null, None, None);
                    last["choices"] = json!([]);
                    last["usage"] = self.usage();
                    chunks.push(last);
                }
            }
        }
        chunks
    }

    fn chunk(&self, content: Value, log: Option<Value>, finish: Option<Finish>) -> Value {
        let (kind, key) =
            if self.shape.chat { ("chat.completion.chunk", "delta") } else { ("text_completion", "text") };
        let mut choice = json!({"index": 0, "logprobs": log, "finish_reason": finish.map(name)});
        choice[key] = content;
        json!({"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": [choice]})
    }

    fn usage(&self) -> Value {
        let prompt = self.prompt.len();
        json!({"prompt_tokens": prompt, "completion_tokens": self.generated, "total_tokens": prompt + self.generated})
    }

    /// Log probabilities in the shape that chat or completions have; `offset` is where the first token stands.
    fn log(&self, tokens: &[Token], offset: usize) -> Value {
        if self.shape.chat {
            let entry = |byte: u8, log: Option<f64>| json!({"token": token(byte), "logprob": log, "bytes": [byte]});
            let content = tokens.iter().map(|token| {
                let mut entry_of = entry(token.byte, token.log_probability);
                let alternatives = token.alternatives.iter().map(|(byte, log)| entry(*byte, Some(*log)));
                entry_of["top_logprobs"] = alternatives.collect();
                entry_of
            });
            return json!({"content": content.collect::<Vec<_>>()});
        }
        let alternatives = |of: &Token| {
            let map = of.alternatives.iter().map(|(byte, log)| (token(*byte), json!(log)));
            Value::Object(map.collect())
        };
        json!({
            "tokens": tokens.iter().map(|of| token(of.byte)).collect::<Vec<_>>(),
            "token_logprobs": tokens.iter().map(|of| of.log_probability).collect::<Vec<_>>(),
            "top_logprobs": tokens.iter().map(alternatives).collect::<Vec<_>>(),
            "text_offset": (offset..offset + tokens.len()).collect::<Vec<_>>(),
        })
    }
}

/// A byte as text: itself if it is ASCII, or else `bytes:\xNN`, as OpenAI writes parts of characters.
fn token(byte: u8) -> String {
    if byte.is_ascii() { char::from(byte).to_string() } else { format!("bytes:\\x{byte:02x}") }
}

fn name(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
    }
}
