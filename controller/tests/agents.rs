//! Sessions of agents, as a raw client sees them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod session;

use std::time::Duration;

use homeostat_clock::{Clock, UtcMillis};
use homeostat_controller::agents::{Server, ServerConfig, result_from_json};
use homeostat_protocol::from_agent::Message as Up;
use homeostat_protocol::*;
use homeostat_records::{WorkItem, WorkPhase};
use sha2::{Digest, Sha256};
use tonic::Code;

use session::{NOW, TOKEN, World, authorized, hello, report, window};

#[tokio::test]
async fn who_does_not_belong_is_turned_away_with_one_clear_sentence() {
    let world = World::new().await;
    let mut client = world.client().await;
    let mut join = async |token: &str, node: &str| {
        let request = JoinRequest { join_token: token.to_owned(), node: node.to_owned(), version: String::new() };
        client.join(request).await.unwrap_err()
    };
    let refused = join("wrong", "gpu-1").await;
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(refused.message(), "the join token is wrong; take the one that the controller was started with");
    let refused = join(TOKEN, "GPU_1").await;
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("DNS label"));
    assert!(world.records.agents().await.unwrap().is_empty());

    let refused = world.open("nonsense").await.err().unwrap();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("Join again"));
    let bare = client.stat_blob(StatBlobRequest::default()).await.unwrap_err();
    assert!(bare.message().contains("Bearer"));

    let old = world.join("gpu-1").await;
    let mut session = world.open(&old).await.unwrap();
    session.send(Up::Hello(hello("gpu-2"))).await;
    let refused = session.next().await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(world.fleet.nodes().is_empty());

    let new = world.join("gpu-1").await;
    assert_eq!(world.open(&old).await.err().unwrap().code(), Code::Unauthenticated);
    let _ = world.session(&new, "gpu-1").await;
}

#[tokio::test]
async fn a_report_counts_once_over_reconnects_and_restarts() {
    let world = World::new().await;
    let credential = world.join("gpu-1").await;
    let (mut session, welcome) = world.session(&credential, "gpu-1").await;
    assert_eq!(welcome, Welcome { acknowledged: 0, controller_time_ms: NOW.0 });
    session.report(report(1, vec![window("gpu-1/0")])).await;
    // The agent did not see the acknowledgement and sends it again.
    session.report(report(1, vec![window("gpu-1/0")])).await;
    drop(session);
    world.until("gpu-1", |state| !state.connected).await;

    let world = world.restart(NOW.plus(Duration::from_secs(10))).await;
    let (mut session, welcome) = world.session(&credential, "gpu-1").await;
    assert_eq!(welcome.acknowledged, 1);
    session.report(report(1, vec![window("gpu-1/0")])).await;
    let stored = world.windows().await;
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].sketch.n(), 2);

    let mut foreign = window("gpu-1/0");
    foreign.key.as_mut().unwrap().replica = "gpu-2/0".to_owned();
    let mut garbled = window("gpu-1/1");
    garbled.sketch = vec![1, 2, 3].into();
    session.report(report(2, vec![foreign, garbled, window("gpu-1/1")])).await;
    assert_eq!(world.windows().await.len(), 2);
    assert_eq!(world.fleet.node("gpu-1").unwrap().rejected, 2);
    // A sequence that can never be stored does not hold up the spool.
    session.report(report(u64::MAX, vec![window("gpu-1/2")])).await;
    assert_eq!(world.windows().await.len(), 2);
    let agent = world.records.agents().await.unwrap().remove(0);
    assert_eq!((agent.acknowledged, agent.last_seen), (2, Some(world.clock.now())));
}

