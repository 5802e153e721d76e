//! Keys and tokens: by the prefixes that their issuers gave them, and values that are called passwords.

use crate::Entity;
use crate::engine::Candidate;

/// Prefix, least and most characters behind it. Issuers document these so that scanners find them.
const PREFIXES: &[(&str, usize, usize)] = &[
    ("AKIA", 16, 16),          // AWS access key
    ("ASIA", 16, 16),          // AWS temporary key
    ("ghp_", 36, 255),         // GitHub
    ("gho_", 36, 255),         // GitHub
    ("ghu_", 36, 255),         // GitHub
    ("ghs_", 36, 255),         // GitHub
    ("ghr_", 36, 255),         // GitHub
    ("github_pat_", 40, 255),  // GitHub
    ("glpat-", 20, 64),        // GitLab
    ("xoxb-", 20, 255),        // Slack
    ("xoxp-", 20, 255),        // Slack
    ("xoxa-", 20, 255),        // Slack
    ("xapp-", 20, 255),        // Slack
    ("AIza", 35, 35),          // Google
    ("ya29.", 20, 512),        // Google OAuth
    ("sk-ant-", 20, 255),      // Anthropic
    ("sk-proj-", 20, 255),     // OpenAI
    ("sk-", 32, 255),          // OpenAI and others
    ("sk_live_", 16, 255),     // Stripe
    ("rk_live_", 16, 255),     // Stripe
    ("whsec_", 24, 255),       // Stripe
    ("hf_", 30, 64),           // Hugging Face
    ("npm_", 36, 36),          // npm
    ("pypi-", 40, 255),        // PyPI
    ("dop_v1_", 64, 64),       // DigitalOcean
    ("SG.", 40, 96),           // SendGrid
    ("eyJ", 40, 4096),         // JSON web token
    ("-----BEGIN ", 16, 4096), // PEM
];

/// Words before a value that make it a secret.
const NAMES: [&str; 9] =
    ["password", "passwd", "passphrase", "api_key", "apikey", "api key", "secret_key", "access_token", "auth_token"];

/// What gives secrets away, for the automaton that looks for all signs at once.
pub(super) fn signs() -> impl Iterator<Item = &'static str> {
    PREFIXES.iter().map(|(prefix, ..)| *prefix).chain(NAMES)
}

/// Number of [`signs`].
pub(super) const SIGNS: usize = PREFIXES.len() + NAMES.len();

/// The secret that sign number `index` at `start..after` gives away.
pub(super) fn at(text: &str, index: usize, start: usize, after: usize) -> Option<Candidate> {
    let secret = |start, end, score: f64| {
        let checked = score == 1.0;
        Candidate { entity: Entity::Secret, start, end, score, checked, firm: checked }
    };
    let Some((prefix, least, most)) = PREFIXES.get(index) else {
        return value(text, after).map(|(start, end)| secret(start, end, 0.6));
    };
    // The automaton ignores case for the names' sake.
    if text.get(start..after) != Some(*prefix) || crate::text::is_word_before(text, start) {
        return None;
    }
    let end = match *prefix {
        "-----BEGIN " => key_block(text, start),
        "eyJ" => web_token(text, start),
        _ => key(text, after, *least, *most),
    };
    end.map(|end| secret(start, end, 1.0))
}

/// Ends at the block's last line, or where the text ends.
fn key_block(text: &str, start: usize) -> Option<usize> {
    let rest = text.get(start..)?;
    let line = rest.lines().next().unwrap_or(rest);
    if !line.contains("PRIVATE KEY-----") {
        return None;
    }
    // In one line, as in JSON, the end is there too.
    let close = line.find("-----END ").and_then(|at| line[at + 9..].find("-----").map(|dashes| at + 9 + dashes + 5));
    Some(start + close.unwrap_or(line.trim_end().len()))
}

/// Three parts with dots, of which the first two are JSON in base64.
fn web_token(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes().get(start..)?;
    let is_token = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let length = bytes.iter().take(4_096).take_while(is_token).count();
    let token = text.get(start..start + length)?.trim_end_matches('.');
    let mut parts = token.split('.');
    let good = matches!((parts.next(), parts.next(), parts.next()), (Some(head), Some(body), Some(signature))
        if head.len() > 8 && body.starts_with("eyJ") && signature.len() > 8);
    (good && parts.next().is_none()).then_some(start + token.len())
}

/// Ends the key whose prefix ends at `after`. Real keys hold letters and digits.
fn key(text: &str, after: usize, least: usize, most: usize) -> Option<usize> {
    let bytes = text.as_bytes().get(after..)?;
    let is_key = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let mut length = bytes.iter().take(most + 1).take_while(is_key).count();
    while length > 0 && matches!(bytes[length - 1], b'.' | b'-' | b'_') {
        length -= 1;
    }
    let value = &bytes[..length.min(most + 1)];
    let mixed = value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic)
        || least == 16 && value.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    (mixed && (least..=most).contains(&length)).then_some(after + length)
}

/// The value behind a name: `: value`, `= "value"`, `is value`. It holds a digit and a letter and at least six characters.
fn value(text: &str, after: usize) -> Option<(usize, usize)> {
    let rest = text.get(after..)?;
    let trimmed = rest.trim_start_matches(['"', '\'', ' ', '\t']);
    let trimmed = trimmed
        .strip_prefix(':')
        .or_else(|| trimmed.strip_prefix('='))
        .or_else(|| trimmed.strip_prefix("is ").filter(|_| rest.starts_with(' ')))?;
    let value = trimmed.trim_start_matches([' ', '\t']);
    let quoted = value.starts_with(['"', '\'']);
    let value = value.trim_start_matches(['"', '\'']);
    let start = text.len() - value.len();
    let stop = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '(' | ')' | '<' | '>' | '{' | '}');
    let length = value.char_indices().take(128).find(|(_, c)| stop(*c)).map_or(value.len().min(128), |(at, _)| at);
    let value = text.get(start..start + length)?.trim_end_matches(['.', '!', '?']);
    let mixed = value.bytes().any(|byte| byte.is_ascii_digit()) && value.bytes().any(|byte| byte.is_ascii_alphabetic());
    let call = text[start + length..].starts_with(['(', '{', '<']) && !quoted;
    let long = value.chars().count() >= 6;
    (mixed && long && !call && !value.starts_with('$')).then_some((start, start + value.len()))
}

#[cfg(test)]
mod tests {
    fn found(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        crate::shape::signs::find(text, 0, text.len(), true, false, &mut found);
        found.iter().map(|candidate| &text[candidate.start..candidate.end]).collect()
    }

    #[test]
    fn keys_and_passwords_are_found() {
        let key = ["AKIA", "IOSFODNN7EXAMPLE"].concat();
        assert_eq!(found(&format!("key {key}, ok")), [key.as_str()]);
        let token = ["ghp_", "0123456789abcdefghijABCDEFGHIJ012345"].concat();
        assert_eq!(found(&format!("token={token}")), [token.as_str()]);
        assert_eq!(found("my password is hunter22."), ["hunter22"]);
        assert_eq!(found("\"api_key\": \"a1b2c3d4\""), ["a1b2c3d4"]);
        assert_eq!(
            found("-----BEGIN RSA PRIVATE KEY-----\\nab\\n-----END RSA PRIVATE KEY-----\""),
            ["-----BEGIN RSA PRIVATE KEY-----\\nab\\n-----END RSA PRIVATE KEY-----"]
        );
        for text in [
            "password: str",
            "password = read_line2()",
            "sk-learn",
            "the password is wrong",
            "-----BEGIN CERTIFICATE-----",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
