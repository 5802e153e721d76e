//! What agents and the controller say to each other; `proto/homeostat.proto` is the text, this crate its Rust.
//!
//! It deliberately holds no behaviour: sessions live in `agent` and `controller`, and both convert to core types at
//! their edge. It depends on nothing of ours, so that a third-party agent can be written against it.

#[expect(
    missing_docs,
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated from the .proto, which has the documentation"
)]
mod generated {
    tonic::include_proto!("homeostat.v1");
}

pub use generated::*;

/// Largest part of a blob sent in one message, in bytes.
pub const BLOB_CHUNK: usize = 256 * 1024;

/// Largest message either side accepts, in bytes.
pub const MAX_MESSAGE: usize = 8 * 1024 * 1024;

/// The well-known ports; each can be changed by a flag, and 0 takes a free one.
pub mod ports {
    /// The embedded Kubernetes-style API (TLS).
    pub const API: u16 = 7443;
    /// The dashboard (HTTP on loopback; TLS is the ingress' in a cluster).
    pub const WEB: u16 = 7080;
    /// The controller's gRPC port for agents (TLS).
    pub const AGENTS: u16 = 7444;
    /// The gateway that users of models talk to.
    pub const GATEWAY: u16 = 7081;
    /// Prometheus metrics of an agent.
    pub const AGENT_METRICS: u16 = 7091;
    /// Prometheus metrics of the controller.
    pub const CONTROLLER_METRICS: u16 = 7090;
}
