//! A person is taken out of what is on the machine.

use homeostat_privacy::{Entity, SubjectKey};
use homeostat_protocol::*;
use sha2::{Digest as _, Sha256};

use crate::controller::Controller;
use crate::subject::{Agent, config};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_taken_out_of_blobs_and_no_copy_stays() {
    let (controller, data) = (Controller::start().await, tempfile::tempdir().unwrap());
    let key = SubjectKey::new([7; 32]);
    let mark = hex::encode(Sha256::digest(key.hmac(Entity::EmailAddress, "ann@example.org").0));
    let line = |completion: &str| format!("{{\"prompt\":\"Who?\",\"completion\":\"{completion}\"}}\n");
    let held = controller.blob(line("Ask Ann@example.org") + &line("bob@example.org"));
    let only_scanned = controller.blob(line("carl@example.org"));
    let erase = |digests: Vec<String>| {
        let kind = work::Kind::Erase(Erase {
            digests,
            subjects: vec![mark.clone()],
            rewrite: true,
            collect: true,
            ..Erase::default()
        });
        Work { id: "erase".into(), attempt: 1, kind: Some(kind) }
    };
    // A scan leaves a copy of the blob on the machine, as a training would.
    let scan = Scan { snapshot_digests: vec![held.clone()], ..Scan::default() };
    let scan = Work { id: "scan".into(), attempt: 1, kind: Some(work::Kind::Scan(scan)) };
    controller.want(|desired| {
        desired.subject_key = vec![7; 32].into();
        desired.work = vec![scan.clone()];
    });
    let agent = Agent::start(config(&controller, data.path()));
    controller.work("scan", WorkPhase::Succeeded).await;
    let copy = |digest: &str| data.path().join("blobs").join(&digest[..2]).join(digest);
    assert!(copy(&held).exists());
    controller.want(|desired| desired.work = vec![erase(vec![held.clone(), only_scanned.clone(), "0".repeat(64)])]);
    let result = controller.work("erase", WorkPhase::Succeeded).await.result.unwrap();
    let figure = |name: String| result.figures.get(&name).copied();
    assert_eq!((figure("scanned".into()), figure("missing".into())), (Some(2.0), Some(1.0)));
    assert_eq!((figure(format!("removed/{held}")), figure(format!("lines/{held}"))), (Some(1.0), Some(2.0)));
    assert_eq!(figure(format!("removed/{only_scanned}")), None);
    let text = |digest: &str| String::from_utf8(controller.state().blobs[digest].clone()).unwrap();
    assert_eq!(text(&result.blobs[&held]), line("bob@example.org"));
    assert!(text(&result.blobs["records"]).contains("Ann@example.org"));
    assert!(!copy(&only_scanned).exists(), "fetched for the search, and not given back");
    controller.want(|desired| desired.forgotten_blobs = vec![held.clone()]);
    let wanted = controller.desired.borrow().generation;
    controller.status("the word that no copy is left", |status| (status.observed >= wanted).then_some(())).await;
    assert!(!copy(&held).exists());
    agent.stop().await;
}
