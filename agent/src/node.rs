//! One node: everything that exists once for each of a process' nodes, put together.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use homeostat_clock::{Clock, Seed};
use homeostat_gateway::{Gateway, Meter};
use homeostat_protocol::{DesiredState, Hardware};
use rand::Rng as _;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::artifacts::Artifacts;
use crate::blobs::{Blobs, Gates};
use crate::board::Engines;
use crate::daemon::{AgentError, Ended};
use crate::link::Link;
use crate::metrics::NodeFigures;
use crate::prober::Prober;
use crate::reporter::Reporter;
use crate::session::Session;
use crate::spool::{Spool, SpoolLimits};
use crate::supervisor::Supervisor;
use crate::work::WorkRunner;
use crate::{AgentConfig, NodeConfig, desired, gpu};

/// One node before and while it runs.
pub(crate) struct Node {
    config: NodeConfig,
    folder: std::path::PathBuf,
    link: Link,
    pub(crate) reporter: Reporter,
    pub(crate) desired: watch::Sender<Option<Arc<DesiredState>>>,
    pub(crate) board: watch::Sender<Engines>,
    hardware: watch::Sender<Hardware>,
    connected: watch::Sender<bool>,
}

/// What all nodes of a process share.
pub(crate) struct Shared<'a> {
    pub(crate) config: &'a AgentConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seed: Seed,
    pub(crate) client: reqwest::Client,
    /// One training at a time on a machine.
    pub(crate) training: Arc<Semaphore>,
    /// One at a time at each artifact.
    pub(crate) artifacts: Gates,
}

impl Node {
    /// Opens what the node has on disk.
    pub(crate) fn open(node: &NodeConfig, shared: &Shared<'_>) -> Result<Self, AgentError> {
        let config = shared.config;
        let name = &node.name;
        let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty()
            || name.len() > 63
            || !name.chars().all(label)
            || name.starts_with('-')
            || name.ends_with('-')
        {
            return Err(AgentError::Name { name: name.clone() });
        }
        let folder = config.data.join("nodes").join(name);
        create(&folder)?;
        let mut rng = shared.seed.rng(&format!("spool/{name}/{}", shared.clock.now().0));
        let epoch = || format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64());
        let spool = Spool::open(&folder.join("spool"), SpoolLimits::of(config.spool_bytes), epoch)?;
        let link = Link::new(
            name,
            &config.version,
            &folder,
            &config.controller,
            &config.controller_ca_pem,
            config.join_token.clone(),
        )?;
        Ok(Self {
            config: node.clone(),
            desired: watch::Sender::new(desired::last(&folder).map(Arc::new)),
            folder,
            link,
            reporter: Reporter::new(spool),
            board: watch::Sender::new(BTreeMap::new()),
            hardware: watch::Sender::new(gpu::without("the GPUs have not been read yet")),
            connected: watch::Sender::new(false),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// Starts the node's tasks. `quiet` ends them; the reporter and the session go on until `last`, so that what the
    /// others leave behind still gets into the spool.
    pub(crate) fn start(
        &self,
        shared: &Shared<'_>,
        gateway: &Gateway,
        addresses: (String, String),
        tasks: &mut JoinSet<Ended>,
        quiet: &CancellationToken,
        last: &CancellationToken,
    ) {
        let (config, timing) = (shared.config, &shared.config.timing);
        let (clock, seed, client) = (&shared.clock, &shared.seed, &shared.client);
        let blobs = Blobs::new(
            self.link.clone(),
            config.data.join("blobs"),
            timing.transfer_patience,
            (timing.backoff_initial, timing.backoff_max),
            seed.clone(),
        );
        let artifacts = Artifacts::new(blobs.clone(), config.data.join("artifacts"), shared.artifacts.clone());
        let engines_taken = watch::Sender::new(0);
        let supervisor = Supervisor {
            folder: self.folder.join("engines"),
            engine_program: config.engine_program.clone(),
            artifacts: artifacts.clone(),
            timing: timing.clone(),
            clock: Arc::clone(clock),
            seed: seed.clone(),
            board: self.board.clone(),
            taken: engines_taken.clone(),
            gateway: gateway.clone(),
            client: client.clone(),
            keep_engines: config.keep_engines,
        };
        let runner = WorkRunner {
            folder: self.folder.join("work"),
            engine_program: config.engine_program.clone(),
            trainers: Arc::new(config.trainers.clone()),
            blobs: blobs.clone(),
            artifacts,
            board: self.board.subscribe(),
            desired: self.desired.subscribe(),
            client: client.clone(),
            timing: timing.clone(),
            clock: Arc::clone(clock),
            seed: seed.clone(),
            keep_engines: config.keep_engines,
            statuses: watch::Sender::new(Vec::new()),
            taken: watch::Sender::new(0),
            training: Arc::clone(&shared.training),
        };
        let prober = Prober {
            blobs,
            board: self.board.subscribe(),
            reporter: self.reporter.clone(),
            client: client.clone(),
            clock: Arc::clone(clock),
            seed: seed.clone(),
            deadline: timing.answer_deadline,
            retry: timing.backoff_max.min(std::time::Duration::from_secs(5)),
            meter: Arc::new(Mutex::new(Meter::new(std::time::Duration::from_secs(60)))),
        };
        let session = Session {
            link: self.link.clone(),
            folder: self.folder.clone(),
            reporter: self.reporter.clone(),
            desired: self.desired.clone(),
            engines: self.board.subscribe(),
            work: runner.statuses.subscribe(),
            taken: [engines_taken.subscribe(), runner.taken.subscribe()],
            hardware: self.hardware.subscribe(),
            connected: self.connected.clone(),
            gateway_address: addresses.0,
            metrics_address: addresses.1,
            timing: timing.clone(),
            clock: Arc::clone(clock),
            seed: seed.clone(),
        };
        let desired = &self.desired;
        let ended = |what: &'static str| move |result: Result<(), tokio::task::JoinError>| Ended { what, result };
        let done = |what: &'static str| Ended { what, result: Ok(()) };
        let (watched, token) = (desired.subscribe(), quiet.clone());
        tasks.spawn(async move { ended("supervisor")(supervisor.run(watched, token).await) });
        let token = quiet.clone();
        tasks.spawn(async move { ended("work runner")(runner.run(token).await) });
        let (watched, token) = (desired.subscribe(), quiet.clone());
        tasks.spawn(async move { ended("prober")(prober.run(watched, token).await) });
        let reading = gpu::run(
            self.config.clone(),
            timing.gpu_every,
            self.hardware.clone(),
            self.board.subscribe(),
            Arc::clone(clock),
            quiet.clone(),
        );
        tasks.spawn(async move {
            reading.await;
            done("GPU collector")
        });
        let (reporter, every, token) = (self.reporter.clone(), timing.report_every, last.clone());
        tasks.spawn(async move {
            reporter.run(every, token).await;
            done("reporter")
        });
        let token = last.clone();
        tasks.spawn(async move {
            session.run(token).await;
            done("session")
        });
    }

    pub(crate) fn figures(&self) -> NodeFigures {
        let (spooled, lost) = self.reporter.figures();
        NodeFigures {
            node: self.config.name.clone(),
            hardware: self.hardware.borrow().clone(),
            engines: self.board.borrow().clone(),
            connected: *self.connected.borrow(),
            spooled,
            lost,
        }
    }
}

fn create(folder: &Path) -> Result<(), AgentError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let built = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    built.map_err(|source| AgentError::Data { path: folder.to_path_buf(), source })
}
