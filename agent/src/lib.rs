//! The daemon on a GPU node: runs engines, hosts the gateway, probes quality, reads GPUs, does the controller's work.
//!
//! ```text
//! controller ◀──session──▶ desired state ─▶ supervisor ─▶ engines
//!      ▲                        │              │ serving
//!      │ reports (spooled)      ├─▶ gateway ◀──┤
//!      └── reporter ◀── windows ┴─▶ prober ────┘      work runner, GPUs, /metrics
//! ```
//! It decides nothing about quality: it reports, and does what the newest desired state says, also while the controller
//! is away. It never speaks to the Kubernetes API and holds no database.
//!
//! The flow: [`run`] with an [`AgentConfig`] until its token is cancelled.

mod artifacts;
mod ask;
mod backoff;
mod blobs;
mod board;
mod config;
mod daemon;
mod desired;
mod gpu;
mod link;
mod metrics;
mod node;
mod prober;
mod process;
mod reporter;
mod routes;
mod session;
mod spool;
mod supervisor;
mod work;

pub use config::{AgentConfig, GpuBackend, NodeConfig, Timing};
pub use daemon::{AgentError, run};
pub use gpu::{SimulatedFaults, SimulatedGpus};
pub use spool::{Spool, SpoolError, SpoolLimits};
