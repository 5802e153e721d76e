//! One performance: the stage is set, the scenario begins, and the demo watches until its expectations are met or cannot
//! be any more.

mod conclusion;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use homeostat_clock::Seed;
use homeostat_crds::conditions::model as condition;
use homeostat_quality::EvaluationItem;
use kube::ResourceExt as _;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::inbox::Received;
use super::manifests::{self, FIRST, Files, GOLDEN_2026, MODEL, NAMESPACE};
use super::memory::Memory;
use super::quiz::Examiner;
use super::report::Report;
use super::scenario::{Check, Event, Script, View, words};
use super::scene::Scene;
use super::timeline::Timeline;
use super::users::{Says, Users};
use super::world::{Fact, Traffic, World, Year, golden_2010, golden_2026};
use super::{DemoArgs, Host, Outcome, base, faults};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(200);
/// The model must be Ready with a frozen baseline within this time.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// Where the demo's chance comes from: the same users ask the same questions each time.
const SEED: u64 = 2026;

/// Plays the scenario of `args`.
pub(super) async fn play(args: DemoArgs, host: Host) -> anyhow::Result<Outcome> {
    let script = args.scenario.script();
    let mut timeline = Timeline::new();
    timeline.print(&format!("Homeostat demo, scenario {}: {}.", script.name, script.about));
    timeline.print(&format!("  dashboard   {}", host.dashboard_link));
    timeline.print(&format!("  kubectl     export KUBECONFIG={}", host.kubeconfig.display()));
    timeline.print(&format!("  gateway     {}/v1 (model {MODEL})", host.gateway));
    timeline.policy();
    let world = World::new();
    let base = base::train(&host.engine_program, &args.cache, &world, &mut timeline, &host.shutdown).await?;
    let mut report = Report { scenario: script.name.to_owned(), ..Report::default() };
    report.seconds.base_training = Some(base.seconds);
    let kept = if base.seconds == 0.0 {
        "kept from an earlier run".to_owned()
    } else {
        format!("trained in {:.0} s", base.seconds)
    };
    timeline.tell(&format!("the first model is there ({kept}), artifact {}", &base.digest[..12]), "");

    let seed = Seed::fixed(SEED);
    let files = Files::write(&host.data, &world)?;
    let keys = manifests::keys(&seed);
    manifests::apply(&host.client, &files, &base, script, &keys).await?;
    timeline.tell(
        "Model, first version, data sets and policies are applied",
        &format!("kubectl -n {NAMESPACE} get homeostat"),
    );

    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build()?;
    let keys = keys.into_iter().map(|(_, key)| key).collect();
    let users = Users::new(Traffic::new(world.clone(), seed), client.clone(), host.gateway.clone(), MODEL, keys);
    let stop = host.shutdown.child_token();
    let asking = tokio::spawn(users.clone().ask(stop.clone()));
    let examiner = Examiner::new(client.clone(), host.gateway.clone(), MODEL);
    let mut stage = Stage {
        script,
        host,
        world,
        client,
        users,
        examiner,
        timeline,
        memory: Memory::default(),
        scene: Scene::default(),
        alerts: Vec::new(),
        received: 0,
        causes: BTreeSet::new(),
        onset: None,
        alert: None,
        promoted: None,
        faulted: false,
        report,
    };
    let outcome = stage.perform(&args).await;
    stop.cancel();
    asking.await.context("the users' task broke off")?;
    outcome
}

struct Stage {
    script: &'static Script,
    host: Host,
    world: World,
    client: reqwest::Client,
    users: Users,
    examiner: Examiner,
    timeline: Timeline,
    memory: Memory,
    scene: Scene,
    /// Names of the alerts since the onset.
    alerts: Vec<String>,
    /// How many messages of the inbox are read.
    received: usize,
    /// Causes since the onset.
    causes: BTreeSet<String>,
    onset: Option<Instant>,
    alert: Option<Instant>,
    promoted: Option<Instant>,
    /// Whether the candidate's engine got its fault.
    faulted: bool,
    report: Report,
}

