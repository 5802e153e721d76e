//! One session: everything small between one agent and the controller.

use std::sync::Arc;
use std::time::Duration;

use homeostat_protocol::from_agent::Message as Up;
use homeostat_protocol::to_agent::Message as Down;
use homeostat_protocol::{Ack, AgentStatus, DesiredState, FromAgent, Hello, Report, ToAgent, Welcome};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::fleet::Connection;
use super::ingest;
use super::server::{Shared, unavailable};

/// What goes down to the agent.
pub(super) type Outbound = ReceiverStream<Result<ToAgent, Status>>;

/// How long an agent may take to say Hello.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Messages that wait for an agent that reads slowly; then its reports wait.
const QUEUE: usize = 64;

/// Opens the session of `node`, whose credential was checked.
pub(super) fn open(shared: Arc<Shared>, node: String, inbound: Streaming<FromAgent>) -> Outbound {
    let (down, outbound) = mpsc::channel(QUEUE);
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        let ended = tokio::select! {
            () = shared.shutdown.cancelled() => Err(Status::unavailable("the controller is shutting down; come again")),
            // The agent stopped reading: whatever is in flight comes again.
            () = down.closed() => Ok(()),
            ended = hold(&shared, &node, inbound, &down) => ended,
        };
        if let Err(status) = ended {
            tracing::info!(node.name = %node, code = ?status.code(), message = status.message(), "a session ended");
            // The queue may be full of what is no longer read; then the end of the stream must do.
            let _ = down.try_send(Err(status));
        } else {
            tracing::info!(node.name = %node, "a session ended");
        }
    });
    ReceiverStream::new(outbound)
}

/// The way down to the agent.
type ToQueue = mpsc::Sender<Result<ToAgent, Status>>;

async fn hold(shared: &Shared, node: &str, mut inbound: Streaming<FromAgent>, down: &ToQueue) -> Result<(), Status> {
    let hello = tokio::time::timeout(HELLO_WITHIN, inbound.message()).await;
    let hello = hello.map_err(|_| Status::deadline_exceeded("no Hello came within 10 seconds"))??;
    let hello = match hello.and_then(|message| message.message) {
        Some(Up::Hello(hello)) => checked(node, hello)?,
        _ => return Err(Status::failed_precondition("the first message of a session must be Hello")),
    };
    let acknowledged = shared.records.acknowledged(node, &hello.epoch).await.map_err(|error| unavailable(&error))?;
    let connection = shared.fleet.connect(&hello);
    tracing::info!(node.name = node, agent.version = %hello.version.escape_debug(), acknowledged, "a session began");
    send(down, Down::Welcome(Welcome { acknowledged, controller_time_ms: shared.clock.now().0 })).await?;
    connection.touch().await;
    let mut desired = connection.desired.clone();
    // What was set before the session counts as a change.
    desired.mark_changed();
    let replaced = connection.replaced.clone();
    let exchange = async {
        // Of this session only: what the records could not take in the last one is said again.
        let mut status = None;
        loop {
            tokio::select! {
                message = inbound.message() => match message? {
                    Some(message) => take(shared, &connection, message, &mut status, down).await?,
                    None => return Ok(()),
                },
                state = changed(&mut desired) => send(down, Down::Desired(DesiredState::clone(&state))).await?,
            }
        }
    };
    tokio::select! {
        ended = exchange => ended,
        () = replaced.cancelled() => Err(Status::aborted("another session of the same node took over")),
    }
}

fn checked(node: &str, hello: Hello) -> Result<Hello, Status> {
    if hello.node != node {
        let text =
            format!("the credential is that of node {node}, but the Hello names {:?}; join as that node", hello.node);
        return Err(Status::permission_denied(text));
    }
    if hello.epoch.is_empty() || hello.epoch.len() > 128 {
        return Err(Status::invalid_argument("Hello.epoch must have 1 to 128 characters, drawn at random"));
    }
    Ok(hello)
}

/// The next desired state that differs from the one before.
async fn changed(desired: &mut watch::Receiver<Option<Arc<DesiredState>>>) -> Arc<DesiredState> {
    loop {
        if desired.changed().await.is_err() {
            // The fleet is gone, which only happens when the whole process ends.
            return std::future::pending().await;
        }
        if let Some(state) = desired.borrow_and_update().clone() {
            return state;
        }
    }
}

async fn take(
    shared: &Shared,
    connection: &Connection,
    message: FromAgent,
    before: &mut Option<AgentStatus>,
    down: &ToQueue,
) -> Result<(), Status> {
    connection.touch().await;
    match message.message {
        Some(Up::Report(report)) => take_report(shared, connection, report, down).await,
        Some(Up::Status(status)) => take_status(shared, connection, before, status).await,
        Some(Up::Hello(_)) => Err(Status::failed_precondition("Hello may come only once in a session")),
        // A newer agent says something that we do not know.
        None => Ok(()),
    }
}

async fn take_report(shared: &Shared, connection: &Connection, report: Report, down: &ToQueue) -> Result<(), Status> {
    let sequence = report.sequence;
    let rejected = ingest::report(&shared.records, connection.node(), report, shared.clock.now()).await;
    connection.reported(rejected.map_err(|error| unavailable(&error))?);
    send(down, Down::Ack(Ack { sequence })).await
}

async fn take_status(
    shared: &Shared,
    connection: &Connection,
    before: &mut Option<AgentStatus>,
    status: AgentStatus,
) -> Result<(), Status> {
    let stored = ingest::work(&shared.records, connection.node(), before.as_ref(), &status, shared.clock.now()).await;
    stored.map_err(|error| unavailable(&error))?;
    *before = Some(status.clone());
    connection.status(status);
    Ok(())
}

async fn send(down: &ToQueue, message: Down) -> Result<(), Status> {
    down.send(Ok(ToAgent { message: Some(message) })).await.map_err(|_| Status::cancelled("the agent stopped reading"))
}
