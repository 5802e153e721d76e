//! The JSON paths of printer columns: `.a.b`, `['a.b']`, `[0]`, `[-1]`, `[*]`, `[?(@.k=="v")]`.

use serde_json::Value;

#[derive(Debug, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    All,
    Filter { path: Vec<String>, value: Value, equal: bool },
}

/// Every value at `path`, in document order; none when the path is not understood.
pub(crate) fn find<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let Some(steps) = parse(path) else { return Vec::new() };
    let mut found = vec![object];
    for step in &steps {
        found = found.into_iter().flat_map(|value| take(value, step)).collect();
    }
    found
}

fn take<'a>(value: &'a Value, step: &Step) -> Vec<&'a Value> {
    let children = || -> Vec<&'a Value> {
        match value {
            Value::Array(list) => list.iter().collect(),
            Value::Object(map) => map.values().collect(),
            _ => Vec::new(),
        }
    };
    match step {
        Step::Field(name) => value.get(name).into_iter().collect(),
        Step::All => children(),
        Step::Index(index) => {
            let Value::Array(list) = value else { return Vec::new() };
            let length = list.len() as i64;
            let index = if *index < 0 { length + index } else { *index };
            usize::try_from(index).ok().and_then(|index| list.get(index)).into_iter().collect()
        }
        Step::Filter { path, value: wanted, equal } => children()
            .into_iter()
            .filter(|child| {
                let at = path.iter().try_fold(*child, |value, field| value.get(field));
                at.is_some_and(|at| (at == wanted) == *equal)
            })
            .collect(),
    }
}

fn parse(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let end = closing(after)?;
            steps.push(bracket(after[..end].trim())?);
            rest = &after[end + 1..];
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let mut field = String::new();
        let mut chars = rest.char_indices();
        let mut end = rest.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => field.extend(chars.next().map(|(_, c)| c)),
                '.' | '[' => {
                    end = at;
                    break;
                }
                c => field.push(c),
            }
        }
        if end == 0 {
            return None;
        }
        steps.push(if field == "*" { Step::All } else { Step::Field(field) });
        rest = &rest[end..];
    }
    Some(steps)
}

/// Where the bracket closes, quotes and parentheses skipped.
fn closing(text: &str) -> Option<usize> {
    let (mut quote, mut depth) = (None, 0);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, ']') if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

fn bracket(text: &str) -> Option<Step> {
    if text == "*" {
        return Some(Step::All);
    }
    if let Some(name) = unquote(text) {
        return Some(Step::Field(name.to_owned()));
    }
    if let Some(filter) = text.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
        let (path, value, equal) = match filter.split_once("==") {
            Some((path, value)) => (path, value, true),
            None => filter.split_once("!=").map(|(path, value)| (path, value, false))?,
        };
        let path =
            path.trim().strip_prefix('@')?.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let value = value.trim();
        let value = match unquote(value) {
            Some(text) => Value::from(text),
            None => serde_json::from_str(value).ok()?,
        };
        return Some(Step::Filter { path, value, equal });
    }
    text.parse().ok().map(Step::Index)
}

fn unquote(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| *c == '\'' || *c == '"')?;
    text.get(1..)?.strip_suffix(quote)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::find;

    #[test]
    fn the_paths_that_crds_use() {
        let object = json!({
            "spec": {"n": 3, "list": [{"k": "a", "v": 1}, {"k": "b", "v": 2}], "x.y/z": "dotted"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Decayed", "status": "False"}]},
        });
        for (path, wanted) in [
            (".spec.n", json!([3])),
            ("spec.n", json!([3])),
            (".status.conditions[?(@.type==\"Ready\")].status", json!(["True"])),
            (".status.conditions[?(@.type=='Decayed')].status", json!(["False"])),
            (".spec.list[*].v", json!([1, 2])),
            (".spec.list[0].k", json!(["a"])),
            (".spec.list[-1].k", json!(["b"])),
            (".spec['x.y/z']", json!(["dotted"])),
            (".spec.x\\.y/z", json!(["dotted"])),
            (".spec.list[?(@.v!=1)].k", json!(["b"])),
            (".nope.x", json!([])),
            (".spec[", json!([])),
        ] {
            assert_eq!(json!(find(&object, path)), wanted, "{path}");
        }
    }
}
