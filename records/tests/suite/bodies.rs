//! What must hold on both databases, noun by noun.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::Poll;

use homeostat_quality::registry::Statistic;
use homeostat_quality::{Sketch, Source, SubjectHmac, Window, WindowKey};
use homeostat_records::{
    AlertRow, Applied, ProgressPoint, Records, SampleQuery, WindowQuery, WorkItem, WorkPhase, WorkUpdate,
};
use serde_json::json;

use crate::Place;
use crate::given::{MINUTE, T0, at, atlas, labelled, sample, window};

fn everything() -> WindowQuery {
    WindowQuery::new(atlas(), at(-1_000 * MINUTE), at(1_000 * MINUTE))
}

fn all_samples(labelled_only: bool) -> SampleQuery {
    SampleQuery { model: atlas(), labelled_only, from: at(-MINUTE), to: at(1_000 * MINUTE), limit: 1_000 }
}

async fn observations(records: &Records) -> u64 {
    records.windows(&everything()).await.unwrap().iter().map(|window| window.sketch.n()).sum()
}

pub(crate) async fn a_report_is_applied_once(place: &Place) {
    let records = place.open().await;
    let windows = [window("n1/0", "exact_match", T0, &[1.0, 0.0])];
    let samples = [sample("r1", T0, &["s1"])];
    records.register_agent("n1", "aa", T0).await.unwrap();
    assert_eq!(records.acknowledged("n1", "e1").await.unwrap(), 0);
    for (sequence, expected) in [(1, Applied::New), (1, Applied::Duplicate), (4, Applied::New), (3, Applied::Duplicate)]
    {
        let applied = records.apply_report("n1", "e1", sequence, &windows, &samples, T0).await.unwrap();
        assert_eq!(applied, expected, "sequence {sequence}");
    }
    // Two of the four were new, and the second merged into the first one's window.
    assert_eq!(observations(&records).await, 4);
    assert_eq!(records.windows(&everything()).await.unwrap().len(), 1);
    assert_eq!(records.samples(&all_samples(false)).await.unwrap(), samples);
    // Another epoch and another agent count for themselves; so does what was written before a restart.
    assert_eq!(records.apply_report("n1", "e2", 1, &windows, &[], T0).await.unwrap(), Applied::New);
    assert_eq!(records.apply_report("n2", "e1", 1, &windows, &[], T0).await.unwrap(), Applied::New);
    drop(records);
    let records = place.open().await;
    assert_eq!(records.apply_report("n1", "e1", 4, &windows, &[], T0).await.unwrap(), Applied::Duplicate);
    assert_eq!(observations(&records).await, 8);
    assert_eq!(records.acknowledged("n1", "e1").await.unwrap(), 4);
    let agents = records.agents().await.unwrap();
    assert_eq!((agents[0].epoch.as_deref(), agents[0].acknowledged), (Some("e2"), 1));
    assert!(records.apply_report("n1", "e1", u64::MAX, &[], &[], T0).await.is_err());
}

