//! `POST /v1/feedback`: what a user says the right answer was.
//!
//! Needs a key; taken once for a request, for ten minutes. The gateway marks the served answer itself when it is told
//! the right one; a bare verdict is taken as the mark. A sample is labelled only when the right answer is known, and then the
//! answer comes when the sample is kept: what was acknowledged is not lost with this process.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use homeostat_privacy::{Anonymizer, redact};
use homeostat_quality::grade::{exact_match, token_f1};
use homeostat_quality::{Label, SampleOrigin, Source};
use http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::gateway::MOST_BODY;
use crate::problem::Problem;
use crate::recent::Gone;
use crate::{Config, Gateway, Keeping, Subject};

/// How long a disk may take to keep feedback.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    request_id: String,
    #[serde(default)]
    completion: Option<String>,
    #[serde(default)]
    correct: Option<bool>,
}

pub(crate) async fn give(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(_) => return Problem::TooLarge(MOST_BODY).into_response(),
    };
    let (correct, keeping) = match take(&gateway, &headers, &body) {
        Ok(taken) => taken,
        Err(problem) => return problem.into_response(),
    };
    if let Some(keeping) = keeping
        && !tokio::time::timeout(PATIENCE, keeping).await.unwrap_or(false)
    {
        return Problem::NotKept.into_response();
    }
    Json(json!({"object": "feedback", "correct": correct})).into_response()
}

/// Whether the served answer was right, and what to wait for.
fn take(gateway: &Gateway, headers: &HeaderMap, body: &[u8]) -> Result<(bool, Option<Keeping>), Problem> {
    let config = gateway.config();
    let key_id = key_of(&config, headers).ok_or(Problem::Unauthorized)?;
    let given: Given = serde_json::from_slice(body).map_err(|error| {
        let fields = "give {\"request_id\", \"completion\": the right answer, \"correct\": true or false}";
        Problem::Invalid(format!("the feedback cannot be read (column {}): {fields}", error.column()))
    })?;
    if given.completion.is_none() && given.correct.is_none() {
        return Err(Problem::Invalid("give \"completion\", the right answer, or \"correct\"".to_string()));
    }
    let now = gateway.now();
    let answered =
        gateway.recent().take(&given.request_id, now, config.limits.feedback_age).map_err(|gone| match gone {
            Gone::Unknown => Problem::UnknownRequest(given.request_id.clone()),
            Gone::Given => Problem::AlreadyGiven(given.request_id.clone()),
        })?;
    let mut sample = answered.sample;
    let subject = Subject {
        model: sample.model.clone(),
        version: sample.version.clone(),
        replica: answered.replica.clone(),
        slice: sample.slice.clone(),
    };
    let (mark, overlap, right) = match (given.completion, given.correct) {
        (Some(right), _) => {
            let references = [right.as_str()];
            let mark = exact_match(&answered.completion, &references);
            (mark, token_f1(&answered.completion, &references), Some(right))
        }
        (None, Some(true)) => (1.0, 1.0, Some(answered.completion.clone())),
        // Wrong, but the right answer is not known: nothing to measure overlap with, nothing to learn from.
        (None, _) => (0.0, f64::NAN, None),
    };
    gateway.observe(&subject, Source::Feedback, &[("exact_match", mark), ("token_f1", overlap)]);
    gateway.count_feedback();
    let correct = mark == 1.0;
    if let (Some(right), Some(key)) = (right, &config.subject_key) {
        let redaction = redact(&right, &answered.recognizers, &Anonymizer::Replace);
        sample.subjects.extend(key.subjects(&right, &redaction.findings));
        sample.subjects.sort();
        sample.subjects.dedup();
        sample.label = Some(Label { completion: redaction.text, correct, key_id, at: now });
        sample.origin = SampleOrigin::Feedback;
        return Ok((correct, Some(gateway.keep_sample(&answered.replica, sample))));
    }
    Ok((correct, None))
}

/// The id of the key that was sent, if it is one of ours. Looks at every key and every byte, so that the time taken tells
/// nothing.
fn key_of(config: &Config, headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let sent = hex::encode(Sha256::digest(key.trim().as_bytes()));
    let mut found = None;
    for (id, held) in &config.feedback_keys {
        let same = equal(sent.as_bytes(), held.to_ascii_lowercase().as_bytes());
        if same {
            found = Some(id);
        }
    }
    found.cloned()
}

fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b))) == 0
}