#[tokio::test]
async fn the_desired_state_is_pushed_when_it_changes_and_only_then() {
    let world = World::new().await;
    let with = |model: &str| DesiredState {
        generation: 77,
        routes: vec![Route { model: model.to_owned(), ..Route::default() }],
        ..DesiredState::default()
    };
    world.fleet.set_desired("gpu-1", with("ml/a"));
    let credential = world.join("gpu-1").await;
    let (mut session, _) = world.session(&credential, "gpu-1").await;
    let first = session.desired().await;
    assert_eq!((first.routes[0].model.as_str(), first.generation), ("ml/a", NOW.0 as u64));

    world.fleet.set_desired("gpu-1", with("ml/a"));
    world.fleet.set_desired("gpu-1", DesiredState { generation: 5, ..with("ml/b") });
    let second = session.desired().await;
    assert_eq!((second.routes[0].model.as_str(), second.generation), ("ml/b", first.generation + 1));
    assert_eq!(world.fleet.node("gpu-1").unwrap().desired_generation, second.generation);

    // The controller restarts with a clock that went back, and plans the same.
    let world = world.restart(UtcMillis(1_000)).await;
    world.fleet.set_desired("gpu-1", with("ml/b"));
    let (mut session, _) = world.session(&credential, "gpu-1").await;
    assert_eq!(session.desired().await.generation, 1_000);
    session.send(Up::Status(AgentStatus { observed: second.generation, ..AgentStatus::default() })).await;
    let third = session.desired().await;
    assert_eq!((third.routes[0].model.as_str(), third.generation), ("ml/b", second.generation + 1));
}

#[tokio::test]
async fn a_second_session_of_a_node_ends_the_first() {
    let world = World::new().await;
    let credential = world.join("gpu-1").await;
    let (mut first, _) = world.session(&credential, "gpu-1").await;
    let (second, _) = world.session(&credential, "gpu-1").await;
    assert_eq!(first.next().await.unwrap_err().code(), Code::Aborted);
    let gpu = Gpu { name: "H100".to_owned(), ..Gpu::default() };
    let hardware = Hardware { backend: "simulated".to_owned(), gpus: vec![gpu], ..Hardware::default() };
    let status = AgentStatus { at_ms: 5, hardware: Some(hardware.clone()), ..AgentStatus::default() };
    second.send(Up::Status(status.clone())).await;
    world.until("gpu-1", |state| state.status.as_ref() == Some(&status)).await;
    let state = world.fleet.node("gpu-1").unwrap();
    assert!(state.connected);
    assert_eq!((state.hardware, state.version.as_str(), state.last_report), (Some(hardware), "1.2", Some(NOW)));
    drop(second);
    world.until("gpu-1", |state| !state.connected).await;
}

