//! `GET /events`: one `changed` event whenever an object or a record changed, at most every half second.
//!
//! The event carries no data: a page that gets it fetches its own live part again. An idle stream costs nothing but a
//! comment now and then that keeps proxies from closing it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::Stream;
use tokio::sync::watch;

use crate::site::{Signed, Site};

/// The least time between two events.
const PAUSE: Duration = Duration::from_millis(500);

/// What a page already knows.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Since {
    /// State of the counter that the page was made from.
    #[serde(default)]
    since: u64,
}

/// `GET /events?since=N`
pub(crate) async fn get(
    Signed(_): Signed,
    State(site): State<Arc<Site>>,
    Query(since): Query<Since>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = changes(site.changes.clone(), since.since);
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(20)))
}

/// An event at once when the counter is not where the page left it, then one for each burst of changes.
fn changes(mut counter: watch::Receiver<u64>, since: u64) -> impl Stream<Item = Result<Event, Infallible>> {
    if *counter.borrow_and_update() != since {
        counter.mark_changed();
    }
    futures::stream::unfold((counter, false), |(mut counter, pause)| async move {
        if pause {
            tokio::time::sleep(PAUSE).await;
        }
        counter.changed().await.ok()?;
        let count = *counter.borrow_and_update();
        Some((Ok(Event::default().event("changed").data(count.to_string())), (counter, true)))
    })
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_becomes_one_event_and_silence_none() {
        let (sender, receiver) = watch::channel(7);
        let mut events = Box::pin(changes(receiver, 7));
        assert!(tokio::time::timeout(Duration::from_secs(60), events.next()).await.is_err(), "nothing changed");
        for _ in 0..100 {
            sender.send_modify(|count| *count += 1);
        }
        assert!(events.next().await.is_some());
        sender.send_modify(|count| *count += 1);
        let started = tokio::time::Instant::now();
        assert!(events.next().await.is_some());
        assert!(started.elapsed() >= PAUSE);
        assert!(tokio::time::timeout(Duration::from_secs(60), events.next()).await.is_err(), "nothing more");
        drop(sender);
        assert!(events.next().await.is_none(), "the stream ends with the site");
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_missed_something_hears_at_once() {
        let (_sender, receiver) = watch::channel(9);
        assert!(Box::pin(changes(receiver, 7)).next().await.is_some());
    }
}
