//! Erasure of a person: whole or not at all, again without harm, and for good.

use std::pin::pin;
use std::task::Poll;

use homeostat_quality::{Sample, SubjectHmac};
use homeostat_records::{Applied, Records, ReplacedBlob, SampleQuery};

use crate::Place;
use crate::given::{MINUTE, T0, at, atlas, labelled, sample};

const REQUEST: &str = "ml/request-17";

fn person() -> [SubjectHmac; 2] {
    [SubjectHmac("hmac-of-s2".into()), SubjectHmac("hmac-of-s9".into())]
}

async fn samples(records: &Records) -> Vec<Sample> {
    let query =
        SampleQuery { model: atlas(), labelled_only: false, from: at(-MINUTE), to: at(1_000 * MINUTE), limit: 1_000 };
    records.samples(&query).await.unwrap()
}

async fn report(records: &Records, sequence: u64, samples: &[Sample]) {
    let applied = records.apply_report("n1", "e1", sequence, &[], samples, T0).await.unwrap();
    assert_eq!(applied, Applied::New);
}

pub(crate) async fn a_person_is_erased_and_stays_so(place: &Place) {
    let records = place.open().await;
    let about = |id: &str| sample(id, T0, &["hmac-of-s1", "hmac-of-s2"]);
    let other = sample("r3", T0, &["hmac-of-s3"]);
    report(&records, 1, &[about("r1"), sample("r2", T0, &["hmac-of-s9"]), other.clone()]).await;
    let found = records.subject_samples(&person()).await.unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["r1", "r2"]);
    assert_eq!(records.subject_records(&person()).await.unwrap().len(), 2);

    assert_eq!(records.erase_subjects(REQUEST, &person(), at(1)).await.unwrap(), 2);
    assert_eq!(records.erase_subjects(REQUEST, &person(), at(2)).await.unwrap(), 0);
    assert_eq!(records.erased_samples(REQUEST).await.unwrap(), found);
    assert_eq!(samples(&records).await, std::slice::from_ref(&other));
    // Nothing of the erased samples is left, not even the hashes of others they named.
    assert_eq!(place.sql("UPDATE sample_subjects SET hmac = hmac").await, 1);
    assert!(records.subject_samples(&person()).await.unwrap().is_empty());

    // From a spool, or with feedback: refused, and counted. The report itself is applied, so that the spool goes on.
    assert_eq!(records.refused_samples(REQUEST).await.unwrap(), 0);
    let late = Sample { subjects: vec![person()[1].clone()], ..labelled("r8", T0, "Astana", at(5)) };
    report(&records, 2, &[about("r7"), late, sample("r9", T0, &["hmac-of-s4"])]).await;
    assert_eq!(samples(&records).await.len(), 2);
    assert_eq!(records.refused_samples(REQUEST).await.unwrap(), 2);
    // A sample that is there goes when feedback brings the person in, and one that was erased does not come back bare.
    let told = Sample { subjects: vec![person()[0].clone()], ..labelled("r9", T0, "Ask them", at(6)) };
    report(&records, 3, &[told, sample("r1", T0, &[])]).await;
    assert_eq!(samples(&records).await, [other]);

    drop(records);
    let records = place.open().await;
    report(&records, 4, &[about("r10")]).await;
    assert_eq!(samples(&records).await.len(), 1);
    assert!(records.scrub().await.unwrap());
    assert_eq!(samples(&records).await.len(), 1);
}

/// Drops the call after so many polls, wherever it is by then, as a kill would.
pub(crate) async fn an_abandoned_erasure_is_whole_or_not_at_all(place: &Place) {
    let records = place.open().await;
    let mut abandoned = 0;
    for round in 1..=20_u64 {
        let subject = SubjectHmac(format!("hmac-{round}"));
        let ids: Vec<String> = (0..3).map(|n| format!("r{round}-{n}")).collect();
        let about: Vec<Sample> =
            ids.iter().map(|id| Sample { subjects: vec![subject.clone()], ..sample(id, T0, &[]) }).collect();
        report(&records, round, &about).await;
        let request = format!("ml/request-{round}");
        let subjects = [subject];
        let mut left = round;
        let done = {
            let mut call = pin!(records.erase_subjects(&request, &subjects, T0));
            std::future::poll_fn(|ctx| {
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                call.as_mut().poll(ctx).map(Some)
            })
            .await
        };
        abandoned += u64::from(done.is_none());
        let (there, noted) =
            (records.subject_samples(&subjects).await.unwrap().len(), records.erased_samples(&request).await.unwrap());
        assert!((there, noted.len()) == (3, 0) || (there, noted.len()) == (0, 3), "{there} {noted:?}");
        // Again, as after a restart: the same end, and the ids are known all the same.
        records.erase_subjects(&request, &subjects, T0).await.unwrap();
        assert_eq!(records.erased_samples(&request).await.unwrap().into_keys().collect::<Vec<_>>(), ids);
        assert!(samples(&records).await.is_empty());
    }
    assert!(abandoned > 0, "no call was abandoned on its way");
}

pub(crate) async fn what_arrives_meanwhile_is_caught(place: &Place) {
    // Two handles stand for two controllers: one takes reports while the other erases.
    let (ingest, erasing) = (place.open().await, place.open().await);
    let mut reports = tokio::task::JoinSet::new();
    for n in 0..40_u64 {
        let records = ingest.clone();
        reports.spawn(async move {
            let about = Sample { subjects: vec![person()[0].clone()], ..sample(&format!("r{n}"), T0, &[]) };
            records.apply_report(&format!("n{n}"), "e1", 1, &[], &[about], T0).await.unwrap();
        });
    }
    erasing.erase_subjects(REQUEST, &person(), T0).await.unwrap();
    while let Some(done) = reports.join_next().await {
        done.unwrap();
    }
    // Each came before the erasure, which took it, or after it, and was refused: there is no third way.
    assert!(samples(&ingest).await.is_empty());
    let erased = erasing.erased_samples(REQUEST).await.unwrap().len() as u64;
    assert_eq!(erased + erasing.refused_samples(REQUEST).await.unwrap(), 40);
}

pub(crate) async fn replaced_blobs_are_followed(place: &Place) {
    let records = place.open().await;
    let blob = |digest: &str, successor: &str, removed| ReplacedBlob {
        digest: digest.into(),
        successor: successor.into(),
        request: REQUEST.into(),
        removed,
        total: 10,
        at: T0,
    };
    assert!(records.replace_blob(&blob("aa", "bb", 2)).await.unwrap());
    assert!(!records.replace_blob(&blob("aa", "cc", 3)).await.unwrap(), "what is noted stays");
    let other = ReplacedBlob { request: "ml/other".into(), ..blob("bb", "dd", 1) };
    assert!(records.replace_blob(&other).await.unwrap());
    assert_eq!(records.replaced_blobs(REQUEST).await.unwrap(), [blob("aa", "bb", 2)]);
    let successors = records.successors().await.unwrap();
    assert_eq!((successors.of("aa"), successors.removed("aa"), successors.of("zz")), ("dd", 3, "zz"));

    let blobs = records.blobs();
    let digest = blobs.put_bytes(b"{}\n").await.unwrap();
    assert_eq!(blobs.list().await.unwrap(), std::slice::from_ref(&digest));
    assert_eq!(blobs.head(&digest, 2).await.unwrap(), b"{}");
    assert!(blobs.delete(&digest).await.unwrap());
    assert!(!blobs.delete(&digest).await.unwrap());
    assert!(blobs.list().await.unwrap().is_empty() && !blobs.stat(&digest).await.unwrap().complete);
}