impl Stage {
    async fn perform(&mut self, args: &DemoArgs) -> anyhow::Result<Outcome> {
        let verdict = match self.until_ready().await? {
            Some(problem) => Err(problem),
            None => self.scenario().await?,
        };
        let (passed, why) = match verdict {
            Ok(why) => (true, why),
            Err(why) => (false, why),
        };
        self.timeline.finish();
        self.conclude(passed, &why).await;
        if let Some(path) = &args.report {
            self.report.write(path)?;
            self.timeline.print(&format!("figures written to {}", path.display()));
        }
        if !args.once && !self.host.shutdown.is_cancelled() {
            self.timeline.print("Users go on asking; Ctrl-C ends everything.");
            while !self.host.shutdown.is_cancelled() {
                self.look().await?;
                self.pause().await;
            }
        }
        Ok(Outcome { passed, why, report: self.report.clone() })
    }

    /// Waits until the model is Ready and its baseline frozen; a problem when it does not come to that.
    async fn until_ready(&mut self) -> anyhow::Result<Option<String>> {
        let since = Instant::now();
        loop {
            self.look().await?;
            let ready = self.scene.model_condition(condition::READY).is_some_and(|held| held.status == "True");
            let frozen = self.scene.version(FIRST).and_then(|version| version.status.as_ref()?.baseline.as_ref());
            if ready && frozen.is_some() {
                return Ok(None);
            }
            if self.host.shutdown.is_cancelled() {
                return Ok(Some("it was interrupted before the model was ready".to_owned()));
            }
            if since.elapsed() > READY_WITHIN {
                let state = self.scene.model_condition(condition::READY);
                let state = state.map(|held| format!("Ready={} ({}): {}", held.status, held.reason, held.message));
                return Ok(Some(format!(
                    "the model was not Ready with a frozen baseline within {} s; {}",
                    READY_WITHIN.as_secs(),
                    state.unwrap_or_else(|| "it has no condition Ready".to_owned())
                )));
            }
            self.pause().await;
        }
    }

    /// From the examination before the onset to the end; what was shown, or what was not.
    async fn scenario(&mut self) -> anyhow::Result<Result<String, String>> {
        let (changed, retained) = self.examine(Year::Then).await;
        self.report.exact_match.baseline = changed;
        self.report.retained_skill.before = retained;
        let figures = format!("changed facts {}, others {}", shown(changed), shown(retained));
        self.timeline.tell(&format!("examined with the references of 2010: exact match on the {figures}"), "");

        self.begin().await?;
        let decayed =
            self.script.onset.contains(&Event::NewReferences).then(|| self.in_background(self.items(Year::Now, true)));
        let ended = self.watch().await?;
        if let Some(task) = decayed {
            self.report.exact_match.decayed = task.await?;
        }
        if let Err(problem) = ended {
            return Ok(Err(problem));
        }
        let year = if self.script.onset.contains(&Event::NewReferences) { Year::Now } else { Year::Then };
        if !self.users.habits().asking {
            return Ok(Ok(format!("seen: {}", words(self.script.expects))));
        }
        let (changed, retained) = self.examine(year).await;
        self.report.exact_match.recovered = changed;
        self.report.retained_skill.after = retained;
        let figures = format!("changed facts {}, others {}", shown(changed), shown(retained));
        self.timeline.tell(&format!("examined at the end: exact match on the {figures}"), "");
        Ok(if self.script.recovers { self.recovery() } else { Ok(format!("seen: {}", words(self.script.expects))) })
    }

    /// Lets the scenario's events happen.
    async fn begin(&mut self) -> anyhow::Result<()> {
        self.onset = Some(Instant::now());
        // Alerts from before belong to no scenario.
        self.received += self.host.inbox.after(self.received).len();
        for event in self.script.onset {
            let (what, see) = self.happen(*event).await?;
            self.timeline.tell(&format!("ONSET: {what}"), &see);
        }
        Ok(())
    }

