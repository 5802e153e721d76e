//! The session with the controller: reports and status up, acknowledgements and desired state down.
//!
//! Reports are sent in the order of their sequences, a bounded number ahead of the acknowledgements, and from the first
//! unacknowledged one again after every reconnect; the controller applies each once. A desired state is kept on disk
//! before it is acted on. While the controller is away everything else goes on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use homeostat_clock::{Clock, Seed};
use homeostat_protocol::{
    AgentStatus, DesiredState, FromAgent, Hardware, Hello, ToAgent, WorkStatus, from_agent, to_agent,
};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::backoff::Backoff;
use crate::board::Engines;
use crate::link::{Link, LinkError};
use crate::reporter::{Reporter, lock};
use crate::spool::SpoolError;
use crate::supervisor::with_source;
use crate::{Timing, desired};

/// Bytes of reports sent at once, and reports sent ahead of their acknowledgement.
const BATCH: usize = 512 * 1024;
const AHEAD: u64 = 256;
/// A session this old was a success, however it ended.
const SETTLED: Duration = Duration::from_secs(10);
/// How long the controller may take to answer a Hello.
const WELCOME: Duration = Duration::from_secs(15);

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("the controller cannot be reached")]
    Link(#[from] LinkError),
    #[error("the controller ended the session")]
    Closed,
    #[error("the controller did not answer in time")]
    Silent,
    #[error("the spool failed")]
    Spool(#[from] SpoolError),
}

impl From<Status> for SessionError {
    fn from(status: Status) -> Self {
        Self::Link(status.into())
    }
}

/// What a session reads and writes.
pub(crate) struct Session {
    pub(crate) link: Link,
    pub(crate) folder: PathBuf,
    pub(crate) reporter: Reporter,
    pub(crate) desired: watch::Sender<Option<Arc<DesiredState>>>,
    pub(crate) engines: watch::Receiver<Engines>,
    pub(crate) work: watch::Receiver<Vec<WorkStatus>>,
    /// Generations that engines and work have taken in.
    pub(crate) taken: [watch::Receiver<u64>; 2],
    pub(crate) hardware: watch::Receiver<Hardware>,
    pub(crate) connected: watch::Sender<bool>,
    pub(crate) gateway_address: String,
    pub(crate) metrics_address: String,
    pub(crate) timing: Timing,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seed: Seed,
}

impl Session {
    /// One session after another until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let rng = self.seed.rng(&format!("session/{}", self.link.node()));
        let mut backoff = Backoff::new(self.timing.backoff_initial, self.timing.backoff_max, rng);
        let mut renew = false;
        loop {
            let began = std::time::Instant::now();
            let ended = tokio::select! {
                ended = self.one(renew) => ended,
                () = shutdown.cancelled() => break,
            };
            self.connected.send_replace(false);
            let Err(error) = ended;
            renew = matches!(&error, SessionError::Link(error) if error.unauthenticated());
            if began.elapsed() >= SETTLED {
                backoff.reset();
            }
            let wait = backoff.next();
            tracing::warn!(
                node = self.link.node(),
                "{}; serving goes on, next try in {} ms",
                with_source(&error),
                wait.as_millis()
            );
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled() => break,
            }
        }
    }

    async fn changed(&mut self) {
        let [engines_taken, work_taken] = &mut self.taken;
        // A sender that is gone means that the agent ends.
        let _ = tokio::select! {
            changed = self.engines.changed() => changed,
            changed = self.work.changed() => changed,
            changed = self.hardware.changed() => changed,
            changed = engines_taken.changed() => changed,
            changed = work_taken.changed() => changed,
        };
    }

    async fn one(&mut self, renew: bool) -> Result<std::convert::Infallible, SessionError> {
        self.link.join(renew).await?;
        let (up, outgoing) = mpsc::channel(16);
        up.send(self.hello()).await.map_err(|_| SessionError::Closed)?;
        let request = self.link.request(ReceiverStream::new(outgoing))?;
        let mut client = self.link.client();
        let opened = tokio::time::timeout(WELCOME, client.session(request)).await;
        let mut down = opened.map_err(|_| SessionError::Silent)??.into_inner();
        let acknowledged = tokio::time::timeout(WELCOME, self.welcome(&mut down)).await;
        let mut acknowledged = acknowledged.map_err(|_| SessionError::Silent)??;
        self.acknowledge(acknowledged).await?;
        tracing::info!(node = self.link.node(), "connected to the controller");
        self.connected.send_replace(true);

        let mut spooled = self.reporter.spooled();
        spooled.mark_changed();
        let mut sent = acknowledged;
        let mut status_due = tokio::time::Instant::now();
        let mut status_changed = true;
        loop {
            let wait = if status_changed { Duration::ZERO } else { self.timing.status_max };
            let next_status = status_due + wait;
            let room = sent < acknowledged.saturating_add(AHEAD);
            tokio::select! {
                message = down.message() => match message?.and_then(|message| message.message) {
                    Some(to_agent::Message::Ack(ack)) => {
                        acknowledged = acknowledged.max(ack.sequence);
                        self.acknowledge(ack.sequence).await?;
                        spooled.mark_changed();
                    }
                    Some(to_agent::Message::Desired(desired)) => {
                        self.take(desired);
                        status_changed = true;
                    }
                    Some(to_agent::Message::Welcome(_)) => {}
                    None => return Err(SessionError::Closed),
                },
                changed = spooled.changed(), if room => {
                    if changed.is_err() {
                        return Err(SessionError::Closed);
                    }
                    for report in self.batch(sent + 1).await? {
                        sent = report.sequence;
                        let message = FromAgent { message: Some(from_agent::Message::Report(report)) };
                        up.send(message).await.map_err(|_| SessionError::Closed)?;
                        // There may be more than one batch holds.
                        spooled.mark_changed();
                    }
                }
                () = self.changed(), if !status_changed => status_changed = true,
                () = tokio::time::sleep_until(next_status) => {
                    let message = FromAgent { message: Some(from_agent::Message::Status(self.status())) };
                    up.send(message).await.map_err(|_| SessionError::Closed)?;
                    status_changed = false;
                    status_due = tokio::time::Instant::now() + self.timing.status_min;
                }
            }
        }
    }

    fn hello(&self) -> FromAgent {
        let spool = self.reporter.spool();
        let spool = lock(&spool);
        let hello = Hello {
            node: self.link.node().to_string(),
            version: self.link.version().to_string(),
            epoch: spool.epoch().to_string(),
            oldest_unacknowledged: spool.oldest(),
            hardware: Some(self.hardware.borrow().clone()),
        };
        FromAgent { message: Some(from_agent::Message::Hello(hello)) }
    }

    /// What has been applied of this epoch, as the controller says first of all.
    async fn welcome(&self, down: &mut Streaming<ToAgent>) -> Result<u64, SessionError> {
        loop {
            match down.message().await?.and_then(|message| message.message) {
                Some(to_agent::Message::Welcome(welcome)) => return Ok(welcome.acknowledged),
                Some(to_agent::Message::Desired(desired)) => self.take(desired),
                Some(to_agent::Message::Ack(_)) => {}
                None => return Err(SessionError::Closed),
            }
        }
    }

    fn take(&self, desired: DesiredState) {
        if let Err(error) = desired::keep(&self.folder, &desired) {
            tracing::warn!("the desired state holds only until a restart: {}", with_source(&error));
        }
        self.desired.send_replace(Some(Arc::new(desired)));
    }

    async fn acknowledge(&self, sequence: u64) -> Result<(), SessionError> {
        let spool = self.reporter.spool();
        let done = tokio::task::spawn_blocking(move || lock(&spool).acknowledge(sequence)).await;
        Ok(done.map_err(|_| SessionError::Closed)??)
    }

    async fn batch(&self, from: u64) -> Result<Vec<homeostat_protocol::Report>, SessionError> {
        let spool = self.reporter.spool();
        let read = tokio::task::spawn_blocking(move || lock(&spool).read(from, BATCH)).await;
        Ok(read.map_err(|_| SessionError::Closed)??)
    }

    fn status(&mut self) -> AgentStatus {
        AgentStatus {
            at_ms: self.clock.now().0,
            // Read first: what follows is then at least as new.
            observed: self.taken.iter_mut().map(|taken| *taken.borrow_and_update()).min().unwrap_or(0),
            engines: self.engines.borrow_and_update().values().map(|engine| engine.status.clone()).collect(),
            work: self.work.borrow_and_update().clone(),
            hardware: Some(self.hardware.borrow_and_update().clone()),
            gateway_address: self.gateway_address.clone(),
            metrics_address: self.metrics_address.clone(),
            spooled_reports: self.reporter.figures().0,
        }
    }
}
