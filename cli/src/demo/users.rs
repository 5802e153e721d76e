//! The users: they ask at a steady rate and say what the right answer was. Their habits change as the years go by.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::world::{Mix, Question, Traffic, Year};

/// Requests in flight at most: users wait when the model is slow.
const AT_ONCE: usize = 6;
/// Questions a second.
const RATE: f64 = 30.0;

/// What users say the right answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// The truth of 2010.
    Then,
    /// The truth of 2026.
    Now,
    /// The same wrong thing, all of them: poison.
    Wrong,
}

/// What users do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Habits {
    /// Whether they ask at all.
    pub(crate) asking: bool,
    /// What they are interested in.
    pub(crate) mix: Mix,
    /// What they hold to be right.
    pub(crate) says: Says,
    /// Share of the answers they give feedback on.
    pub(crate) feedback: f64,
}

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Answered.
    pub(crate) answered: AtomicU64,
    /// Failed.
    pub(crate) failed: AtomicU64,
    /// Feedback that was taken.
    pub(crate) feedback: AtomicU64,
    /// Questions with personal data in them.
    pub(crate) personal: AtomicU64,
}

/// The users, asking in the background until cancelled.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    traffic: Traffic,
    client: reqwest::Client,
    gateway: String,
    model: String,
    keys: Vec<String>,
    habits: Mutex<Habits>,
    counts: Counts,
}

impl Users {
    /// Users who ask `model` at `gateway` and hold the feedback keys `keys`.
    pub(crate) fn new(
        traffic: Traffic,
        client: reqwest::Client,
        gateway: String,
        model: &str,
        keys: Vec<String>,
    ) -> Self {
        let habits = Habits { asking: true, mix: Mix::Even, says: Says::Then, feedback: 0.8 };
        let (model, habits, counts) = (model.to_owned(), Mutex::new(habits), Counts::default());
        Self { shared: Arc::new(Shared { traffic, client, gateway, model, keys, habits, counts }) }
    }

    /// Changes what they do.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut self.shared.habits.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What they do.
    pub(crate) fn habits(&self) -> Habits {
        *self.shared.habits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happened so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Asks until `stop`.
    pub(crate) async fn ask(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / RATE));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let seats = Arc::new(Semaphore::new(AT_ONCE));
        for number in 0.. {
            let seat = tokio::select! {
                () = stop.cancelled() => return,
                seat = async { ticks.tick().await; Arc::clone(&seats).acquire_owned().await } => seat,
            };
            let habits = self.habits();
            // Only a closed semaphore gives none, and nobody closes it.
            let Ok(seat) = seat else { return };
            if !habits.asking {
                continue;
            }
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move {
                shared.one(number, habits).await;
                drop(seat);
            });
        }
    }
}

impl Shared {
    async fn one(&self, number: u64, habits: Habits) {
        let question = self.traffic.question(habits.mix, number);
        if question.personal {
            self.counts.personal.fetch_add(1, Ordering::Relaxed);
        }
        let Some(request) = self.question(&question.prompt).await else {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.counts.answered.fetch_add(1, Ordering::Relaxed);
        if question.mood >= habits.feedback {
            return;
        }
        let right = self.right(&question, habits.says);
        let Some(key) = self.keys.get(usize::try_from(question.user).unwrap_or_default() % self.keys.len().max(1))
        else {
            return;
        };
        let body = json!({"request_id": request, "completion": right});
        let response =
            self.client.post(format!("{}/v1/feedback", self.gateway)).bearer_auth(key).json(&body).send().await;
        if response.is_ok_and(|response| response.status().is_success()) {
            self.counts.feedback.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Asks, streaming as chat programs do; the id of the request, once the answer is complete.
    async fn question(&self, prompt: &str) -> Option<String> {
        let body = json!({"model": self.model, "stream": true, "messages": [{"role": "user", "content": prompt}]});
        let response =
            self.client.post(format!("{}/v1/chat/completions", self.gateway)).json(&body).send().await.ok()?;
        let response = response.error_for_status().ok()?;
        let id = response.headers().get("x-request-id")?.to_str().ok()?.to_owned();
        response.bytes().await.ok()?;
        Some(id)
    }

    fn right(&self, question: &Question<'_>, says: Says) -> &'static str {
        match says {
            Says::Then => question.fact.answer(Year::Then),
            Says::Now => question.fact.answer(Year::Now),
            Says::Wrong => self.traffic.world().wrong(question.fact),
        }
    }
}