    async fn happen(&mut self, event: Event) -> anyhow::Result<(String, String)> {
        let spec = format!("kubectl -n {NAMESPACE} get model {MODEL} -o yaml");
        Ok(match event {
            Event::NewReferences => {
                let golden = json!([{"name": "atlas-golden-2010"}, {"name": GOLDEN_2026}]);
                manifests::patch_model(&self.host.client, json!({"evaluation": {"golden": golden}})).await?;
                let facts = self.world.changed().count();
                (format!("the curators of the golden set bring the answers of 2026: {facts} facts have changed"), spec)
            }
            Event::Interests(mix) => {
                self.users.change(|habits| habits.mix = mix);
                ("what people ask changes".to_owned(), String::new())
            }
            Event::Feedback(says) => {
                self.users.change(|habits| habits.says = says);
                let what = match says {
                    Says::Then => "feedback says what was right in 2010",
                    Says::Now => "feedback says what is right in 2026",
                    Says::Wrong => "feedback is poisoned: every key says the same wrong answers",
                };
                (what.to_owned(), String::new())
            }
            Event::Xid(node, code) => {
                let (name, gpus) = self.host.gpu_faults.get(node).context("the host has no such simulated GPU")?;
                gpus.inject_xid(0, code, self.host.clock.now(), "GPU has fallen off the bus");
                (format!("the GPU of {name} reports XID {code}"), format!("kubectl describe hgn {name}"))
            }
            Event::Corrupt(node) => {
                let (name, _) = self.host.gpu_faults.get(node).context("the host has no such node")?;
                let endpoints = self.scene.endpoints(FIRST, Some(name));
                let Some(endpoint) = endpoints.first() else { bail!("no engine of {FIRST} serves on {name}") };
                let fault = faults::EngineFault { corrupt_weights: 0.3, ..faults::EngineFault::default() };
                faults::inject(&self.client, endpoint, fault).await?;
                (
                    format!("the weights of the replica on {name} rot"),
                    format!("kubectl -n {NAMESPACE} describe hmv {FIRST}"),
                )
            }
            Event::UsersLeave => {
                self.users.change(|habits| habits.asking = false);
                ("users stop asking".to_owned(), String::new())
            }
            Event::ProbesStop => {
                manifests::patch_model(&self.host.client, json!({"evaluation": {"probesPerSecond": 0.0}})).await?;
                ("the prober is told to rest".to_owned(), spec)
            }
        })
    }

    /// Watches until all expectations are met for as long as they must be, or one of what may not come does.
    async fn watch(&mut self) -> anyhow::Result<Result<(), String>> {
        let since = Instant::now();
        let mut met: Option<Instant> = None;
        // What came and went counts as seen.
        let mut seen: Vec<Check> = Vec::new();
        loop {
            self.look().await?;
            self.break_candidate().await?;
            let view = View { scene: &self.scene, alerts: &self.alerts, causes: &self.causes };
            if let Some(check) = self.script.never.iter().find(|check| check.holds(&view)) {
                return Ok(Err(format!("there was {}, which must not be", check.words())));
            }
            let new: Vec<Check> = self
                .script
                .expects
                .iter()
                .copied()
                .filter(|check| !seen.contains(check) && check.holds(&view))
                .collect();
            seen.extend(new);
            let missing: Vec<Check> =
                self.script.expects.iter().copied().filter(|check| !seen.contains(check)).collect();
            if missing.is_empty() && met.get_or_insert_with(Instant::now).elapsed() >= self.script.linger {
                return Ok(Ok(()));
            }
            if self.host.shutdown.is_cancelled() {
                return Ok(Err("it was interrupted".to_owned()));
            }
            if since.elapsed() > self.script.patience {
                let patience = self.script.patience.as_secs();
                return Ok(Err(format!("within {patience} s there was not: {}", words(&missing))));
            }
            self.pause().await;
        }
    }

