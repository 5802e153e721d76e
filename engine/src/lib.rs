//! The embedded reference engine: a small language model over bytes, trained and served on the CPU.
//!
//! It exists so that the whole loop (serve, measure, decay, retrain, verify, roll out) runs on one machine with no GPU,
//! no account and no download. [`train()`] follows the contract every trainer follows: a spec file in, progress lines on
//! standard output, checkpoints, an artifact folder sealed by its digest, an exit code with a meaning. [`serve()`] loads
//! such a folder, after verifying it, behind the OpenAI HTTP API.
//!
//! It deliberately knows nothing about Kubernetes, agents or controllers, depends on no other crate of this workspace,
//! and is no general language model: it learns facts as question and answer and repeats them.
//!
//! ```text
//! spec.json ─▶ train::data ─▶ network (burn) ─▶ artifact folder ─▶ infer (plain slices) ─▶ serve (HTTP)
//!                  └ template ┘        └ checkpoints ┘     └ verified by digest ┘
//! ```

pub mod architecture;
pub mod artifact;
mod chance;
mod clock;
pub mod infer;
mod network;
pub mod sealed;
pub mod serve;
pub mod template;
pub mod train;
pub mod weights;

pub use artifact::{Artifact, ArtifactError};
pub use sealed::Digest;
pub use serve::{ServeArgs, ServeError, serve};
pub use train::{TrainArgs, train};
