//! Users who ask all the time and say what the right answer is. They remember what was acknowledged.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use homeostat_clock::{Seed, UtcMillis};
use homeostat_quality::{ModelKey, Source};
use homeostat_records::{Records, SampleQuery, WindowQuery};
use rand::RngExt;
use serde_json::{Value, json};

use crate::stage::{FEEDBACK_KEY, MODEL, NAMESPACE, Stage};
use crate::world::Fact;

/// Between two questions of one user.
const PAUSE: Duration = Duration::from_millis(250);
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(20);

/// The users of one model.
pub(crate) struct Users {
    stage: Stage,
    http: reqwest::Client,
    /// How often the world has changed, as far as users know.
    changes: AtomicUsize,
    sent: AtomicU64,
    answered: AtomicU64,
    /// Feedback that was acknowledged: request id and right answer.
    feedback: Mutex<BTreeMap<String, String>>,
}

impl Users {
    pub(crate) fn new(stage: &Stage) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let (changes, sent, answered) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self { stage: stage.clone(), http, changes, sent, answered, feedback: Mutex::default() })
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub(crate) fn learn(&self, changes: usize) {
        self.changes.store(changes, Ordering::Relaxed);
    }

    /// One user, until cancelled. What fails, fails: the kills are meant to.
    pub(crate) async fn ask(&self, seed: &Seed, user: usize) -> anyhow::Result<()> {
        let mut rng = seed.rng(&format!("user/{user}"));
        let facts: Vec<Fact> = Fact::all().collect();
        loop {
            tokio::time::sleep(PAUSE).await;
            let fact = facts[rng.random_range(0..facts.len())];
            let question = fact.asked(rng.random_range(0..6));
            let says = rng.random_range(0..10) < 4;
            let right = fact.answer(self.changes.load(Ordering::Relaxed));
            self.sent.fetch_add(1, Ordering::Relaxed);
            let Ok(id) = self.stream(&question).await else { continue };
            self.answered.fetch_add(1, Ordering::Relaxed);
            if says && self.tell(&id, &right).await.is_ok() {
                self.feedback.lock().unwrap().insert(id, right);
            }
        }
    }

    /// As chat programs ask; the id of the request once the answer is whole.
    async fn stream(&self, question: &str) -> anyhow::Result<String> {
        let response = self.post(question, true).await?;
        let id = response.headers().get("x-request-id").context("no id")?.to_str()?.to_string();
        ensure!(response.text().await?.contains("[DONE]"), "the answer broke off");
        Ok(id)
    }

    async fn tell(&self, request: &str, right: &str) -> anyhow::Result<()> {
        let body = json!({"request_id": request, "completion": right});
        let sent =
            self.http.post(self.stage.gateway("/v1/feedback")).bearer_auth(FEEDBACK_KEY).json(&body).send().await?;
        sent.error_for_status()?;
        Ok(())
    }

    /// The answer to one question.
    pub(crate) async fn answer(&self, question: &str) -> anyhow::Result<String> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let value: Value = self.post(question, false).await?.json().await?;
        let answer = value.pointer("/choices/0/message/content").and_then(Value::as_str).context("no completion")?;
        Ok(answer.trim().to_string())
    }

    async fn post(&self, question: &str, stream: bool) -> anyhow::Result<reqwest::Response> {
        let body = json!({"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": question}]});
        let sent = self.http.post(self.stage.gateway("/v1/chat/completions")).json(&body).send().await?;
        Ok(sent.error_for_status()?)
    }

    /// That all feedback which was acknowledged is in the records, and no request was counted twice.
    pub(crate) async fn check(&self, records: &Records) -> anyhow::Result<()> {
        let model = ModelKey::new(NAMESPACE, MODEL);
        let (from, to) = (UtcMillis(0), UtcMillis(i64::MAX));
        let query = SampleQuery { model: model.clone(), labelled_only: true, from, to, limit: 1_000_000 };
        let samples = records.samples(&query).await?;
        let there: BTreeMap<&str, &str> = samples
            .iter()
            .filter_map(|sample| Some((sample.request_id.as_str(), sample.label.as_ref()?.completion.as_str())))
            .collect();
        let acknowledged = self.feedback.lock().unwrap().clone();
        let lost: Vec<_> =
            acknowledged.iter().filter(|(id, right)| there.get(id.as_str()) != Some(&right.as_str())).collect();
        ensure!(lost.is_empty(), "{} of {} acknowledged feedback are lost: {lost:?}", lost.len(), acknowledged.len());

        let mut query = WindowQuery::new(model, from, to);
        (query.source, query.metrics) = (Some(Source::Traffic), vec!["latency".to_string()]);
        let counted: u64 = records.windows(&query).await?.iter().map(|window| window.sketch.n()).sum();
        let (sent, answered) = (self.sent.load(Ordering::Relaxed), self.answered.load(Ordering::Relaxed));
        println!(
            "users: {sent} questions, {answered} answered, {counted} counted, {} with feedback that was acknowledged",
            acknowledged.len()
        );
        ensure!(counted <= sent, "{counted} answers are counted of {sent} questions");
        // What the agent had not put into a report when it was killed is gone: seconds of each life, not more.
        ensure!(counted * 2 >= answered, "only {counted} answers are counted of {answered}");
        ensure!(!acknowledged.is_empty(), "no feedback was acknowledged");
        Ok(())
    }
}
