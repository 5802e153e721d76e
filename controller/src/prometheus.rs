//! Metrics from a Prometheus (or anything that answers its query API), one series a query.
//!
//! It asks and shapes the answer onto the asked grid; it judges nothing. What is missing is `None`, never zero: a
//! query that matches no series is "no data", one that matches several is a mistake in the query and says so.
//!
//! ```no_run
//! # async fn example() -> Result<(), homeostat_controller::prometheus::SourceError> {
//! use std::time::Duration;
//! use homeostat_clock::UtcMillis;
//! let source = homeostat_controller::prometheus::PromQl::new("http://127.0.0.1:9090")?;
//! let points = source.range("avg(up)", UtcMillis(0), UtcMillis(60_000), Duration::from_secs(15)).await?;
//! # Ok(()) }
//! ```

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use homeostat_clock::UtcMillis;
use prometheus_http_query::{Client, Error as QueryError};

/// How long one query may take, connection included.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Prometheus refuses more points a series than this.
const MAX_POINTS: i64 = 11_000;

/// A Prometheus server.
#[derive(Clone)]
pub struct PromQl {
    client: Client,
    url: String,
}

impl std::fmt::Debug for PromQl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PromQl").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why a metric could not be read. None of these says anything about the metric itself.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The address is not one.
    #[error("{url:?} is not the address of a Prometheus server; expected http://host:port or https://host/prefix")]
    Address {
        /// As given.
        url: String,
    },
    /// No HTTP client could be made.
    #[error("no HTTP client could be made for {url}")]
    Client {
        /// The server.
        url: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The asked range makes no sense.
    #[error("the range from {from} to {to} in steps of {step:?} cannot be asked for: {problem}")]
    Range {
        /// Start of the range.
        from: UtcMillis,
        /// End of the range.
        to: UtcMillis,
        /// Distance of two points.
        step: Duration,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The server could not be reached, or took too long.
    #[error("Prometheus at {url} did not answer; check that it runs and that this address is right")]
    Unreachable {
        /// The server.
        url: String,
        /// What went wrong.
        #[source]
        source: QueryError,
    },
    /// The server refused the query.
    #[error("Prometheus at {url} refused the query {query:?}: {reason}; try it in its own query page")]
    Refused {
        /// The server.
        url: String,
        /// The query.
        query: String,
        /// What the server said.
        reason: String,
    },
    /// The query gives several series.
    #[error(
        "the query {query:?} gives {count} series where one is needed (the first two: {first}, {second}); \
         aggregate them, for instance avg({query}) or sum({query})"
    )]
    SeveralSeries {
        /// The query.
        query: String,
        /// How many.
        count: usize,
        /// Labels of one of them.
        first: String,
        /// Labels of another.
        second: String,
    },
    /// The answer is of another shape.
    #[error("Prometheus at {url} answered the query {query:?} with something else than time series")]
    Shape {
        /// The server.
        url: String,
        /// The query.
        query: String,
    },
}

impl PromQl {
    /// A client of the server at `url`.
    ///
    /// # Errors
    /// When `url` is no address. A TLS provider must have been installed before.
    pub fn new(url: &str) -> Result<Self, SourceError> {
        let address = || SourceError::Address { url: url.to_owned() };
        let parsed = reqwest::Url::parse(url).map_err(|_| address())?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
            return Err(address());
        }
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|source| SourceError::Client { url: url.to_owned(), source })?;
        let client = Client::from(http, url).map_err(|_| address())?;
        Ok(Self { client, url: url.to_owned() })
    }

    /// The values of `query` at `from`, `from + step`, … up to and including `to`. `from` lies on a whole second, `step`
    /// is at least a millisecond, and no more than 11 000 points are asked at once (Prometheus' own bound).
    ///
    /// A point without a value (no series, a gap, NaN or an infinity) is `None`.
    ///
    /// # Errors
    /// When the server does not answer, refuses the query, or the query gives more than one series.
    pub async fn range(
        &self,
        query: &str,
        from: UtcMillis,
        to: UtcMillis,
        step: Duration,
    ) -> Result<Vec<(UtcMillis, Option<f64>)>, SourceError> {
        let grid = grid(from, to, step)?;
        let answer = self
            .client
            // Whole seconds are all that this client can say: the start is one, the end is rounded up and cut off below.
            .query_range(query, from.0 / 1000, to.0.saturating_add(999).div_euclid(1000), step.as_secs_f64())
            .timeout(i64::try_from(TIMEOUT.as_millis()).unwrap_or(i64::MAX))
            .post()
            .await
            .map_err(|error| self.failed(query, error))?;
        let series = answer
            .data()
            .as_matrix()
            .ok_or_else(|| SourceError::Shape { url: self.url.clone(), query: query.to_owned() })?;
        if let [first, second, ..] = series.as_slice() {
            return Err(SourceError::SeveralSeries {
                query: query.to_owned(),
                count: series.len(),
                first: labels(first.metric()),
                second: labels(second.metric()),
            });
        }
        let samples = series.first().map(|only| only.samples()).unwrap_or_default();
        Ok(on_grid(&grid, samples.iter().map(|sample| (sample.timestamp(), sample.value()))))
    }

    fn failed(&self, query: &str, error: QueryError) -> SourceError {
        match error {
            QueryError::Prometheus(refusal) => SourceError::Refused {
                url: self.url.clone(),
                query: query.to_owned(),
                reason: refusal.message().to_owned(),
            },
            source => SourceError::Unreachable { url: self.url.clone(), source },
        }
    }
}

