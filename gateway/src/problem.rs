//! Errors in the form that OpenAI's clients understand. They name nothing of what is behind the gateway.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// An answer that is an error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{0}")]
    Invalid(String),
    #[error("the request body is larger than {0} bytes: send less")]
    TooLarge(usize),
    #[error("the model {0:?} does not exist here: GET /v1/models lists those that do")]
    UnknownModel(String),
    #[error("several models are called {0:?}: say which one as namespace/name")]
    AmbiguousModel(String),
    #[error("the model {0:?} is not available at the moment: try again later")]
    Unavailable(String),
    #[error("the model did not answer in time: try again, or ask for fewer tokens")]
    Timeout,
    #[error("the model's answer broke off: try again")]
    Broken,
    #[error("the request holds personal data ({0}), which this model's policy does not let through: take it out")]
    PersonalData(String),
    #[error("the answer held personal data, which this model's policy does not let through")]
    PersonalDataInAnswer,
    #[error(
        "this model's policy for personal data cannot be carried out here, so nothing is let through: tell its operator"
    )]
    Unguarded,
    #[error("a valid feedback key is needed: send \"Authorization: Bearer KEY\"")]
    Unauthorized,
    #[error("no recent request has the id {0:?}: feedback is taken for ten minutes after an answer, once")]
    UnknownRequest(String),
    #[error("request {0:?} already has its feedback")]
    AlreadyGiven(String),
    #[error("the feedback could not be kept: the disk of the gateway's node refuses, or too much waits for it")]
    NotKept,
}

impl Problem {
    fn parts(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_request"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", "request_too_large"),
            Self::UnknownModel(_) => (StatusCode::NOT_FOUND, "invalid_request_error", "model_not_found"),
            Self::AmbiguousModel(_) => (StatusCode::CONFLICT, "invalid_request_error", "model_ambiguous"),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "server_error", "model_unavailable"),
            Self::Timeout => (StatusCode::GATEWAY_TIMEOUT, "server_error", "timeout"),
            Self::Broken => (StatusCode::BAD_GATEWAY, "server_error", "upstream_error"),
            Self::PersonalData(_) => (StatusCode::BAD_REQUEST, "invalid_request_error", "personal_data"),
            Self::PersonalDataInAnswer => (StatusCode::FORBIDDEN, "invalid_request_error", "personal_data_in_answer"),
            Self::Unguarded => (StatusCode::SERVICE_UNAVAILABLE, "server_error", "policy_unavailable"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "authentication_error", "invalid_feedback_key"),
            Self::UnknownRequest(_) => (StatusCode::NOT_FOUND, "invalid_request_error", "request_not_found"),
            Self::AlreadyGiven(_) => (StatusCode::CONFLICT, "invalid_request_error", "feedback_exists"),
            Self::NotKept => (StatusCode::SERVICE_UNAVAILABLE, "server_error", "feedback_not_kept"),
        }
    }

    /// The JSON body.
    pub(crate) fn body(&self) -> serde_json::Value {
        let (_, kind, code) = self.parts();
        json!({"error": {"message": self.to_string(), "type": kind, "param": null, "code": code}})
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.parts().0;
        let mut response = (status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}
