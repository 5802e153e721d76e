//! The controller: reconciles models against what their agents report.
//!
//! - [`agents`]: the gRPC sessions, what the fleet reports, what it is told.
//! - [`alerting`]: alerts and their receivers.
//! - [`prometheus`]: metrics from PromQL.
//! - [`receipt`]: signed receipts of what was erased.
//! - [`reconcile`]: one reconciler a kind, five steps each.
//! - [`run`](mod@run): wires them.
//!
//! It judges and decides nothing by itself: `core/decay` judges, `core/rollout` decides; this crate fetches and applies.

pub mod agents;
pub mod alerting;
mod artifacts;
mod context;
mod desired;
mod digest;
mod evaluation;
mod events;
mod placement;
pub mod prometheus;
pub mod receipt;
pub mod reconcile;
mod retention;
pub mod run;
mod status;
mod triggers;
mod work;

pub use context::{Context, Pace, Stores};
pub use run::{Config, RunError, Running, start};
