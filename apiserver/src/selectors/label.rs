//! Label selectors, equality-based and set-based.

use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

/// A parsed label selector; the empty one selects everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LabelSelector(Vec<(String, Test)>);

impl LabelSelector {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = tokens(text).into_iter().peekable();
        let mut tests = Vec::new();
        if tokens.peek().is_none() {
            return Ok(Self(tests));
        }
        loop {
            let first = tokens.next().unwrap_or_default();
            if first == "!" {
                tests.push((word(tokens.next())?, Test::Absent));
            } else {
                let key = word(Some(first))?;
                let test = match tokens.peek().map(String::as_str) {
                    None | Some(",") => Test::Exists,
                    Some(operator) => {
                        let operator = operator.to_owned();
                        tokens.next();
                        operand(&operator, &mut tokens)?
                    }
                };
                tests.push((key, test));
            }
            match tokens.next() {
                None => return Ok(Self(tests)),
                Some(token) if token == "," => {}
                Some(token) => return Err(format!("found '{token}', expected: ',' or 'end of string'")),
            }
        }
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.0.iter().all(|(key, test)| {
            let value = labels.get(key).and_then(Value::as_str);
            match test {
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
                Test::In(values) => value.is_some_and(|value| values.iter().any(|each| each == value)),
                Test::NotIn(values) => value.is_none_or(|value| values.iter().all(|each| each != value)),
                Test::Greater(bound) => {
                    value.and_then(|value| value.parse::<i64>().ok()).is_some_and(|value| value > *bound)
                }
                Test::Less(bound) => {
                    value.and_then(|value| value.parse::<i64>().ok()).is_some_and(|value| value < *bound)
                }
            }
        })
    }
}

fn operand(operator: &str, tokens: &mut std::iter::Peekable<std::vec::IntoIter<String>>) -> Result<Test, String> {
    match operator {
        "=" | "==" | "!=" => {
            // `key=` selects the empty value.
            let value = match tokens.peek().map(String::as_str) {
                None | Some(",") => String::new(),
                Some(_) => word(tokens.next())?,
            };
            Ok(if operator == "!=" { Test::NotIn(vec![value]) } else { Test::In(vec![value]) })
        }
        "in" | "notin" => {
            let open = tokens.next().unwrap_or_default();
            if open != "(" {
                return Err(format!("found '{open}' expected: '('"));
            }
            let mut values = Vec::new();
            loop {
                let token = tokens.next().ok_or("found '', expected: ',' or ')'")?;
                match token.as_str() {
                    ")" => break,
                    "," => {}
                    _ => values.push(word(Some(token))?),
                }
            }
            Ok(if operator == "in" { Test::In(values) } else { Test::NotIn(values) })
        }
        ">" | "<" => {
            let value = word(tokens.next())?;
            let bound = value.parse().map_err(|_| {
                format!("values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer")
            })?;
            Ok(if operator == ">" { Test::Greater(bound) } else { Test::Less(bound) })
        }
        other => Err(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")),
    }
}

fn word(token: Option<String>) -> Result<String, String> {
    let token = token.unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if token.is_empty() || !token.chars().all(plain) {
        return Err(format!("found '{token}', expected: identifier"));
    }
    Ok(token)
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        if c.is_whitespace() {
            chars.next();
        } else if "(),".contains(c) {
            chars.next();
            tokens.push(c.to_string());
        } else if "=!<>".contains(c) {
            chars.next();
            let mut token = c.to_string();
            if (c == '=' || c == '!') && chars.peek() == Some(&'=') {
                chars.next();
                token.push('=');
            }
            tokens.push(token);
        } else {
            let mut token = String::new();
            while let Some(&c) = chars.peek() {
                if c.is_whitespace() || "(),=!<>".contains(c) {
                    break;
                }
                token.push(c);
                chars.next();
            }
            tokens.push(token);
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::LabelSelector;

    fn selects(selector: &str) -> bool {
        let object = json!({"metadata": {"labels": {"app": "w", "n": "5"}}});
        LabelSelector::parse(selector).unwrap().matches(&object)
    }

    #[test]
    fn equality_and_set_tests() {
        for yes in [
            "",
            "app",
            "app=w",
            "app==w",
            "app!=x",
            "app in (v, w)",
            "app notin (x),n",
            "!zone",
            "zone!=a",
            "n>4",
            "n<6",
        ] {
            assert!(selects(yes), "{yes}");
        }
        for no in ["zone", "app=x", "!app", "app!=w", "app in (x)", "zone in (a)", "n>5", "app=w,zone"] {
            assert!(!selects(no), "{no}");
        }
    }

    #[test]
    fn bad_selectors_say_where() {
        assert_eq!(LabelSelector::parse("a==b=c").unwrap_err(), "found '=', expected: ',' or 'end of string'");
        assert!(LabelSelector::parse("a in b").is_err());
        assert!(LabelSelector::parse("a b").is_err());
        assert!(LabelSelector::parse("a in (b").is_err());
    }
}