    /// Looks at objects, alerts and memory once, and tells what is new.
    async fn look(&mut self) -> anyhow::Result<()> {
        let scene = Scene::look(&self.host.client).await.context("the demo cannot read its objects")?;
        let news = scene.news(&self.scene);
        let before = std::mem::replace(&mut self.scene, scene);
        for news in news {
            self.timeline.tell(&news.what, &news.see);
        }
        match self.scene.training() {
            Some((run, step, steps, note)) => self.timeline.progress(&run, step, steps, &note),
            None if before.training().is_some() => self.timeline.finish(),
            None => {}
        }
        let received = self.host.inbox.after(self.received);
        self.received += received.len();
        received.iter().for_each(|alert| self.hear(alert));
        if self.onset.is_some() {
            self.causes.extend(self.scene.cause().map(str::to_owned));
            let promoted = self.scene.stable().is_some_and(|stable| stable != FIRST);
            self.promoted = self.promoted.or(promoted.then(Instant::now));
        }
        self.memory.look();
        Ok(())
    }

    fn hear(&mut self, alert: &Received) {
        let state = if alert.firing { "ALERT" } else { "alert over:" };
        self.timeline.tell(&format!("{state} {}: {}", alert.name, alert.summary), "dashboard, page alerts");
        if self.onset.is_none() || !alert.firing {
            return;
        }
        self.alert.get_or_insert(alert.at);
        if !self.alerts.contains(&alert.name) {
            self.alerts.push(alert.name.clone());
        }
    }

    /// Lets the candidate's engine fail once its canary has begun, where the script says so.
    async fn break_candidate(&mut self) -> anyhow::Result<()> {
        let Some(fault) = self.script.canary_fault.filter(|_| !self.faulted) else { return Ok(()) };
        let Some(candidate) = self.scene.candidate_in_canary().map(|version| version.name_any()) else { return Ok(()) };
        for endpoint in self.scene.endpoints(&candidate, None) {
            faults::inject(&self.client, &endpoint, fault).await?;
            self.faulted = true;
        }
        if self.faulted {
            let (percent, millis) = (fault.error_rate * 100.0, fault.latency_ms);
            self.timeline.tell(
                &format!("{candidate} becomes slow ({millis} ms more) and fails {percent:.0} % of its requests"),
                "",
            );
        }
        Ok(())
    }

    /// The shares answered right now: on the facts that changed, by the references of `year`, and on the others.
    async fn examine(&self, year: Year) -> (Option<f64>, Option<f64>) {
        let [changed, others] = self.examiner.shares_right([&self.items(year, true), &self.items(year, false)]).await;
        (changed, others)
    }

    /// The probes about the facts that changed, or about the others, with the references of `year`.
    fn items(&self, year: Year, changed: bool) -> Vec<EvaluationItem> {
        if changed && year == Year::Now {
            return golden_2026(&self.world);
        }
        let id = |fact: &'_ Fact| fact.id.clone();
        let ids: Vec<String> =
            if changed { self.world.changed().map(id).collect() } else { self.world.retained().map(id).collect() };
        let about =
            |item: &EvaluationItem| item.id.rsplit_once('/').is_some_and(|(fact, _)| ids.iter().any(|id| id == fact));
        golden_2010(&self.world).into_iter().filter(about).collect()
    }

    fn in_background(&self, items: Vec<EvaluationItem>) -> JoinHandle<Option<f64>> {
        let examiner = self.examiner.clone();
        tokio::spawn(async move { examiner.share_right(&items).await })
    }

    async fn pause(&self) {
        let stopped: &CancellationToken = &self.host.shutdown;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stopped.cancelled() => {}
        }
    }
}

fn shown(share: Option<f64>) -> String {
    share.map_or_else(|| "not measured".to_owned(), |share| format!("{share:.3}"))
}
