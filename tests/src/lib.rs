//! The harness of the end-to-end tests: what starts, finds and drives the programs around Homeostat.
//!
//! - [`found`]: what is done when a program is missing (said loudly and skipped; with `CI=true` a failure).
//! - [`wait`]: waiting for a condition with a deadline, which is how tests wait here.
//! - [`controlplane`]: a real kube-apiserver with etcd, built from `tests/controlplane/`.
//! - [`kubectl`]: the system's kubectl, or that of the control plane.
//! - [`services`]: PostgreSQL, Prometheus and Alertmanager on free ports and temporary folders.
//! - [`homeostat`]: the program itself, as a child process.
//! - [`supervised`]: a service that is killed and started again; [`processes`]: what runs on this machine.
//! - [`demo`]: its demo, played to the end, and what that leaves behind.
//! - [`readme`]: the commands that a README tells its reader to type.
//! - [`objects`]: what is looked up in objects of the API.
//! - [`chromium`]: pages as a browser shows them.
//!
//! It deliberately expects nothing of the product: that stands in `tests/tests/`. Whatever is started here
//! ends with the value that stands for it; the control plane also when the test itself is killed.

pub mod chromium;
pub mod controlplane;
pub mod demo;
pub mod found;
pub mod homeostat;
pub mod kubectl;
pub mod objects;
pub mod processes;
pub mod readme;
pub mod services;
pub mod supervised;
pub mod wait;

use std::path::{Path, PathBuf};

/// Folder of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

/// Installs the process's TLS provider; may be called again. The first TLS client without one would panic.
pub fn tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A port of the loopback address that was free a moment ago.
///
/// # Errors
/// When the machine has none left.
pub fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
