//! Kills by a schedule, starts again what a service manager would, and looks at once at what must not be lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, ensure};
use homeostat_clock::{Clock, SystemClock};
use homeostat_crds::Model;
use homeostat_tests::processes::Process;
use homeostat_tests::supervised::Supervised;
use homeostat_tests::wait::wait_for;
use kube::Api;
use tokio::sync::watch;

use crate::objects::Objects;
use crate::reports::{Acknowledged, Left};
use crate::schedule::{Blow, Round, Victim};
use crate::stage::{MODEL, NAMESPACE, Stage};

/// How long a trainer may let wait for itself: the decay has to be found before.
const TRAINING: Duration = Duration::from_secs(600);
/// An engine is back within this, also after the supervisor's longest wait that the schedule can bring about.
const ENGINE: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(40);

/// What was killed and what lived.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// How often whom.
    pub(crate) kills: Mutex<BTreeMap<Victim, usize>>,
    /// Processes that were seen serving each version.
    lives: Mutex<BTreeMap<String, BTreeSet<i32>>>,
    /// Those of them that were killed.
    killed: Mutex<BTreeSet<i32>>,
}

impl Account {
    fn count(&self, victim: Victim) {
        *self.kills.lock().unwrap().entry(victim).or_default() += 1;
    }

    /// That only an engine that was killed was ever followed by another one of its version: no restart of controller or agent
    /// costs a life.
    pub(crate) fn check_lives(&self) -> anyhow::Result<()> {
        let killed = self.killed.lock().unwrap();
        for (version, lives) in &*self.lives.lock().unwrap() {
            let spared = lives.difference(&killed).count();
            println!("  {version} was served by {} processes, {} of them killed", lives.len(), lives.len() - spared);
            ensure!(spared <= 1, "{version} was served by {lives:?}, and only {killed:?} were killed");
        }
        Ok(())
    }
}

/// Kills, and keeps the account.
pub(crate) struct Killer<'a> {
    stage: &'a Stage,
    http: &'a reqwest::Client,
    objects: &'a Objects,
    pub(crate) controller: Supervised,
    pub(crate) agent: Supervised,
    account: &'a Account,
    /// What killed agents left.
    pub(crate) left: Vec<Left>,
}

impl<'a> Killer<'a> {
    /// Starts controller and agent.
    pub(crate) async fn start(
        stage: &'a Stage,
        http: &'a reqwest::Client,
        objects: &'a Objects,
        account: &'a Account,
    ) -> anyhow::Result<Self> {
        let (mut controller, mut agent) = (stage.controller(), stage.agent());
        controller.start()?;
        // The agent needs the controller's certificate authority.
        stage.client().await?;
        let ca = async || stage.controller_data().join("agents-ca.pem").exists().then_some(());
        wait_for("the certificate authority for agents", END, ca).await?;
        agent.start()?;
        stage.open(http).await?;
        Ok(Self { stage, http, objects, controller, agent, account, left: Vec::new() })
    }

    /// Plays the blows of all rounds, each from the moment its loop begins.
    pub(crate) async fn play(&mut self, rounds: &[Round], mut begun: watch::Receiver<usize>) -> anyhow::Result<()> {
        for (number, round) in rounds.iter().enumerate() {
            begun.wait_for(|begun| *begun > number).await?;
            for blow in &round.blows {
                tokio::time::sleep(blow.gap).await;
                self.hit(blow).await.with_context(|| format!("loop {}: {blow:?}", number + 1))?;
            }
        }
        Ok(())
    }

    async fn hit(&mut self, blow: &Blow) -> anyhow::Result<()> {
        self.controller.ensure_well()?;
        self.agent.ensure_well()?;
        match blow.victim {
            Victim::Controller => self.hit_controller(blow.pause).await,
            Victim::Agent => self.hit_agent(blow.pause).await,
            Victim::Both => {
                self.controller.kill_9().await?;
                self.account.count(Victim::Controller);
                // Meanwhile reports pile up in the spool.
                tokio::time::sleep(blow.pause + Duration::from_secs(1)).await;
                self.hit_agent(blow.pause / 2).await?;
                self.controller.start()?;
                self.objects_are_there().await
            }
            Victim::Engine => self.hit_engine(blow.draw).await,
            Victim::Trainer => Ok(()),
        }
    }

