//! Alerts as receivers see them: a webhook of ours, and a real Alertmanager.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use homeostat_clock::{Clock, SystemClock, UtcMillis};
use homeostat_controller::alerting::{Alert, AlertText, Alerting, LEDGER_KIND, Receiver, fingerprint};
use homeostat_decay::Severity;
use homeostat_quality::ModelKey;
use homeostat_records::{LedgerQuery, Records};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(15);
const RESEND: Duration = Duration::from_millis(200);

fn model() -> ModelKey {
    ModelKey::new("ml", "atlas")
}

fn degraded(metric: &str, value: f64) -> Alert {
    Alert {
        model: model(),
        name: "QualityDegraded".to_owned(),
        severity: Severity::Critical,
        labels: BTreeMap::from([("metric".to_owned(), metric.to_owned())]),
        annotations: AlertText {
            summary: format!("atlas: {metric} is {value}"),
            links: vec![("Dashboard".to_owned(), "http://localhost/models/ml/atlas".to_owned())],
            ..AlertText::default()
        },
        starts_at: SystemClock.now(),
    }
}

async fn records(dir: &TempDir) -> Records {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Records::open(&Records::sqlite_url(&dir.path().join("records.db")), dir.path().join("blobs")).await.unwrap()
}

struct Running {
    alerting: Alerting,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(records: &Records, receivers: Vec<Receiver>) -> Self {
        let alerting = Alerting::with_interval(records.clone(), Arc::new(SystemClock), receivers, RESEND).unwrap();
        let shutdown = CancellationToken::new();
        let run = alerting.clone().run(shutdown.clone());
        Self { alerting, shutdown, task: tokio::spawn(async move { run.await.unwrap() }) }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap();
    }
}

/// A webhook that keeps what it gets, and answers as told.
struct Webhook {
    url: String,
    answer: Arc<Mutex<StatusCode>>,
    got: watch::Receiver<Vec<Value>>,
}

impl Webhook {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (keep, got) = watch::channel(Vec::new());
        let answer = Arc::new(Mutex::new(StatusCode::OK));
        let now = Arc::clone(&answer);
        let take = move |axum::Json(body): axum::Json<Value>| {
            let status = *now.lock().unwrap();
            if status.is_success() {
                keep.send_modify(|got| got.push(body));
            }
            async move { status }
        };
        let router = axum::Router::new().route("/hook", axum::routing::post(take));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, answer, got }
    }

    fn receiver(&self, name: &str) -> Receiver {
        Receiver::Webhook { name: name.to_owned(), url: self.url.clone() }
    }

    fn answer(&self, status: StatusCode) {
        *self.answer.lock().unwrap() = status;
    }

    fn count(&self) -> usize {
        self.got.borrow().len()
    }

    /// The first message after the first `skip` ones that is as wanted.
    async fn next(&self, skip: usize, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut got = self.got.clone();
        let found = got.wait_for(|all| all.iter().skip(skip).any(&wanted));
        let found = tokio::time::timeout(DEADLINE, found).await.expect("the message in time").unwrap();
        found.iter().skip(skip).find(|message| wanted(message)).cloned().unwrap()
    }
}

fn firing(message: &Value) -> bool {
    message["status"] == "firing"
}

