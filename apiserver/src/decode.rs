//! Request bodies: JSON, YAML and protobuf into one JSON value.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::protobuf;
use crate::status::Failure;

/// A body and what was written twice in it.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) value: Value,
    /// The paths of duplicate keys; the last one won.
    pub(crate) duplicates: Vec<String>,
}

/// The media type of the body without parameters; JSON when there is none.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match text.split(';').next().unwrap_or_default().trim() {
        "" => "application/json",
        media => media,
    }
}

/// Decodes an object of the given kind.
pub(crate) fn object(media: &str, body: &[u8], kind: &str) -> Result<Decoded, Failure> {
    let unrecognized = |why: String| {
        let said = format!("the object provided is unrecognized (must be of type {kind}): {why} ({})", beginning(body));
        Failure::bad_request(said)
    };
    match media {
        "application/json" => {
            json(body).map_err(|why| unrecognized(format!("couldn't get version/kind; json parse error: {why}")))
        }
        "application/yaml" => yaml(body).map_err(|why| unrecognized(format!("yaml parse error: {why}"))),
        "application/vnd.kubernetes.protobuf" => protobuf::decode(body)
            .map(|value| Decoded { value, duplicates: Vec::new() })
            .map_err(|error| unrecognized(error.to_string())),
        _ => Err(Failure::unsupported_media("application/json, application/yaml, application/vnd.kubernetes.protobuf")),
    }
}

/// Decodes JSON and notes duplicate keys. The error is in the words of Go's decoder where that matters.
pub(crate) fn json(body: &[u8]) -> Result<Decoded, String> {
    let value = serde_json::from_slice(body)
        .map_err(|error| if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() })?;
    let mut duplicates = Vec::new();
    let mut scan = serde_json::Deserializer::from_slice(body);
    // The text parsed once already; a failure here would only lose duplicates.
    let _ = Keys { path: String::new(), duplicates: &mut duplicates }.deserialize(&mut scan);
    Ok(Decoded { value, duplicates })
}

/// Decodes one YAML document.
pub(crate) fn yaml(body: &[u8]) -> Result<Decoded, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    Ok(Decoded { value, duplicates: Vec::new() })
}

fn beginning(body: &[u8]) -> String {
    if body.is_empty() {
        return "<empty>".to_owned();
    }
    let text = String::from_utf8_lossy(body);
    let short: String = text.chars().take(30).collect();
    if short.len() < text.len() { format!("{short} ...") } else { short }
}

/// Walks a document and collects the paths of keys that a map has twice.
struct Keys<'a> {
    path: String,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        loop {
            let path = format!("{}[{index}]", self.path);
            if list.next_element_seed(Keys { path, duplicates: &mut *self.duplicates })?.is_none() {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen: Vec<String> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let path = if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            if seen.contains(&key) {
                self.duplicates.push(path.clone());
            }
            seen.push(key);
            map.next_value_seed(Keys { path, duplicates: &mut *self.duplicates })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn duplicates_are_found_at_any_depth() {
        let decoded = json(br#"{"a": 1, "b": [{"c": 1, "c": 2.5}], "a": null}"#).unwrap();
        assert_eq!(decoded.duplicates, ["b[0].c", "a"]);
        assert_eq!(decoded.value, serde_json::json!({"a": null, "b": [{"c": 2.5}]}));
        assert_eq!(json(b"{\"a\":").unwrap_err(), "unexpected end of JSON input");
    }
}