    async fn hit_controller(&mut self, pause: Duration) -> anyhow::Result<()> {
        let acknowledged = Acknowledged::now(self.stage).await?;
        self.controller.kill_9().await?;
        self.account.count(Victim::Controller);
        acknowledged.check(self.stage).await?;
        tokio::time::sleep(pause).await;
        self.controller.start()?;
        self.objects_are_there().await
    }

    async fn hit_agent(&mut self, pause: Duration) -> anyhow::Result<()> {
        let (engines, trainers) = (self.stage.engines(), self.stage.trainers());
        self.agent.kill_9().await?;
        let killed = SystemClock.now();
        self.account.count(Victim::Agent);
        let records = self.stage.records().await?;
        let left = Left::look(&self.stage.spool(), killed, &records).await?;
        records.close().await;
        let figures = left.as_ref().map(|left| (left.reports, left.open)).unwrap_or_default();
        println!(
            "  agent killed: {} reports in its spool, {} of them not applied; {} engines and {} trainers go on",
            figures.0,
            figures.1,
            engines.len(),
            trainers.len()
        );
        self.left.extend(left);
        tokio::time::sleep(pause).await;
        self.agent.start()?;
        self.stage.open(self.http).await
    }

    /// One that the version under test in a canary does not answer with: failures would rightly count against it.
    pub(crate) async fn hit_engine(&self, draw: usize) -> anyhow::Result<()> {
        let client = self.stage.client().await?;
        let choose = async || {
            let model = Api::<Model>::namespaced(client.clone(), NAMESPACE).get_opt(MODEL).await.ok().flatten()?;
            let status = model.status.unwrap_or_default();
            let spared =
                status.rollout.and(status.candidate).filter(|candidate| Some(candidate) != status.stable.as_ref());
            let mut engines = self.stage.engines();
            engines.retain(|engine| engine.flag("--model-name") != spared.as_deref());
            (!engines.is_empty()).then(|| engines.swap_remove(draw % engines.len()))
        };
        let engine: Process = wait_for("an engine to kill", ENGINE, choose).await?;
        println!("  engine of {} killed", engine.flag("--model-name").unwrap_or("?"));
        self.account.killed.lock().unwrap().insert(engine.id);
        engine.kill_9();
        self.account.count(Victim::Engine);
        Ok(())
    }

    pub(crate) async fn objects_are_there(&self) -> anyhow::Result<()> {
        let client = self.stage.client().await?;
        let count = self.objects.check(&client).await?;
        println!("  controller is back: {count} acknowledged objects are there");
        Ok(())
    }
}

/// Kills trainers in each round, as soon as there are some. Gives the number of blows that came too late, which somebody else
/// has to take.
pub(crate) async fn kill_trainers(
    stage: &Stage,
    account: &Account,
    rounds: &[Round],
    mut begun: watch::Receiver<usize>,
) -> anyhow::Result<usize> {
    let mut late = 0;
    for (number, round) in rounds.iter().enumerate() {
        begun.wait_for(|begun| *begun > number).await?;
        let mut dead = Vec::new();
        for blow in &round.trainers {
            let fresh = async || stage.trainers().into_iter().find(|trainer| !dead.contains(&trainer.id));
            let trainer = wait_for("a trainer to kill", TRAINING, fresh).await?;
            tokio::time::sleep(blow.gap).await;
            if !stage.trainers().contains(&trainer) {
                println!("  a trainer ended within {} ms", blow.gap.as_millis());
                break;
            }
            trainer.kill_9();
            dead.push(trainer.id);
            account.count(Victim::Trainer);
            println!("  trainer killed {} ms after its start", blow.gap.as_millis());
        }
        late += round.trainers.len() - dead.len();
    }
    Ok(late)
}

/// That never two trainers run at a time; and who serves. Until cancelled.
pub(crate) async fn watch(stage: &Stage, account: &Account) -> anyhow::Result<()> {
    loop {
        let trainers = stage.trainers();
        ensure!(trainers.len() <= 1, "one retraining is under way, and {} trainers run: {trainers:#?}", trainers.len());
        for engine in stage.engines() {
            // Not those that an evaluation has started for itself.
            if let Some(version) = engine.flag("--model-name").filter(|name| *name != "evaluated") {
                account.lives.lock().unwrap().entry(version.to_string()).or_default().insert(engine.id);
            }
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}