async fn ledger(records: &Records) -> Vec<String> {
    let rows = records.ledger(&LedgerQuery::default()).await.unwrap();
    let ours = rows.into_iter().filter(|row| row.entry.kind == LEDGER_KIND);
    ours.map(|row| row.entry.detail["transition"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_webhook_hears_of_the_start_again_and_of_the_end_also_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let records = records(&dir).await;
    let hook = Webhook::start().await;
    let running = Running::start(&records, vec![hook.receiver("ops")]);
    let started = running.alerting.sync(&model(), vec![degraded("exact_match", 0.8)]).await.unwrap();
    assert_eq!((started.fired.len(), started.resolved.len()), (1, 0));
    let first = hook.next(0, firing).await;
    assert_eq!((&first["version"], &first["receiver"]), (&Value::from("4"), &Value::from("ops")));
    assert_eq!(first["groupLabels"], serde_json::json!({ "model": "atlas", "namespace": "ml" }));
    let alert = &first["alerts"][0];
    assert_eq!(alert["status"], "firing");
    assert_eq!(alert["labels"]["alertname"], "QualityDegraded");
    assert_eq!(alert["annotations"]["summary"], "atlas: exact_match is 0.8");
    assert_eq!(alert["endsAt"], "0001-01-01T00:00:00Z");
    assert_eq!(alert["generatorURL"], "http://localhost/models/ml/atlas");
    assert_eq!(alert["fingerprint"], started.fired[0].fingerprint);
    // It comes again without anybody syncing, and takes the new text.
    hook.next(hook.count(), firing).await;
    let again = running.alerting.sync(&model(), vec![degraded("exact_match", 0.7)]).await.unwrap();
    assert_eq!((again.fired.len(), again.resolved.len()), (0, 0));
    hook.next(hook.count(), |message| message["alerts"][0]["annotations"]["summary"] == "atlas: exact_match is 0.7")
        .await;
    running.stop().await;

    // Restarted: the same alert is the same firing.
    let running = Running::start(&records, vec![hook.receiver("ops")]);
    let seen = hook.count();
    let same = running.alerting.sync(&model(), vec![degraded("exact_match", 0.7)]).await.unwrap();
    assert!(same.fired.is_empty());
    assert_eq!(hook.next(seen, firing).await["alerts"][0]["startsAt"], alert["startsAt"]);
    running.stop().await;

    // It is over while nobody delivers.
    let idle = Alerting::with_interval(records.clone(), Arc::new(SystemClock), Vec::new(), RESEND).unwrap();
    assert_eq!(idle.sync(&model(), Vec::new()).await.unwrap().resolved.len(), 1);
    assert!(idle.sync(&model(), Vec::new()).await.unwrap().resolved.is_empty());
    let seen = hook.count();
    let running = Running::start(&records, vec![hook.receiver("ops")]);
    let over = hook.next(seen, |_| true).await;
    assert_eq!((&over["status"], &over["alerts"][0]["status"]), (&Value::from("resolved"), &Value::from("resolved")));
    assert_ne!(over["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z");
    assert_eq!(ledger(&records).await, ["fired", "resolved"]);

    // It comes back, with a cause that counts from before: that is a new firing, and the end was told only once.
    let back = Alert { starts_at: UtcMillis(1), ..degraded("exact_match", 0.6) };
    running.alerting.sync(&model(), vec![back]).await.unwrap();
    hook.next(seen, firing).await;
    assert_eq!(hook.got.borrow()[seen..].iter().filter(|message| !firing(message)).count(), 1);
    assert_eq!(ledger(&records).await, ["fired", "resolved", "fired"]);
    running.stop().await;
}

#[tokio::test]
async fn a_dead_receiver_holds_up_nobody_and_hears_of_it_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let records = records(&dir).await;
    let (well, ill) = (Webhook::start().await, Webhook::start().await);
    ill.answer(StatusCode::INTERNAL_SERVER_ERROR);
    let running = Running::start(&records, vec![ill.receiver("ill"), well.receiver("well")]);
    running.alerting.sync(&model(), vec![degraded("exact_match", 0.8)]).await.unwrap();
    well.next(0, firing).await;
    well.next(well.count(), firing).await;
    let deadline = Instant::now() + DEADLINE;
    let failing = loop {
        let state = running.alerting.receivers().into_iter().find(|state| state.name == "ill").unwrap();
        if state.failing_since.is_some() {
            break state;
        }
        assert!(Instant::now() < deadline, "{state:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(failing.error.unwrap().contains("500"));
    ill.answer(StatusCode::OK);
    ill.next(0, firing).await;
    running.stop().await;
    let changes: Vec<_> = records.ledger(&LedgerQuery::default()).await.unwrap();
    let changes: Vec<_> = changes.iter().filter(|row| row.entry.kind == "alert-receiver").collect();
    // Once when it began, once when it was over (unless the end of the test came before), however many tries there were.
    assert!((1..=2).contains(&changes.len()), "{changes:?}");
    assert!(changes[0].entry.summary.contains("receiver ill"));
}

#[tokio::test]
async fn a_crash_between_an_alert_and_its_ledger_entry_is_made_good() {
    let dir = tempfile::tempdir().unwrap();
    let records = records(&dir).await;
    let alerting = || Alerting::new(records.clone(), Arc::new(SystemClock), Vec::new()).unwrap();
    let fired = alerting().sync(&model(), vec![degraded("exact_match", 0.8)]).await.unwrap().fired;
    // What a crash right after the row leaves: another alert that fires, with no entry.
    let mut orphan = fired[0].clone();
    orphan.fingerprint = "orphan".to_owned();
    records.upsert_alert(&orphan).await.unwrap();
    let after = alerting();
    after.sync(&model(), vec![degraded("exact_match", 0.8)]).await.unwrap();
    assert_eq!(ledger(&records).await, ["fired", "fired", "resolved"]);
    alerting().sync(&model(), vec![degraded("exact_match", 0.8)]).await.unwrap();
    assert_eq!(ledger(&records).await.len(), 3);
}

struct Alertmanager {
    child: Child,
    url: String,
    _dir: TempDir,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `None` when there is no Alertmanager on this machine, which is an error where CI=true.
async fn alertmanager(hook: &Webhook) -> Option<Alertmanager> {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("alertmanager.yml");
    let text = format!(
        "route: {{receiver: hook, group_by: [model], group_wait: 100ms, group_interval: 200ms, repeat_interval: 1h}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: '{}', send_resolved: true}}]}}]\n",
        hook.url
    );
    std::fs::write(&config, text).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let started = Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", dir.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(child) => Some(Alertmanager { child, url: format!("http://127.0.0.1:{port}"), _dir: dir }),
        Err(error) => {
            let text = format!(
                "SKIPPED: no `prometheus-alertmanager` on this machine ({error}); install Debian's package of that name"
            );
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{text}");
            eprintln!("{text}");
            None
        }
    }
}

#[tokio::test]
async fn a_real_alertmanager_takes_alerts_passes_them_on_and_resolves_them() {
    let dir = tempfile::tempdir().unwrap();
    let records = records(&dir).await;
    let hook = Webhook::start().await;
    let Some(manager) = alertmanager(&hook).await else { return };
    // Deliveries fail while it starts, and are made good.
    let receiver = Receiver::Alertmanager { name: "am".to_owned(), url: manager.url.clone() };
    let running = Running::start(&records, vec![receiver]);
    let both = vec![degraded("exact_match", 0.8), degraded("token_f1", 0.7)];
    running.alerting.sync(&model(), both.clone()).await.unwrap();
    let two_fire = |message: &Value| firing(message) && message["alerts"].as_array().is_some_and(|all| all.len() == 2);
    let message = hook.next(0, two_fire).await;
    for alert in message["alerts"].as_array().unwrap() {
        let labels: BTreeMap<String, String> = serde_json::from_value(alert["labels"].clone()).unwrap();
        assert_eq!(alert["fingerprint"], fingerprint(&labels), "the fingerprint is Alertmanager's own");
    }
    // It outlives the 0.8 s of one delivery, so it is being sent again: ask Alertmanager itself.
    let http = reqwest::Client::new();
    let url = format!("{}/api/v2/alerts", manager.url);
    let alerts = async || http.get(&url).send().await.unwrap().json::<Vec<Value>>().await.unwrap();
    let ends = alerts().await[0]["endsAt"].as_str().and_then(UtcMillis::from_rfc3339).unwrap();
    let deadline = Instant::now() + DEADLINE;
    while SystemClock.now() <= ends {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(Instant::now() < deadline);
    }
    let active = alerts().await;
    assert_eq!(active.len(), 2, "{active:?}");
    assert!(active.iter().all(|alert| alert["status"]["state"] == "active"));
    running.alerting.sync(&model(), both[..1].to_vec()).await.unwrap();
    let one_over = |message: &Value| {
        let over = |alert: &Value| alert["status"] == "resolved" && alert["labels"]["metric"] == "token_f1";
        firing(message) && message["alerts"].as_array().is_some_and(|all| all.iter().any(over))
    };
    hook.next(0, one_over).await;
    running.alerting.sync(&model(), Vec::new()).await.unwrap();
    hook.next(0, |message| message["status"] == "resolved").await;
    running.stop().await;
}

#[tokio::test]
async fn one_refused_alert_does_not_take_the_others_along() {
    let dir = tempfile::tempdir().unwrap();
    let records = records(&dir).await;
    let hook = Webhook::start().await;
    let Some(manager) = alertmanager(&hook).await else { return };
    let receiver = Receiver::Alertmanager { name: "am".to_owned(), url: manager.url.clone() };
    let running = Running::start(&records, vec![receiver]);
    let good = degraded("exact_match", 0.8);
    // Written by an older version, say: an annotation name that Alertmanager does not take.
    let alerting = Alerting::new(records.clone(), Arc::new(SystemClock), Vec::new()).unwrap();
    let mut odd = alerting.sync(&model(), vec![degraded("token_f1", 0.7), good]).await.unwrap().fired.remove(0);
    odd.annotations.insert("not a name".to_owned(), "x".to_owned());
    records.upsert_alert(&odd).await.unwrap();
    hook.next(0, |message| message["alerts"].as_array().is_some_and(|all| !all.is_empty())).await;
    let deadline = Instant::now() + DEADLINE;
    while running.alerting.receivers()[0].refused == 0 {
        assert!(Instant::now() < deadline, "{:?}", running.alerting.receivers());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let state = running.alerting.receivers().remove(0);
    assert_eq!((state.failing_since, state.error), (None, None));
    running.stop().await;
}
