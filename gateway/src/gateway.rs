use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use futures::future::BoxFuture;
use homeostat_clock::{Clock, Rng, Seed, UtcMillis};
use homeostat_quality::{ModelKey, Sample, Source, Window};
use rand::Rng as _;

use crate::guard::Found;
use crate::recent::Recent;
use crate::{Config, Counters, GuardCount, Meter, RequestCount, Subject, completions, feedback, models};

/// Largest request body in bytes.
pub(crate) const MOST_BODY: usize = 4 * 1024 * 1024;

/// Becomes true once what was handed over outlives a crash, false when it could not be kept.
pub type Keeping = BoxFuture<'static, bool>;

/// Takes what the gateway has measured. Called from request handling: hand over and return.
pub trait Sink: Send + Sync {
    /// Windows that have closed.
    fn windows(&self, windows: Vec<Window>);
    /// A redacted sample of a request that `replica` answered. The same request id again replaces the earlier sample.
    fn sample(&self, replica: &str, sample: Sample);
    /// The same for a sample that somebody waits for: a user's feedback is acknowledged when it is kept, not before.
    fn keep(&self, replica: &str, sample: Sample) -> Keeping;
}

/// Why there is no gateway.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The HTTP client cannot be built.
    #[error("the gateway's HTTP client cannot be built: install the ring TLS provider before")]
    Client(#[source] reqwest::Error),
}

/// The gateway; clones share everything.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    rng: Mutex<Rng>,
    sink: Arc<dyn Sink>,
    client: reqwest::Client,
    config: ArcSwap<Config>,
    meter: Mutex<Meter>,
    recent: Mutex<Recent>,
    counters: Mutex<Counters>,
    in_flight: Mutex<BTreeMap<String, u64>>,
}

impl Gateway {
    /// A gateway without routes.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(clock: Arc<dyn Clock>, seed: &Seed, sink: Arc<dyn Sink>) -> Result<Self, GatewayError> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .build()
            .map_err(GatewayError::Client)?;
        let config = Config::default();
        Ok(Self {
            shared: Arc::new(Shared {
                clock,
                rng: Mutex::new(seed.rng("gateway")),
                sink,
                client,
                meter: Mutex::new(Meter::new(config.window)),
                config: ArcSwap::from_pointee(config),
                recent: Mutex::default(),
                counters: Mutex::default(),
                in_flight: Mutex::default(),
            }),
        })
    }

    /// Replaces the configuration. Requests in flight end under the old one.
    pub fn configure(&self, config: Config) {
        lock(&self.shared.meter).set_step(config.window);
        self.shared.config.store(Arc::new(config));
    }

    /// The HTTP endpoints.
    pub fn router(&self) -> axum::Router {
        axum::Router::new()
            .route("/v1/chat/completions", post(completions::chat))
            .route("/v1/completions", post(completions::text))
            .route("/v1/models", get(models::list))
            .route("/v1/feedback", post(feedback::give))
            .route("/health", get(models::health))
            .layer(DefaultBodyLimit::max(MOST_BODY))
            .with_state(self.clone())
    }

    /// Hands over the windows that have ended and forgets what is too old. Call it about once a second.
    pub fn tick(&self) {
        let now = self.now();
        let closed = lock(&self.shared.meter).close(now);
        self.hand_over(closed);
        let age = self.config().limits.feedback_age;
        lock(&self.shared.recent).forget(now, age);
    }

    /// Hands over all windows, also open ones: for a shutdown.
    pub fn flush(&self) {
        let all = lock(&self.shared.meter).close_all();
        self.hand_over(all);
    }

    /// Requests that are being answered by `replica`.
    #[must_use]
    pub fn in_flight(&self, replica: &str) -> u64 {
        lock(&self.shared.in_flight).get(replica).copied().unwrap_or(0)
    }

    /// Requests that `replica` has answered so far: while this grows, the engine makes progress.
    #[must_use]
    pub fn answered(&self, replica: &str) -> u64 {
        let counters = lock(&self.shared.counters);
        let of = |count: &&RequestCount| count.replica == replica && count.outcome == "ok";
        counters.requests.keys().filter(of).filter_map(|count| counters.requests.get(count)).sum()
    }

    /// What has happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = lock(&self.shared.counters).clone();
        counters.left_out = lock(&self.shared.meter).left_out();
        counters
    }

    pub(crate) fn config(&self) -> Arc<Config> {
        self.shared.config.load_full()
    }

    pub(crate) fn now(&self) -> UtcMillis {
        self.shared.clock.now()
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.shared.client
    }

    pub(crate) fn rng(&self) -> MutexGuard<'_, Rng> {
        lock(&self.shared.rng)
    }

    pub(crate) fn recent(&self) -> MutexGuard<'_, Recent> {
        lock(&self.shared.recent)
    }

    /// An id that is not used twice, also after a restart with the same seed.
    pub(crate) fn request_id(&self, now: UtcMillis) -> String {
        format!("req-{:x}-{:016x}", now.0, self.rng().next_u64())
    }

    pub(crate) fn observe(&self, subject: &Subject, source: Source, values: &[(&str, f64)]) {
        let now = self.now();
        let mut meter = lock(&self.shared.meter);
        for (metric, value) in values {
            meter.observe(subject, source, metric, *value, now);
        }
        let closed = meter.close(now);
        drop(meter);
        self.hand_over(closed);
    }

    pub(crate) fn count(&self, subject: &Subject, outcome: &'static str) {
        let key = RequestCount {
            model: subject.model.to_string(),
            version: subject.version.clone(),
            replica: subject.replica.clone(),
            outcome,
        };
        *lock(&self.shared.counters).requests.entry(key).or_default() += 1;
    }

    pub(crate) fn count_guarded(&self, model: &ModelKey, side: &'static str, found: &Found) {
        let mut counters = lock(&self.shared.counters);
        for (entity, times) in found {
            let key = GuardCount { model: model.to_string(), side, entity: *entity };
            *counters.guarded.entry(key).or_default() += times;
        }
    }

    pub(crate) fn count_feedback(&self) {
        lock(&self.shared.counters).feedback += 1;
    }

    pub(crate) fn hand_over_sample(&self, replica: &str, sample: Sample) {
        lock(&self.shared.counters).samples += 1;
        self.shared.sink.sample(replica, sample);
    }

    pub(crate) fn keep_sample(&self, replica: &str, sample: Sample) -> Keeping {
        lock(&self.shared.counters).samples += 1;
        self.shared.sink.keep(replica, sample)
    }

    pub(crate) fn enter(&self, replica: &str) -> InFlight {
        *lock(&self.shared.in_flight).entry(replica.to_string()).or_default() += 1;
        InFlight { gateway: self.clone(), replica: replica.to_string() }
    }

    fn hand_over(&self, windows: Vec<Window>) {
        if !windows.is_empty() {
            self.shared.sink.windows(windows);
        }
    }
}

/// Counts a request for as long as it lives, also when the client goes away.
pub(crate) struct InFlight {
    gateway: Gateway,
    replica: String,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut in_flight = lock(&self.gateway.shared.in_flight);
        if let Some(count) = in_flight.get_mut(&self.replica) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                in_flight.remove(&self.replica);
            }
        }
    }
}

/// A panic while holding one of these locks leaves plain counts behind, which are still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
