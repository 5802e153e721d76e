//! The fleet: gRPC sessions of agents, what they report, what they are told, and the blobs they move.
//!
//! It keeps what was reported and passes on what is desired; it decides neither. What is *kept* (reports) goes to the
//! records in the transaction that acknowledges it; of what only the *newest* counts (status) the [`Fleet`] holds one
//! copy a node. A restart of the controller loses nothing that matters: reports come again from the agents' spools, a
//! status comes with every session, and the desired state is computed anew.
//!
//! The flow of one session: bearer credential → Hello → Welcome with the last acknowledged sequence → the desired state
//! → reports and statuses up, acknowledgements and changed desired states down, until either side goes or the same node
//! opens another session.

mod convert;
mod credential;
mod fleet;
mod ingest;
mod server;
mod session;
pub mod tls;
mod transfer;

pub use convert::{
    ConvertError, result_from_json, result_to_json, sample_from_wire, sample_to_wire, window_from_wire, window_to_wire,
};
pub use fleet::{Fleet, NodeState};
pub use server::{ServeError, Server, ServerConfig};
pub use tls::TlsIdentity;
