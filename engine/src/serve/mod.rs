//! Serving a model behind the OpenAI HTTP API.
//!
//! ```text
//! request ─▶ routes: check ─▶ queue (bounded; 429 when full) ─▶ worker thread: generate ─▶ events ─▶ JSON or SSE
//! ```
//! The port is open at once and announced on standard output as `{"event":"listening","address":".."}`; `/health` says
//! 503 until the artifact was verified, loaded, and has generated. A token is a byte.
//!
//! With `--allow-faults`, `POST /fault` replaces the injected faults while it serves; without, there is no such path.
//!
//! It deliberately has no keys, TLS or model management: it listens on loopback behind the gateway, and one process
//! serves one immutable artifact. Text is never logged.

mod answer;
mod errors;
mod faults;
mod injection;
mod metrics;
mod queue;
mod request;
mod routes;
mod text;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::artifact::{self, ArtifactError};
pub use faults::Faults;
use injection::Injection;
use metrics::Metrics;
use queue::Queue;
use routes::{Loaded, Server};

/// How long requests in flight may take to finish after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);

/// Arguments of `homeostat engine serve`.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// The artifact to serve: a folder written by `homeostat engine train`
    #[arg(long, value_name = "DIR")]
    pub artifact: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The name by which requests ask for the model
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub model_name: String,
    /// Requests that are computed at the same time, each on its own thread
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,
    /// Requests that may wait; further ones are answered with status 429
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_queue: u16,
    /// Faults to inject.
    #[command(flatten)]
    pub faults: Faults,
}

/// Why serving ended with an error.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The artifact cannot be served.
    #[error("cannot serve --artifact {}", path.display())]
    Artifact {
        /// Its folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: ArtifactError,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: choose another --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The machine failed.
    #[error("cannot {what}")]
    System {
        /// What failed.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The thread that loads the model ended without a result.
    #[error("the model's loading thread broke off")]
    Loading,
}

/// Serves until SIGTERM or an interrupt, then finishes what is in flight, for at most ten seconds. It blocks, and brings
/// its own runtime: call it outside of one.
///
/// # Errors
/// When the address cannot be listened on, or the artifact is incomplete, corrupt or of another format.
pub fn serve(args: ServeArgs) -> Result<(), ServeError> {
    // The handlers do little: the work is done on the worker threads.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| ServeError::System { what: "start the runtime", source })?;
    runtime.block_on(async {
        let stop = termination()?;
        serve_until(args, stop, |address| println!("{}", serde_json::json!({"event": "listening", "address": address})))
            .await
    })
}

/// Serves until `stop` completes; calls `listening` with the address once the port is open.
///
/// # Errors
/// As [`serve`].
pub async fn serve_until(
    args: ServeArgs,
    stop: impl Future<Output = ()> + Send + 'static,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let refuse = |source| ServeError::Listen { address: args.listen, source };
    let listener = TcpListener::bind(args.listen).await.map_err(refuse)?;
    listening(listener.local_addr().map_err(refuse)?);
    args.faults.warn();
    let metrics = Arc::new(Metrics::default());
    let server = Arc::new(Server::new(args.model_name.clone(), Arc::clone(&metrics)));
    let router = routes::router(Arc::clone(&server), args.faults.allow_faults);
    let loaded = load(args, metrics);
    let (begin, begun) = oneshot::channel::<()>();
    let http = axum::serve(listener, router).with_graceful_shutdown(async move {
        stop.await;
        let _ = begin.send(());
    });
    let http = async { http.await.map_err(|source| ServeError::System { what: "serve HTTP", source }) };
    let fill = async {
        let loaded = loaded.await.unwrap_or(Err(ServeError::Loading))?;
        tracing::info!(model.digest = %loaded.queue.digest, "the model is loaded");
        server.fill(loaded);
        Ok(())
    };
    tokio::select! {
        // The first error ends both: without a model there is nothing to serve.
        result = async { tokio::try_join!(http, fill) } => result.map(|((), ())| ()),
        () = async { let _ = begun.await; tokio::time::sleep(GRACE).await } => {
            tracing::warn!("requests were still in flight {} s after the stop signal; they are cut off", GRACE.as_secs());
            Ok(())
        }
    }
}

/// Loads the model on its own thread: verifies, parses, corrupts if asked to, and generates once.
fn load(args: ServeArgs, metrics: Arc<Metrics>) -> oneshot::Receiver<Result<Loaded, ServeError>> {
    let (done, loaded) = oneshot::channel();
    std::thread::spawn(move || {
        let load = || {
            let artifact = artifact::load(&args.artifact)
                .map_err(|source| ServeError::Artifact { path: args.artifact.clone(), source })?;
            let context = artifact.architecture.context;
            let injection = Injection::new(artifact.architecture, artifact.weights, &args.faults);
            // Proves that it computes, and touches every page before the first request does.
            if let Err(error) = injection.current().model.answer("?") {
                tracing::warn!(%error, "the trial generation failed");
            }
            let (threads, length) = (args.threads.into(), args.max_queue.into());
            Ok(Loaded { queue: Queue::start(context, artifact.digest, threads, length, metrics), injection })
        };
        let _ = done.send(load());
    });
    loaded
}

fn termination() -> Result<impl Future<Output = ()>, ServeError> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|source| ServeError::System { what: "listen for signals", source });
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        serve: ServeArgs,
    }

    #[test]
    fn arguments_have_safe_defaults_and_faults_a_heading_of_their_own() {
        let parse = |arguments: &[&str]| Program::try_parse_from([&["serve"], arguments].concat());
        let serve = parse(&["--artifact", "model"]).map(|program| program.serve).ok().unwrap();
        assert_eq!((serve.listen.to_string().as_str(), serve.threads), ("127.0.0.1:0", 1));
        assert!(serve.faults.corrupt_weights == 0.0 && serve.faults.inject_error_rate == 0.0);
        assert!(!serve.faults.allow_faults);
        assert!(parse(&["--artifact", "model", "--corrupt-weights", "2"]).is_err());
        let help = parse(&["--help"]).err().unwrap().to_string();
        assert!(help.contains("Fault injection (demo and tests):") && help.contains("--corrupt-weights"), "{help}");
        assert!(help.contains("--allow-faults"), "{help}");
        let short = parse(&["-h"]).err().unwrap().to_string();
        assert!(!short.contains("--corrupt-weights") && !short.contains("--allow-faults"), "{short}");
    }
}
