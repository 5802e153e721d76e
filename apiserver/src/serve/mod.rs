//! The TLS listener for stock kubectl: bearer tokens to identities, generated certificates, the kubeconfig.
//!
//! Meant for a loopback address. Without a known token only health and version answer; everything else is 401.
//!
//! ```text
//! let listener = Listener::bind(&api, addr, &folder.join("pki"), vec![Token::generate(user)?]).await?;
//! write_kubeconfig(&path, &listener.url(), listener.ca_pem(), token)?;
//! listener.serve(shutdown).await?;
//! ```

mod kubeconfig;
mod pki;
mod tls;

pub use kubeconfig::write_kubeconfig;
pub use tls::{Listener, ServeError, Token};