/// The points in time that are asked for.
fn grid(from: UtcMillis, to: UtcMillis, step: Duration) -> Result<Vec<UtcMillis>, SourceError> {
    let fail = |problem| SourceError::Range { from, to, step, problem };
    let step_ms = i64::try_from(step.as_millis()).map_err(|_| fail("the step is too long"))?;
    if step_ms == 0 || !step.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(fail("the step must be a whole number of milliseconds and not zero"));
    }
    if from.0 % 1000 != 0 {
        return Err(fail("the start must lie on a whole second"));
    }
    let span = to.0.checked_sub(from.0).filter(|span| *span >= 0).ok_or_else(|| fail("it ends before it starts"))?;
    let last = span / step_ms;
    if last >= MAX_POINTS {
        return Err(fail("it has more than 11 000 points; ask in parts or with a longer step"));
    }
    Ok((0..=last).map(|index| UtcMillis(from.0 + index * step_ms)).collect())
}

/// Puts the points of an answer (seconds since 1970, value) onto the grid. What is not on it, or not finite, is left out.
fn on_grid(grid: &[UtcMillis], points: impl Iterator<Item = (f64, f64)>) -> Vec<(UtcMillis, Option<f64>)> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "times in milliseconds are far below 2^53; beyond it saturates"
    )]
    let answered: BTreeMap<i64, f64> = points.map(|(at, value)| ((at * 1000.0).round() as i64, value)).collect();
    let value = |at: &UtcMillis| answered.get(&at.0).copied().filter(|value| value.is_finite());
    grid.iter().map(|at| (*at, value(at))).collect()
}

/// The labels of a series in its usual notation.
fn labels(metric: &HashMap<String, String>) -> String {
    let sorted: BTreeMap<_, _> = metric.iter().collect();
    let pairs: Vec<_> = sorted.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_answered_is_missing_and_what_is_not_finite_too() {
        let grid = grid(UtcMillis(10_000), UtcMillis(11_600), Duration::from_millis(500)).expect("a fine range");
        assert_eq!(grid, [10_000, 10_500, 11_000, 11_500].map(UtcMillis));
        let points = [(10.0, 1.0), (10.5, f64::NAN), (11.0, f64::INFINITY), (12.0, 4.0)];
        let values: Vec<_> = on_grid(&grid, points.into_iter()).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [Some(1.0), None, None, None]);
    }

    #[test]
    fn ranges_that_cannot_be_asked_say_why() {
        let problem = |from, to, step| match grid(UtcMillis(from), UtcMillis(to), Duration::from_micros(step)) {
            Err(error) => error.to_string(),
            Ok(grid) => panic!("{} points", grid.len()),
        };
        assert!(problem(0, 1000, 0).contains("not zero"));
        assert!(problem(0, 1000, 1500).contains("whole number of milliseconds"));
        assert!(problem(500, 1000, 1000).contains("whole second"));
        assert!(problem(2000, 1000, 1000).contains("ends before"));
        assert!(problem(0, 100_000_000, 1_000_000).contains("11 000 points"));
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for url in ["", "localhost:9090", "unix:///run/prometheus", "http://"] {
            assert!(matches!(PromQl::new(url), Err(SourceError::Address { .. })), "{url}");
        }
    }
}
