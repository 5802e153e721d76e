//! Thirty kills -9 over three loops. A model decays three times and is retrained three times, while controller, agent, engines
//! and trainers are killed at random moments, drawn from a seed (`HOMEOSTAT_KILLS_SEED` chooses another one). Controller and
//! agent are started again as a service manager would; engines and trainers are the product's own to bring back.
//!
//! Whatever was acknowledged must be there afterwards, no retraining may be doubled, and each loop must end.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use homeostat_clock::Seed;
use homeostat_crds::{Dataset, Model, ModelVersion, RetrainingRun};
use homeostat_records::WorkPhase;
use homeostat_tests::tls;
use homeostat_tests::wait::wait_for;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::sync::watch;

use crate::killer::{Account, Killer, kill_trainers, watch as watch_processes};
use crate::objects::Objects;
use crate::schedule::{Round, Victim};
use crate::stage::{Clearing, MODEL, NAMESPACE, Stage};
use crate::users::Users;
use crate::world::{CHANGES, Fact, Files};

#[path = "kills/killer.rs"]
mod killer;
#[path = "kills/objects.rs"]
mod objects;
#[path = "kills/reports.rs"]
mod reports;
#[path = "kills/schedule.rs"]
mod schedule;
#[path = "kills/stage.rs"]
mod stage;
#[path = "kills/users.rs"]
mod users;
#[path = "kills/world.rs"]
mod world;

