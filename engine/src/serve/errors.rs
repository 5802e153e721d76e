//! Error bodies in OpenAI's shape.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A request that is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ApiError {
    /// A field of the request is wrong.
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// The prompt does not fit.
    TooLong {
        /// Its bytes.
        bytes: usize,
        /// Bytes that fit.
        context: usize,
    },
    /// Another model is asked for.
    UnknownModel {
        /// The one that is served.
        served: String,
    },
    /// There is no such path.
    UnknownPath,
    /// The queue is full.
    Busy,
    /// The model is not loaded yet.
    Loading,
    /// A worker ended without an answer, or a fault was injected.
    Failed,
}

impl ApiError {
    fn parts(&self) -> (StatusCode, &'static str, &'static str, Option<&'static str>, String) {
        let invalid = "invalid_request_error";
        match self {
            Self::Invalid { field, message } => {
                (StatusCode::BAD_REQUEST, invalid, "invalid_value", Some(field), message.clone())
            }
            Self::TooLong { bytes, context } => {
                let message = format!("the prompt of {bytes} bytes exceeds the context of {context} bytes: shorten it");
                (StatusCode::BAD_REQUEST, invalid, "context_length_exceeded", Some("prompt"), message)
            }
            Self::UnknownModel { served } => {
                let message = format!("there is no such model here: ask for \"{served}\"");
                (StatusCode::NOT_FOUND, invalid, "model_not_found", Some("model"), message)
            }
            Self::UnknownPath => {
                let message = "there is no such path: use /v1/chat/completions, /v1/completions or /v1/models";
                (StatusCode::NOT_FOUND, invalid, "unknown_url", None, message.to_owned())
            }
            Self::Busy => {
                let message = "the queue is full: try again after Retry-After seconds";
                (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "queue_full", None, message.to_owned())
            }
            Self::Loading => {
                let message = "the model is being loaded: try again after Retry-After seconds";
                (StatusCode::SERVICE_UNAVAILABLE, "server_error", "loading", None, message.to_owned())
            }
            Self::Failed => {
                let message = "the engine failed to answer: try again";
                (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "internal_error", None, message.to_owned())
            }
        }
    }

    /// The body.
    pub(super) fn body(&self) -> Value {
        let (_, kind, code, param, message) = self.parts();
        json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.parts().0, axum::Json(self.body())).into_response();
        if matches!(self, Self::Busy | Self::Loading) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
