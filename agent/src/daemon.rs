use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use homeostat_clock::{Clock, Seed};
use homeostat_gateway::{Gateway, GatewayError, Keeping, Sink};
use homeostat_quality::{Sample, Window};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::blobs::Gates;
use crate::link::LinkError;
use crate::node::{Node, Shared};
use crate::reporter::Reporter;
use crate::spool::SpoolError;
use crate::{AgentConfig, ask, metrics, routes};

/// Why the agent could not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No node.
    #[error("the agent has no node: name at least one")]
    NoNode,
    /// A name that Kubernetes would refuse, or one used twice.
    #[error("node name {name:?} is no DNS label or is used twice: use 1 to 63 of a-z, 0-9 and -, each name once")]
    Name {
        /// The name.
        name: String,
    },
    /// The data folder.
    #[error("the data folder {} cannot be used: see that it belongs to this user and its disk has room", path.display())]
    Data {
        /// Which folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another agent has it.
    #[error("the data folder {} is in use by another agent: stop it, or give this one another --data", path.display())]
    InUse {
        /// Which folder.
        path: PathBuf,
    },
    /// A port.
    #[error("cannot listen on {address} for {what}: free the port or choose another, 0 takes a free one")]
    Listen {
        /// What for.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The spool.
    #[error("the spool cannot be opened")]
    Spool(#[from] SpoolError),
    /// Address, authority or credential of the controller.
    #[error("the way to the controller is not usable")]
    Link(#[from] LinkError),
    /// The gateway.
    #[error("the gateway cannot start")]
    Gateway(#[from] GatewayError),
    /// The HTTP client for engines.
    #[error("the HTTP client for engines cannot be built: install the ring TLS provider before")]
    Client(#[source] reqwest::Error),
    /// A task panicked.
    #[error("the {what} failed unexpectedly")]
    Panicked {
        /// Which task.
        what: String,
        /// How.
        #[source]
        source: JoinError,
    },
    /// A task ended although nobody told it to.
    #[error("the {what} ended unexpectedly")]
    Ended {
        /// Which task.
        what: &'static str,
    },
}

/// How a task ended.
pub(crate) struct Ended {
    pub(crate) what: &'static str,
    pub(crate) result: Result<(), JoinError>,
}

/// Runs the agent until `shutdown` is cancelled: then engines end (unless they are to be kept), what was measured goes
/// into the spools, and everything is joined.
///
/// The ring TLS provider must be installed before. `clock` gives the times of windows and reports, `seed` all randomness.
///
/// # Errors
/// When it cannot start, each with its remedy; later only when a task panicked or ended by itself.
pub async fn run(
    config: AgentConfig,
    clock: Arc<dyn Clock>,
    seed: Seed,
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    let _lock = take_folder(&config)?;
    let client = ask::client().map_err(AgentError::Client)?;
    let training = Arc::new(Semaphore::new(1));
    let shared = Shared {
        config: &config,
        clock: Arc::clone(&clock),
        seed: seed.clone(),
        client,
        training,
        artifacts: Gates::default(),
    };
    let nodes: Vec<Node> = config.nodes.iter().map(|node| Node::open(node, &shared)).collect::<Result<_, _>>()?;
    let nodes = Arc::new(nodes);
    for (index, node) in nodes.iter().enumerate() {
        if nodes.iter().take(index).any(|other| other.name() == node.name()) {
            return Err(AgentError::Name { name: node.name().to_string() });
        }
    }
    let reporters = nodes.iter().map(|node| (node.name().to_string(), node.reporter.clone())).collect();
    let gateway = Gateway::new(clock, &seed, Arc::new(Reporters(reporters)))?;

    let (listener, gateway_address) = listen("the gateway", config.gateway_listen).await?;
    let metrics_listener = match config.metrics_listen {
        Some(address) => Some(listen("metrics", address).await?),
        None => None,
    };
    let metrics_address = metrics_listener.as_ref().map(|(_, address)| address.clone()).unwrap_or_default();

    // Engines and probes stop first, then what carries their last words away.
    let (quiet, last) = (CancellationToken::new(), CancellationToken::new());
    let mut tasks: JoinSet<Ended> = JoinSet::new();
    for node in nodes.iter() {
        let addresses = (gateway_address.clone(), metrics_address.clone());
        node.start(&shared, &gateway, addresses, &mut tasks, &quiet, &last);
    }
    tasks.spawn(configure(Arc::clone(&nodes), gateway.clone(), quiet.clone()));
    serve("gateway", listener, gateway.router(), &mut tasks, &quiet);
    if let Some((listener, _)) = metrics_listener {
        serve("metrics server", listener, metrics_router(Arc::clone(&nodes), gateway.clone()), &mut tasks, &quiet);
    }
    tracing::info!(gateway = gateway_address, metrics = metrics_address, nodes = nodes.len(), "the agent runs");

    let failure = tokio::select! {
        () = shutdown.cancelled() => None,
        ended = tasks.join_next() => Some(unexpected(ended)),
    };
    quiet.cancel();
    let parts_of_the_end = 2 * nodes.len();
    let ending = async {
        while tasks.len() > parts_of_the_end {
            let _ = tasks.join_next().await;
        }
        gateway.flush();
        last.cancel();
        while tasks.join_next().await.is_some() {}
    };
    let timing = &config.timing;
    let patience = timing.drain + timing.grace * 3 + Duration::from_secs(10);
    if tokio::time::timeout(patience, ending).await.is_err() {
        tracing::warn!("some tasks did not end in time and are dropped");
        gateway.flush();
    }
    for node in nodes.iter() {
        if let Err(error) = node.reporter.flush().await {
            tracing::error!(node = node.name(), "the last windows could not be kept: {error}");
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Windows and samples go to the reporter of the node that the replica names, else to the first.
struct Reporters(Vec<(String, Reporter)>);

impl Reporters {
    fn of(&self, replica: &str) -> Option<&Reporter> {
        let node = replica.split('/').next().unwrap_or_default();
        self.0.iter().find(|(name, _)| name == node).or(self.0.first()).map(|(_, reporter)| reporter)
    }
}

impl Sink for Reporters {
    fn windows(&self, windows: Vec<Window>) {
        for window in windows {
            if let Some(reporter) = self.of(&window.key.replica) {
                reporter.windows(vec![window]);
            }
        }
    }

    fn sample(&self, replica: &str, sample: Sample) {
        if let Some(reporter) = self.of(replica) {
            // What has no place is counted by the reporter.
            let _ = reporter.sample(sample);
        }
    }

    fn keep(&self, replica: &str, sample: Sample) -> Keeping {
        match self.of(replica) {
            Some(reporter) => reporter.keep(sample),
            None => Box::pin(std::future::ready(false)),
        }
    }
}

/// Keeps the gateway's routes equal to what is desired and what serves.
async fn configure(nodes: Arc<Vec<Node>>, gateway: Gateway, quiet: CancellationToken) -> Ended {
    let mut changes: Vec<_> = nodes.iter().map(|node| (node.desired.subscribe(), node.board.subscribe())).collect();
    let mut complained = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut held = None;
    loop {
        let seen: Vec<_> = changes
            .iter_mut()
            .filter_map(|(desired, board)| {
                let board = board.borrow_and_update().clone();
                desired.borrow_and_update().clone().map(|desired| (desired, board))
            })
            .collect();
        // Rebuilding compiles patterns: only when an address or the desired state has changed.
        let fingerprint: Vec<_> = seen
            .iter()
            .map(|(desired, board)| {
                let serving = |(replica, engine): (&String, &crate::board::EngineState)| {
                    (replica.clone(), engine.status.version.clone(), engine.serving().cloned())
                };
                (desired.generation, Arc::as_ptr(desired) as usize, board.iter().map(serving).collect::<Vec<_>>())
            })
            .collect();
        if held.as_ref() != Some(&fingerprint) {
            let views: Vec<_> = seen.iter().map(|(desired, board)| (desired.as_ref(), board)).collect();
            let (config, problems) = routes::config(&views);
            for problem in problems.iter().filter(|problem| !complained.contains(*problem)) {
                tracing::warn!("{problem}");
            }
            complained = problems;
            gateway.configure(config);
            held = Some(fingerprint);
        }
        let any = futures::future::select_all(changes.iter_mut().map(|(desired, board)| {
            Box::pin(async move {
                tokio::select! {
                    _ = desired.changed() => {}
                    _ = board.changed() => {}
                }
            })
        }));
        tokio::select! {
            _ = any => {}
            _ = tick.tick() => gateway.tick(),
            () = quiet.cancelled() => return Ended { what: "router", result: Ok(()) },
        }
    }
}

fn serve(
    what: &'static str,
    listener: TcpListener,
    router: axum::Router,
    tasks: &mut JoinSet<Ended>,
    quiet: &CancellationToken,
) {
    let quiet = quiet.clone();
    tasks.spawn(async move {
        // Requests in flight end with their engines; those that do not are dropped with the task.
        tokio::select! {
            served = axum::serve(listener, router).into_future() => {
                if let Err(error) = served {
                    tracing::error!("the {what} ended: {error}");
                }
            }
            () = quiet.cancelled() => {}
        }
        Ended { what, result: Ok(()) }
    });
}

fn metrics_router(nodes: Arc<Vec<Node>>, gateway: Gateway) -> axum::Router {
    let page = move || {
        let figures: Vec<_> = nodes.iter().map(Node::figures).collect();
        let text = metrics::render(&figures, &gateway.counters());
        async move { ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], text) }
    };
    axum::Router::new().route("/metrics", get(page))
}

async fn listen(what: &'static str, address: SocketAddr) -> Result<(TcpListener, String), AgentError> {
    let fail = |source| AgentError::Listen { what, address, source };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    Ok((listener, bound.to_string()))
}

/// Takes the data folder for this process alone; it is free again when the process ends, however it ends.
fn take_folder(config: &AgentConfig) -> Result<std::fs::File, AgentError> {
    if config.nodes.is_empty() {
        return Err(AgentError::NoNode);
    }
    let fail = |source| AgentError::Data { path: config.data.clone(), source };
    std::fs::create_dir_all(&config.data).map_err(fail)?;
    let lock = std::fs::File::create(config.data.join("lock")).map_err(fail)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(AgentError::InUse { path: config.data.clone() }),
        Err(std::fs::TryLockError::Error(source)) => Err(fail(source)),
    }
}

fn unexpected(ended: Option<Result<Ended, JoinError>>) -> AgentError {
    match ended {
        Some(Ok(Ended { what, result: Ok(()) })) => AgentError::Ended { what },
        Some(Ok(Ended { what, result: Err(source) })) => AgentError::Panicked { what: what.to_string(), source },
        Some(Err(source)) => AgentError::Panicked { what: "agent".to_string(), source },
        None => AgentError::Ended { what: "agent" },
    }
}