/// A loop takes about 100 s; this is for a machine that does other things as well.
const LOOP: Duration = Duration::from_secs(600);
const BASELINE: Duration = Duration::from_secs(120);
const END: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_kills_over_three_loops_lose_nothing_and_double_nothing() {
    tls();
    let number = std::env::var("HOMEOSTAT_KILLS_SEED").map_or(1, |text| text.parse().unwrap());
    println!("HOMEOSTAT_KILLS_SEED={number}");
    let seed = Seed::fixed(number);
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::new(folder.path(), Path::new(env!("CARGO_BIN_EXE_homeostat-under-test")), &seed).unwrap();
    let _clearing = Clearing(stage.clone());
    if let Err(error) = play(&stage, &seed).await {
        for log in ["controller.log", "agent.log"] {
            let text = std::fs::read_to_string(stage.folder.join(log)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().rev().take(60).collect();
            println!("== {log}\n{}", lines.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
        panic!("seed {number}: {error:#}");
    }
}

async fn play(stage: &Stage, seed: &Seed) -> anyhow::Result<()> {
    let data = stage.folder.join("world");
    let files: Vec<Files> = (0..=CHANGES).map(|changes| world::write(&data, changes)).collect::<Result<_, _>>()?;
    let started = Instant::now();
    let program = Path::new(env!("CARGO_BIN_EXE_homeostat-under-test"));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kills-cache");
    let first = stage::first_version(program, &cache, &files[0]).await?;
    println!("{:6.1} s  the first version is trained", started.elapsed().as_secs_f64());

    let (objects, users, account) = (Objects::default(), Users::new(stage)?, Account::default());
    let mut killer = Killer::start(stage, users.http(), &objects, &account).await?;
    let client = stage.client().await?;
    stage::declare(&client, &files[0], &first).await?;
    let models: Api<Model> = Api::namespaced(client.clone(), NAMESPACE);
    wait_for("the baseline of the first version", BASELINE, async || settled(&client, "").await).await?;
    println!("{:6.1} s  it serves, its baseline is frozen", started.elapsed().as_secs_f64());

    let rounds: Vec<Round> = (1..=CHANGES).map(|round| Round::draw(seed, round)).collect();
    let (begin, begun) = watch::channel(0);
    let loops = async {
        for change in 1..=CHANGES {
            begin.send_replace(change);
            let result = turn(&client, &users, &files, change).await;
            if result.is_err() {
                println!("{:#}", json!(models.get(MODEL).await.ok().and_then(|model| model.status)));
            }
            let version = result.with_context(|| format!("loop {change}"))?;
            println!("{:6.1} s  loop {change} has ended: {version} serves", started.elapsed().as_secs_f64());
        }
        Ok::<(), anyhow::Error>(())
    };
    let playing = async {
        tokio::try_join!(
            loops,
            killer.play(&rounds, begun.clone()),
            kill_trainers(stage, &account, &rounds, begun.clone())
        )
    };
    let asking = three_users(&users, seed);
    let late = tokio::select! {
        played = playing => played?.2,
        Err(failed) = watch_processes(stage, &account) => return Err(failed),
        Err(failed) = objects.write(client.clone()) => return Err(failed),
        Err(failed) = asking => return Err(failed),
    };
    for draw in 0..late {
        killer.hit_engine(draw).await?;
    }
    println!("{:6.1} s  all kills are played: {:?}", started.elapsed().as_secs_f64(), account.kills.lock().unwrap());
    check_kills(&account.kills.lock().unwrap())?;
    account.check_lives()?;
    knows(&users, CHANGES).await?;

    let engines = found_again(stage, &mut killer).await?;
    check_objects(&client).await?;
    end(stage, &mut killer).await?;
    ensure!(stage.engines() == engines, "engines outlive their agent: {:#?} are {:#?}", engines, stage.engines());
    for engine in engines {
        engine.kill_9();
    }
    wait_for("the end of all processes", END, async || stage.processes().is_empty().then_some(())).await?;

    let records = stage.records().await?;
    for left in &killer.left {
        left.check(&records).await?;
    }
    users.check(&records).await?;
    check_work(&records).await?;
    records.close().await;
    let verified = stage.homeostat(&["audit", "verify"]).await?;
    ensure!(verified.contains("the chain holds"), "{verified}");
    let (reports, open) = killer.left.iter().fold((0, 0), |sum, left| (sum.0 + left.reports, sum.1 + left.open));
    println!(
        "{:6.1} s  {reports} reports were found in spools of killed agents, {open} of them not yet applied; all are there once",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn three_users(users: &Users, seed: &Seed) -> anyhow::Result<()> {
    let (first, second, third) = (users.ask(seed, 0), users.ask(seed, 1), users.ask(seed, 2));
    tokio::try_join!(first, second, third).map(|_| ())
}

/// One loop: the world changes, and the model follows. The name of the new version.
async fn turn(client: &kube::Client, users: &Users, files: &[Files], change: usize) -> anyhow::Result<String> {
    let models: Api<Model> = Api::namespaced(client.clone(), NAMESPACE);
    let datasets: Api<Dataset> = Api::namespaced(client.clone(), NAMESPACE);
    let before = wait_for("the model", END, async || settled(client, "").await).await?;
    let made = async || stage::create_datasets(client, &files[change], change).await.ok();
    wait_for("the new data to be declared", END, made).await?;
    let ready = async || {
        for name in ["records", "golden"] {
            let dataset = datasets.get(&format!("{name}-{change}")).await.ok()?;
            dataset.status.filter(|status| !status.blobs.is_empty())?;
        }
        Some(())
    };
    wait_for("the new data to be read", END, ready).await?;
    users.learn(change);
    let golden: Vec<_> = (0..=change).map(|number| json!({"name": format!("golden-{number}")})).collect();
    let patch = Patch::Merge(json!({"spec": {
        "evaluation": {"golden": golden}, "retraining": {"dataset": {"name": format!("records-{change}")}},
    }}));
    let patched = async || models.patch(MODEL, &PatchParams::default(), &patch).await.ok();
    wait_for("the new references to be declared", END, patched).await?;
    println!("loop {change}: the world has changed");
    let version = wait_for("a new version with its baseline", LOOP, async || settled(client, &before).await).await?;
    knows(users, change).await?;
    Ok(version)
}

/// The stable version, if it is another than `before`, has its baseline, and nothing is on its way.
async fn settled(client: &kube::Client, before: &str) -> Option<String> {
    let model = Api::<Model>::namespaced(client.clone(), NAMESPACE).get(MODEL).await.ok()?;
    let status = model.status?;
    let stable = status.stable.filter(|stable| stable != before)?;
    let version = Api::<ModelVersion>::namespaced(client.clone(), NAMESPACE).get(&stable).await.ok()?;
    (status.candidate.is_none() && version.status?.baseline.is_some()).then_some(stable)
}

/// That users get the new answers through the gateway.
async fn knows(users: &Users, changes: usize) -> anyhow::Result<()> {
    let facts: Vec<Fact> = (1..=changes).flat_map(Fact::changed_by).collect();
    let mut right = 0;
    for fact in &facts {
        let question = fact.asked(0);
        // The kills go on: who is not answered asks again.
        let answer = wait_for("an answer", END, async || users.answer(&question).await.ok()).await?;
        right += usize::from(answer == fact.answer(changes));
    }
    println!("  {right} of {} new facts are answered rightly after change {changes}", facts.len());
    ensure!(
        right * 10 >= facts.len() * 7,
        "only {right} of {} new facts are known after change {changes}",
        facts.len()
    );
    Ok(())
}

/// An agent that was told to end leaves its engines, and the next one finds the very same; so does a new controller.
async fn found_again(
    stage: &Stage,
    killer: &mut Killer<'_>,
) -> anyhow::Result<Vec<homeostat_tests::processes::Process>> {
    let only = async || Some(stage.engines()).filter(|engines| engines.len() == 1);
    let engines = wait_for("the engine of the stable version to be the only one", END, only).await?;
    end(stage, killer).await?;
    killer.controller.start()?;
    killer.objects_are_there().await?;
    killer.agent.start()?;
    let drained = async || {
        let records = stage.records().await.ok()?;
        let spool = std::fs::read_dir(stage.spool()).ok()?.flatten().count();
        records.close().await;
        // Only the name of the epoch is left.
        (spool == 1).then_some(())
    };
    wait_for("all reports to be acknowledged", END, drained).await?;
    ensure!(stage.engines() == engines, "the engine was not found again: {engines:#?}, now {:#?}", stage.engines());
    Ok(engines)
}

async fn end(stage: &Stage, killer: &mut Killer<'_>) -> anyhow::Result<()> {
    let agent = killer.agent.end(END).await?;
    ensure!(agent.success(), "the agent ended with {agent}");
    let controller = killer.controller.end(END).await?;
    ensure!(controller.success(), "the controller ended with {controller}");
    ensure!(stage.trainers().is_empty(), "a trainer is left: {:#?}", stage.trainers());
    Ok(())
}

fn check_kills(kills: &BTreeMap<Victim, usize>) -> anyhow::Result<()> {
    let of = |victim| kills.get(&victim).copied().unwrap_or(0);
    let enough =
        of(Victim::Controller) == 9 && of(Victim::Agent) == 9 && of(Victim::Engine) >= 6 && of(Victim::Trainer) >= 3;
    ensure!(enough && kills.values().sum::<usize>() == 30, "not the thirty kills that were drawn: {kills:?}");
    Ok(())
}

/// One retraining for each decay, and one version of each.
async fn check_objects(client: &kube::Client) -> anyhow::Result<()> {
    let all = ListParams::default();
    let runs = Api::<RetrainingRun>::namespaced(client.clone(), NAMESPACE).list(&all).await?.items;
    let mut causes = BTreeSet::new();
    for run in &runs {
        let status = run.status.clone().unwrap_or_default();
        let complete = status.conditions.iter().find(|condition| condition.type_ == "Complete");
        let reason = complete.map(|condition| (condition.reason.as_str(), condition.message.as_str()));
        println!("  {} of {}: {reason:?}, attempt {}", run.name_any(), run.spec.parent, status.attempt);
        ensure!(run.spec.cause == "ModelDecay", "{} was caused by {}", run.name_any(), run.spec.cause);
        let key = (run.spec.parent.clone(), run.spec.data.clone(), run.spec.configuration.clone());
        ensure!(causes.insert(key), "{} doubles another run: {runs:#?}", run.name_any());
        ensure!(reason.is_some_and(|(reason, _)| reason == "Succeeded"), "{}: {reason:?}", run.name_any());
    }
    ensure!(runs.len() == CHANGES, "{CHANGES} decays, {} retrainings", runs.len());
    let versions = Api::<ModelVersion>::namespaced(client.clone(), NAMESPACE).list(&all).await?.items;
    ensure!(versions.len() == CHANGES + 1, "{} versions", versions.len());
    Ok(())
}

/// Each piece of work was done once: only its last attempt succeeded, and those before it ended for a reason.
async fn check_work(records: &homeostat_records::Records) -> anyhow::Result<()> {
    let open = records.open_work(None).await?;
    ensure!(open.is_empty(), "work is left: {open:#?}");
    let ledger = records.ledger(&homeostat_records::LedgerQuery { limit: 100_000, ..Default::default() }).await?;
    let started: Vec<&str> = ledger
        .iter()
        .filter(|row| row.entry.detail["what"] == "RetrainingStarted")
        .map(|row| row.entry.summary.as_str())
        .collect();
    println!("  the ledger has {} entries: {started:#?}", ledger.len());
    let names: BTreeSet<String> = ledger
        .iter()
        .filter_map(|row| row.entry.detail.pointer("/action/name")?.as_str().map(str::to_string))
        .collect();
    ensure!(names.len() == CHANGES, "{CHANGES} retrainings, the ledger tells of {names:?}");
    for run in names {
        let mut succeeded: BTreeMap<String, usize> = BTreeMap::new();
        for row in records.work_of_run(&run).await? {
            match row.phase {
                WorkPhase::Succeeded => *succeeded.entry(row.item.kind).or_default() += 1,
                WorkPhase::Failed if !row.reason.is_empty() => {
                    println!("  {} failed: {} {}", row.item.id, row.reason, row.message);
                }
                phase => bail!("{} is {phase}", row.item.id),
            }
        }
        let stages: Vec<&str> = succeeded.keys().map(String::as_str).collect();
        ensure!(succeeded.values().all(|times| *times == 1), "{run}: done more than once: {succeeded:?}");
        ensure!(["curate", "evaluate", "train"].iter().all(|stage| stages.contains(stage)), "{run}: {stages:?}");
    }
    Ok(())
}