#[tokio::test]
async fn work_is_followed_as_its_own_agent_reports_it() {
    let world = World::new().await;
    for (id, agent) in [("train", "gpu-1"), ("other", "gpu-2")] {
        let item = WorkItem {
            id: id.to_owned(),
            agent: Some(agent.to_owned()),
            kind: "Train".to_owned(),
            spec: Vec::new(),
            attempt: 1,
            run: None,
            model: None,
            created: NOW,
        };
        world.records.ensure_work(&item).await.unwrap();
    }
    let credential = world.join("gpu-1").await;
    let (session, _) = world.session(&credential, "gpu-1").await;
    let running = |id: &str, step| WorkStatus {
        id: id.to_owned(),
        phase: homeostat_protocol::WorkPhase::Running.into(),
        progress: Some(Progress { step, total_steps: 3, loss: Some(1.0 / step as f64), ..Progress::default() }),
        spent_seconds: step as f64,
        ..WorkStatus::default()
    };
    for step in 1..=3 {
        let work = vec![running("train", step), running("other", step), running("unknown", step)];
        session.send(Up::Status(AgentStatus { at_ms: step as i64, work, ..AgentStatus::default() })).await;
        world.clock.advance(Duration::from_secs(1));
    }
    let result = WorkResult { artifact_digest: "ab".to_owned(), ..WorkResult::default() };
    let done = WorkStatus {
        phase: homeostat_protocol::WorkPhase::Succeeded.into(),
        result: Some(result.clone()),
        ..running("train", 3)
    };
    session.send(Up::Status(AgentStatus { at_ms: 9, work: vec![done], ..AgentStatus::default() })).await;
    world.until("gpu-1", |state| state.status.as_ref().is_some_and(|status| status.at_ms == 9)).await;

    let row = world.records.work("train").await.unwrap().unwrap();
    assert_eq!((row.phase, row.spent_seconds), (WorkPhase::Succeeded, 3.0));
    assert_eq!(result_from_json(&row.result.unwrap()).unwrap(), result);
    assert_eq!(row.progress.unwrap()["totalSteps"], 3);
    let curve = world.records.progress("train").await.unwrap();
    assert_eq!(curve.iter().map(|point| point.step).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(curve[1].loss, Some(0.5));
    assert_eq!(world.records.work("other").await.unwrap().unwrap().phase, WorkPhase::Pending);
}

#[tokio::test]
async fn blobs_resume_where_they_broke_off() {
    let world = World::new().await;
    let credential = world.join("gpu-1").await;
    let mut client = world.client().await;
    let bytes: Vec<u8> = (0..700_000_u32).map(|index| (index % 251) as u8).collect();
    let digest = hex::encode(Sha256::digest(&bytes));
    let chunks = |from: usize, to: usize| {
        let pieces: Vec<_> = bytes[from..to].chunks(BLOB_CHUNK).map(<[u8]>::to_vec).collect();
        let mut offset = from as u64;
        let named = BlobChunk { digest: digest.clone(), size: bytes.len() as u64, offset, ..BlobChunk::default() };
        let rest = pieces.into_iter().map(move |data| {
            let chunk = BlobChunk { offset, data: data.into(), ..BlobChunk::default() };
            offset += chunk.data.len() as u64;
            chunk
        });
        tokio_stream::iter(std::iter::once(named).chain(rest.collect::<Vec<_>>()))
    };
    let half = client.put_blob(authorized(chunks(0, 300_000), &credential)).await.unwrap().into_inner();
    assert_eq!((half.held, half.complete), (300_000, false));
    let stat = StatBlobRequest { digest: digest.clone() };
    assert_eq!(client.stat_blob(authorized(stat, &credential)).await.unwrap().into_inner(), half);
    let missing = GetBlobRequest { digest: digest.clone(), offset: 0 };
    let refused = client.get_blob(authorized(missing, &credential)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let gap = client.put_blob(authorized(chunks(400_000, 700_000), &credential)).await.unwrap_err();
    assert_eq!(gap.code(), Code::FailedPrecondition);
    let whole = client.put_blob(authorized(chunks(300_000, 700_000), &credential)).await.unwrap().into_inner();
    assert_eq!((whole.held, whole.complete), (700_000, true));
    // Putting it again is no fault.
    assert!(client.put_blob(authorized(chunks(0, 700_000), &credential)).await.unwrap().into_inner().complete);

    let rest = GetBlobRequest { digest: digest.clone(), offset: 123_456 };
    let mut stream = client.get_blob(authorized(rest, &credential)).await.unwrap().into_inner();
    let mut got = Vec::new();
    let mut size = 0;
    while let Some(chunk) = stream.message().await.unwrap() {
        assert_eq!(chunk.offset, 123_456 + got.len() as u64);
        size = size.max(chunk.size);
        got.extend_from_slice(&chunk.data);
    }
    assert_eq!(size, 700_000);
    assert!(got == bytes[123_456..]);

    let lie = BlobChunk { digest: "0".repeat(64), size: 3, offset: 0, data: vec![1, 2, 3].into() };
    let refused = client.put_blob(authorized(tokio_stream::iter([lie]), &credential)).await.unwrap_err();
    assert_eq!(refused.code(), Code::DataLoss);
    let path = BlobChunk { digest: "../../etc/passwd".to_owned(), size: 3, ..BlobChunk::default() };
    let refused = client.put_blob(authorized(tokio_stream::iter([path]), &credential)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let empty = BlobChunk { digest: hex::encode(Sha256::digest([])), ..BlobChunk::default() };
    assert!(client.put_blob(authorized(tokio_stream::iter([empty]), &credential)).await.unwrap().into_inner().complete);
}

#[tokio::test]
async fn a_port_that_is_taken_and_an_empty_token_are_refused() {
    let world = World::new().await;
    let bind = async |listen, token: &str| {
        let config = ServerConfig { listen, identity: world.identity.clone(), join_token: token.to_owned() };
        let server = Server::bind(config, world.fleet.clone(), world.records.clone(), world.clock.clone()).await;
        server.err().unwrap().to_string()
    };
    assert!(bind(world.address, TOKEN).await.contains(&format!("cannot listen for agents on {}", world.address)));
    assert!(bind("127.0.0.1:0".parse().unwrap(), "").await.contains("join token is empty"));
}
