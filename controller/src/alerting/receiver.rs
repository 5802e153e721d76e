use std::collections::BTreeSet;
use std::time::Duration;

use homeostat_clock::UtcMillis;
use reqwest::Url;

use super::AlertingError;

/// How long one delivery may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Who is told.
#[derive(Clone, PartialEq, Eq)]
pub enum Receiver {
    /// Gets Alertmanager's webhook payload (version 4), as every receiver written for Alertmanager understands it.
    Webhook {
        /// Unique name.
        name: String,
        /// Where to POST. Often holds a secret, so it is never logged.
        url: String,
    },
    /// An Alertmanager (API v2), which groups, silences and routes.
    Alertmanager {
        /// Unique name.
        name: String,
        /// Its base URL, with its path prefix if it has one.
        url: String,
    },
}

/// How a receiver fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiverState {
    /// Its name.
    pub name: String,
    /// When it last took what it was sent; `None` when it has not since the start.
    pub delivered_at: Option<UtcMillis>,
    /// Since when deliveries fail; `None` while they do not.
    pub failing_since: Option<UtcMillis>,
    /// Why the last one failed.
    pub error: Option<String>,
    /// Alerts it refused as malformed, which are not retried at once.
    pub refused: u64,
}

impl Receiver {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Webhook { name, .. } | Self::Alertmanager { name, .. } => name,
        }
    }

    pub(super) fn state(&self) -> ReceiverState {
        ReceiverState { name: self.name().to_owned(), ..ReceiverState::default() }
    }

    /// Where to POST.
    pub(super) fn endpoint(&self) -> Option<Url> {
        let (Self::Webhook { url, .. } | Self::Alertmanager { url, .. }) = self;
        let mut endpoint = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        if matches!(self, Self::Alertmanager { .. }) {
            endpoint.path_segments_mut().ok()?.pop_if_empty().extend(["api", "v2", "alerts"]);
        }
        Some(endpoint)
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self {
            Self::Webhook { .. } => "Webhook",
            Self::Alertmanager { .. } => "Alertmanager",
        };
        f.debug_struct(kind).field("name", &self.name()).finish_non_exhaustive()
    }
}

pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

pub(super) fn check(receivers: &[Receiver]) -> Result<(), AlertingError> {
    let mut names = BTreeSet::new();
    for receiver in receivers {
        let fail = |problem: &str| {
            Err(AlertingError::Receiver { name: receiver.name().to_owned(), problem: problem.to_owned() })
        };
        if receiver.endpoint().is_none() {
            return fail("its url is not an address; give http://host:port/path or https://host/path");
        }
        if !names.insert(receiver.name()) {
            return fail("another receiver has the same name; give each its own");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alertmanager(url: &str) -> Receiver {
        Receiver::Alertmanager { name: "am".to_owned(), url: url.to_owned() }
    }

    #[test]
    fn the_alertmanager_keeps_its_prefix() {
        let endpoint = |url| alertmanager(url).endpoint().map(String::from);
        assert_eq!(endpoint("http://am:9093").as_deref(), Some("http://am:9093/api/v2/alerts"));
        assert_eq!(endpoint("https://am/prefix/").as_deref(), Some("https://am/prefix/api/v2/alerts"));
    }

    #[test]
    fn wrong_receivers_are_refused_by_name() {
        let problem = |receivers: &[Receiver]| check(receivers).map_err(|error| error.to_string());
        assert!(problem(&[alertmanager("am:9093")]).is_err_and(|text| text.contains("\"am\": its url")));
        let twice = [alertmanager("http://a"), Receiver::Webhook { name: "am".to_owned(), url: "http://b".to_owned() }];
        assert!(problem(&twice).is_err_and(|text| text.contains("same name")));
    }

    #[test]
    fn secrets_in_addresses_are_not_printed() {
        assert!(!format!("{:?}", alertmanager("https://user:hunter2@am")).contains("hunter2"));
    }
}
