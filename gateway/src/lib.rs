//! The gateway: an OpenAI-compatible proxy that spreads a model's traffic over its versions and measures what happens.
//!
//! ```text
//! client ─▶ /v1/chat/completions ─▶ Routing (weights, serving targets) ─▶ engine
//!                                        │
//!                   Meter (windows) ◀────┴────▶ samples (redacted) ─▶ Sink
//! ```
//! It starts no engine and asks no controller: [`Gateway::configure`] is told which targets serve. It judges nothing. Raw
//! text stays in memory for as long as feedback may come, and leaves it only redacted.
//!
//! The flow: `Gateway::new`, `configure` whenever routes or engines change, serve [`Gateway::router`], call
//! [`Gateway::tick`] about once a second so that windows without traffic close as well.

mod completions;
mod config;
mod counters;
mod events;
mod exchange;
mod feedback;
mod gateway;
mod guard;
mod meter;
mod models;
mod problem;
mod recent;
mod request;
mod routing;

pub use config::{Config, Limits, Route, Sampling, SliceRule, Target};
pub use counters::{Counters, GuardCount, RequestCount};
pub use gateway::{Gateway, GatewayError, Keeping, Sink};
pub use guard::{Guard, GuardAction};
pub use meter::{Meter, Subject};
