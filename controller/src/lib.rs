//! The controller: reconciles models against what their agents report.
//!
//! - [`agents`]: the gRPC sessions, what the fleet reports, what it is told.
//! - [`alerting`]: alerts and their receivers.
//! - [`prometheus`]: metrics from PromQL.
//! - [`reconcile`]: one reconciler a kind, five steps each.
//!
//! It plans nothing by itself: `core/decay` judges, `core/rollout` decides; this crate fetches and applies.

pub mod agents;
pub mod alerting;
pub mod prometheus;