/// Drops the call after so many polls, wherever it is by then, as a connection that breaks would.
pub(crate) async fn an_abandoned_report_is_applied_whole_or_not_at_all(place: &Place) {
    let records = place.open().await;
    let (mut kept, mut abandoned) = (0_u64, 0);
    for sequence in 1..=30_u64 {
        let start = at(i64::try_from(sequence).unwrap() * MINUTE);
        let windows: Vec<Window> = (0..4).map(|n| window(&format!("n1/{n}"), "exact_match", start, &[1.0])).collect();
        let mut left = sequence;
        let done = {
            let mut call = pin!(records.apply_report("n1", "e1", sequence, &windows, &[], T0));
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
        // The agent sends it again; only what had been committed is a duplicate, and it is all there.
        records.apply_report("n1", "e1", sequence, &windows, &[], T0).await.unwrap();
        kept += 4;
        assert_eq!(observations(&records).await, kept, "sequence {sequence}");
    }
    assert!(abandoned > 0, "no call was abandoned on its way");
    assert_eq!(records.acknowledged("n1", "e1").await.unwrap(), 30);
}

pub(crate) async fn reports_at_the_same_time_lose_nothing(place: &Place) {
    // Two handles stand for two controllers; each report goes to both, and all merge into one window.
    let handles = [place.open().await, place.open().await];
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..24_u64 {
        let records = handles[usize::from(n % 2 == 1)].clone();
        calls.spawn(async move {
            let windows = [window("n1/0", "exact_match", T0, &[1.0]), window("n1/0", "token_f1", T0, &[1.0])];
            records.apply_report(&format!("n{}", n / 2), "e1", 1, &windows, &[], T0).await.unwrap()
        });
    }
    let applied = calls.join_all().await;
    assert_eq!(applied.iter().filter(|applied| **applied == Applied::New).count(), 12);
    assert_eq!(observations(&handles[0]).await, 24);
}

pub(crate) async fn windows_merge_filter_and_fold(place: &Place) {
    let records = place.open().await;
    let base = T0.window_start(std::time::Duration::from_millis(10 * MINUTE.unsigned_abs()));
    let minute = |n: i64| homeostat_clock::UtcMillis(base.0 + n * MINUTE);
    let mut windows = Vec::new();
    for n in 0..25 {
        windows.push(window("n1/0", "exact_match", minute(n), &[1.0]));
        windows.push(window("n1/1", "token_f1", minute(n), &[0.5, 0.25]));
    }
    records.apply_report("n1", "e1", 1, &windows, &[], T0).await.unwrap();
    let count = async |query: WindowQuery| records.windows(&query).await.unwrap().len();
    assert_eq!(count(everything()).await, 50);
    assert_eq!(count(WindowQuery { metrics: vec!["token_f1".into()], ..everything() }).await, 25);
    assert_eq!(count(WindowQuery { metrics: vec!["token_f1".into(), "exact_match".into()], ..everything() }).await, 50);
    assert_eq!(
        count(WindowQuery { replica: Some("n1/0".into()), from: minute(5), to: minute(7), ..everything() }).await,
        2
    );
    assert_eq!(count(WindowQuery { source: Some(Source::Traffic), ..everything() }).await, 0);
    assert_eq!(count(WindowQuery { version: Some("atlas-v2".into()), ..everything() }).await, 0);
    let newest = records.newest_window(&atlas(), Some("atlas-v1"), Source::Golden, Some("token_f1")).await.unwrap();
    assert_eq!(newest, Some(minute(25)));
    assert_eq!(records.newest_window(&atlas(), None, Source::Feedback, None).await.unwrap(), None);

    // Minutes 0 to 19 fold into two windows per metric; minute 20 to 24 are not a whole window yet.
    assert_eq!(records.compact_windows(minute(25), 10 * MINUTE).await.unwrap(), 40);
    assert_eq!(records.compact_windows(minute(25), 10 * MINUTE).await.unwrap(), 0);
    assert_eq!(count(everything()).await, 14);
    assert_eq!(observations(&records).await, 75);
    let folded = records.windows(&WindowQuery { metrics: vec!["token_f1".into()], ..everything() }).await.unwrap();
    assert_eq!((folded[0].key.step_ms, folded[0].sketch.n()), (10 * MINUTE, 20));
    // A late minute of a folded window joins it with the next folding.
    records.apply_report("n1", "e1", 2, &[window("n1/0", "exact_match", minute(3), &[0.0])], &[], T0).await.unwrap();
    assert_eq!(records.compact_windows(minute(25), 10 * MINUTE).await.unwrap(), 1);
    assert_eq!((count(everything()).await, observations(&records).await), (14, 76));
    assert!(records.compact_windows(minute(25), 0).await.is_err());
    assert_eq!(records.delete_windows(minute(20)).await.unwrap(), 4);
    assert_eq!(count(everything()).await, 10);
}

pub(crate) async fn a_bad_window_does_not_hold_up_the_spool(place: &Place) {
    let records = place.open().await;
    let good = window("n1/0", "exact_match", T0, &[1.0]);
    let mut other_sort = Sketch::empty(Statistic::Quantile(0.5));
    other_sort.observe(0.2);
    let bad = Window { key: good.key.clone(), sketch: other_sort };
    let endless = Window { key: WindowKey { step_ms: 0, ..good.key.clone() }, ..good.clone() };
    records.apply_report("n1", "e1", 1, std::slice::from_ref(&good), &[], T0).await.unwrap();
    let report = [bad, endless, window("n1/0", "token_f1", T0, &[1.0])];
    assert_eq!(records.apply_report("n1", "e1", 2, &report, &[], T0).await.unwrap(), Applied::New);
    let windows = records.windows(&everything()).await.unwrap();
    assert_eq!(windows.len(), 2);
    assert_eq!(windows[0], good);
}

pub(crate) async fn feedback_completes_a_sample(place: &Place) {
    let records = place.open().await;
    let apply =
        async |sequence, samples: &[_]| records.apply_report("n1", "e1", sequence, &[], samples, T0).await.unwrap();
    apply(1, &[sample("r1", T0, &["s1"]), sample("r2", at(1), &[])]).await;
    assert_eq!(records.labelled_summary(&atlas(), T0).await.unwrap(), Default::default());
    apply(2, &[labelled("r1", T0, "Astana", at(50)), labelled("r3", at(2), "Oslo", at(60))]).await;
    let first = records.labelled_summary(&atlas(), T0).await.unwrap();
    assert_eq!((first.records, first.newest), (2, Some(at(2))));
    let samples = records.samples(&all_samples(true)).await.unwrap();
    assert_eq!(samples.len(), 2);
    assert_eq!((samples[0].completion.as_str(), &samples[0].subjects), ("Almaty", &vec![SubjectHmac("s1".into())]));

    // An older label and the bare sample, arriving late, change nothing; a newer label does.
    apply(3, &[labelled("r1", T0, "Almaty", at(40)), sample("r3", at(2), &[])]).await;
    assert_eq!(records.labelled_summary(&atlas(), T0).await.unwrap(), first);
    apply(4, &[labelled("r1", T0, "Astana, since 1997", at(70))]).await;
    let second = records.labelled_summary(&atlas(), T0).await.unwrap();
    assert_eq!(second.records, 2);
    assert_ne!(second.digest, first.digest);

    // Text that PostgreSQL cannot hold, and a request id of another model, do not hold up the spool.
    let mut odd = sample("r\0 4", at(3), &["s\0"]);
    odd.prompt = "nul \0 inside".into();
    let mut foreign = labelled("r1", T0, "stolen", at(90));
    foreign.model = homeostat_quality::ModelKey::new("ml", "other");
    apply(5, &[odd, foreign]).await;
    let samples = records.samples(&all_samples(false)).await.unwrap();
    assert_eq!(samples[3].prompt, "nul \u{fffd} inside");
    assert_eq!(records.labelled_summary(&atlas(), T0).await.unwrap(), second);
    let newest = records.samples(&SampleQuery { limit: 2, ..all_samples(false) }).await.unwrap();
    assert_eq!(newest, samples[2..]);
    assert_eq!(records.delete_samples(at(2)).await.unwrap(), 2);
}

fn train(id: &str, agent: Option<&str>) -> WorkItem {
    WorkItem {
        id: id.into(),
        agent: agent.map(str::to_owned),
        kind: "Train".into(),
        spec: vec![0, 1, 255],
        attempt: 1,
        run: Some("ml/atlas-r1".into()),
        model: Some("ml/atlas".into()),
        created: T0,
    }
}

pub(crate) async fn work_ends_once(place: &Place) {
    let records = place.open().await;
    let row = records.ensure_work(&train("w1", None)).await.unwrap();
    assert_eq!((row.phase, &row.item), (WorkPhase::Pending, &train("w1", None)));
    let again = records.ensure_work(&WorkItem { kind: "Other".into(), ..train("w1", Some("n9")) }).await.unwrap();
    assert_eq!(again, row);
    records.ensure_work(&train("w2", Some("n2"))).await.unwrap();
    let row = records.assign_work("w1", "n1", at(1)).await.unwrap().unwrap();
    assert_eq!(row.item.agent.as_deref(), Some("n1"));
    assert_eq!(records.open_work(Some("n1")).await.unwrap(), [row]);
    assert_eq!(records.open_work(None).await.unwrap().len(), 2);

    let running = WorkUpdate {
        phase: WorkPhase::Running,
        progress: Some(json!({"step": 5, "loss": 1.5})),
        spent_seconds: 7.5,
        ..Default::default()
    };
    let row = records.update_work("w1", &running, at(2)).await.unwrap().unwrap();
    assert_eq!((row.phase, row.spent_seconds, row.updated), (WorkPhase::Running, 7.5, at(2)));
    // The same again is no news, and what was spent is not given back.
    assert_eq!(records.update_work("w1", &running, at(3)).await.unwrap().unwrap(), row);
    let less = WorkUpdate { spent_seconds: f64::NAN, ..running.clone() };
    assert_eq!(records.update_work("w1", &less, at(3)).await.unwrap().unwrap(), row);

    let done = WorkUpdate { phase: WorkPhase::Succeeded, result: Some(json!({"digest": "ab"})), ..Default::default() };
    let row = records.update_work("w1", &done, at(4)).await.unwrap().unwrap();
    assert_eq!((row.progress.is_some(), row.spent_seconds), (true, 7.5));
    let failed = WorkUpdate { phase: WorkPhase::Failed, reason: "Late".into(), ..Default::default() };
    assert_eq!(records.update_work("w1", &failed, at(5)).await.unwrap(), Some(row.clone()));
    assert_eq!(records.assign_work("w1", "n2", at(5)).await.unwrap(), Some(row.clone()));
    assert_eq!(records.work("w1").await.unwrap(), Some(row));
    assert_eq!(records.update_work("none", &failed, at(5)).await.unwrap(), None);
    assert_eq!(records.open_work(None).await.unwrap().len(), 1);
    assert_eq!(records.work_of_run("ml/atlas-r1").await.unwrap().len(), 2);
    // Work taken from one agent starts over at the other.
    records.update_work("w2", &running, at(6)).await.unwrap();
    assert_eq!(records.assign_work("w2", "n1", at(7)).await.unwrap().unwrap().phase, WorkPhase::Pending);
}

pub(crate) async fn curves_are_kept(place: &Place) {
    let records = place.open().await;
    records.ensure_work(&train("w1", None)).await.unwrap();
    let point = |step, loss| ProgressPoint {
        at: at(i64::try_from(step).unwrap()),
        step,
        total_steps: 100,
        loss,
        eta_seconds: None,
        stage: "train".into(),
    };
    // A point without a loss must not spoil the statement for those that have one.
    records.append_progress("w1", &point(0, None)).await.unwrap();
    for step in [0, 10, 20] {
        assert!(records.append_progress("w1", &point(step, Some(2.0))).await.unwrap());
    }
    records.append_progress("w1", &point(20, Some(f64::NAN))).await.unwrap();
    assert!(!records.append_progress("none", &point(0, None)).await.unwrap());
    let curve = records.progress("w1").await.unwrap();
    assert_eq!(curve, [point(0, Some(2.0)), point(10, Some(2.0)), point(20, None)]);
}

pub(crate) async fn agents_join_again(place: &Place) {
    let records = place.open().await;
    records.register_agent("n1", "aa", T0).await.unwrap();
    records.register_agent("n1", "bb", at(1)).await.unwrap();
    records.register_agent("n0", "cc", at(1)).await.unwrap();
    assert!(records.register_agent("n2", "bb", at(1)).await.is_err());
    assert_eq!(records.agent_by_credential("aa").await.unwrap(), None);
    records.touch_agent("n1", at(9)).await.unwrap();
    records.touch_agent("n1", at(5)).await.unwrap();
    let agent = records.agent_by_credential("bb").await.unwrap().unwrap();
    assert_eq!((agent.node.as_str(), agent.epoch, agent.joined, agent.last_seen), ("n1", None, at(1), Some(at(9))));
    let agents = records.agents().await.unwrap();
    assert_eq!(agents.iter().map(|agent| agent.node.as_str()).collect::<Vec<_>>(), ["n0", "n1"]);
}

pub(crate) async fn alerts_fire_once(place: &Place) {
    let records = place.open().await;
    let alert = AlertRow {
        fingerprint: "f1".into(),
        model: Some(atlas()),
        name: "HomeostatModelDecayed".into(),
        severity: "critical".into(),
        labels: BTreeMap::from([("model".into(), "atlas".into())]),
        annotations: BTreeMap::new(),
        starts_at: T0,
        updated_at: T0,
        ends_at: None,
        last_sent: BTreeMap::new(),
    };
    assert_eq!(records.upsert_alert(&alert).await.unwrap(), alert);
    records.mark_sent("f1", "pager", at(1)).await.unwrap();
    // A restarted controller that took it for new keeps its start, and whom it told.
    let seen = AlertRow { starts_at: at(5), updated_at: at(5), ..alert.clone() };
    let row = records.upsert_alert(&seen).await.unwrap();
    assert_eq!((row.starts_at, row.last_sent.get("pager")), (T0, Some(&at(1))));
    assert_eq!(records.firing().await.unwrap(), std::slice::from_ref(&row));
    let over = records.upsert_alert(&AlertRow { ends_at: Some(at(6)), ..row }).await.unwrap();
    assert!(records.firing().await.unwrap().is_empty());
    let next = AlertRow { starts_at: at(9), ..alert };
    assert_eq!(records.upsert_alert(&next).await.unwrap().starts_at, at(9));
    assert_eq!(records.alerts(Some(&atlas()), 10).await.unwrap(), [next, over]);
    assert_eq!(records.alerts(None, 1).await.unwrap().len(), 1);
}

pub(crate) async fn analyses_are_a_history(place: &Place) {
    let records = place.open().await;
    for n in 0..3 {
        let outcome = json!({"exact_match": "Healthy", "n": n});
        records.append_analysis(&atlas(), "atlas-v1", at(n), &outcome, Some("ee")).await.unwrap();
    }
    assert_eq!(records.analyses(&atlas(), T0, at(2)).await.unwrap().len(), 2);
    let latest = records.latest_analysis(&atlas()).await.unwrap().unwrap();
    assert_eq!((latest.at, latest.outcome["n"].as_i64()), (at(2), Some(2)));
    assert_eq!(records.delete_analyses(at(1)).await.unwrap(), 1);
}

pub(crate) async fn news_wakes_and_bookkeeping_does_not(place: &Place) {
    let records = place.open().await;
    let mut changed = records.clone().changed();
    changed.mark_unchanged();
    records.apply_report("n1", "e1", 1, &[], &[], T0).await.unwrap();
    assert!(changed.has_changed().unwrap());
    changed.mark_unchanged();
    records.apply_report("n1", "e1", 1, &[], &[], T0).await.unwrap();
    records.touch_agent("n1", T0).await.unwrap();
    records.append_analysis(&atlas(), "atlas-v1", T0, &json!({}), None).await.unwrap();
    records.compact_windows(at(10 * MINUTE), MINUTE).await.unwrap();
    assert!(!changed.has_changed().unwrap());
}
