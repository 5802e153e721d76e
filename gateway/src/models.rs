use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::Gateway;

/// `GET /v1/models`: the models that have a route here, whether or not they serve at the moment.
pub(crate) async fn list(State(gateway): State<Gateway>) -> Json<Value> {
    let config = gateway.config();
    let data: Vec<Value> = config
        .routes
        .iter()
        .map(|route| json!({"id": route.served_name, "object": "model", "created": 0, "owned_by": route.model.namespace}))
        .collect();
    Json(json!({"object": "list", "data": data}))
}

/// `GET /health`: the gateway itself answers; which models serve is another question.
pub(crate) async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}
