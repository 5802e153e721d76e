//! Where texts stand in OpenAI's requests and answers.

use serde_json::{Map, Value};

/// Calls `each` with every text of a request's body; whether all of it was text.
pub(super) fn of_request(body: &mut Map<String, Value>, each: &mut dyn FnMut(&mut String)) -> bool {
    let mut all = true;
    for field in ["prompt", "suffix"] {
        match body.get_mut(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => each(text),
            Some(Value::Array(parts)) => {
                for part in parts {
                    match part {
                        Value::String(text) => each(text),
                        _ => all = false,
                    }
                }
            }
            Some(_) => all = false,
        }
    }
    for message in body.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        all &= content(message.get_mut("content"), &mut |text| each(text));
        arguments(message, &mut |_, text| each(text));
    }
    all
}

/// Calls `each` with every text of a choice of an answer or of a part of a stream, and a name that is the same in all parts.
pub(super) fn of_choice(choice: &mut Value, each: &mut dyn FnMut(&str, &mut String)) {
    if let Some(Value::String(text)) = choice.get_mut("text") {
        each("text", text);
    }
    for holder in ["message", "delta"] {
        let Some(message) = choice.get_mut(holder) else { continue };
        content(message.get_mut("content"), &mut |text| each("content", text));
        for field in ["reasoning_content", "reasoning", "refusal"] {
            if let Some(Value::String(text)) = message.get_mut(field) {
                each(field, text);
            }
        }
        arguments(message, each);
    }
}

/// Puts text into a part of a stream where [`of_choice`] finds it by that name again.
pub(super) fn put(delta: &mut Map<String, Value>, name: &str, text: String) {
    match name.strip_prefix("tool/").map(|index| index.parse::<u64>().unwrap_or_default()) {
        Some(index) => {
            let call = serde_json::json!({"index": index, "function": {"arguments": text}});
            delta.insert("tool_calls".to_string(), Value::Array(vec![call]));
        }
        None if name == "function" => {
            delta.insert("function_call".to_string(), serde_json::json!({"arguments": text}));
        }
        None => {
            delta.insert(name.to_string(), Value::String(text));
        }
    }
}

/// Takes out what repeats a choice's text token by token.
pub(super) fn drop_tokens(choice: &mut Value) {
    if let Some(logprobs) = choice.get_mut("logprobs") {
        *logprobs = Value::Null;
    }
}

/// A string, or a list of parts; whether all of it was text.
fn content(content: Option<&mut Value>, each: &mut dyn FnMut(&mut String)) -> bool {
    match content {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => {
            each(text);
            true
        }
        Some(Value::Array(parts)) => {
            let mut all = true;
            for part in parts {
                match part.get_mut("text") {
                    Some(Value::String(text)) => each(text),
                    _ => all = false,
                }
            }
            all
        }
        Some(_) => false,
    }
}

/// What a tool is called with.
fn arguments(message: &mut Value, each: &mut dyn FnMut(&str, &mut String)) {
    if let Some(Value::String(text)) = message.get_mut("function_call").and_then(|call| call.get_mut("arguments")) {
        each("function", text);
    }
    let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
    for (place, call) in (0_u64..).zip(calls.into_iter().flatten()) {
        let index = call.get("index").and_then(Value::as_u64).unwrap_or(place);
        if let Some(Value::String(text)) = call.get_mut("function").and_then(|call| call.get_mut("arguments")) {
            each(&format!("tool/{index}"), text);
        }
    }
}
